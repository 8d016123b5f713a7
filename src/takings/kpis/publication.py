"""Prepare what is published for the affected keys: derived rows, and zeros for keys that no longer have rows. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

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

    @property
    def is_gone(self) -> bool:
        """Return whether the key no longer has rows; such a row keeps the guard, and readers hide it."""
        return not any(value for value in self.values.values())


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What all rows of one publication have in common."""

    commit: int
    batch_id: str
    computed_at: datetime
    definition: str

    def row(self, key: KpiKey, values: Mapping[str, KpiValue]) -> KpiRow:
        """Make one row of this publication."""
        return KpiRow(
            key=key,
            values=values,
            commit=self.commit,
            batch_id=self.batch_id,
            computed_at=self.computed_at,
            definition=self.definition,
        )


def derive(table: KpiTable, measures: Measures) -> tuple[KpiKey, dict[str, KpiValue]]:
    """Derive one row's key and published values from its unrounded measures."""
    return tuple(measures[name] for name in table.key), {
        column.name: column.value(measures) for column in table.columns
    }


def prepare_publication(
    table: KpiTable,
    measures: Sequence[Measures],
    affected: Affected,
    published: Collection[KpiKey],
    publication: Publication,
) -> tuple[KpiRow, ...]:
    """Return the rows to publish: each affected key that has rows, and zeros for those once published that have none."""
    rows = {}
    for row in measures:
        key, values = derive(table, row)
        if is_affected(key, affected):
            rows[key] = publication.row(key, values)
    zeros = {column.name: column.zero for column in table.columns}
    gone = (key for key in published if key not in rows and is_affected(key, affected))
    rows.update({key: publication.row(key, zeros) for key in gone})
    return tuple(rows[key] for key in sorted(rows))


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
