"""Assemble a store: read its settings and pick the adapters. No other module knows which adapters there are."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import takings
from takings import layout
from takings.adapters.clock import SystemClock
from takings.adapters.faults import translated_faults
from takings.adapters.heartbeat import ThreadHeartbeat
from takings.adapters.lake_files import LakeFiles
from takings.adapters.local.platform import LocalPlatform
from takings.adapters.platform import SETTINGS_FILE, Platform
from takings.adapters.settings_sources import merged_settings
from takings.batch.own_kpis import check_grains
from takings.batch.store_format import check_format, check_ledger
from takings.composition.buckets import S3, on_aws
from takings.composition.lineage import lineage_told
from takings.composition.on_demand import (
    Engines,
    Files,
    engines_at_once,
    engines_on_demand,
    shipped_contracts_on_demand,
)
from takings.contracts.model import Contracts
from takings.errors import UsageError
from takings.kpis import KpiRow, KpiTable, load_kpi_tables, load_own_tables
from takings.ports import Changes, LakeTables, ObjectStore, Ports, Tell
from takings.profiles import is_shipped
from takings.settings import EngineChoice, Settings, ValidationChoice
from takings.time_zones import read_zone

if TYPE_CHECKING:
    from arro3.core import Table


@dataclass(frozen=True, kw_only=True)
class Shop:
    """An opened store."""

    #: the store's folder; for a bucket, this machine's working folder
    root: Path
    settings: Settings
    ports: Ports
    #: starts to watch raw-data/ for changes
    notice: Callable[[Tell], AbstractContextManager[Changes]]


@contextmanager
def find_store(store: str | Path, *, only_reads: bool = False) -> Iterator[Platform]:
    """Find a store: a folder, or s3://bucket; UnknownThing where there is none."""
    if not str(store).startswith(S3):
        local = LocalPlatform(Path(store), only_reads=only_reads)
        local.check()
        yield local
        return
    with on_aws(store) as (clients, bucket), TemporaryDirectory(prefix="takings-") as work:
        from takings.adapters.aws.platform import AwsPlatform

        yield AwsPlatform(clients, bucket, Path(work))


def read_settings(root: Path, options: Mapping[str, Any]) -> Settings:
    """Read the settings of a folder: takings.toml of the working folder and of the store, TAKINGS_* variables, options."""
    return merged_settings(LocalPlatform(root), options)


def read_settings_of(store: str | Path, options: Mapping[str, Any]) -> Settings:
    """Read the settings of a store without opening it; UnknownThing where there is none."""
    with find_store(store, only_reads=True) as platform:
        return merged_settings(platform, options)


@contextmanager
def open_store(store: str | Path, tell: Tell, options: Mapping[str, Any] | None = None) -> Iterator[Shop]:
    """Open a store; UnknownThing where there is none, StoreError where it cannot be used."""
    with find_store(store) as platform, _opened(platform, tell, options or {}, works_on=str(store)) as shop:
        yield shop


@contextmanager
def open_store_to_look(store: str | Path, tell: Tell, options: Mapping[str, Any] | None = None) -> Iterator[Shop]:
    """Open a store for a command that changes nothing; if it cannot be written to, open it so that nothing is written.

    Lake and engines are opened when they are used.
    """
    is_writable = str(store).startswith(S3) or not Path(store).is_dir() or LocalPlatform(Path(store)).can_write()
    if not is_writable:
        with _open_to_read(store, tell, options, only_looks=True) as shop:
            yield shop
        return
    with find_store(store) as platform, _opened(platform, tell, options or {}, only_looks=True) as shop:
        yield shop


def open_store_to_read(
    store: str | Path, tell: Tell, options: Mapping[str, Any] | None = None
) -> AbstractContextManager[Shop]:
    """Open a store only to read it: nothing is written to it, not even what an engine spills."""
    return _open_to_read(store, tell, options, only_looks=False)


@contextmanager
def _open_to_read(
    store: str | Path, tell: Tell, options: Mapping[str, Any] | None, *, only_looks: bool
) -> Iterator[Shop]:
    # Spark returns the same numbers, but takes longer.
    at_once = {"engine": EngineChoice.DUCKDB, "validation_engine": ValidationChoice.DUCKDB}
    chosen = at_once if options is None else options
    with (
        find_store(store, only_reads=True) as platform,
        TemporaryDirectory(prefix="takings-") as work,
        _opened(platform, tell, chosen, spill=Path(work) / "spill", only_looks=only_looks) as shop,
    ):
        yield shop


@contextmanager
def _opened(
    platform: Platform,
    tell: Tell,
    options: Mapping[str, Any],
    *,
    spill: Path | None = None,
    only_looks: bool = False,
    works_on: str | None = None,
) -> Iterator[Shop]:
    settings = merged_settings(platform, options)
    folder = platform.contracts(settings)
    contracts = _contracts(folder, only_looks=only_looks)
    own_tables = _own_tables(folder, contracts, only_looks=only_looks)
    read_zone(settings.time_zone)
    store = platform.files()
    check_format(store, settings.time_zone)
    kpi_tables = (*load_kpi_tables(contracts.worth), *own_tables)
    faults = partial(_faults, settings.memory, platform)
    open_all = engines_on_demand if only_looks else engines_at_once
    with (
        _spilling(spill or platform.root / ".takings" / "spill" / str(os.getpid())) as spill,
        faults(),
        platform.open(settings, kpi_tables) as opened,
        open_all(
            partial(_open_lake, opened.lake),
            partial(
                _open_engines,
                settings=settings,
                contracts=contracts,
                own_tables=own_tables,
                spill=spill,
                checks_own=not only_looks,
                files=Files(here=store, elsewhere=platform.files_elsewhere()),
                tell=tell,
            ),
        ) as engines,
    ):
        ports = Ports(
            store=store,
            ledger=opened.ledger,
            kpis=opened.kpis,
            tables=engines.tables,
            validation=engines.validation,
            sources=engines.sources,
            engine=engines.engine,
            kpi_engine=engines.kpi_engine,
            executors=engines.executors,
            clock=SystemClock(),
            heartbeat=ThreadHeartbeat(faults),
            owners=opened.owners,
            contracts=contracts,
            kpi_tables=kpi_tables,
            batch_policy=settings.batch_policy,
            time_zone=settings.time_zone,
            outcome_settings=settings.outcome_settings,
            package_version=takings.__version__,
            tell=tell,
            faults=faults,
        )
        check_ledger(ports.store, ports.ledger)
        check_grains(ports)
        with lineage_told(ports, settings, works_on) as ports:
            yield Shop(root=platform.root, settings=settings, ports=ports, notice=opened.notice)


def _contracts(folder: Path | None, *, only_looks: bool) -> Contracts:
    """Load contracts, and let DuckDB check the SQL of their sources; a look takes both of what is shipped on trust."""
    if only_looks and folder is None:
        return shipped_contracts_on_demand(_load_contracts)
    contracts = _load_contracts(folder)
    if not contracts.sources or (only_looks and is_shipped(folder)):
        return contracts
    from takings.composition import engines

    return engines.checked(contracts)


def _own_tables(folder: Path | None, contracts: Contracts, *, only_looks: bool) -> tuple[KpiTable, ...]:
    """Load the KPI tables of the shop's own, and let DuckDB check their SQL; a look only reads what they published."""
    tables = load_own_tables(folder, contracts)
    if not tables or only_looks:
        return tables
    from takings.composition import engines

    return engines.checked_tables(tables, contracts)


def check_own_tables(
    store: str | Path, options: Mapping[str, Any]
) -> tuple[tuple[KpiTable, ...], tuple[EngineChoice, ...]]:
    """Check the KPI tables of the shop's own as a command that works does, and nothing else; return them and the engines.

    ContractError for the first that cannot be used. UnknownThing where there is no such store.
    """
    with find_store(store, only_reads=True) as platform:
        settings = merged_settings(platform, options)
        folder = platform.contracts(settings)
        contracts = _load_contracts(folder)
        tables = _own_tables(folder, contracts, only_looks=False)
        if not tables or settings.engine is EngineChoice.DUCKDB:
            return tables, (EngineChoice.DUCKDB,)
        from takings.composition import engines

        engines.check_on_spark(tables, contracts, settings)
        return tables, (EngineChoice.DUCKDB, EngineChoice.SPARK)


def _load_contracts(folder: Path | None = None) -> Contracts:
    """Load the reader of contracts, and read them."""
    from takings.contracts.load import load_contracts

    return load_contracts(folder)


def _open_lake(files: LakeFiles) -> LakeTables:
    """Load delta-rs and open the lake."""
    from takings.adapters.delta.lake_tables import DeltaLake

    return DeltaLake(files)


def _open_engines(
    tables: LakeTables,
    *,
    settings: Settings,
    contracts: Contracts,
    own_tables: Sequence[KpiTable],
    spill: Path,
    checks_own: bool,
    files: Files,
    tell: Tell,
) -> AbstractContextManager[Engines]:
    """Load the engines' libraries and open them."""
    from takings.composition import engines

    return engines.open_engines(
        tables,
        settings=settings,
        contracts=contracts,
        own_tables=own_tables,
        spill=spill,
        files=files,
        tell=tell,
        checks_own=checks_own,
    )


@contextmanager
def _faults(memory: str, platform: Platform) -> Iterator[None]:
    """Raise Takings errors instead of those of the engines' and the platform's libraries."""
    with translated_faults(memory), platform.faults():
        yield


@contextmanager
def _spilling(folder: Path) -> Iterator[Path]:
    """Lend a folder for what DuckDB spills, and remove it if it is empty at the end."""
    yield folder
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


@contextmanager
def open_empty_store(
    target: str | Path, source: str | Path, tell: Tell, options: Mapping[str, Any]
) -> Iterator[tuple[Shop, ObjectStore]]:
    """Open a new store with another store's settings and contracts, and open that other store to read from.

    The new store is a folder that is empty or missing, or a bucket whose tables exist and that holds no store yet: its own
    settings hold. UnknownThing where the source is not a store, UsageError where the target has one already.
    """
    with find_store(source) as platform:
        if str(target).startswith(S3):
            with find_store(target) as bucket:
                _begin_in_bucket(bucket, str(target).removesuffix("/"), platform)
        else:
            _begin_in_folder(Path(target), platform)
        with open_store(target, tell, options) as shop:
            _check_tables_empty(shop, target)
            yield shop, platform.files()


def _begin_in_folder(root: Path, source: Platform) -> None:
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(f"{root} is not empty. Name a new folder: rebuilding never mixes with existing files.")
    (root / layout.RAW).mkdir(parents=True)
    content = source.files().read(SETTINGS_FILE)
    own = _own_contracts(source)
    if own is not None:
        # They are named within the store, so the new store has to have them as well.
        place = own.resolve().relative_to(source.root.resolve())
        shutil.copytree(own, root / place)
        content = _naming(content, str(place), if_named=S3)
    if content is not None:
        (root / SETTINGS_FILE).write_bytes(content)


def _begin_in_bucket(bucket: Platform, name: str, source: Platform) -> None:
    """Write settings and contracts into a bucket, unless it has its own."""
    files = bucket.files()
    full = next((info.key for folder in _STORED for info in files.list(folder)), None)
    if full is not None:
        raise UsageError(
            f"{name} holds {full}. Name a new bucket, made by `takings aws bootstrap {name}`: rebuilding never mixes with"
            " existing files."
        )
    content = source.files().read(SETTINGS_FILE)
    own = _own_contracts(source)
    if own is not None:
        place = f"{name}/contracts"
        for file in sorted(each for each in own.rglob("*") if each.is_file()):
            files.create(f"contracts/{file.relative_to(own).as_posix()}", file.read_bytes())
        content = _naming(content, place)
    if content is not None:
        files.create(SETTINGS_FILE, content)


#: what a store in a bucket writes
_STORED: Final = (
    layout.RAW,
    layout.BATCHES,
    *layout.ARCHIVES,
    "lake/",
    "staging/",
    "quarantine/",
    "validation-reports/",
)


def _naming(settings: bytes | None, contracts: str, if_named: str = "") -> bytes | None:
    """Return settings that name contracts at another place, if they name some that begin so."""
    found = rb"(?m)^([ \t]*contracts[ \t]*=[ \t]*)(['\"])" + re.escape(if_named.encode()) + rb"[^'\"\n]*\2"
    line = b'\\1"' + contracts.replace("\\", "/").encode() + b'"'
    return None if settings is None else re.sub(found, line, settings)


def _own_contracts(source: Platform) -> Path | None:
    """Return the folder of a store's contracts if they lie within the store."""
    own = source.contracts(merged_settings(source, {}))
    return own if own is not None and own.resolve().is_relative_to(source.root.resolve()) else None


def _check_tables_empty(shop: Shop, target: str | Path) -> None:
    """Raise UsageError where the tables of a bucket have another store's records: they would stay among the new ones."""
    ports = shop.ports
    has_rows = any(True for table in ports.kpi_tables for _ in ports.kpis.rows(table))
    if has_rows or ports.ledger.lineage() or ports.ledger.gate().generation:
        raise UsageError(
            f"the tables of {target} are not empty. Give the new bucket tables of its own (`table_prefix` in its takings.toml),"
            " and create them: takings aws bootstrap."
        )


def notice_changes(shop: Shop) -> AbstractContextManager[Changes]:
    """Start to watch the store's raw-data/ for changes."""
    return shop.notice(shop.ports.tell)


def write_kpi_parquet(table: KpiTable, rows: Sequence[KpiRow], output: Path) -> None:
    """Write published KPIs as a Parquet file with real types."""
    # Only this way to show them, and the next one, need DuckDB.
    from takings.adapters.duckdb import kpi_tables

    kpi_tables.write_kpi_parquet(table, rows, output)


def kpi_arrow(table: KpiTable, rows: Sequence[KpiRow]) -> Table:
    """Return published KPIs as an Arrow table with real types."""
    from takings.adapters.duckdb import kpi_tables

    return kpi_tables.kpi_arrow(table, rows)
