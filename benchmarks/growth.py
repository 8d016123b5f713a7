"""Measure how cost grows with rows, days, files and history, and say what would break first with a billion items.

    python -m benchmarks.growth [--axes rows days files history] [--rounds 3] [--budget 2h] [--largest 30000000] [--write]

Each axis has four sizes; everything else stays the same. Figures are kept in FOLDER/growth.json at once, so the same
command continues.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import growth_page
from benchmarks.bench import ROOT, seconds
from benchmarks.daily import lake_of
from benchmarks.drops import Drops, drops, new_store, twin, write_new_items
from benchmarks.figures import open_book
from benchmarks.machine import about
from benchmarks.workbench import Workbench

AXES: Final = growth_page.AXES
#: the parts in which orders and items are cut
_PARTS: Final = (2, 20, 100, 400)
_DAYS: Final = (9, 30, 90, 360)


def main() -> None:
    """Measure, then print the section or write the page."""
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    try:
        book = open_book(options.folder / "growth.json", about())
    except ValueError as differing:
        sys.exit(str(differing))
    bench = Workbench(
        folder=options.folder.absolute(), book=book, rounds=options.rounds, budget=options.budget, long=options.long
    )
    measures: dict[str, Callable[[Workbench, int, int], None]] = {
        "rows": _rows,
        "days": _days,
        "files": _files,
        "history": _history,
    }
    for round_ in range(1, options.rounds + 1):
        for axis in options.axes:
            measures[axis](bench, options.largest, round_)
    if options.write:
        growth_page.write(book)
    else:
        sys.stdout.write(growth_page.section(book))


def steps_of_ten(largest: int) -> list[int]:
    """Return four sizes up to the largest: each some three times the one before."""
    return [round(largest / factor) for factor in (30, 10, 3, 1)]


def _rows(bench: Workbench, largest: int, round_: int) -> None:
    for items in steps_of_ten(largest):
        _empty_store(bench, "rows", f"{items}", partial(drops, bench.folder, items), round_)


def _days(bench: Workbench, largest: int, round_: int) -> None:
    for days in _DAYS:
        made = partial(drops, bench.folder, steps_of_ten(largest)[2], days=days)
        _empty_store(bench, "days", f"{days}", made, round_)


def _files(bench: Workbench, largest: int, round_: int) -> None:
    for parts in _PARTS:
        made = partial(drops, bench.folder, steps_of_ten(largest)[1], parts=parts)
        _empty_store(bench, "files", f"{parts}", made, round_)


def _empty_store(bench: Workbench, axis: str, size: str, make: Callable[[], Drops], round_: int) -> None:
    """Take some drops into an empty store, and note what the store then holds."""
    if not bench.is_wanted(axis, size, "takings", round_):
        return
    found = make()
    store = new_store(bench.folder / "store", found)
    if bench.measure(axis, size, "takings", round_, [sys.executable, "-m", "takings", "run", str(store), "--now"]):
        held = {"items": found.items, "files": found.files, "csv": found.bytes, **_held(store)}
        bench.book.note(f"store {axis} {size}", held)
    shutil.rmtree(store)


def _held(store: Path) -> dict[str, int]:
    """Return bytes and files of the lake, of its log, of the reports, and of the local database."""
    sizes = {path.relative_to(store): path.stat().st_size for path in store.rglob("*") if path.is_file()}
    lake = {path: size for path, size in sizes.items() if path.suffix == ".parquet" and path.parts[0] == "lake"}
    return {
        "lake": sum(lake.values()),
        "lake_files": len(lake),
        "log": sum(size for path, size in sizes.items() if "_delta_log" in path.parts),
        "reports": sum(size for path, size in sizes.items() if path.parts[0] == "validation-reports"),
        "database": sum(size for path, size in sizes.items() if path.parts[0] == ".takings"),
    }


def _history(bench: Workbench, largest: int, round_: int) -> None:
    for items in steps_of_ten(largest):
        if not bench.is_wanted("history", f"{items}", "takings", round_):
            continue
        store = twin(lake_of(bench, drops(bench.folder, items)), bench.folder / "store")
        write_new_items(drops(bench.folder, 100_000, days=3, parts=1, seed=2), store / "raw-data")
        bench.measure(
            "history", f"{items}", "takings", round_, [sys.executable, "-m", "takings", "run", str(store), "--now"]
        )
        shutil.rmtree(store)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--axes", nargs="*", choices=tuple(AXES), default=list(AXES))
    parser.add_argument("--largest", type=int, default=30_000_000, help="items of the largest size of rows and history")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=seconds, default="2h", help="begin nothing that would end later")
    parser.add_argument("--long", type=seconds, default="10m", help="what takes longer is measured once")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md and its raw figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
