"""Merge batches with Spark: executors read, compare and write the rows, and only statistics and affected keys are collected.

The SQL is in takings.lake, and the steps are those of every engine.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from pyspark.sql import SparkSession

from takings.adapters.merging.gaps import days_of_staged, find_gaps
from takings.adapters.merging.rows import Watched
from takings.adapters.merging.steps import MergeSteps
from takings.adapters.spark.application import Application
from takings.adapters.spark.lake import SparkLake, spark_path
from takings.adapters.spark.lake_writer import SparkWriter
from takings.adapters.spark.merge_rows import SparkRows
from takings.adapters.spark.merge_staged import SparkStaged
from takings.adapters.spark.session import pinned
from takings.contracts.model import Dataset
from takings.lake import (
    Affected,
    BatchChanges,
    Gaps,
    LakeFile,
    LakeSnapshot,
    Orphan,
    StagedBatch,
    TableChange,
    TableSnapshot,
)
from takings.ports import BusinessTime, LakeEngine, MergeSession
from takings.ports.engines import NO_CONDITION

_MERGE = "merge the batch"


@dataclass(frozen=True, kw_only=True)
class SparkMerge(MergeSteps):
    """The merge of one batch into the lake."""

    rows: SparkRows
    staged: SparkStaged
    application: Application

    def affected(self, base: LakeSnapshot) -> Affected:
        """Compute the keys whose KPIs the batch may change."""
        with self.application.use(_MERGE):
            return super().affected(base)

    def changes(self, base: LakeSnapshot) -> BatchChanges:
        """Count what the batch's rows change in the lake before its first merge, and find what looks wrong."""
        with self.application.use(_MERGE):
            return super().changes(base)

    def first_orphan(self, current: LakeSnapshot) -> Orphan | None:
        """Return the first item whose order or product is neither in the batch nor in the lake."""
        with self.application.use(_MERGE):
            return super().first_orphan(current)

    def merge(self, dataset: Dataset, current: LakeSnapshot, affected: Affected) -> TableChange:
        """Write the Parquet files of one table's merge; readers see nothing until the change is applied."""
        with self.application.use(_MERGE):
            writing = self._find(dataset, current, affected)
            columns = self.rows.all_columns(dataset)
            query = f"select {columns} from {writing.incoming}"
            if writing.removed:
                old = self.rows.of_lake(dataset, replace(current[dataset], files=writing.removed))
                identity = self.rows.identity(self.rows.contracts[dataset])
                query += (
                    f" union all select {columns} from (select * from ({old})) l"
                    f" anti join (select key as _replaced from replaced) r on r._replaced = {identity}"
                )
            writer = SparkWriter(session=self.rows.session, lake=self.rows.lake, prefix=self.staged.batch.batch_id)
            return TableChange(added=writer.write(dataset, query), removed=writing.removed)


class SparkLakeEngine:
    """Spark for merges; what only a look at a few files asks is answered here, by another engine."""

    def __init__(
        self,
        here: LakeEngine,
        lake: SparkLake,
        application: Application,
        *,
        share: Callable[[StagedBatch], Sequence[str]],
        watched: Callable[[], Watched],
        business_time: BusinessTime,
    ) -> None:
        self._here = here
        self._lake = lake
        self._application = application
        #: shares staged files with the machines of a cluster, and returns where these find each
        self._share = share
        self._watched = watched
        self._business_time = business_time

    @property
    def reads_shared(self) -> bool:
        """Return yes: executors read them."""
        return True

    @contextmanager
    def merging(self, staged: StagedBatch) -> Iterator[MergeSession]:
        """Begin the merge of a batch; its temporary tables end with the session."""
        with self._application.use(_MERGE) as session:
            rows = self._rows(session)
            of_batch = self._staged(rows, staged)
            of_batch.lay_views()
        try:
            yield SparkMerge(rows=rows, staged=of_batch, watched=self._watched(), application=self._application)
        finally:
            rows.end()

    def compact(self, dataset: Dataset, table: TableSnapshot, files: Sequence[LakeFile]) -> TableChange:
        """Write the rows of these files as one file per day."""
        with self._application.use("compact the lake") as session:
            rows = self._rows(session)
            old = rows.of_lake(dataset, replace(table, files=tuple(files)))
            query = f"select {rows.all_columns(dataset)} from ({old})"
            written = SparkWriter(session=rows.session, lake=self._lake, prefix="compacted").write(dataset, query)
            return TableChange(added=written, removed=tuple(files), is_compaction=True)

    def gaps(self, snapshot: LakeSnapshot, days: Collection[date] | None) -> Gaps:
        """Return all waiting items, and the orders without items on `days` (None: all days) and on days of waiting items."""
        with self._application.use("look for gaps") as session:
            return find_gaps(self._rows(session), snapshot, days)

    def days_of(self, staged: StagedBatch, current: LakeSnapshot) -> Mapping[str, frozenset[date]]:
        """Return, per key of a staged file of orders or items, the known days of its rows."""
        with self._application.use("find the days of refused files") as session:
            rows = self._rows(session)
            try:
                return days_of_staged(rows, self._staged(rows, staged), current)
            finally:
                rows.end()

    def rows_behind(
        self, snapshot: LakeSnapshot, day: date, category: str | None, of: Mapping[str, str] = NO_CONDITION
    ) -> Sequence[Mapping[str, Any]]:
        """Return the rows behind the KPIs of a day, which are in few files."""
        return self._here.rows_behind(snapshot, day, category, of)

    def orphans_since(self, snapshot: LakeSnapshot) -> datetime | None:
        """Return the version of the item that has waited longest."""
        return self._here.orphans_since(snapshot)

    def orphans(self, snapshot: LakeSnapshot, most: int) -> Sequence[Mapping[str, Any]]:
        """Return the items that have waited longest."""
        return self._here.orphans(snapshot, most)

    def _rows(self, session: SparkSession) -> SparkRows:
        return SparkRows(session=pinned(session.newSession()), lake=self._lake)

    def _staged(self, rows: SparkRows, staged: StagedBatch) -> SparkStaged:
        paths = [spark_path(location, self._lake.s3) for location in self._share(staged)]
        return SparkStaged(staged, paths, rows, self._business_time)
