"""Look at a shop's files, propose contracts for them, and try these out in a store that is thrown away."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from takings.adapters.faults import translated_faults
from takings.adoption.contract_text import contract_text
from takings.adoption.guess import guess
from takings.adoption.looks import FileLook
from takings.adoption.proposal import Proposal, propose
from takings.adoption.recognition import kind_of, why_not
from takings.archive.outcome import BatchOutcome
from takings.composition.stores import open_store, read_settings
from takings.contracts.datasets import Dataset, DropKind
from takings.contracts.model import Contracts
from takings.errors import UsageError
from takings.kpis import KpiRow
from takings.kpis.publication import visible
from takings.profiles import PREFIX, PROFILES, contracts_folder
from takings.queries.incomplete import Incomplete, find_incomplete
from takings.queries.published_kpis import By, kpi_table
from takings.runs import pipeline

_WRITTEN = (
    "# Written by `takings adopt`: how the files under raw-data/ are read. docs/settings.md has the other settings.\n"
)
_ZONE = '# Where days begin and end; UTC by default.\n# time_zone = "Europe/Berlin"\n'
_FOLDERS = {Dataset.PRODUCTS: "products", Dataset.ORDERS: "orders", Dataset.ORDER_ITEMS: "order-items"}


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """A way to read a shop's files that can be tried and written: a profile, or a proposal of contracts."""

    files: Sequence[FileLook]
    #: name of a file -> where it lies
    paths: Mapping[str, Path]
    #: name of a file -> the folder under raw-data/ that it belongs into
    folders: Mapping[str, str]
    #: the profile that reads all of the files, if there is one
    profile: str | None = None
    #: what is proposed where there is none
    proposal: Proposal | None = None
    #: what the KPIs lack, as sentences; with any of it there is nothing to try
    missing: tuple[str, ...] = ()

    @property
    def texts(self) -> Mapping[str, str]:
        """Return the text of each contract's file, by its name."""
        contracts = {} if self.proposal is None else self.proposal.contracts
        return {f"{dataset}.odcs.yaml": contract_text(each) for dataset, each in contracts.items()}

    def try_out(self) -> Tried:
        """Run the adoption over copies of the files, in a store of its own that is gone afterwards.

        >>> import takings
        >>> tried = takings.adopt(takings.generate("exports", 20, days=7, flat=True).files).try_out()
        >>> tried.has_rejections, len(tried.days), tried.total("total_orders")
        (False, 7, Decimal('20'))
        """
        with TemporaryDirectory(prefix="takings-") as folder:
            root = Path(folder, "shop")
            self.write(root)
            for name, kind in self.folders.items():
                shutil.copy2(self.paths[name], root / "raw-data" / kind / name)
            with open_store(root, lambda *_: None, {}) as shop:
                ran = pipeline.run(shop.ports, at_once=True)
                table = kpi_table(shop.ports.kpi_tables, By.DAY)
                return Tried(
                    batches=ran.batches,
                    days=tuple(visible(shop.ports.kpis.rows(table))),
                    incomplete=find_incomplete(shop.ports),
                )

    def write(self, store: str | Path) -> None:
        """Make a store that reads such files: its settings, its contracts and its folders.

        UsageError where it has settings or contracts of its own already; nothing is written then.

        >>> import takings
        >>> takings.adopt(takings.generate("exports", 20, flat=True).files).write("own-shop")
        >>> takings.open("own-shop").status().state
        'IDLE'
        """
        root = Path(store)
        check_new(root)
        folder = root / "contracts"
        for name in sorted({*_FOLDERS.values(), *self.folders.values()} if self.proposal else self.folders.values()):
            (root / "raw-data" / name).mkdir(parents=True, exist_ok=True)
        for name, text in self.texts.items():
            folder.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        named = "contracts" if self.profile is None else f"{PREFIX}{self.profile}"
        (root / "takings.toml").write_text(f'{_WRITTEN}contracts = "{named}"\n{_ZONE}', encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What a run over the files came to."""

    batches: tuple[BatchOutcome, ...]
    days: Sequence[KpiRow]
    incomplete: Incomplete

    @property
    def has_rejections(self) -> bool:
        """Return whether some row or file was refused."""
        return any(batch.has_rejections for batch in self.batches)

    def total(self, column: str) -> Decimal:
        """Return the sum of a KPI over all days."""
        return sum((Decimal(row.values[column] or 0) for row in self.days), Decimal(0))


def adopt_files(files: Sequence[Path], profile: str | None = None) -> Adoption:
    """Look at files, and recognise a profile or propose contracts; `profile` names the only one that is tried.

    UsageError where a file is no CSV file, or not all of them are of the profile. SettingsError for an unknown profile.
    """
    # They load DuckDB and numpy, which the command's help does not need.
    from takings.adapters.duckdb.looking import look_at
    from takings.adapters.duckdb.session import open_duckdb
    from takings.contracts.load import load_contracts

    settings = read_settings(Path.cwd(), {})
    threads = settings.threads or os.cpu_count() or 1
    with (
        translated_faults(settings.memory),
        TemporaryDirectory(prefix="takings-") as folder,
        closing(open_duckdb(settings.memory, threads, Path(folder, "spill"))) as connection,
    ):
        looks, contained = look_at(connection, files, Path(folder))
    paths = {file.name: file for file in files}
    for name in PROFILES if profile is None else (profile,):
        contracts = load_contracts(contracts_folder(PREFIX + name))
        kinds = {at: kind for at, look in enumerate(looks) if (kind := kind_of(look, contracts)) is not None}
        if len(kinds) == len(looks):
            folders = {file: _folder(kind, contracts) for at, kind in kinds.items() for file in looks[at].names}
            absent = [dataset for dataset in Dataset if dataset not in contracts.sources.yielded(kinds.values())]
            missing = tuple(
                f"none of the files is of {dataset.replace('_', ' ')}. Name one as well." for dataset in absent
            )
            return Adoption(files=looks, paths=paths, folders=folders, profile=name, missing=missing)
        if profile is not None:
            strange = next(look for at, look in enumerate(looks) if at not in kinds)
            raise UsageError(
                f"{strange.names[0]} is not a file of the profile '{profile}': {why_not(strange, contracts)}."
                " Leave --profile out, or name its own exports."
            )
    proposal = propose(guess(looks, contained), looks)
    folders = {
        file: _FOLDERS[dataset] for dataset, each in proposal.contracts.items() for file in each.guess.file.names
    }
    return Adoption(files=looks, paths=paths, folders=folders, proposal=proposal, missing=proposal.missing)


def _folder(kind: DropKind, contracts: Contracts) -> str:
    """Return the folder under raw-data/ for files of a kind."""
    return _FOLDERS[kind] if isinstance(kind, Dataset) else contracts.sources.by_name[kind].folder


def check_new(root: Path) -> None:
    """Raise UsageError unless a store can be made there: it has settings or contracts of its own, or is no folder."""
    if root.exists() and not root.is_dir():
        raise UsageError(f"{root} is a file. Name a folder with --into.")
    folder, settings = root / "contracts", root / "takings.toml"
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty. Name another store with --into, or move what is there away.")
    if settings.exists():
        raise UsageError(f"{settings} already exists. Name another store with --into, or move the file away.")
