"""Fit a table to the terminal: a narrow one shows whole columns only, and says which it leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len

from takings.entrypoints.console import out
from takings.entrypoints.legible import cut

#: a name is not cut any shorter
_SHORTEST_NAME: Final = 12


def stacked(column: str, lines: int) -> str:
    """Break a column's name into at most this many lines of about equal length."""
    words = column.split("_")
    size = -(-len(words) // lines)
    return "_\n".join("_".join(words[at : at + size]) for at in range(0, len(words), size))


def width_of(headings: Sequence[str], cells: Sequence[Sequence[str]]) -> list[int]:
    """Return how wide each column is."""
    return [
        max([cell_len(line[place]) for line in cells] + [cell_len(part) for part in heading.split("\n")])
        for place, heading in enumerate(headings)
    ]


def fits(widths: Sequence[int]) -> bool:
    """Return whether columns of these widths fit the terminal, with what stands between them."""
    return sum(widths) + 2 * len(widths) <= out.width


def fitting(headings: Sequence[str], cells: Sequence[Sequence[str]], less_important: Sequence[int]) -> list[int]:
    """Return the places of the columns that fit the terminal; those that are `less_important` go first, in this order."""
    widths = width_of(headings, cells)
    shown = list(range(len(headings)))
    for place in less_important:
        if fits([widths[each] for each in shown]):
            break
        shown.remove(place)
    return shown


def shortened(headings: Sequence[str], cells: Sequence[list[str]], names: Sequence[int]) -> None:
    """Cut the names in these columns, the longest first, until the table fits."""
    for _ in names:
        widths = width_of(headings, cells)
        if fits(widths):
            return
        longest = max(names, key=lambda place: widths[place])
        excess = sum(widths) + 2 * len(widths) - out.width
        most = max(widths[longest] - excess, _SHORTEST_NAME)
        for line in cells:
            line[longest] = cut(line[longest], most)


def say_left_out(columns: Sequence[str], shown: Sequence[int], instead: str) -> None:
    """Print which columns are not among the `shown` ones, and what has them all."""
    hidden = ", ".join(name for place, name in enumerate(columns) if place not in shown)
    if hidden:
        out.print(f"[dim]left out, as the terminal is narrow: {hidden}; {instead}[/]", highlight=False)
