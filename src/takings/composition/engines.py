"""Open the engines of a store: all that needs DuckDB, pandas or Spark, which take longer to load than a look at a store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType

from duckdb import DuckDBPyConnection

from takings.adapters.duckdb.lake_engine import DuckDbEngine
from takings.adapters.duckdb.own_sql import checked_tables, samples_of
from takings.adapters.duckdb.session import open_duckdb
from takings.adapters.duckdb.source_rows import DuckDbSources
from takings.adapters.duckdb.source_sql import checked
from takings.adapters.duckdb.validation import DuckDbValidation
from takings.composition.on_demand import Engines
from takings.contracts.model import Contracts
from takings.errors import SettingsError
from takings.kpis import KpiTable
from takings.ports import BusinessTime, KpiEngine, LakeTables, ValidationEngine
from takings.settings import EngineChoice, Settings, ValidationChoice
from takings.time_zones import business_time

__all__ = ["DuckDbSources", "check_on_spark", "checked", "checked_tables", "open_engines", "pick_validation"]


@contextmanager
def open_engines(
    tables: LakeTables,
    *,
    settings: Settings,
    contracts: Contracts,
    own_tables: Sequence[KpiTable],
    spill: Path,
    checks_own: bool = False,
) -> Iterator[Engines]:
    """Open the engines that the settings name; SettingsError where their packages are not installed.

    With `checks_own`, Spark, if it is named, first computes own tables of a small shop; ContractError where it cannot.
    """
    zone = business_time(settings.time_zone)
    threads = settings.threads or os.cpu_count() or 1
    with (
        closing(open_duckdb(settings.memory, threads, spill)) as duckdb,
        _pick_kpi_engine(
            settings,
            engine := DuckDbEngine(duckdb, tables, contracts, zone, own_tables),
            tables,
            contracts,
            own_tables if checks_own else (),
        ) as kpi_engine,
    ):
        yield Engines(
            tables=tables,
            validation=pick_validation(settings.validation_engine, threads)(duckdb, zone),
            sources=DuckDbSources(settings.memory),
            engine=engine,
            kpi_engine=kpi_engine,
        )


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


def check_on_spark(own_tables: Sequence[KpiTable], contracts: Contracts, settings: Settings) -> None:
    """Check own tables, which DuckDB has checked, on Spark; ContractError for the first that it computes otherwise."""
    spark = _spark()
    samples = samples_of(own_tables, contracts)
    with spark.spark_faults(), spark.open_spark(settings.spark_master) as session:
        spark.check_samples(session, samples, contracts)


@contextmanager
def _pick_kpi_engine(
    settings: Settings,
    duckdb_engine: DuckDbEngine,
    tables: LakeTables,
    contracts: Contracts,
    to_check: Sequence[KpiTable],
) -> Iterator[KpiEngine]:
    """Yield the engine that computes measures, and end it with the block; SettingsError where Spark is not installed."""
    if settings.engine is EngineChoice.DUCKDB:
        yield duckdb_engine
        return
    spark = _spark()
    with closing(spark.SparkEngine(tables, contracts, partial(spark.open_spark, settings.spark_master))) as engine:
        if to_check:
            engine.check(samples_of(to_check, contracts))
        yield engine


def _spark() -> ModuleType:
    """Load the engine; SettingsError where Spark is not installed."""
    try:
        from takings.adapters.spark import kpi_engine
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"engine = 'spark' needs the package {missing.name}. Install it: pip install 'takings[spark]'."
        ) from missing
    return kpi_engine
