"""Compare a contender's KPI tables with Takings', to the cent."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

from benchmarks.kpi_query import CATEGORY_COLUMNS, DAY_COLUMNS

_TABLES: Final = {"days": (DAY_COLUMNS, 1), "categories": (CATEGORY_COLUMNS, 2)}
#: quotients; whoever divides binary numbers may round the last digit the other way
_RATIOS: Final = frozenset({"return_rate", "avg_order_value", "avg_return_rate"})
_CENT: Final = Decimal("0.01")

Rows = Mapping[tuple[str, ...], Mapping[str, Decimal | None]]


def differences(ours: Path, theirs: Path) -> list[str]:
    """Return in words where tables differ; nothing where sums and counts are equal, and ratios to the cent."""
    found = []
    for table in _TABLES:
        one, other = (read_table(table, (folder / f"{table}.csv").read_text()) for folder in (ours, theirs))
        found += [f"{table} {'/'.join(key)}: missing" for key in sorted(one.keys() - other.keys())]
        found += [f"{table} {'/'.join(key)}: too much" for key in sorted(other.keys() - one.keys())]
        for key in sorted(one.keys() & other.keys()):
            found += [
                f"{table} {'/'.join(key)}: {column} is {other[key][column]} instead of {value}"
                for column, value in one[key].items()
                if not _agree(column, value, other[key][column])
            ]
    return found


def read_table(table: str, text: str) -> Rows:
    """Read days.csv or categories.csv by key."""
    columns, keys = _TABLES[table]
    names = columns[:keys]
    rows = csv.DictReader(io.StringIO(text))
    return {
        tuple(row[name] for name in names): {
            column: Decimal(row[column]) if row[column] else None for column in columns if column not in names
        }
        for row in rows
    }


def _agree(column: str, one: Decimal | None, other: Decimal | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= _CENT if column in _RATIOS else one == other
