"""Keep the rows of the shop's own KPI tables in DynamoDB: one table for all of them, so that a new one needs no deployment."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from itertools import compress
from typing import Final

from takings.adapters.aws.database import Database, Item
from takings.adapters.aws.tables import BY_TABLE, OWN_KPIS
from takings.adapters.own_rows import read_grain, read_values, write_grain
from takings.kpis.definitions import KpiTable
from takings.kpis.publication import KpiKey, KpiRow, days_of, in_order
from takings.lake import Affected
from takings.layout import format_instant, parse_instant

#: the most bytes of a sort key; a longer grain is kept beside its hash
_LONGEST: Final = 1024
_KEYS: Final = ("kpi_table", "order_date", "grain", "parts")


class OwnKpiRows:
    """The rows of the shop's own KPI tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def publish(self, table: KpiTable, rows: Sequence[KpiRow]) -> Sequence[KpiRow]:
        """Write rows, except where a newer commit's row exists; return the rows that were refused."""
        absent = "attribute_not_exists(table_day)"
        not_newer = "#commit <= :commit"
        written = self._database.put_each(OWN_KPIS, (_written(table, row) for row in rows), f"{absent} or {not_newer}")
        return list(compress(rows, (not each for each in written)))

    def keys(self, table: KpiTable, affected: Affected) -> Collection[KpiKey]:
        """Return the keys of all affected published rows, including hidden ones; without the index, as that would lag."""
        found: Iterable[Item]
        if affected.is_everything:
            found = (item for item in self._database.scan(OWN_KPIS, _KEYS) if item["kpi_table"] == table.name)
        else:
            days = ({"day": _table_day(table, day)} for day in sorted(days_of(affected)))
            found = self._database.query_each(OWN_KPIS, "table_day = :day", days)
        return {_key(item) for item in found}

    def definitions(self, table: KpiTable) -> set[str]:
        """Return the definitions under which the table's rows were published."""
        items = self._database.scan(OWN_KPIS, ["kpi_table", "definition"])
        return {item["definition"] for item in items if item["kpi_table"] == table.name}

    def rows(self, table: KpiTable, first: date | None, last: date | None) -> Iterator[KpiRow]:
        """Return published rows, including hidden ones, by their key. A range of days comes from an index."""
        found: Iterable[Item]
        if first is None and last is None:
            found = (item for item in self._database.scan(OWN_KPIS) if item["kpi_table"] == table.name)
        else:
            ends = {"first": (first or date.min).isoformat(), "last": (last or date.max).isoformat()}
            if ends["first"] > ends["last"]:
                return iter(())
            found = self._database.query(
                OWN_KPIS,
                "kpi_table = :table and order_date between :first and :last",
                {"table": table.name, **ends},
                BY_TABLE,
            )
        return iter(sorted((_row(table, item) for item in found), key=lambda row: in_order(row.key)))


def _table_day(table: KpiTable, day: date) -> str:
    return f"{table.name}/{day.isoformat()}"


def _written(table: KpiTable, row: KpiRow) -> Item:
    grain, day = write_grain(row.key), row.key[-1]
    is_long = len(grain.encode()) > _LONGEST
    return {
        "table_day": _table_day(table, day),
        "grain": f"#{hashlib.sha256(grain.encode()).hexdigest()}" if is_long else grain,
        "parts": grain if is_long else None,
        "kpi_table": table.name,
        "order_date": day.isoformat(),
        # For people and exports; what is read back is `grain`, which knows their types.
        **{name: str(part) for name, part in zip(table.key[:-1], row.key[:-1], strict=True) if part is not None},
        **row.values,
        "row_count": row.count,
        "commit": row.commit,
        "batch_id": row.batch_id,
        "computed_at": format_instant(row.computed_at),
        "definition": row.definition,
    }


def _key(item: Item) -> KpiKey:
    return (*read_grain(item.get("parts", item["grain"])), date.fromisoformat(item["order_date"]))


def _row(table: KpiTable, item: Item) -> KpiRow:
    return KpiRow(
        key=_key(item),
        values=read_values(table, item),
        commit=item["commit"],
        batch_id=item["batch_id"],
        computed_at=parse_instant(item["computed_at"]),
        definition=item["definition"],
        count=item["row_count"],
    )
