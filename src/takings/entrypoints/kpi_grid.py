"""Print published KPIs as a table that fits the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from rich import box
from rich.table import Table

from takings.entrypoints.console import count, most_of_a_name, out, show_incomplete
from takings.entrypoints.fitting import fits, fitting, say_left_out, shortened, stacked, width_of
from takings.entrypoints.legible import cut, marked
from takings.kpis import KpiRow, KpiTable
from takings.queries.incomplete import Incomplete

_COMPLETE: Final = Incomplete()
#: columns that a narrow terminal leaves out, in this order; then the last ones
_LESS_IMPORTANT: Final = (
    "cancelled_value",
    "returned_value",
    "unique_customers",
    "avg_order_value",
    "items_sold",
    "total_items_sold",
)
#: into how many lines a heading is broken, if the table fits or not
_LINES, _MOST_LINES = 2, 3


def show_kpis(
    table: KpiTable, rows: Sequence[KpiRow], most: int | None = None, *, incomplete: Incomplete = _COMPLETE
) -> None:
    """Print published KPIs as a table; a narrow terminal leaves out whole columns, never digits."""
    if not rows:
        out.print(f"{table.name}: no row")
        show_incomplete(incomplete)
        return
    cells = [_cells(table, row, incomplete) for row in rows[:most]]
    headings = [stacked(column, _LINES) for column in table.header]
    if not fits(width_of(headings, cells)):
        headings = [stacked(column, _MOST_LINES) for column in table.header]
    shown = fitting(headings, cells, _by_importance(table))
    out.print(_grid(table, headings, cells, shown))
    if len(rows) > len(cells):
        out.print(f"… and {count(len(rows) - len(cells), 'row')} more", highlight=False)
    show_incomplete(incomplete, label="* incomplete")
    say_left_out(table.header, shown, "--format csv has all")


def _by_importance(table: KpiTable) -> list[int]:
    """Return the places of the columns that may be left out, the least important first; key and first number stay."""
    numbers = range(len(table.key) + 1, len(table.header))
    named = [table.header.index(name) for name in _LESS_IMPORTANT if name in table.header]
    first = [place for place in named if place in numbers]
    return first + [place for place in reversed(numbers) if place not in first]


def _cells(table: KpiTable, row: KpiRow, incomplete: Incomplete) -> list[str]:
    """Return a row's cells; a star marks an incomplete day."""
    return [
        *(
            f"{value} *" if value in incomplete.days else cut("–" if value is None else str(value), most_of_a_name())
            for value in row.key
        ),
        *(_for_people(row.values[column.name]) for column in table.columns),
    ]


def _grid(table: KpiTable, headings: Sequence[str], cells: Sequence[list[str]], shown: Sequence[int]) -> Table:
    grid = Table(
        title=table.name,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for place in shown:
        is_key = place < len(table.key)
        grid.add_column(headings[place], justify="left" if is_key else "right", no_wrap=True)
    lines = [[line[place] for place in shown] for line in cells]
    names = [at for at, place in enumerate(shown) if place < len(table.key) and table.header[place] != "order_date"]
    shortened([headings[place] for place in shown], lines, names)
    for line in lines:
        grid.add_row(*map(marked, line))
    return grid


def _for_people(value: object) -> str:
    match value:
        case None:
            return "–"
        case Decimal():
            return f"{value:,.2f}"
        case int():
            return f"{value:,}"
    return str(value)
