"""Print published KPIs as a table that fits the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from rich import box
from rich.cells import cell_len
from rich.table import Table

from takings.entrypoints.console import count, most_of_a_name, out, show_incomplete
from takings.entrypoints.legible import cut, marked
from takings.kpis import KpiRow, KpiTable
from takings.queries.incomplete import Incomplete

_COMPLETE: Final = Incomplete()
#: columns that a narrow terminal leaves out, in this order
_LESS_IMPORTANT: Final = (
    "cancelled_value",
    "returned_value",
    "unique_customers",
    "avg_order_value",
    "items_sold",
    "total_items_sold",
)


def show_kpis(
    table: KpiTable, rows: Sequence[KpiRow], most: int | None = None, *, incomplete: Incomplete = _COMPLETE
) -> None:
    """Print published KPIs as a table; a narrow terminal leaves out whole columns, never digits."""
    if not rows:
        out.print(f"{table.name}: no row")
        show_incomplete(incomplete)
        return
    cells = [_cells(table, row, incomplete) for row in rows[:most]]
    shown = _fitting(table, cells)
    out.print(_grid(table, cells, shown))
    if len(rows) > len(cells):
        out.print(f"… and {count(len(rows) - len(cells), 'row')} more", highlight=False)
    show_incomplete(incomplete, label="* incomplete")
    if len(shown) < len(table.header):
        hidden = ", ".join(name for place, name in enumerate(table.header) if place not in shown)
        out.print(
            f"[dim]left out, as the terminal is narrow: {hidden}; --format csv has all[/]",
            highlight=False,
            soft_wrap=True,
        )


def _cells(table: KpiTable, row: KpiRow, incomplete: Incomplete) -> list[str]:
    """Return a row's cells; a star marks an incomplete day."""
    return [
        *(
            f"{value} *" if value in incomplete.days else cut("–" if value is None else str(value), most_of_a_name())
            for value in row.key
        ),
        *(_for_people(row.values[column.name]) for column in table.columns),
    ]


def _fitting(table: KpiTable, cells: Sequence[Sequence[str]]) -> list[int]:
    """Return the places of the columns that fit the terminal."""
    shown = list(range(len(table.header)))
    for name in _LESS_IMPORTANT:
        if _width(table, cells, shown) > out.width:
            shown = [place for place in shown if table.header[place] != name]
    return shown


def _grid(table: KpiTable, cells: Sequence[Sequence[str]], shown: Sequence[int]) -> Table:
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
        grid.add_column(_stacked(table.header[place]), justify="left" if is_key else "right", no_wrap=True)
    for line in cells:
        grid.add_row(*(marked(line[place]) for place in shown))
    return grid


def _stacked(column: str) -> str:
    """Break a column's name into at most two lines of about equal length."""
    words = column.split("_")
    middle = (len(words) + 1) // 2
    return "_".join(words[:middle]) + ("_\n" + "_".join(words[middle:]) if len(words) > 1 else "")


def _width(table: KpiTable, cells: Sequence[Sequence[str]], shown: Sequence[int]) -> int:
    widths = [
        max(
            [cell_len(line[place]) for line in cells]
            + [len(part) for part in _stacked(table.header[place]).split("\n")]
        )
        for place in shown
    ]
    return sum(widths) + 2 * len(widths)


def _for_people(value: object) -> str:
    match value:
        case None:
            return "–"
        case Decimal():
            return f"{value:,.2f}"
        case int():
            return f"{value:,}"
    return str(value)
