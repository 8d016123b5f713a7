"""Show the rows behind a number as CSV, and their amounts to people."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import fields
from decimal import Decimal
from typing import Final

from takings.entrypoints.spreadsheets import neutralised
from takings.queries.verification import RowBehind, exact

COLUMNS: Final = tuple(field.name for field in fields(RowBehind))


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
    return ["" if cell is None else exact(cell) for cell in (getattr(row, column) for column in COLUMNS)]


def grouped(amount: Decimal) -> str:
    """Return an amount for people: with all its digits, and commas between thousands."""
    return f"{Decimal(exact(amount)):,f}"
