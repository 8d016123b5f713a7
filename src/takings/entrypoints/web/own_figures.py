"""Compute what the page of a KPI table of the shop's own draws: a column per day, of the keys with most of it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from takings.kpis import KpiRow, KpiTable
from takings.kpis.definitions import KpiValue

#: more lines are not told apart
MOST_LINES: Final = 6


@dataclass(frozen=True, kw_only=True)
class OwnFigures:
    """One column per day."""

    column: str
    #: the keys drawn, with most of the column first
    lines: tuple[str, ...]
    keys_in_all: int
    #: day -> the values of these keys; None where a key has no row
    days: dict[date, tuple[KpiValue, ...]]


def figures(table: KpiTable, rows: Sequence[KpiRow], column: str) -> OwnFigures:
    """Return a column's values per day, for the keys whose values add up to most."""
    weights: dict[str, Decimal] = defaultdict(Decimal)
    values: dict[date, dict[str, KpiValue]] = defaultdict(dict)
    for row in rows:
        key = named(table, row.key)
        value = row.values[column]
        weights[key] += abs(Decimal(value or 0))
        values[row.key[-1]][key] = value
    lines = sorted(weights, key=lambda key: (-weights[key], key))[:MOST_LINES]
    return OwnFigures(
        column=column,
        lines=tuple(lines),
        keys_in_all=len(weights),
        days={day: tuple(values[day].get(key) for key in lines) for day in sorted(values)},
    )


def named(table: KpiTable, key: Sequence[Any]) -> str:
    """Return a key without its day, for people; of a table by day, its name."""
    parts = ["(empty)" if part is None else str(part) for part in key[:-1]]
    return ", ".join(parts) or table.name
