"""Show the rows behind a number as CSV or JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from takings.entrypoints.spreadsheets import neutralised
from takings.kpis import definitions as amounts
from takings.queries.verification import Explanation, RowBehind

COLUMNS: Final = (
    *("order_date", "category", "order_id", "item_id", "product_id", "status", "sale_price", "counted_as"),
    *("key", "archived_at", "line", "pieces", "amount", "returned_value", "cancelled_value"),
)


def _cells(row: RowBehind) -> list[Any]:
    return [getattr(row, column) for column in COLUMNS]


def as_csv(rows: Iterable[RowBehind], *, for_spreadsheet: bool = False) -> str:
    """Return rows as `takings explain --format csv` prints them; for a spreadsheet, without formulas."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(map(neutralised, texts(row)) if for_spreadsheet else texts(row))
    return text.getvalue()


def texts(row: RowBehind) -> list[str]:
    """Return a row's cells as CSV holds them."""
    return ["" if cell is None else exact(cell) for cell in _cells(row)]


def exact(cell: object) -> str:
    """Write a value exactly: a price with all its digits, without trailing zeros after the cents."""
    return amounts.exact(cell) if isinstance(cell, Decimal) else str(cell)


def as_document(explanation: Explanation, rows: Sequence[RowBehind]) -> dict[str, Any]:
    """Return some of an explanation's rows, with the sums over all of them."""
    return {
        "schema_version": 1,
        "commit": explanation.commit,
        "rows_in_all": len(explanation.rows),
        "revenue": exact(explanation.revenue),
        "rows": [dict(zip(COLUMNS, map(_json_value, _cells(row)), strict=True)) for row in rows],
    }


def _json_value(cell: object) -> object:
    return exact(cell) if isinstance(cell, date | Decimal) else cell
