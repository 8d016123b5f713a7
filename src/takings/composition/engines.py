"""Open the engines of a store: all that needs DuckDB, pandas or Spark, which take longer to load than a look at a store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from duckdb import DuckDBPyConnection

from takings.adapters.duckdb.lake_engine import DuckDbEngine
from takings.adapters.duckdb.own_sql import checked_tables, samples_of
from takings.adapters.duckdb.session import open_duckdb
from takings.adapters.duckdb.source_rows import DuckDbSources
from takings.adapters.duckdb.source_sql import checked
from takings.adapters.duckdb.validation import DuckDbValidation
from takings.composition.on_demand import Engines, Files
from takings.contracts.model import Contracts
from takings.errors import SettingsError
from takings.kpis import KpiTable
from takings.lake import StagedBatch
from takings.ports import BusinessTime, Executors, LakeEngine, LakeTables, ObjectStore, Tell, ValidationEngine
from takings.settings import EngineChoice, Settings, ValidationChoice
from takings.time_zones import business_time

if TYPE_CHECKING:
    from takings.adapters.spark.kpi_engine import SparkEngine

__all__ = ["DuckDbSources", "check_on_spark", "checked", "checked_tables", "open_engines", "pick_validation"]


@contextmanager
def open_engines(
    tables: LakeTables,
    *,
    settings: Settings,
    contracts: Contracts,
    own_tables: Sequence[KpiTable],
    spill: Path,
    files: Files,
    tell: Tell,
    checks_own: bool = False,
) -> Iterator[Engines]:
    """Open the engines that the settings name; SettingsError where their packages are not installed.

    With `checks_own`, Spark, if it is named, first computes own tables of a small shop; ContractError where it cannot.
    """
    zone = business_time(settings.time_zone)
    threads = settings.threads or os.cpu_count() or 1
    with closing(open_duckdb(settings.memory, threads, spill)) as duckdb:
        here = DuckDbEngine(duckdb, tables, contracts, zone, own_tables)
        with _spark(settings, here, tables, contracts, files, tell) as spark:
            if spark is not None and checks_own and own_tables:
                spark.kpi_engine.check(samples_of(own_tables, contracts))
            yield Engines(
                tables=tables,
                validation=pick_validation(settings.validation_engine, threads)(duckdb, zone),
                sources=DuckDbSources(settings.memory),
                engine=here if spark is None else spark.engine,
                kpi_engine=here if spark is None else spark.kpi_engine,
                executors=None if spark is None else spark.executors,
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
    with _needs_spark():
        from takings.adapters.spark.application import Application
        from takings.adapters.spark.own_check import check_samples
        from takings.adapters.spark.session import open_spark
    samples = samples_of(own_tables, contracts)
    with (
        closing(Application(partial(open_spark, settings.spark_master))) as application,
        application.use("check the KPI tables") as session,
    ):
        check_samples(session, samples, contracts)


@contextmanager
def _needs_spark() -> Iterator[None]:
    """Raise SettingsError where the block finds that Spark is not installed."""
    try:
        yield
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"engine = 'spark' needs the package {missing.name}. Install it: pip install 'takings[spark]'."
        ) from missing


@dataclass(frozen=True, kw_only=True)
class _OnSpark:
    """What works with Spark."""

    #: merges: on a cluster Spark's; on one machine DuckDB does it faster, into the same lake
    engine: LakeEngine
    kpi_engine: SparkEngine
    executors: Executors


@contextmanager
def _spark(
    settings: Settings, here: DuckDbEngine, tables: LakeTables, contracts: Contracts, files: Files, tell: Tell
) -> Iterator[_OnSpark | None]:
    """Yield what works with Spark, where the settings say so, and end it with the block.

    SettingsError where Spark is not installed.
    """
    if settings.engine is EngineChoice.DUCKDB:
        yield None
        return
    with _needs_spark():
        from takings.adapters.spark.application import Application
        from takings.adapters.spark.executors import SparkExecutors, Work
        from takings.adapters.spark.kpi_engine import SparkEngine
        from takings.adapters.spark.lake import SparkLake
        from takings.adapters.spark.lake_engine import SparkLakeEngine
        from takings.adapters.spark.session import open_spark, works_elsewhere
        from takings.adapters.spark.shared_session import SharedSession
    lake = SparkLake(tables=tables, contracts=contracts, s3=settings.spark_s3.value, tell=tell)
    work = Work(
        open_files=files.elsewhere,
        engine=pick_validation(settings.validation_engine, workers=1),
        time_zone=settings.time_zone,
        memory=settings.memory,
    )
    with (
        closing(SharedSession(partial(open_spark, settings.spark_master))) as shared,
        closing(Application(shared.lent)) as application,
        closing(SparkExecutors(shared, files.here, work)) as executors,
    ):
        share = partial(_share, files.here)
        watched, zone = here.watched, here.business_time
        merging = SparkLakeEngine(here, lake, application, share=share, watched=watched, business_time=zone)
        yield _OnSpark(
            engine=merging if works_elsewhere(settings.spark_master) else here,
            kpi_engine=SparkEngine(lake, application),
            executors=executors,
        )


def _share(store: ObjectStore, staged: StagedBatch) -> list[str]:
    """Share staged files with the machines of a cluster; return where these find each."""
    store.put_staged(staged.batch_id, [file.path for file in staged.files if file.path.exists()])
    return [store.shared_at(file.path) for file in staged.files]
