"""Compute measures with Spark over the lake's Parquet files: for lakes that outgrow one machine.

The SQL in takings.kpis is shared with DuckDB; this module creates its views.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Final

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from takings.adapters.own_samples import Sample
from takings.adapters.spark.application import Application, cause_of, lacked_memory
from takings.adapters.spark.lake import SparkLake
from takings.adapters.spark.own_check import check_samples
from takings.contracts.model import Dataset
from takings.errors import OwnKpiFailure
from takings.kpis.definitions import KpiTable, Measures
from takings.lake import LakeSnapshot

#: the prefix of the lake's tables where own SQL has views of their names
_LAKE: Final = "lake_"


class SparkEngine:
    """Spark for measures; the application begins with the first call."""

    def __init__(self, lake: SparkLake, application: Application) -> None:
        self._lake = lake
        self._application = application

    def measures(
        self, tables: Iterable[KpiTable], snapshot: LakeSnapshot, days: Collection[date] | None
    ) -> Mapping[str, Sequence[Measures]]:
        """Compute each KPI table's measures on `days` (None: all days) from exactly this snapshot."""
        with self._application.use("compute the KPIs") as session:
            return self._measured(session, tuple(tables), snapshot.counted(days))

    def check(self, samples: Sequence[Sample]) -> None:
        """Raise ContractError for the first own table that Spark cannot run, or computes otherwise than DuckDB."""
        with self._application.use("check the KPI tables") as session:
            check_samples(session, samples, self._lake.contracts)

    def _measured(
        self, session: SparkSession, tables: Sequence[KpiTable], counted: LakeSnapshot
    ) -> dict[str, Sequence[Measures]]:
        """Compute tables; OwnKpiFailure where the SQL of an own one cannot be run on the rows that there are."""
        shipped = [table for table in tables if table.own is None]
        if shipped:
            self._lay_views(session, counted, prefix="")
        found: dict[str, Sequence[Measures]] = {table.name: _rows_of(session, table) for table in shipped}
        for table in tables:
            if table.own is None:
                continue
            self._lay_views(session, counted, prefix=_LAKE)
            for view, text in table.own.views.over({dataset: f"{_LAKE}{dataset}" for dataset in Dataset}).items():
                session.sql(text).createOrReplaceTempView(view)
            try:
                found[table.name] = _rows_of(session, table)
            except PySparkException as failed:
                if lacked_memory(failed):
                    raise
                raise OwnKpiFailure(f"{cause_of(failed)}. Correct {table.own.kept(table.own.sql_file)}.") from failed
        return found

    def _lay_views(self, session: SparkSession, counted: LakeSnapshot, *, prefix: str) -> None:
        for dataset, part in counted.tables.items():
            self._lake.rows(session, dataset, part).createOrReplaceTempView(f"{prefix}{dataset}")


def _rows_of(session: SparkSession, table: KpiTable) -> list[Measures]:
    return [row.asDict() for row in session.sql(table.sql).collect()]
