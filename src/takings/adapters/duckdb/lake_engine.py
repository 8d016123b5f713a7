"""Merge batches and compute measures with DuckDB over the lake's Parquet files.

The SQL is in takings.lake and takings.kpis; this module creates its views and writes its results.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from typing import Any

import duckdb

from takings.adapters.duckdb.lake_files import LakeRows, LakeWriter
from takings.adapters.duckdb.merge import DuckDbMerge
from takings.adapters.duckdb.own_rows_behind import lay_own_views, rows_of
from takings.adapters.duckdb.sql import name, seen_at
from takings.adapters.duckdb.staged import StagedRows
from takings.adapters.duckdb.watched import watched_columns
from takings.adapters.merging.gaps import days_of_staged, find_gaps
from takings.adapters.merging.rows import Watched
from takings.contracts.model import Contracts, Dataset
from takings.errors import OwnKpiFailure
from takings.kpis.definitions import KpiTable, Measures
from takings.kpis.items import fill_in_items
from takings.lake import PARTITIONED, Gaps, LakeFile, LakeSnapshot, StagedBatch, TableChange, TableSnapshot
from takings.ports import BusinessTime, LakeTables, MergeSession
from takings.ports.engines import NO_CONDITION

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DuckDbEngine:
    """The default engine for merges and measures."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        tables: LakeTables,
        contracts: Contracts,
        business_time: BusinessTime,
        own_tables: Sequence[KpiTable] = (),
    ) -> None:
        self._own_tables = own_tables
        self._connection = connection
        self._tables = tables
        self._contracts = contracts
        self.business_time = business_time

    @property
    def reads_shared(self) -> bool:
        """Return no: it reads files of this machine."""
        return False

    def watched(self) -> Watched:
        """Return the columns that restatement watches."""
        with self._connection.cursor() as cursor:
            return watched_columns(cursor, self._contracts, self._own_tables)

    @contextmanager
    def merging(self, staged: StagedBatch) -> Iterator[MergeSession]:
        """Begin the merge of a batch; its temporary tables end with the session."""
        with self._connection.cursor() as cursor:
            rows = self._rows(cursor)
            staged_rows = StagedRows(staged, rows, self.business_time)
            with staged_rows.views():
                yield DuckDbMerge(rows=rows, staged=staged_rows, watched=self.watched())

    def measures(
        self, tables: Iterable[KpiTable], snapshot: LakeSnapshot, days: Collection[date] | None
    ) -> Mapping[str, Sequence[Measures]]:
        """Compute each KPI table's measures on `days` (None: all days) from exactly this snapshot."""
        tables = tuple(tables)
        shipped = [table for table in tables if table.own is None]
        found: dict[str, Sequence[Measures]] = {}
        with self._connection.cursor() as cursor:
            if shipped:
                self._lay_views(cursor, snapshot, days)
            for table in shipped:
                found[table.name] = _dictionaries(cursor.execute(table.sql))
        return found | {table.name: self._own_measures(table, snapshot, days) for table in tables if table.own}

    def _own_measures(
        self, table: KpiTable, snapshot: LakeSnapshot, days: Collection[date] | None
    ) -> Sequence[Measures]:
        """Compute one own table; OwnKpiFailure where its SQL fails on the rows that there are."""
        assert table.own is not None
        with self._connection.cursor() as cursor:
            rows = self._rows(cursor)
            for dataset, part in snapshot.counted(days).tables.items():
                cursor.execute(f"create temp view lake_{dataset} as {rows.of_lake(dataset, part)}")
            for view, text in table.own.views.over({dataset: f"lake_{dataset}" for dataset in Dataset}).items():
                cursor.execute(f"create temp view {view} as {text}")
            try:
                return _dictionaries(cursor.execute(table.sql))
            except duckdb.InterruptException:
                raise
            except duckdb.Error as failed:
                first = str(failed).partition("\n")[0].rstrip(".")
                raise OwnKpiFailure(f"{first}. Correct {table.own.kept(table.own.sql_file)}.") from failed

    def compact(self, dataset: Dataset, table: TableSnapshot, files: Sequence[LakeFile]) -> TableChange:
        """Write the rows of these files as one file per day, sorted by key."""
        with self._connection.cursor() as cursor:
            rows = self._rows(cursor)
            columns = rows.all_columns(dataset)
            source = rows.of_lake(dataset, replace(table, files=tuple(files)))
            day = "order_date, " if dataset in PARTITIONED else ""
            key = name(self._contracts[dataset].primary_key)
            written = LakeWriter(rows=rows, prefix="compacted").write(
                dataset, f"select {columns} from ({source}) order by {day}{key}"
            )
            return TableChange(added=written, removed=tuple(files), is_compaction=True)

    def rows_behind(
        self, snapshot: LakeSnapshot, day: date, category: str | None, of: Mapping[str, str] = NO_CONDITION
    ) -> Sequence[Mapping[str, Any]]:
        """Return the rows that a day's KPIs (or those of some of its rows) are made of, by order and item."""
        template = (resources.files("takings.kpis") / "rows_behind.sql").read_text()
        sql = fill_in_items(template, self._contracts[Dataset.ORDER_ITEMS].worth)
        condition = rows_of(self._contracts, of) if of else "true"
        with self._connection.cursor() as cursor:
            self._lay_views(cursor, snapshot, [day])
            if of:
                lay_own_views(cursor, self._contracts)
            found = cursor.execute(
                f"select * from ({sql}) as behind where ($1 is null or category = $1) and {condition}"
                " order by order_id, item_id",
                [category],
            )
            return _dictionaries(found)

    def orphans_since(self, snapshot: LakeSnapshot) -> datetime | None:
        """Return the version of the item that has waited longest for its order or product."""
        table = snapshot[Dataset.ORDER_ITEMS]
        waiting = replace(table, files=tuple(file for file in table.files if file.order_date is None))
        with self._connection.cursor() as cursor:
            source = self._rows(cursor).of_lake(Dataset.ORDER_ITEMS, waiting)
            (micros,) = cursor.execute(f"select epoch_us(min({seen_at('_version')})) from ({source})").fetchone() or (
                None,
            )
        return None if micros is None else _EPOCH + timedelta(microseconds=micros)

    def orphans(self, snapshot: LakeSnapshot, most: int) -> Sequence[Mapping[str, Any]]:
        """Return the items that have waited longest, and whether each lacks its order or its product."""
        table = snapshot[Dataset.ORDER_ITEMS]
        waiting = replace(table, files=tuple(file for file in table.files if file.order_date is None))
        sql = (resources.files("takings.lake") / "waiting_items.sql").read_text()
        with self._connection.cursor() as cursor:
            rows = self._rows(cursor)
            source = rows.of_lake(Dataset.ORDER_ITEMS, waiting)
            cursor.execute(
                f"create temp table waiting as select * replace ({seen_at('_version')} as _version) from ({source})"
                f" order by {seen_at('_version')}, id limit {most}"
            )
            for dataset, key in ((Dataset.ORDERS, "order_id"), (Dataset.PRODUCTS, "product_id")):
                wanted = [
                    (value, value) for (value,) in cursor.execute(f"select distinct {key} from waiting").fetchall()
                ]
                near = snapshot[dataset].near({self._contracts[dataset].primary_key: wanted})
                cursor.execute(f"create temp view {dataset} as {rows.of_lake(dataset, near)}")
            found = _dictionaries(cursor.execute(sql))
        return [{**row, "since": _EPOCH + timedelta(microseconds=row["since"])} for row in found]

    def gaps(self, snapshot: LakeSnapshot, days: Collection[date] | None) -> Gaps:
        """Return all waiting items, and the orders without items on `days` (None: all days) and on days of waiting items."""
        with self._connection.cursor() as cursor:
            return find_gaps(self._rows(cursor), snapshot, days)

    def days_of(self, staged: StagedBatch, current: LakeSnapshot) -> Mapping[str, frozenset[date]]:
        """Return, per key of a staged file of orders or items, the known days of its rows."""
        with self._connection.cursor() as cursor:
            rows = self._rows(cursor)
            return days_of_staged(rows, StagedRows(staged, rows, self.business_time), current)

    def _lay_views(
        self, cursor: duckdb.DuckDBPyConnection, snapshot: LakeSnapshot, days: Collection[date] | None
    ) -> None:
        """Create the views orders, order_items (counted items only) and products over the files of a snapshot."""
        rows = self._rows(cursor)
        for dataset, table in snapshot.counted(days).tables.items():
            cursor.execute(f"create temp view {dataset} as {rows.of_lake(dataset, table)}")

    def _rows(self, cursor: duckdb.DuckDBPyConnection) -> LakeRows:
        return LakeRows(cursor=cursor, tables=self._tables, contracts=self._contracts)


def _dictionaries(result: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    columns = [column[0] for column in result.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]
