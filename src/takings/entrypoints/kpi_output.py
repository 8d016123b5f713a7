"""Write published KPIs as CSV or JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from takings.entrypoints import legible
from takings.entrypoints.spreadsheets import neutralised
from takings.kpis import KpiRow, KpiTable
from takings.layout import format_instant
from takings.queries.incomplete import Incomplete

NOTHING: Final[Mapping[str, str | None]] = MappingProxyType({})


def as_csv(table: KpiTable, rows: Iterable[KpiRow], *, for_spreadsheet: bool = False) -> str:
    """Return exactly the table's columns; two decimals, an empty field where a ratio has no value, LF line ends.

    For a spreadsheet, put a `'` before a text that it would take for a formula.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.header)
    for row in rows:
        cells = [_plain(value) for value in (*row.key, *row.values.values())]
        writer.writerow(map(neutralised, cells) if for_spreadsheet else cells)
    return text.getvalue()


def as_json(
    table: KpiTable, rows: Iterable[KpiRow], incomplete: Incomplete, told: Mapping[str, str | None] = NOTHING
) -> str:
    """Return an array of objects, decimals as strings, with commit, batch_id, computed_at and definition.

    A row of an incomplete day has an additional member that says what is missing; every row has what is `told` of its table,
    such as why its newest numbers could not be published.
    """
    documents = []
    known = {name: each for name, each in told.items() if each is not None}
    for row in rows:
        missing = incomplete.days.get(row.key[-1])
        documents.append(document(table, row) | known | ({} if missing is None else {"incomplete": missing.to_json()}))
    return legible.as_json(documents, indent=1) + "\n"


def document(table: KpiTable, row: KpiRow) -> dict[str, Any]:
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
    return value if value is None or isinstance(value, int) else _plain(value)


def _plain(value: object) -> str:
    match value:
        case None:
            return ""
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value:.2f}"
    return str(value)
