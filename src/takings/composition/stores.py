"""Assemble a store: read its settings and pick the adapters. No other module knows which adapters there are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import takings
from takings.adapters.clock import SystemClock
from takings.adapters.faults import translated_faults
from takings.adapters.heartbeat import ThreadHeartbeat
from takings.adapters.lake_files import LakeFiles
from takings.adapters.local.platform import LocalPlatform
from takings.adapters.platform import Platform
from takings.adapters.settings_sources import merged_settings
from takings.batch.own_kpis import check_grains
from takings.batch.store_format import check_format, check_ledger
from takings.composition.buckets import S3, on_aws
from takings.composition.definitions import contracts_of, load_contracts, own_tables_of
from takings.composition.lineage import lineage_told
from takings.composition.on_demand import (
    Engines,
    Files,
    engines_at_once,
    engines_on_demand,
)
from takings.contracts.model import Contracts
from takings.kpis import KpiRow, KpiTable, load_kpi_tables
from takings.ports import Changes, LakeTables, Ports, Tell
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
    contracts = contracts_of(folder, only_looks=only_looks)
    own_tables = own_tables_of(folder, contracts, only_looks=only_looks)
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


def check_own_tables(
    store: str | Path, options: Mapping[str, Any]
) -> tuple[tuple[KpiTable, ...], tuple[EngineChoice, ...]]:
    """Check the KPI tables of the shop's own as a command that works does, and nothing else; return them and the engines.

    ContractError for the first that cannot be used. UnknownThing where there is no such store.
    """
    with find_store(store, only_reads=True) as platform:
        settings = merged_settings(platform, options)
        folder = platform.contracts(settings)
        contracts = load_contracts(folder)
        tables = own_tables_of(folder, contracts, only_looks=False)
        if not tables or settings.engine is EngineChoice.DUCKDB:
            return tables, (EngineChoice.DUCKDB,)
        from takings.composition import engines

        engines.check_on_spark(tables, contracts, settings)
        return tables, (EngineChoice.DUCKDB, EngineChoice.SPARK)


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
