"""Land batches and compute measures with DuckDB over the lake's Parquet files.

The SQL stands in takings.lake and takings.kpis; this module lays views under it and writes what comes out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from importlib import resources
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import Any, Final
from uuid import uuid4

import duckdb

from takings.contracts.model import ColumnType, Contract, Contracts, Dataset
from takings.kpis.definitions import KpiTable, Measures
from takings.lake import (
    AddedFile,
    Affected,
    LakeFile,
    LakeSnapshot,
    Orphan,
    StagedBatch,
    StagedFile,
    TableChange,
    TableSnapshot,
    everything,
)
from takings.layout import ORPHANS
from takings.ports import BusinessTime, LakeTables, LandingSession
from takings.validation.mended import STEP, VERSION
from takings.validation.sql import SQL_TYPES, business_day, literal, name, path_literal

#: what every row of the lake carries beside its contract's columns
META: Final = {"_version": "timestamptz", "_source": "varchar", "_line": "bigint", "_batch": "varchar"}
#: rows that a row group should have at least
_ROW_GROUP: Final = 5_000
#: rows looked at to learn how days follow each other, in so many files
_WINDOW: Final = 20_000
_SAMPLED_FILES: Final = 4
#: more days than this among a window's rows, and sorting is cheaper than holding rows back
_MOST_DAYS_UNSORTED: Final = 16
_PARTITIONED: Final = (Dataset.ORDERS, Dataset.ORDER_ITEMS)


class DuckDbEngine:
    """The default engine for landing and measures."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        tables: LakeTables,
        contracts: Contracts,
        business_time: BusinessTime,
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._contracts = contracts
        self._business_time = business_time

    @contextmanager
    def landing(self, staged: StagedBatch) -> Iterator[LandingSession]:
        """Begin to land a batch; its temporary tables end with the session."""
        with self._connection.cursor() as cursor:
            rows = _Rows(cursor=cursor, tables=self._tables, contracts=self._contracts)
            landing = _Landing(rows=rows, staged=staged, business_time=self._business_time)
            landing.lay_staged_views()
            yield landing

    def measures(
        self, tables: Iterable[KpiTable], snapshot: LakeSnapshot, days: Collection[date] | None
    ) -> Mapping[str, Sequence[Measures]]:
        """Compute each KPI table's measures on these days (None: on all) of exactly this snapshot."""
        with self._connection.cursor() as cursor:
            self._lay_views(cursor, snapshot, days)
            return {table.name: _dictionaries(cursor.execute(table.sql)) for table in tables}

    def compact(self, dataset: Dataset, table: TableSnapshot, files: Sequence[LakeFile]) -> TableChange:
        """Write the rows of these files as one file a day, by key."""
        with self._connection.cursor() as cursor:
            rows = _Rows(cursor=cursor, tables=self._tables, contracts=self._contracts)
            writer = _Writer(rows=rows, prefix="compacted")
            day = "order_date, " if dataset in _PARTITIONED else ""
            columns = ", ".join(name(column) for column in rows.columns(dataset))
            source = rows.of_lake(dataset, replace(table, files=tuple(files)))
            key = name(self._contracts[dataset].primary_key)
            query = f"select {columns}{', order_date' if day else ''} from ({source}) order by {day}{key}"
            return TableChange(added=tuple(writer.write(dataset, query)), removed=tuple(files), is_compaction=True)

    def rows_behind(self, snapshot: LakeSnapshot, day: date, category: str | None) -> Sequence[Mapping[str, Any]]:
        """Return the rows that a day's KPIs (or a category's) are made of, by order and item."""
        sql = (resources.files("takings.kpis") / "rows_behind.sql").read_text()
        with self._connection.cursor() as cursor:
            self._lay_views(cursor, snapshot, [day])
            found = cursor.execute(
                f"select * from ({sql}) where $1 is null or category = $1 order by order_id, item_id", [category]
            )
            return _dictionaries(found)

    def _lay_views(
        self, cursor: duckdb.DuckDBPyConnection, snapshot: LakeSnapshot, days: Collection[date] | None
    ) -> None:
        """Lay the views orders, order_items and products over the files of a snapshot, counted items only."""
        rows = _Rows(cursor=cursor, tables=self._tables, contracts=self._contracts)
        for dataset in Dataset:
            files = snapshot[dataset].files
            if dataset in _PARTITIONED:
                files = tuple(
                    file for file in files if file.order_date is not None and (days is None or file.order_date in days)
                )
            table = replace(snapshot[dataset], files=files)
            cursor.execute(f"create temp view {dataset} as {rows.of_lake(dataset, table)}")


def _dictionaries(result: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    columns = [column[0] for column in result.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """SQL that reads the rows of lake and staging."""

    cursor: duckdb.DuckDBPyConnection
    tables: LakeTables
    contracts: Contracts

    def columns(self, dataset: Dataset) -> list[str]:
        """Return the columns of a lake table, but for its partition."""
        return [column.name for column in self.contracts[dataset].columns] + list(META)

    def of_lake(self, dataset: Dataset, table: TableSnapshot) -> str:
        """Return a query of a table's rows, with the path of each one's file."""
        day = ", order_date" if dataset in _PARTITIONED else ""
        columns = ", ".join(name(column) for column in self.columns(dataset))
        empty = self._no_row(dataset)
        if not table.files:
            return empty
        folder = self.tables.folder(dataset)
        paths = ", ".join(path_literal(folder / file.path) for file in table.files)
        partition = ", hive_partitioning = true, hive_types = {'order_date': date}" if day else ""
        source = f"read_parquet([{paths}], filename = true{partition})"
        if table.is_widened:
            # Only a widened table pays for a look into every file's schema; older files lack columns.
            union = f"read_parquet([{paths}], filename = true{partition}, union_by_name = true)"
            source = f"(select * from {union} union all by name {empty})"
        return f"select {columns}{day}, filename from {source}"

    def _no_row(self, dataset: Dataset) -> str:
        typed = {column.name: SQL_TYPES[column.type] for column in self.contracts[dataset].columns} | META
        typed |= {"order_date": "date"} if dataset in _PARTITIONED else {}
        nulls = ", ".join(f"cast(null as {kind}) as {name(column)}" for column, kind in typed.items())
        return f"select {nulls}, cast(null as varchar) as filename where false"


@dataclass(frozen=True, kw_only=True)
class _Writer:
    """Writes a table's Parquet files."""

    rows: _Rows
    #: what the files' names begin with
    prefix: str

    def write(self, dataset: Dataset, query: str) -> Iterator[AddedFile]:
        """Write rows as Parquet files, one folder a day; a file that would hold no row is not written."""
        cursor = self.rows.cursor
        if cursor.execute(f"select 1 from ({query}) limit 1").fetchone() is None:
            return
        folder = self.rows.tables.folder(dataset)
        pattern = f"{self.prefix}-{{uuid}}"
        if dataset in _PARTITIONED:
            where = f"{literal(str(folder))} (partition_by (order_date), append, filename_pattern {literal(pattern)},"
        else:
            where = f"{literal(str(folder / f'{pattern.format(uuid=uuid4())}.parquet'))} ("
        cursor.execute(f"copy ({query}) to {where} format parquet, compression zstd, return_stats)")
        integers = {
            column.name
            for column in self.rows.contracts[dataset].columns
            if column.type in {ColumnType.IDENTIFIER, ColumnType.INTEGER}
        }
        for path, rows, size, _, statistics, keys, *_ in cursor.fetchall():
            yield _added_file(folder, path, rows, size, statistics, keys, integers)


@dataclass(frozen=True, kw_only=True)
class _Landing:
    """One batch on its way into the lake."""

    rows: _Rows
    staged: StagedBatch
    business_time: BusinessTime

    def lay_staged_views(self) -> None:
        """Make the views staged_<dataset>: one row per key, its newest version in the batch."""
        for dataset in Dataset:
            files = self.staged.of(dataset)
            if not files:
                empty = self.rows.of_lake(dataset, TableSnapshot(version=0, files=()))
                self._run(f"create or replace temp view staged_{dataset} as select * exclude (filename) from ({empty})")
                continue
            query = "\nunion all\n".join(self._staged_rows(file) for file in files)
            if self._share_keys(files):
                query = self._template("newest", key=name(self._contract(dataset).primary_key), rows=query)
            self._run(f"create or replace temp view staged_{dataset} as {query}")

    def _contract(self, dataset: Dataset) -> Contract:
        return self.rows.contracts[dataset]

    def _staged_rows(self, file: StagedFile) -> str:
        contract = self._contract(file.dataset)
        path = path_literal(file.path)
        present = {row[0] for row in self._run(f"describe select * from read_parquet({path})").fetchall()}
        line = "_line" if "_line" in present else "file_row_number + 2"
        version = f"timestamptz {literal(file.version.isoformat(sep=' '))}"
        if VERSION in present:
            version = f"{VERSION} + interval '{STEP.microseconds} microseconds'"
        columns = ", ".join(name(column.name) for column in contract.columns)
        day = f", {business_day('created_at', self.business_time)} as order_date"
        return (
            f"select {columns}, {version} as _version,"
            f" {literal(file.key)} as _source, {line} as _line, {literal(self.staged.batch_id)} as _batch"
            f"{day if file.dataset is Dataset.ORDERS else ''}"
            f" from read_parquet({path})"
        )

    def _share_keys(self, files: Sequence[StagedFile]) -> bool:
        """Tell whether two files of a batch may hold the same key, from the ranges of their keys."""
        key = name(self._contract(files[0].dataset).primary_key)
        ranges = []
        for file in files:
            low, high = self._one(f"select min({key}), max({key}) from read_parquet({path_literal(file.path)})")
            if low is not None:
                ranges.append((low, high))
        ranges.sort()
        return any(following[0] <= before[1] for before, following in pairwise(ranges))

    def affected(self, base: LakeSnapshot) -> Affected:
        """Compute the keys whose KPIs the batch may change; everything when the lake is empty."""
        if base.is_empty:
            return everything()
        self._lay_lake_views(base)
        for dataset in Dataset:
            self._compare(dataset, base[dataset])
        for statement in self._template("touched").split(";"):
            if statement.strip():
                self._run(statement)
        categories = self._run(self._template("affected_categories")).fetchall()
        days = {day for (day,) in self._run(self._template("affected_days")).fetchall()}
        return Affected(days=frozenset(days | {day for _, day in categories}), category_days=frozenset(categories))

    def first_orphan(self, current: LakeSnapshot) -> Orphan | None:
        """Find the first item whose order or product is neither in the batch nor in the lake."""
        self._lay_lake_views(current)
        found = self._run(self._template("orphans")).fetchone()
        return None if found is None else Orphan(key=found[0], line=found[1], column=found[2])

    def merge(self, dataset: Dataset, current: LakeSnapshot, affected: Affected) -> TableChange:
        """Write the Parquet files of one table's merge; nothing is visible until the change is applied."""
        self._lay_lake_views(current)
        self._compare(dataset, current[dataset])
        key = name(self._contract(dataset).primary_key)
        self._run(
            f"create or replace temp table replaced as select {key} as key, filename from prior_{dataset}"
            f" where {key} in (select {key} from changed_{dataset})"
        )
        incoming = f"changed_{dataset}"
        if dataset is Dataset.ORDER_ITEMS:
            incoming = self._move_items(current, affected)
        removed = self._touched_files(dataset, current[dataset])
        columns = self.rows.columns(dataset) + (["order_date"] if dataset in _PARTITIONED else [])
        shown = ", ".join(name(column) for column in columns)
        query = f"select {shown} from {incoming}"
        if removed:
            old = self.rows.of_lake(dataset, replace(current[dataset], files=removed))
            query += f" union all select {shown} from ({old}) where {key} not in (select key from replaced)"
        return TableChange(added=tuple(self._write(dataset, query)), removed=removed)

    def _lay_lake_views(self, snapshot: LakeSnapshot) -> None:
        for dataset in Dataset:
            self._run(f"create or replace temp view lake_{dataset} as {self.rows.of_lake(dataset, snapshot[dataset])}")

    def _compare(self, dataset: Dataset, table: TableSnapshot) -> None:
        """Find which staged rows are newer than the lake's."""
        key = name(self._contract(dataset).primary_key)
        carried = {
            Dataset.PRODUCTS: (key, "category"),
            Dataset.ORDERS: (key,),
            Dataset.ORDER_ITEMS: (key, "order_id", "product_id"),
        }[dataset]
        day = "order_date" if dataset in _PARTITIONED else "cast(null as date)"
        columns = ", ".join(carried)
        self._run(self._template("prior", table=dataset, key=key, columns=columns, order_date=day))
        if table.files and self._one(f"select count(*) from prior_{dataset}")[0]:
            self._run(self._template("changed", table=dataset, key=key))
        else:
            self._run(f"create or replace temp view changed_{dataset} as select * from staged_{dataset}")

    def _move_items(self, current: LakeSnapshot, affected: Affected) -> str:
        """Find the items that follow their order or find their parents, and return the view of all items to write."""
        if current[Dataset.ORDER_ITEMS].files:
            days = ", ".join(f"date '{day}'" for day in sorted(affected.days)) or "null"
            near = f"(i.order_date is null or i.order_date in ({days}))"
            self._run(self._template("moving_items", is_candidate="true" if affected.is_everything else near))
        else:
            self._run("create or replace temp table moving_items (id bigint, filename varchar, new_day date)")
        self._run("insert into replaced select id, filename from moving_items")
        columns = self.rows.columns(Dataset.ORDER_ITEMS)
        self._run(
            self._template(
                "incoming_order_items",
                changed_columns=", ".join(f"c.{name(column)}" for column in columns),
                moving_columns=", ".join(f"i.{name(column)}" for column in columns),
            )
        )
        return "incoming_order_items"

    def _touched_files(self, dataset: Dataset, table: TableSnapshot) -> tuple[LakeFile, ...]:
        folder = self.rows.tables.folder(dataset)
        touched = {path for (path,) in self._run("select distinct filename from replaced").fetchall()}
        return tuple(file for file in table.files if str(folder / file.path) in touched)

    def _write(self, dataset: Dataset, query: str) -> Iterator[AddedFile]:
        if dataset in _PARTITIONED:
            query = self._arrange(dataset, query)
        return _Writer(rows=self.rows, prefix=self.staged.batch_id).write(dataset, query)

    def _arrange(self, dataset: Dataset, query: str) -> str:
        """Make the rows come day by day where they do not, and let DuckDB write them out early.

        A partitioned write holds all rows back until a thread has seen a number of them, which costs memory and spilling;
        written out too early, rows of many days become tiny row groups. So the number follows from how many days a window
        of rows has, and rows in no order are sorted first.
        """
        days = max((self._days_in_window(dataset, file) for file in self._sampled(dataset)), default=1)
        is_scattered = days > _MOST_DAYS_UNSORTED
        threshold = _ROW_GROUP if is_scattered else _ROW_GROUP * days
        self._run(f"set partitioned_write_flush_threshold = {max(threshold, _WINDOW)}")
        return f"{query} order by order_date" if is_scattered else query

    def _sampled(self, dataset: Dataset) -> Sequence[StagedFile]:
        files = self.staged.of(dataset)
        return files[:: max(1, len(files) // _SAMPLED_FILES)]

    def _days_in_window(self, dataset: Dataset, file: StagedFile) -> int:
        """Count the days of consecutive rows from the middle of a staged file."""
        path = path_literal(file.path)
        window = f"""
            select {"order_id, created_at" if dataset is Dataset.ORDERS else "order_id"}
            from read_parquet({path})
            where file_row_number >= (select count(*) // 2 from read_parquet({path})) limit {_WINDOW}"""
        if dataset is Dataset.ORDERS:
            query = f"select count(distinct {business_day('created_at', self.business_time)}) from ({window})"
        else:
            query = (
                f"select count(distinct o.order_date) from lake_orders o"
                f" where o.order_id in (select order_id from ({window}))"
            )
        return int(self._one(query)[0])

    def _template(self, file: str, **values: object) -> str:
        text = (resources.files("takings.lake") / f"{file}.sql").read_text()
        return Template(text).substitute({key: str(value) for key, value in values.items()})

    def _run(self, statement: str) -> duckdb.DuckDBPyConnection:
        return self.rows.cursor.execute(statement)

    def _one(self, query: str) -> tuple[Any, ...]:
        row = self._run(query).fetchone()
        assert row is not None, f"no row from {query}"
        return row


def _added_file(
    folder: Path,
    path: str,
    rows: int,
    size: int,
    statistics: Mapping[str, Mapping[str, str]],
    keys: Mapping[str, str | None] | None,
    integers: Collection[str],
) -> AddedFile:
    known = {column.strip('"'): values for column, values in statistics.items() if column.strip('"') in integers}
    exact = {column: values for column, values in known.items() if "min" in values and "max" in values}
    day = (keys or {}).get("order_date")
    return AddedFile(
        path=str(Path(path).relative_to(folder)),
        size=size,
        rows=rows,
        order_date=None if day in {None, ORPHANS} else date.fromisoformat(str(day)),
        minimum={column: int(values["min"]) for column, values in exact.items()},
        maximum={column: int(values["max"]) for column, values in exact.items()},
        null_count={column: int(values["null_count"]) for column, values in known.items()},
    )
