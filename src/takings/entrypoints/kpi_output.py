"""Write published KPIs as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from takings.entrypoints.spreadsheets import neutralised
from takings.kpis import KpiRow, KpiTable
from takings.queries.kpi_documents import plain


def as_csv(table: KpiTable, rows: Iterable[KpiRow], *, for_spreadsheet: bool = False) -> str:
    """Return exactly the table's columns; two decimals, an empty field where a ratio has no value, LF line ends.

    For a spreadsheet, put a `'` before a text that it would take for a formula.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.header)
    for row in rows:
        cells = [plain(value) for value in (*row.key, *row.values.values())]
        writer.writerow(map(neutralised, cells) if for_spreadsheet else cells)
    return text.getvalue()
