"""Prepare what is published for the affected keys: derived rows, and zeros for keys that no longer have rows. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, localcontext
from typing import Any

from takings.errors import OwnKpiFailure
from takings.kpis.columns import KpiColumn
from takings.kpis.definitions import KpiTable, KpiValue, Measures
from takings.lake.keys import Affected

KpiKey = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class KpiRow:
    """One published row."""

    key: KpiKey
    values: Mapping[str, KpiValue]
    #: the guard: only an equal or newer commit may replace the row
    commit: int
    batch_id: str
    computed_at: datetime
    #: hash of SQL, policy and time zone
    definition: str
    #: rows of the key in the result, of a table of the shop's own; None for a shipped one
    count: int | None = None

    @property
    def is_gone(self) -> bool:
        """Return whether the key no longer has rows; such a row keeps the guard, and readers hide it."""
        if self.count is not None:
            return self.count == 0
        return not any(value for value in self.values.values())


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What all rows of one publication have in common."""

    commit: int
    batch_id: str
    computed_at: datetime
    definition: str

    def row(self, key: KpiKey, values: Mapping[str, KpiValue], count: int | None = None) -> KpiRow:
        """Make one row of this publication."""
        return KpiRow(
            count=count,
            key=key,
            values=values,
            commit=self.commit,
            batch_id=self.batch_id,
            computed_at=self.computed_at,
            definition=self.definition,
        )


def derive(table: KpiTable, measures: Measures) -> tuple[KpiKey, dict[str, KpiValue]]:
    """Derive one row's key and published values from its unrounded measures."""
    return _key(table, measures), {column.name: column.value(measures) for column in table.columns}


def derive_each(table: KpiTable, rows: Sequence[Measures]) -> dict[KpiKey, dict[str, KpiValue]]:
    """Derive key and published values of whole days' rows; a share is of its day.

    OwnKpiFailure where two rows have the same key.
    """
    shares = [column for column in table.columns if column.kind == "share"]
    wholes = {column.name: _by_day(column, rows) for column in shares}
    found: dict[KpiKey, dict[str, KpiValue]] = {}
    for row in rows:
        key = _key(table, row)
        if table.own is not None and key in found:
            named = ", ".join(f"{name} {value}" for name, value in zip(table.key, key, strict=True))
            raise OwnKpiFailure(f"the result has more than one row for {named}. Group by the whole grain.")
        found[key] = {
            column.name: column.value(row, wholes.get(column.name, {}).get(row["order_date"], 0))
            for column in table.columns
        }
    return found


def _key(table: KpiTable, measures: Measures) -> KpiKey:
    return tuple(measures[name] for name in table.key)


def _by_day(column: KpiColumn, rows: Iterable[Measures]) -> dict[date, Decimal]:
    sums: dict[date, Decimal] = defaultdict(Decimal)
    with localcontext() as context:
        context.prec = 60
        for row in rows:
            sums[row["order_date"]] += column.numerator(row)
    return sums


def prepare_publication(
    table: KpiTable,
    measures: Sequence[Measures],
    affected: Affected,
    published: Collection[KpiKey],
    publication: Publication,
) -> tuple[KpiRow, ...]:
    """Return the rows to publish: each affected key that has rows, and zeros for those once published that have none."""
    count = None if table.own is None else 1
    rows = {
        key: publication.row(key, values, count)
        for key, values in derive_each(table, measures).items()
        if is_affected(key, affected)
    }
    zeros = {column.name: column.zero for column in table.columns}
    gone = (key for key in published if key not in rows and is_affected(key, affected))
    rows.update({key: publication.row(key, zeros, None if count is None else 0) for key in gone})
    return tuple(rows[key] for key in sorted(rows, key=in_order))


def in_order(key: KpiKey) -> tuple[tuple[bool, Any], ...]:
    """Return what keys are sorted by; an empty part comes first."""
    return tuple((part is not None, part) for part in key)


def is_affected(key: KpiKey, affected: Affected) -> bool:
    """Return whether a key, `(order_date,)` or `(category, order_date)`, must be published again."""
    if affected.is_everything or key[-1] in affected.whole_days:
        return True
    return key[0] in affected.days if len(key) == 1 else key in affected.category_days


def days_of(affected: Affected) -> frozenset[date]:
    """Return every day of an affected key."""
    return affected.days | affected.whole_days | frozenset(day for _, day in affected.category_days)


def visible(rows: Iterable[KpiRow]) -> Iterable[KpiRow]:
    """Yield the rows without those of keys that are gone."""
    return (row for row in rows if not row.is_gone)
