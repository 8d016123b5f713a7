"""Keep the published KPIs in SQLite: the same columns as in DynamoDB, money as decimal text."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from decimal import Decimal

from takings.adapters.local.database import Database, from_micros, to_micros, transaction
from takings.adapters.local.own_kpis import OwnKpiRows
from takings.kpis.definitions import KpiTable, KpiValue
from takings.kpis.publication import KpiKey, KpiRow, days_of
from takings.lake import Affected

_GUARD = ("commit", "batch_id", "computed_at", "definition")


class SqliteKpiStore:
    """The KPIs of a local store; a table is created when it is first used."""

    def __init__(self, connection: Database, tables: Sequence[KpiTable], *, only_reads: bool = False) -> None:
        self._connection = connection
        self._own = OwnKpiRows(connection)
        if only_reads:
            return
        for table in (table for table in tables if table.own is None):
            key = ", ".join(f"{column} text not null" for column in table.key)
            values = ", ".join(
                f"{column.name} {'integer' if column.kind == 'count' else 'text'}" for column in table.columns
            )
            connection.execute(
                f'create table if not exists {table.name} ({key}, {values}, "commit" integer not null,'
                f" batch_id text not null, computed_at integer not null, definition text not null,"
                f" primary key ({', '.join(table.key)})) without rowid"
            )
            present = {row["name"] for row in connection.execute(f"pragma table_info({table.name})")}
            for column in table.columns:
                if column.name not in present:
                    kind = "integer" if column.kind == "count" else "text"
                    connection.execute(f"alter table {table.name} add column {column.name} {kind}")
            if len(table.key) > 1:
                reverse = ", ".join(reversed(table.key))
                connection.execute(f"create index if not exists {table.name}_by_day on {table.name} ({reverse})")

    def publish(self, table: KpiTable, rows: Sequence[KpiRow]) -> Sequence[KpiRow]:
        """Write rows, except where a newer commit's row exists; return the rows that were refused."""
        if table.own is not None:
            return self._own.publish(table, rows)
        columns = [*table.header, *_GUARD]
        names = ", ".join(f'"{column}"' for column in columns)
        updates = ", ".join(f'"{column}" = excluded."{column}"' for column in columns)
        not_newer = f'{table.name}."commit" <= excluded."commit"'
        statement = (
            f"insert into {table.name} ({names}) values ({', '.join('?' * len(columns))})"
            f" on conflict do update set {updates} where {not_newer}"
        )
        refused = []
        with transaction(self._connection) as connection:
            for row in rows:
                if connection.execute(statement, _write_row(row)).rowcount == 0:
                    refused.append(row)
        return refused

    def keys(self, table: KpiTable, affected: Affected) -> Collection[KpiKey]:
        """Return the keys of every published row on the affected days, including hidden ones."""
        if table.own is not None:
            return self._own.keys(table, affected)
        # With a condition that may be null, SQLite would not use the index on the days.
        on_days = "" if affected.is_everything else " where order_date in (select value from json_each(:days))"
        wanted = {"days": json.dumps([day.isoformat() for day in days_of(affected)])}
        rows = self._connection.execute(f"select {', '.join(table.key)} from {table.name}{on_days}", wanted)
        return {_read_key(table, row) for row in rows}

    def definitions(self, table: KpiTable) -> set[str]:
        """Return the definitions under which the table's rows were published."""
        if table.own is not None:
            return self._own.definitions(table)
        return {row["definition"] for row in self._connection.execute(f"select distinct definition from {table.name}")}

    def rows(
        self, table: KpiTable, *, first: date | None = None, last: date | None = None, category: str | None = None
    ) -> Iterator[KpiRow]:
        """Return published rows, including hidden ones, by their key: order_date, or category and order_date."""
        if table.own is not None:
            rows = self._own.rows(table, first, last)
            return (row for row in rows if category is None or row.key[table.key.index("category")] == category)
        conditions, values = ["1 = 1"], []
        for condition, value in (
            ("order_date >= ?", first and first.isoformat()),
            ("order_date <= ?", last and last.isoformat()),
            ("category = ?", category),
        ):
            if value is not None:
                conditions.append(condition)
                values.append(value)
        found = self._connection.execute(
            f"select * from {table.name} where {' and '.join(conditions)} order by {', '.join(table.key)}", values
        )
        return (_read_row(table, row) for row in found)


def _write_row(row: KpiRow) -> list[object]:
    key = [str(part) for part in row.key]
    values = [str(value) if isinstance(value, Decimal) else value for value in row.values.values()]
    return [*key, *values, row.commit, row.batch_id, to_micros(row.computed_at), row.definition]


def _read_key(table: KpiTable, row: sqlite3.Row) -> KpiKey:
    return tuple(date.fromisoformat(row[part]) if part == "order_date" else row[part] for part in table.key)


def _read_row(table: KpiTable, row: sqlite3.Row) -> KpiRow:
    return KpiRow(
        key=_read_key(table, row),
        values={column.name: _read_value(column.kind, row[column.name]) for column in table.columns},
        commit=row["commit"],
        batch_id=row["batch_id"],
        computed_at=from_micros(row["computed_at"]),
        definition=row["definition"],
    )


def _read_value(kind: str, stored: int | str | None) -> KpiValue:
    if stored is None or kind == "count":
        return None if stored is None else int(stored)
    return Decimal(stored)
