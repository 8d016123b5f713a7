"""Write keys and values of the shop's own KPI tables as JSON, the same on every platform.

A key without its day is a JSON array: it tells an empty part from a text, and a number from its digits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from takings.kpis.columns import KpiValue, round_money
from takings.kpis.definitions import KpiTable
from takings.kpis.publication import KpiKey


def write_grain(key: KpiKey) -> str:
    """Return a key without its day, which is its last part."""
    return json.dumps(key[:-1], ensure_ascii=False, separators=(",", ":"))


def read_grain(grain: str) -> tuple[Any, ...]:
    """Return the parts of a key without its day."""
    return tuple(json.loads(grain))


def write_values(values: Mapping[str, KpiValue]) -> dict[str, int | str | None]:
    """Return published values by column; decimals as text."""
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in values.items()}


def read_values(table: KpiTable, written: Mapping[str, Any]) -> dict[str, KpiValue]:
    """Return published values by column; one that was not published yet is empty."""
    return {column.name: _value(column.kind, written.get(column.name)) for column in table.columns}


def _value(kind: str, written: int | Decimal | str | None) -> KpiValue:
    if written is None:
        return None
    return int(written) if kind == "count" else round_money(Decimal(written))
