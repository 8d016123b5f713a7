"""Measure Takings beside floors and other tools, on the same files, and write the figures into docs/performance.md.

    python -m benchmarks.bench [--sizes S M L XL] [--lakes 1 10 30] [--rounds 3] [--budget 3h] [--write]

Every figure is kept in FOLDER/bench.json as soon as it is measured, so the same command continues a run that was cut
off or ran out of its budget. Progress goes to stderr. `--write` writes what there is into the page, also later and
without measuring (`--rounds 0`).
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Final

from benchmarks import daily, page, whole
from benchmarks.contenders.cast import CONTENDERS
from benchmarks.drops import SIZES
from benchmarks.figures import open_book
from benchmarks.machine import about, has_room
from benchmarks.meter import LIMIT_SECONDS
from benchmarks.workbench import Workbench

ROOT: Final = Path(__file__).resolve().parent.parent
#: a lake is made with the size that is as large, so that a short run makes no long history
_LAKES: Final = {"S": [], "M": [1.0], "L": [10.0, 30.0], "XL": []}
#: bytes on disk for each item of the largest input: drops, a store's copy, its lake, a contender's database
_BYTES_AN_ITEM: Final = 700


def main() -> None:
    """Measure, then print the tables or write the page."""
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    lakes = [lake for size in options.sizes for lake in _LAKES[size]] if options.lakes is None else options.lakes
    largest = max([SIZES[size] for size in options.sizes] + [int(lake * 1e6) for lake in lakes], default=0)
    if not has_room(options.folder, largest * _BYTES_AN_ITEM):
        sys.exit(f"{options.folder}: {largest * _BYTES_AN_ITEM / 1e9:.0f} GB are needed there. Name another --folder.")
    try:
        book = open_book(options.folder / "bench.json", about())
    except ValueError as differing:
        sys.exit(str(differing))
    bench = Workbench(
        folder=options.folder.absolute(),
        book=book,
        rounds=options.rounds,
        budget=options.budget,
        long=options.long,
        limit=options.limit,
    )
    if options.rounds:
        whole.measure(bench, options.sizes, options.only)
        daily.measure(bench, [] if options.only else lakes)
    if options.write:
        page.write_bench(book)
    else:
        sys.stdout.write(page.bench_section(book))


def seconds(text: str) -> float:
    """Read a duration such as 90s, 30m or 2h."""
    matched = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if matched is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no duration. Write a number with s, m or h, such as 30m.")
    return float(matched[1]) * {"s": 1, "m": 60, "h": 3600}[matched[2]]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--sizes", nargs="*", choices=tuple(SIZES), default=list(SIZES), help="S 100 k, M 1 M, L 10 M, XL 40 M items"
    )
    parser.add_argument("--lakes", nargs="*", type=float, help="millions of items that the daily jobs come after")
    parser.add_argument("--only", nargs="*", choices=[each.name for each in CONTENDERS], default=[])
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured; medians count")
    parser.add_argument("--budget", type=seconds, default="6h", help="begin nothing that would end later")
    parser.add_argument("--long", type=seconds, default="10m", help="what takes longer is measured once")
    parser.add_argument("--limit", type=seconds, default=LIMIT_SECONDS, help="end what takes longer")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md, its chart and its raw figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
