"""Keep the published KPIs in DynamoDB: the same columns as in SQLite, money as decimal numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import compress
from typing import Final

from takings.adapters.aws.database import Database, Item
from takings.adapters.aws.own_kpis import OwnKpiRows
from takings.adapters.aws.tables import BY_DAY, BY_RANGE, CATEGORY_KPIS, EVERYTHING, ORDER_KPIS, Table
from takings.kpis.definitions import KpiTable, KpiValue, round_money
from takings.kpis.publication import KpiKey, KpiRow
from takings.lake import Affected
from takings.layout import format_instant, parse_instant

_TABLES: Final[Mapping[str, Table]] = {table.name: table for table in (ORDER_KPIS, CATEGORY_KPIS)}
#: for categories, a scan of the whole table is faster than a longer range
_MOST_DAYS: Final = 92
_FIRST_DAY, _LAST_DAY = date.min.isoformat(), date.max.isoformat()


class DynamoKpiStore:
    """The KPIs of a store in a bucket."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._own = OwnKpiRows(database)

    def publish(self, table: KpiTable, rows: Sequence[KpiRow]) -> Sequence[KpiRow]:
        """Write rows, except where a newer commit's row exists; return the rows that were refused."""
        if table.own is not None:
            return self._own.publish(table, rows)
        absent = "attribute_not_exists(order_date)"
        not_newer = "#commit <= :commit"
        items = (_write_row(table, row) for row in rows)
        written = self._database.put_each(_TABLES[table.name], items, f"{absent} or {not_newer}")
        return list(compress(rows, (not each for each in written)))

    def keys(self, table: KpiTable, affected: Affected) -> Collection[KpiKey]:
        """Return the keys of all affected published rows, including hidden ones; without an index, as that would lag."""
        if table.own is not None:
            return self._own.keys(table, affected)
        there = _TABLES[table.name]
        if affected.is_everything or affected.whole_days:
            items = self._database.scan(there, table.key)
        else:
            wanted = affected.category_days if "category" in table.key else ((day,) for day in affected.days)
            items = self._database.get_each(there, (_write_key(table, key) for key in wanted))
        return {_read_key(table, item) for item in items}

    def definitions(self, table: KpiTable) -> set[str]:
        """Return the definitions under which the table's rows were published."""
        if table.own is not None:
            return self._own.definitions(table)
        return {item["definition"] for item in self._database.scan(_TABLES[table.name], ["definition"])}

    def rows(
        self, table: KpiTable, *, first: date | None = None, last: date | None = None, category: str | None = None
    ) -> Iterator[KpiRow]:
        """Return published rows, including hidden ones, by order_date, or by category and order_date.

        A range of days comes from an index.
        """
        if table.own is not None:
            rows = self._own.rows(table, first, last)
            return (row for row in rows if category is None or row.key[table.key.index("category")] == category)
        found = [_read_row(table, item) for item in self._items(table, first, last, category)]
        wanted = (
            row
            for row in found
            if (first is None or row.key[-1] >= first)
            and (last is None or row.key[-1] <= last)
            and category in {None, row.key[0]}
        )
        return iter(sorted(wanted, key=lambda row: row.key))

    def _items(self, table: KpiTable, first: date | None, last: date | None, category: str | None) -> Iterator[Item]:
        """Read at least the rows of a range, in the cheapest way."""
        there = _TABLES[table.name]
        ends = {
            "first": _FIRST_DAY if first is None else first.isoformat(),
            "last": _LAST_DAY if last is None else last.isoformat(),
        }
        if ends["first"] > ends["last"]:
            return iter(())
        in_range = "order_date between :first and :last"
        if category is not None:
            return self._database.query(there, f"category = :category and {in_range}", {"category": category, **ends})
        if there is ORDER_KPIS and (first or last):
            return self._database.query(
                there, f"#range = :range and {in_range}", {"range": EVERYTHING, **ends}, BY_RANGE
            )
        if there is CATEGORY_KPIS and first and last and (last - first).days < _MOST_DAYS:
            days = (first + timedelta(days=day) for day in range((last - first).days + 1))
            return self._database.query_each(
                there, "order_date = :day", ({"day": day.isoformat()} for day in days), BY_DAY
            )
        return self._database.scan(there)


def _write_key(table: KpiTable, key: KpiKey) -> Item:
    return {
        name: part.isoformat() if isinstance(part, date) else part for name, part in zip(table.key, key, strict=True)
    }


def _write_row(table: KpiTable, row: KpiRow) -> Item:
    return {
        **_write_key(table, row.key),
        **row.values,
        "commit": row.commit,
        "batch_id": row.batch_id,
        "computed_at": format_instant(row.computed_at),
        "definition": row.definition,
        **({"range": EVERYTHING} if _TABLES[table.name] is ORDER_KPIS else {}),
    }


def _read_key(table: KpiTable, item: Item) -> KpiKey:
    return tuple(date.fromisoformat(item[part]) if part == "order_date" else item[part] for part in table.key)


def _read_row(table: KpiTable, item: Item) -> KpiRow:
    return KpiRow(
        key=_read_key(table, item),
        values={column.name: _read_value(column.kind, item.get(column.name)) for column in table.columns},
        commit=item["commit"],
        batch_id=item["batch_id"],
        computed_at=parse_instant(item["computed_at"]),
        definition=item["definition"],
    )


def _read_value(kind: str, stored: int | Decimal | None) -> KpiValue:
    """Read a number; DynamoDB drops its trailing zeros."""
    if stored is None or kind == "count":
        return None if stored is None else int(stored)
    return round_money(Decimal(stored))
