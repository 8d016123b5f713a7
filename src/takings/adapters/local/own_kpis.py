"""Keep the rows of the shop's own KPI tables in SQLite: one table for all of them, so that a new one needs no other layout."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from datetime import date

from takings.adapters.local.database import Database, from_micros, to_micros, transaction
from takings.adapters.own_rows import read_grain, read_values, write_grain, write_values
from takings.kpis.definitions import KpiTable
from takings.kpis.publication import KpiKey, KpiRow, days_of, in_order
from takings.lake import Affected

_PUBLISH = """
    insert into OwnKPIs (kpi_table, order_date, grain, kpis, row_count, "commit", batch_id, computed_at, definition)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?)
    on conflict do update set kpis = excluded.kpis, row_count = excluded.row_count, "commit" = excluded."commit",
        batch_id = excluded.batch_id, computed_at = excluded.computed_at, definition = excluded.definition
    where OwnKPIs."commit" <= excluded."commit"
"""


_NO_ROWS = "(select null as kpi_table, null as order_date, null as grain, null as kpis, null as definition where false)"


class OwnKpiRows:
    """The rows of the shop's own KPI tables."""

    def __init__(self, connection: Database) -> None:
        self._connection = connection
        # A database of an older layout, opened read-only, lacks the table.
        found = connection.execute("select 1 from sqlite_master where name = 'OwnKPIs'")
        self._source = _NO_ROWS if found.fetchone() is None else "OwnKPIs"

    def publish(self, table: KpiTable, rows: Sequence[KpiRow]) -> Sequence[KpiRow]:
        """Write rows, except where a newer commit's row exists; return the rows that were refused."""
        with transaction(self._connection) as connection:
            return [row for row in rows if connection.execute(_PUBLISH, _written(table, row)).rowcount == 0]

    def keys(self, table: KpiTable, affected: Affected) -> Collection[KpiKey]:
        """Return the keys of every published row on the affected days, including hidden ones."""
        on_days = "" if affected.is_everything else " and order_date in (select value from json_each(?))"
        days = [] if affected.is_everything else [json.dumps([day.isoformat() for day in days_of(affected)])]
        rows = self._connection.execute(
            f"select order_date, grain, kpis from {self._source} where kpi_table = ?{on_days}", [table.name, *days]
        )
        return {_key(row) for row in rows}

    def definitions(self, table: KpiTable) -> set[str]:
        """Return the definitions under which the table's rows were published."""
        found = self._connection.execute(
            f"select distinct definition from {self._source} where kpi_table = ?", [table.name]
        )
        return {row["definition"] for row in found}

    def rows(self, table: KpiTable, first: date | None, last: date | None) -> Iterator[KpiRow]:
        """Return published rows, including hidden ones, by their key."""
        found = self._connection.execute(
            f"select * from {self._source} where kpi_table = ? and order_date between ? and ?",
            [table.name, (first or date.min).isoformat(), (last or date.max).isoformat()],
        )
        return iter(sorted((_row(table, row) for row in found), key=lambda row: in_order(row.key)))


def _written(table: KpiTable, row: KpiRow) -> list[object]:
    return [
        table.name,
        row.key[-1].isoformat(),
        write_grain(row.key),
        json.dumps(write_values(row.values)),
        row.count,
        row.commit,
        row.batch_id,
        to_micros(row.computed_at),
        row.definition,
    ]


def _key(row: sqlite3.Row) -> KpiKey:
    return (*read_grain(row["grain"]), date.fromisoformat(row["order_date"]))


def _row(table: KpiTable, row: sqlite3.Row) -> KpiRow:
    return KpiRow(
        key=_key(row),
        values=read_values(table, json.loads(row["kpis"])),
        commit=row["commit"],
        batch_id=row["batch_id"],
        computed_at=from_micros(row["computed_at"]),
        definition=row["definition"],
        count=row["row_count"],
    )
