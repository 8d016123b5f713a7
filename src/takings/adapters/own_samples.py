"""Compare what engines compute of a small shop that is made up: the check of the shop's own KPI tables when they are loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from takings.contracts.model import Dataset
from takings.kpis import KpiTable

Rows = Sequence[Sequence[Any]]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A table's SQL on the small shop."""

    table: KpiTable
    #: the rows of each dataset: the columns that its contract stores, and the day where it has one
    shop: Mapping[Dataset, Rows]
    #: what DuckDB computes: of every day (None), and of each day alone
    expected: Mapping[date | None, Rows]


def in_order(rows: Rows) -> list[tuple[str, ...]]:
    """Return rows in an order of their own; numbers by their value, whatever their type."""
    return sorted(tuple(_plain(part) for part in row) for row in rows)


def first_difference(expected: Rows, found: Rows) -> tuple[str, str] | None:
    """Return the first row that only one of two results has, on both sides, as texts; None where they are the same."""
    wanted, got = Counter(in_order(expected)), Counter(in_order(found))
    if wanted == got:
        return None
    lacking, beyond = sorted((wanted - got).elements()), sorted((got - wanted).elements())
    return _text(lacking), _text(beyond)


def _text(rows: Sequence[Sequence[str]]) -> str:
    return f"({', '.join(part.partition(' ')[2] or part for part in rows[0])})" if rows else "no such row"


def _plain(value: object) -> str:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return f"number {Decimal(value).normalize():f}"
    return f"{type(value).__name__} {value}"
