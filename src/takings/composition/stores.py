"""Assemble a store: read its settings and pick the adapters. No other module knows which adapters there are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import takings
from takings import layout
from takings.adapters.clock import SystemClock
from takings.adapters.delta.lake_tables import DeltaLake
from takings.adapters.duckdb.kpi_parquet import write_kpi_parquet
from takings.adapters.duckdb.lake_engine import DuckDbEngine
from takings.adapters.duckdb.session import open_duckdb
from takings.adapters.duckdb.source_rows import DuckDbSources
from takings.adapters.duckdb.source_sql import checked
from takings.adapters.duckdb.validation import DuckDbValidation
from takings.adapters.faults import translated_faults
from takings.adapters.heartbeat import ThreadHeartbeat
from takings.adapters.local.dry_run import DryRun, Unplaced
from takings.adapters.local.platform import LocalPlatform
from takings.adapters.platform import SETTINGS_FILE, Platform
from takings.adapters.settings_sources import merged_settings
from takings.adapters.shop_generator import Generated, ShopFormat, ShopPlan, generate_shop
from takings.batch.store_format import check_format, check_ledger
from takings.composition.functions import S3, on_aws
from takings.contracts import load_contracts
from takings.contracts.model import Contracts, Dataset
from takings.errors import SettingsError, UsageError
from takings.kpis import load_kpi_tables
from takings.ports import BusinessTime, Changes, KpiEngine, LakeTables, ObjectStore, Ports, Tell, ValidationEngine
from takings.profiles import contracts_folder
from takings.settings import EngineChoice, Settings, ValidationChoice
from takings.time_zones import business_time
from takings.validation.verdicts import Tolerance

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True, kw_only=True)
class Shop:
    """An opened store."""

    #: the store's folder; for a bucket, this machine's working folder
    root: Path
    settings: Settings
    ports: Ports
    #: starts to watch raw-data/ for changes
    notice: Callable[[Tell], AbstractContextManager[Changes]]


def pick_validation(
    choice: ValidationChoice, workers: int
) -> Callable[[DuckDBPyConnection, BusinessTime], ValidationEngine]:
    """Return what makes a validation engine; SettingsError where its packages are not installed."""
    if choice is ValidationChoice.DUCKDB:
        return partial(DuckDbValidation, workers=workers)
    try:
        from takings.adapters.pandas.validation import PandasValidation
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"validation_engine = 'pandas' needs the package {missing.name}. Install it: pip install 'takings[pandas]'."
        ) from missing
    return PandasValidation


def pick_kpi_engine(
    settings: Settings, duckdb_engine: DuckDbEngine, tables: LakeTables, contracts: Contracts
) -> AbstractContextManager[KpiEngine]:
    """Yield the engine that computes measures, and end it with the block; SettingsError where Spark is not installed."""
    if settings.engine is EngineChoice.DUCKDB:
        return nullcontext(duckdb_engine)
    try:
        from takings.adapters.spark.kpi_engine import SparkEngine
        from takings.adapters.spark.session import open_spark
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"engine = 'spark' needs the package {missing.name}. Install it: pip install 'takings[spark]'."
        ) from missing
    return closing(SparkEngine(tables, contracts, partial(open_spark, settings.spark_master)))


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
    with find_store(store) as platform, _opened(platform, tell, options or {}) as shop:
        yield shop


@contextmanager
def open_store_to_look(store: str | Path, tell: Tell, options: Mapping[str, Any] | None = None) -> Iterator[Shop]:
    """Open a store for a command that changes nothing; if it cannot be written to, open it so that nothing is written."""
    is_writable = str(store).startswith(S3) or not Path(store).is_dir() or LocalPlatform(Path(store)).can_write()
    opened = open_store(store, tell, options) if is_writable else open_store_to_read(store, tell, options)
    with opened as shop:
        yield shop


@contextmanager
def open_store_to_read(store: str | Path, tell: Tell, options: Mapping[str, Any] | None = None) -> Iterator[Shop]:
    """Open a store only to read it: nothing is written to it, not even what an engine spills."""
    # Spark returns the same numbers, but takes longer.
    at_once = {"engine": EngineChoice.DUCKDB, "validation_engine": ValidationChoice.DUCKDB}
    with (
        find_store(store, only_reads=True) as platform,
        TemporaryDirectory(prefix="takings-") as work,
        _opened(platform, tell, at_once if options is None else options, spill=Path(work) / "spill") as shop,
    ):
        yield shop


@contextmanager
def _opened(platform: Platform, tell: Tell, options: Mapping[str, Any], *, spill: Path | None = None) -> Iterator[Shop]:
    settings = merged_settings(platform, options)
    contracts = checked(load_contracts(platform.contracts(settings)))
    zone = business_time(settings.time_zone)
    store = platform.files()
    check_format(store, settings.time_zone)
    kpi_tables = load_kpi_tables(contracts[Dataset.ORDER_ITEMS].worth)
    threads = settings.threads or os.cpu_count() or 1
    faults = partial(_faults, settings.memory, platform)
    with (
        _spilling(spill or platform.root / ".takings" / "spill" / str(os.getpid())) as spill,
        faults(),
        platform.open(settings, kpi_tables) as opened,
        closing(open_duckdb(settings.memory, threads, spill)) as duckdb,
        pick_kpi_engine(
            settings,
            engine := DuckDbEngine(duckdb, tables := DeltaLake(opened.lake), contracts, zone),
            tables,
            contracts,
        ) as kpi_engine,
    ):
        ports = Ports(
            store=store,
            ledger=opened.ledger,
            kpis=opened.kpis,
            tables=tables,
            validation=pick_validation(settings.validation_engine, threads)(duckdb, zone),
            sources=DuckDbSources(settings.memory),
            engine=engine,
            kpi_engine=kpi_engine,
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
        yield Shop(root=platform.root, settings=settings, ports=ports, notice=opened.notice)


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
    root: Path, source: str | Path, tell: Tell, options: Mapping[str, Any]
) -> Iterator[tuple[Shop, ObjectStore]]:
    """Open a new store in a folder, with another store's settings file, and open that other store to read from.

    UnknownThing where the source is not a store, UsageError where the new folder is not empty.
    """
    with find_store(source) as platform:
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise UsageError(f"{root} is not empty. Name a new folder: rebuilding never mixes with existing files.")
        (root / layout.RAW).mkdir(parents=True)
        content = platform.files().read(SETTINGS_FILE)
        if content is not None:
            (root / SETTINGS_FILE).write_bytes(content)
        own = platform.contracts(merged_settings(platform, {}))
        if own is not None and own.resolve().is_relative_to(platform.root.resolve()):
            # They are named within the store, so the new store has to have them as well.
            shutil.copytree(own, root / own.resolve().relative_to(platform.root.resolve()))
        with open_store(root, tell, options) as shop:
            yield shop, platform.files()


def notice_changes(shop: Shop) -> AbstractContextManager[Changes]:
    """Start to watch the store's raw-data/ for changes."""
    return shop.notice(shop.ports.tell)


def open_dry_run(store: str | Path | None, options: Mapping[str, Any]) -> DryRun:
    """Prepare to validate files without a store, or as a store would; nothing is written to it."""
    if store is None:
        settings = merged_settings(None, options)
        return _dry_run(settings, contracts_folder(settings.contracts), {})
    with find_store(store) as platform:
        settings = merged_settings(platform, options)
        return _dry_run(settings, platform.contracts(settings), platform.accepted(settings))


def _dry_run(settings: Settings, contracts: Path | None, accepted: Mapping[tuple[str, str], str]) -> DryRun:
    return DryRun(
        contracts=checked(load_contracts(contracts)),
        business_time=business_time(settings.time_zone),
        tolerance=Tolerance(policy=settings.policy, max_rejected=settings.max_rejected),
        engine=pick_validation(settings.validation_engine, workers=1),
        memory=settings.memory,
        threads=settings.threads or os.cpu_count() or 1,
        now=SystemClock().now(),
        accepted=accepted,
        sources=DuckDbSources(settings.memory),
    )


__all__ = [
    "Generated",
    "Shop",
    "ShopFormat",
    "ShopPlan",
    "Unplaced",
    "find_store",
    "generate_shop",
    "notice_changes",
    "open_dry_run",
    "open_empty_store",
    "open_store",
    "open_store_to_look",
    "open_store_to_read",
    "read_settings",
    "read_settings_of",
    "write_kpi_parquet",
]
