"""Write how cost grows, and the calculation for a billion items, into docs/performance.md."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from benchmarks.billion import Measured, calculation
from benchmarks.figures import Book, read_book, slope
from benchmarks.page import PAGE, RAW, ROOT, amount, page_with, table

RAW_GROWTH: Final = ROOT / "benchmarks" / "growth.json"
#: what each axis changes, in the words of the page
AXES: Final = {
    "rows": "rows: items into an empty store",
    "days": "days: a third of the largest, over so many days",
    "files": "files: a tenth of the largest, in so many files",
    "history": "history: 100,000 new items on 3 days, into a lake of so many items",
}


def write(book: Book) -> None:
    """Write the page and the raw figures."""
    PAGE.write_text(page_with(PAGE.read_text(), "growth", section(book)))
    shutil.copyfile(book.file, RAW_GROWTH)


def section(book: Book, bench: Path = RAW) -> str:
    """Return the section, as far as it was measured."""
    rows = [_row(book, axis) for axis in AXES if len(points(book, axis)) > 1]
    if not rows:
        return "Not measured yet.\n"
    head = ["what grows", "sizes ", "processor seconds ", "MB ", "slope: processor", "slope: wall", "slope: memory"]
    parts = [
        (
            "`make bench-growth`: medians, each axis alone. A slope is the exponent k of cost = c x size^k, fitted by least"
            " squares on logarithms:\n1 is proportional, 0 is constant.\n"
        ),
        table(head, rows),
    ]
    measured = measured_of(book, read_book(bench) if bench.exists() else None)
    if measured is not None:
        parts.append(calculation(measured))
    return "\n".join(parts)


def points(book: Book, axis: str) -> list[tuple[float, float, float, float]]:
    """Return for each size of an axis: the size, wall, processor seconds, and memory in MB."""
    found = []
    for size in sorted({figure.size for figure in book.figures if figure.part == axis}, key=float):
        cost = book.median(axis, size, "takings")
        if cost is not None:
            found.append((_size(book, axis, size), cost.wall, cost.processor, cost.peak_mb))
    return found


def measured_of(book: Book, bench: Book | None) -> Measured | None:
    """Return what the calculation needs, from both benchmarks; None where a part of it was not measured."""
    rows, history = points(book, "rows"), points(book, "history")
    changes = [] if bench is None else _changes(bench)
    if len(rows) < 2 or len(history) < 2 or len(changes) < 2:
        return None
    held = max(
        (note for name, note in book.notes.items() if name.startswith("store rows ")), key=lambda note: note["items"]
    )
    items = held["items"]
    return Measured(
        items=items,
        csv_bytes=held["csv"] / items,
        lake_bytes=held["lake"] / items,
        report_bytes=held["reports"] / items,
        first_load=[(size, wall) for size, wall, _, _ in rows],
        memory_mb=[(size, memory) for size, _, _, memory in rows],
        new_items=[(size, wall) for size, wall, _, _ in history],
        changes=changes,
    )


def _changes(bench: Book) -> list[tuple[float, float]]:
    sizes = sorted({figure.size for figure in bench.figures if figure.what == "changes"}, key=float)
    found = ((float(size) * 1e6, bench.median("daily", size, "changes")) for size in sizes)
    return [(items, cost.wall) for items, cost in found if cost is not None]


def _size(book: Book, axis: str, size: str) -> float:
    return float(book.notes[f"store files {size}"]["files"]) if axis == "files" else float(size)


def _row(book: Book, axis: str) -> list[str]:
    found = points(book, axis)
    slopes = [f"{slope([(point[0], point[place]) for point in found]):.2f}" for place in (2, 1, 3)]
    return [
        AXES[axis],
        ", ".join(f"{size:,.0f}" for size, *_ in found),
        ", ".join(amount(processor) for _, _, processor, _ in found),
        ", ".join(f"{memory:,.0f}" for *_, memory in found),
        *slopes,
    ]
