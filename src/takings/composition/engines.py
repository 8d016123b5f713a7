"""Open the engines of a store: all that needs DuckDB, pandas or Spark, which take longer to load than a look at a store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path

from duckdb import DuckDBPyConnection

from takings.adapters.duckdb.lake_engine import DuckDbEngine
from takings.adapters.duckdb.own_sql import checked_tables
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

__all__ = ["DuckDbSources", "checked", "checked_tables", "open_engines", "pick_validation"]


@contextmanager
def open_engines(
    tables: LakeTables, *, settings: Settings, contracts: Contracts, own_tables: Sequence[KpiTable], spill: Path
) -> Iterator[Engines]:
    """Open the engines that the settings name; SettingsError where their packages are not installed."""
    zone = business_time(settings.time_zone)
    threads = settings.threads or os.cpu_count() or 1
    with (
        closing(open_duckdb(settings.memory, threads, spill)) as duckdb,
        _pick_kpi_engine(
            settings, engine := DuckDbEngine(duckdb, tables, contracts, zone, own_tables), tables, contracts
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


def _pick_kpi_engine(
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
