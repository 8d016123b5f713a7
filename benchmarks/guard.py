"""Fail when a step of the batch has grown slower beside its floor: `make bench-guard`.

    python -m benchmarks.guard [--items 300000] [--rounds 5] [--record]

A floor is the least that any program would have to do for the step, in DuckDB and in the same run, so a slower
machine changes both. Ratios of processor seconds are compared with those in guard.json. A step that has grown is
measured again, with twice the rounds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import duckdb

from benchmarks.contenders.cast import CONTENDERS, TAKINGS
from benchmarks.drops import Drops, drops, new_store
from benchmarks.kpi_query import load, typed_csv, write
from benchmarks.machine import about
from benchmarks.meter import measured, output_of

RECORDED: Final = Path(__file__).with_name("guard.json")
#: a step may take so many times its recorded ratio; half as much again is more than a busy machine changes
MOST: Final = 1.5
ITEMS, ROUNDS = 300_000, 5
_PREFIXES: Final = ("products", "orders", "order-items")

#: a step that takes less than this many processor seconds more has not grown: short ones differ by as much from run to run
NOTICED: Final = 0.1

#: processor seconds by step
Costs = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A step beside its floor, in processor seconds."""

    step: float
    floor: float

    @property
    def ratio(self) -> float:
        """The number that is compared."""
        return self.step / self.floor


def main() -> int:
    """Compare, or record; return the exit code."""
    options = _options()
    recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {"ratios": {}}
    with TemporaryDirectory(prefix="takings-guard-") as folder:
        measured = measure(Path(folder), options.items, options.rounds)
        if options.record:
            machine = about([each for each in CONTENDERS if each.name == TAKINGS])
            ratios = {step: round(beside.ratio, 2) for step, beside in measured.items()}
            document = {"items": options.items, "measured_on": machine, "ratios": ratios}
            RECORDED.write_text(json.dumps(document, indent=1) + "\n")
            return 0
        if grown(recorded["ratios"], measured):
            sys.stdout.write("A step has grown. Measuring again, to be sure.\n")
            measured = measure(Path(folder), options.items, 2 * options.rounds)
    found = grown(recorded["ratios"], measured)
    for line in found:
        sys.stdout.write(f"bench-guard: {line}\n")
    if found:
        sys.stdout.write(
            "Make the step faster, or say in the commit why it has to cost more, and run `make bench-guard ARGS=--record`.\n"
        )
    return 1 if found else 0


def grown(recorded: Mapping[str, float], found: Mapping[str, Beside]) -> list[str]:
    """Return in words each step whose ratio is more than `MOST` times the recorded one, and each that cannot be compared."""
    lines = [
        f"{step} takes {beside.ratio:.2f} x its floor, {beside.ratio / recorded[step]:.2f} times the recorded"
        f" {recorded[step]:.2f}; at most {MOST:g} times is allowed."
        for step, beside in found.items()
        if step in recorded
        and beside.ratio > MOST * recorded[step]
        and beside.step - recorded[step] * beside.floor > NOTICED
    ]
    lines += [f"{step} has no recorded ratio." for step in sorted(found.keys() - recorded.keys())]
    return lines + [f"{step} was not measured." for step in sorted(recorded.keys() - found.keys())]


def medians(steps: Sequence[Costs], floors: Sequence[Costs]) -> dict[str, Beside]:
    """Return each step's median over the rounds beside its floor's."""
    return {
        step: Beside(
            step=statistics.median(costs[step] for costs in steps),
            floor=statistics.median(costs[step] for costs in floors),
        )
        for step in steps[0]
    }


def measure(folder: Path, items: int, rounds: int) -> dict[str, Beside]:
    """Measure steps and floors in turn; print and return their medians."""
    found = drops(folder, items)
    steps, floors = [], []
    for _ in range(rounds):
        steps.append(_steps(folder, found))
        floors.append(_floors(folder, found))
    both = medians(steps, floors)
    for step, beside in both.items():
        sys.stdout.write(
            f"{step:<9} {beside.step:6.2f} processor seconds, floor {beside.floor:.2f}, ratio {beside.ratio:.2f}\n"
        )
    return both


def _steps(folder: Path, found: Drops) -> Costs:
    """Return what Takings takes for each step, and to start."""
    start = measured([sys.executable, "-m", "takings", "--version"], log=folder / "start.log").processor
    store, answer = new_store(folder / "store", found), folder / "steps.json"
    output_of([sys.executable, "-m", "benchmarks.steps", str(store), str(answer)])
    return {"start": start} | {step: processor for step, (_, processor) in json.loads(answer.read_text()).items()}


def _floors(folder: Path, found: Drops) -> Costs:
    """Return what the least takes for each step: see the functions that are called."""
    start = measured([sys.executable, "-c", "import duckdb"], log=folder / "start.log").processor
    work: dict[str, Callable[[duckdb.DuckDBPyConnection], None]] = {
        "validate": lambda connection: _parse(connection, folder, found),
        "merge": lambda connection: _write_days(connection, folder),
        "kpis": lambda connection: _compute(connection, folder),
        "archive": lambda _: _hash(found),
    }
    return {"start": start} | {step: _timed(act) for step, act in work.items()}


def _timed(act: Callable[[duckdb.DuckDBPyConnection], None]) -> float:
    with closing(duckdb.connect()) as connection:
        began = time.process_time()
        act(connection)
        return time.process_time() - began


def _parse(connection: duckdb.DuckDBPyConnection, folder: Path, found: Drops) -> None:
    """Type every field and write it as Parquet."""
    for prefix in _PREFIXES:
        source = typed_csv(found.folder, prefix)
        connection.execute(f"copy (from {source}) to '{folder}/{prefix}.parquet' (format parquet)")


def _write_days(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Write the typed orders and items in a folder for each day."""
    orders = f"(select *, cast(created_at as date) as day from '{folder}/orders.parquet')"
    items = f"(select i.*, o.day from '{folder}/order-items.parquet' as i join {orders} as o using (order_id))"
    for name, rows in (("orders", orders), ("order-items", items)):
        options = "format parquet, compression zstd, partition_by (day), overwrite"
        connection.execute(f"copy (from {rows}) to '{folder}/days-{name}' ({options})")


def _compute(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Compute both KPI tables from the typed rows."""
    products, orders, items = (f"'{folder}/{prefix}.parquet'" for prefix in _PREFIXES)
    load(connection, products=products, orders=orders, items=items)
    write(connection, folder / "answer")


def _hash(found: Drops) -> None:
    """Read and hash every byte."""
    for prefix in _PREFIXES:
        for file in found.of(prefix):
            with file.open("rb") as stream:
                hashlib.file_digest(stream, "sha256")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--record", action="store_true", help="write guard.json instead")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
