"""Show published KPIs as JSON documents, as the command line, the API and the page have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from takings.kpis import KpiRow, KpiTable
from takings.layout import format_instant
from takings.queries.incomplete import Incomplete

NOTHING: Final[Mapping[str, str | None]] = MappingProxyType({})


def row_documents(
    table: KpiTable, rows: Iterable[KpiRow], incomplete: Incomplete, told: Mapping[str, str | None] = NOTHING
) -> list[dict[str, Any]]:
    """Return an object per row, decimals as strings, with commit, batch_id, computed_at and definition.

    A row of an incomplete day has an additional member that says what is missing; every row has what is `told` of its table,
    such as why its newest numbers could not be published.
    """
    documents = []
    known = {name: each for name, each in told.items() if each is not None}
    for row in rows:
        missing = incomplete.days.get(row.key[-1])
        documents.append(
            row_document(table, row) | known | ({} if missing is None else {"incomplete": missing.to_json()})
        )
    return documents


def row_document(table: KpiTable, row: KpiRow) -> dict[str, Any]:
    """Return one row as JSON shows it."""
    values = {
        column: _json_value(value) for column, value in zip(table.header, (*row.key, *row.values.values()), strict=True)
    }
    return values | {
        "commit": row.commit,
        "batch_id": row.batch_id,
        "computed_at": format_instant(row.computed_at),
        "definition": row.definition,
    }


def _json_value(value: object) -> object:
    return value if value is None or isinstance(value, int) else plain(value)


def plain(value: object) -> str:
    """Write a part of a key or a value: money and rates with two decimals, nothing where a ratio has no value."""
    match value:
        case None:
            return ""
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value:.2f}"
    return str(value)
