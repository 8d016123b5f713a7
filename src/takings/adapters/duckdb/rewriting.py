"""Rewrite the files of days, each day by a query of its own, several days side by side.

DuckDB's partitioned write copies every value before it encodes it, at a greater cost than encoding. It is worth that for rows
of many days in any order. But the rows of a file that a correction rewrites are all of one day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from queue import SimpleQueue
from typing import Any, Final
from uuid import uuid4

import duckdb

from takings.adapters.duckdb.lake_files import LakeRows, LakeWriter
from takings.adapters.duckdb.sql import name
from takings.contracts.model import Dataset
from takings.lake import PARTITION, AddedFile, LakeFile, TableSnapshot
from takings.workers import Workers

#: with fewer rows per day, a query for each day costs more than the partitioned write
FEWEST_PER_DAY: Final = 20_000
#: more incoming rows are not held back in memory
MOST_INCOMING: Final = 1_000_000


def is_by_day(incoming: int, removed: Sequence[LakeFile]) -> bool:
    """Return whether files are best rewritten day by day."""
    days = {file.order_date for file in removed}
    return bool(days) and incoming <= MOST_INCOMING and sum(file.rows for file in removed) >= FEWEST_PER_DAY * len(days)


@dataclass(frozen=True, kw_only=True)
class DayRewriting:
    """The rewriting of some files of a table, whose replaced keys are in the table `replaced` of the session."""

    rows: LakeRows
    writer: LakeWriter
    dataset: Dataset
    #: SQL of the key of a row
    key: str

    def write(self, incoming: str, table: TableSnapshot, removed: Sequence[LakeFile]) -> tuple[AddedFile, ...]:
        """Write the rows of a query, and those of the removed files that are not replaced."""
        self.rows.tables.fetch(self.dataset, tuple(removed))
        files: dict[date | None, list[LakeFile]] = defaultdict(list)
        for file in removed:
            files[file.order_date].append(file)
        with self._shared(incoming) as schema:
            added = self._write_each([self._of_day(schema, table, day, each) for day, each in files.items()])
            return added + self._write_others(schema, files)

    @contextmanager
    def _shared(self, incoming: str) -> Iterator[str]:
        """Keep incoming rows and replaced keys in a schema until the block ends: other sessions see no temporary table."""
        schema = f"rewriting_{uuid4().hex}"
        self._run(f"create schema {schema}")
        try:
            self._run(f"create table {schema}.incoming as {incoming}")
            self._run(f"create table {schema}.replaced as select key from replaced")
            yield schema
        finally:
            self._run(f"drop schema {schema} cascade")

    def _of_day(self, schema: str, table: TableSnapshot, day: date | None, files: Sequence[LakeFile]) -> str:
        """Return the statement that writes a day's rows."""
        columns = ", ".join(name(column) for column in self.rows.columns(self.dataset))
        old = self.rows.of_lake(self.dataset, replace(table, files=tuple(files)))
        query = (
            f"select {columns} from {schema}.incoming where {PARTITION} is not distinct from {_literal(day)}"
            f" union all select {columns} from ({old}) where {self.key} not in (select key from {schema}.replaced)"
        )
        return self.writer.copy_of_day(self.dataset, day, query)

    def _write_each(self, statements: Sequence[str]) -> tuple[AddedFile, ...]:
        """Run each statement in the next free session."""
        (threads,) = self._run("select current_setting('threads')").fetchone() or (1,)
        cursors = [self.rows.cursor.cursor() for _ in range(min(int(threads), len(statements)))]
        free: SimpleQueue[duckdb.DuckDBPyConnection] = SimpleQueue()
        for cursor in cursors:
            free.put(cursor)

        def interrupt() -> None:
            for cursor in cursors:
                cursor.interrupt()

        try:
            with Workers(len(cursors), interrupt) as workers:
                begun = [workers.begin(partial(_run_in, free, statement)) for statement in statements]
                written = [row for future in begun for row in workers.result(future)]
        finally:
            for cursor in cursors:
                cursor.close()
        return self.writer.keep(self.dataset, written)

    def _write_others(self, schema: str, files: Mapping[date | None, object]) -> tuple[AddedFile, ...]:
        """Write the incoming rows of all other days."""
        days = ", ".join(_literal(day) for day in files if day is not None) or "null"
        is_other = f"coalesce({PARTITION} not in ({days}), true)" if days != "null" else "true"
        if None in files:
            is_other = f"{PARTITION} is not null and {is_other}"
        return self.writer.write(
            self.dataset,
            f"select {self.rows.all_columns(self.dataset)} from {schema}.incoming where {is_other} order by {PARTITION}",
        )

    def _run(self, statement: str) -> duckdb.DuckDBPyConnection:
        return self.rows.cursor.execute(statement)


def _run_in(free: SimpleQueue[duckdb.DuckDBPyConnection], statement: str) -> list[tuple[Any, ...]]:
    cursor = free.get()
    try:
        return cursor.execute(statement).fetchall()
    finally:
        free.put(cursor)


def _literal(day: date | None) -> str:
    return "null" if day is None else f"date '{day.isoformat()}'"
