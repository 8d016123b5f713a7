"""Put a store together: read its settings and pick the adapters. The only place that knows which ones there are."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import takings
from takings import layout
from takings.adapters.clock import SystemClock
from takings.adapters.delta_lake import DeltaLake
from takings.adapters.dry_run import DryRun, accepted_files
from takings.adapters.duckdb_engine import DuckDbEngine
from takings.adapters.duckdb_session import open_duckdb
from takings.adapters.duckdb_validation import DuckDbValidation
from takings.adapters.faults import translated_faults
from takings.adapters.heartbeat import ThreadHeartbeat
from takings.adapters.kpi_parquet import write_kpi_parquet
from takings.adapters.local.database import open_database
from takings.adapters.local.kpi_store import SqliteKpiStore
from takings.adapters.local.lake_files import FolderLakeFiles
from takings.adapters.local.ledger import SqliteLedger
from takings.adapters.local.object_store import FolderStore
from takings.adapters.local.owners import ProcessOwners
from takings.adapters.shop_generator import Generated, ShopFormat, ShopPlan, generate_shop
from takings.contracts import load_contracts
from takings.errors import SettingsError, StoreError, UnknownThing, UsageError
from takings.kpis import load_kpi_tables
from takings.ports import BusinessTime, Changes, Ports, Tell, ValidationEngine
from takings.settings import Settings, ValidationChoice, merge_settings
from takings.store_format import check_format, check_ledger
from takings.time_zones import business_time
from takings.validation.verdicts import Tolerance

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SETTINGS_FILE = "takings.toml"


@dataclass(frozen=True, kw_only=True)
class Shop:
    """An opened store."""

    root: Path
    settings: Settings
    ports: Ports


def pick_validation(choice: ValidationChoice) -> Callable[[DuckDBPyConnection, BusinessTime], ValidationEngine]:
    """Return the class of a validation engine; SettingsError where its packages are not installed."""
    if choice is ValidationChoice.DUCKDB:
        return DuckDbValidation
    try:
        from takings.adapters.pandas_validation import PandasValidation
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"validation_engine = 'pandas' needs the package {missing.name}. Install it: pip install 'takings[pandas]'."
        ) from missing
    return PandasValidation


def read_settings(root: Path, options: Mapping[str, Any]) -> Settings:
    """Read the settings of a store: working folder's and store's takings.toml, TAKINGS_* variables, options."""
    sources: list[tuple[str, Mapping[str, Any]]] = []
    folders = [Path.cwd()] if root.resolve() == Path.cwd() else [Path.cwd(), root]
    for file in (folder / _SETTINGS_FILE for folder in folders):
        if file.is_file():
            try:
                sources.append((str(file), tomllib.loads(file.read_text(encoding="utf-8"))))
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
                raise SettingsError(f"{file} is no TOML file: {broken}.") from broken
    environment = {
        name.removeprefix("TAKINGS_").lower(): value
        for name, value in os.environ.items()
        if name.startswith("TAKINGS_")
    }
    sources += [
        ("environment", environment),
        ("options", {key: value for key, value in options.items() if value is not None}),
    ]
    return merge_settings(sources)


@contextmanager
def open_store(root: Path, tell: Tell, options: Mapping[str, Any] | None = None) -> Iterator[Shop]:
    """Open a store in a folder; UnknownThing where there is none, StoreError where it cannot be used."""
    check_store(root)
    settings = read_settings(root, options or {})
    private = root / ".takings"
    try:
        private.mkdir(exist_ok=True)
    except OSError as refused:
        raise StoreError(f"{root}: {refused.strerror}. Takings needs to write into the store's folder.") from refused
    contracts = load_contracts(Path(settings.contracts) if settings.contracts else None)
    zone = business_time(settings.time_zone)
    store = FolderStore(root)
    check_format(store, settings.time_zone)
    tables = DeltaLake(FolderLakeFiles(root))
    kpi_tables = load_kpi_tables()
    spill = private / "spill" / str(os.getpid())
    threads = settings.threads or os.cpu_count() or 1
    faults = partial(translated_faults, settings.memory)
    with (
        faults(),
        closing(open_database(private / "takings.db")) as database,
        closing(open_duckdb(settings.memory, threads, spill)) as duckdb,
    ):
        ports = Ports(
            store=store,
            ledger=SqliteLedger(database),
            kpis=SqliteKpiStore(database, kpi_tables),
            tables=tables,
            validation=pick_validation(settings.validation_engine)(duckdb, zone),
            engine=DuckDbEngine(duckdb, tables, contracts, zone),
            clock=SystemClock(),
            heartbeat=ThreadHeartbeat(),
            owners=ProcessOwners(),
            contracts=contracts,
            kpi_tables=kpi_tables,
            batch_policy=settings.batch_policy,
            time_zone=settings.time_zone,
            outcome_settings={"policy": settings.policy.value, "max_rejected": str(settings.max_rejected)},
            package_version=takings.__version__,
            tell=tell,
            faults=faults,
        )
        check_ledger(ports.store, ports.ledger)
        yield Shop(root=root, settings=settings, ports=ports)
    if spill.is_dir() and not any(spill.iterdir()):
        spill.rmdir()


@contextmanager
def open_empty_store(
    root: Path, source: Path, tell: Tell, options: Mapping[str, Any]
) -> Iterator[tuple[Shop, FolderStore]]:
    """Open a new store with another one's settings file, and that other one to read from.

    UnknownThing where the source is no store, UsageError where the new one's folder is not empty.
    """
    check_store(source)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(f"{root} is not empty. Name a new folder: what is there is never mixed with what is rebuilt.")
    (root / layout.RAW).mkdir(parents=True)
    if (source / _SETTINGS_FILE).is_file():
        shutil.copyfile(source / _SETTINGS_FILE, root / _SETTINGS_FILE)
    with open_store(root, tell, options) as shop:
        yield shop, FolderStore(source)


def notice_changes(shop: Shop) -> AbstractContextManager[Changes]:
    """Begin to notice what changes under the store's raw-data/."""
    # Threads and file descriptors that only a watch needs.
    from takings.adapters.local.changes import FolderChanges

    return FolderChanges(shop.root / layout.RAW, shop.ports.tell).noticing()


def open_dry_run(store: Path | None, options: Mapping[str, Any]) -> DryRun:
    """Prepare to examine files without a store, or as a store would; nothing is written to it."""
    if store is not None:
        check_store(store)
    settings = read_settings(store or Path.cwd(), options)
    return DryRun(
        contracts=load_contracts(Path(settings.contracts) if settings.contracts else None),
        business_time=business_time(settings.time_zone),
        tolerance=Tolerance(policy=settings.policy, max_rejected=settings.max_rejected),
        engine=pick_validation(settings.validation_engine),
        memory=settings.memory,
        threads=settings.threads or os.cpu_count() or 1,
        now=SystemClock().now(),
        accepted={} if store is None else accepted_files(store / ".takings" / "takings.db"),
    )


def check_store(root: Path) -> None:
    """Raise UnknownThing unless the folder is a store: it has raw-data/, or a lake from earlier."""
    if not root.is_dir():
        raise UnknownThing(
            f"{root} is no folder. Make it and drop files under {root}/raw-data/products, orders, order-items."
        )
    if not any((root / part).is_dir() for part in ("raw-data", "lake", ".takings")):
        raise UnknownThing(
            f"{root} is no store: it has no raw-data folder. Drop files under {root}/raw-data/products, orders and order-items."
        )


__all__ = [
    "Generated",
    "Shop",
    "ShopFormat",
    "ShopPlan",
    "check_store",
    "generate_shop",
    "notice_changes",
    "open_dry_run",
    "open_empty_store",
    "open_store",
    "read_settings",
    "write_kpi_parquet",
]
