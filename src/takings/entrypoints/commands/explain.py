"""Show the rows behind a day's numbers: `takings explain`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

import typer
from rich import box
from rich.table import Table

from takings.api import Shop
from takings.entrypoints import explain_output
from takings.entrypoints.app import print_json, print_text
from takings.entrypoints.console import Teller, count, most_of_a_name, out
from takings.entrypoints.explain_output import grouped
from takings.entrypoints.fitting import fits, width_of
from takings.entrypoints.legible import cut, marked
from takings.entrypoints.options import SpreadsheetSafe, Store
from takings.errors import UsageError
from takings.queries.verification import Explanation, RowBehind

_SHOWN: Final = 50

Day = Annotated[datetime, typer.Argument(metavar="DATE", formats=["%Y-%m-%d"], help="The business day.")]


class RowFormat(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def explain(
    store: Store,
    day: Day,
    category: Annotated[str | None, typer.Option(help="Only the rows behind this category's numbers.")] = None,
    of: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=VALUE",
            help="Only rows with this value, such as a part of a key of your own KPI table. May be repeated.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many rows; 50 in a table.")] = None,
    format_: Annotated[RowFormat, typer.Option("--format", help="How to print them.")] = RowFormat.TABLE,
    spreadsheet_safe: SpreadsheetSafe = False,
) -> None:
    """Show the rows behind a day's numbers, with file and line, and their exact sum."""
    if spreadsheet_safe and format_ is not RowFormat.CSV:
        raise UsageError("--spreadsheet-safe goes with --format csv.")
    explanation = Shop(store, tell=Teller()).explain(day.date(), category, of=_conditions(of or []))
    match format_:
        case RowFormat.CSV:
            print_text(explain_output.as_csv(explanation.rows[:limit], for_spreadsheet=spreadsheet_safe))
        case RowFormat.JSON:
            print_json(explanation.to_json(explanation.rows[:limit]))
        case RowFormat.TABLE:
            _show_rows(explanation, limit or _SHOWN)


def _conditions(written: Sequence[str]) -> dict[str, str]:
    """Return value by column."""
    parts = [each.partition("=") for each in written]
    wrong = next((column for column, separator, _ in parts if not separator or not column), None)
    if wrong is not None:
        raise UsageError(f"--of {wrong}: write a column and its value, such as --of department=Home.")
    return {column: value for column, _, value in parts}


def _cells(row: RowBehind, worths: int) -> list[str]:
    pieces = None if row.pieces is None else f"{row.pieces:,}"
    amounts = (
        None if each is None else grouped(each) for each in (row.amount, row.returned_value, row.cancelled_value)
    )
    price = None if row.sale_price is None else grouped(row.sale_price)
    numbers = [number or "" for number in (price, pieces, *amounts)][: 1 + worths]
    category = None if row.category is None else cut(row.category, most_of_a_name())
    cells = (category, row.order_id, row.item_id, row.status, *numbers, row.counted_as, row.key, row.line)
    return ["–" if cell is None else str(cell) for cell in cells]


def _numbered(cells: Sequence[Sequence[str]]) -> dict[str, str]:
    """Return a number for each file, where its name is too long for the terminal."""
    return {key: str(number) for number, key in enumerate(dict.fromkeys(line[-2] for line in cells), start=1)}


def _show_rows(explanation: Explanation, limit: int) -> None:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    worth = ("pieces", "amount", "returned", "cancelled") if explanation.has_roles else ()
    headings = ("category", "order", "item", "status", "sale_price", *worth, "counted as", "file", "line")
    file = headings.index("file")
    for column in headings:
        # A long name takes no room from the numbers; a file's name is needed whole, so it stands below where it does not fit.
        table.add_column(
            column,
            justify="right" if column in {"sale_price", *worth, "line"} else "left",
            no_wrap=column != "file",
            overflow="fold",
        )
    cells = [_cells(row, len(worth)) for row in explanation.rows[:limit]]
    places = {} if fits(width_of(headings, cells)) else _numbered(cells)
    for line in cells:
        table.add_row(*(marked(places.get(cell, cell)) if at == file else marked(cell) for at, cell in enumerate(line)))
    out.print(table)
    for key, number in places.items():
        out.print(f"file {number}  {marked(key)}", highlight=False, soft_wrap=True)
    items = sum(row.item_id is not None for row in explanation.rows)
    out.print(
        f"{count(items, 'item')}, {grouped(explanation.revenue)} in all, as of commit {explanation.commit}",
        highlight=False,
    )
    if len(explanation.rows) > limit:
        out.print(f"… the table shows {limit} of {len(explanation.rows):,} rows; --format csv has all", highlight=False)
