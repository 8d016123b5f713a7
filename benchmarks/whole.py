"""Measure the whole batch: Takings, the floors and the contenders on the same files, in turn."""

from __future__ import annotations

import shutil
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import duckdb

from benchmarks import kpi_query
from benchmarks.answers import differences
from benchmarks.contenders.cast import CONTENDERS, DLT, TAKINGS, Contender
from benchmarks.drops import SIZES, Drops, drops, new_store
from benchmarks.meter import output_of
from benchmarks.steps import STEPS
from benchmarks.workbench import Workbench

PART: Final = "whole"
STEPS_PART: Final = "steps"
#: shows whether memory grows, which one round can say
FOR_MEMORY: Final = "XL"
_TABLES: Final = (("days", "day"), ("categories", "category"))


def measure(bench: Workbench, sizes: list[str], only: list[str]) -> None:
    """Measure every size that was asked for; each round takes every contender once."""
    for size in sizes:
        found = drops(bench.folder, SIZES[size])
        bench.book.note(f"drops {size}", {"items": found.items, "bytes": found.bytes, "files": found.files})
        chosen = [each for each in CONTENDERS if size in each.sizes and (not only or each.name in only)]
        for missing in (each.name for each in chosen if not each.is_installed):
            bench.say(f"{missing} is not installed: make .venv-bench/.done installs it")
        for round_ in range(1, 2 if size == FOR_MEMORY else bench.rounds + 1):
            for contender in chosen:
                if contender.is_installed:
                    _measure(bench, size, contender, found, round_)
            if size != FOR_MEMORY and (not only or TAKINGS in only):
                _measure_steps(bench, size, found, round_)


def _measure(bench: Workbench, size: str, contender: Contender, found: Drops, round_: int) -> None:
    if not bench.is_wanted(PART, size, contender.name, round_):
        return
    answer = bench.empty("answer")
    folder = new_store(bench.folder / "store", found) if contender.name == TAKINGS else found.folder
    is_done = bench.measure(PART, size, contender.name, round_, contender.command(folder, answer))
    if is_done and contender.has_kpis:
        _compare(bench, size, contender, answer)
    shutil.rmtree(bench.folder / "store", ignore_errors=True)


def _compare(bench: Workbench, size: str, contender: Contender, answer: Path) -> None:
    """Keep Takings' numbers, and note where another contender's differ."""
    ours = bench.folder / f"kpis-{size}"
    if contender.name == TAKINGS:
        ours.mkdir(exist_ok=True)
        for table, by in _TABLES:
            command = [
                sys.executable,
                "-m",
                "takings",
                "kpis",
                str(bench.folder / "store"),
                "--by",
                by,
                "--format",
                "csv",
            ]
            (ours / f"{table}.csv").write_bytes(output_of(command))
    elif not ours.exists():
        bench.book.note(f"kpis {size} {contender.name}", "not compared: Takings was not measured")
    else:
        if contender.name == DLT:
            _kpis_of_landed(answer)
        found = differences(ours, answer)
        bench.book.note(f"kpis {size} {contender.name}", found[:10] or "equal")
        if found:
            bench.say(f"{contender.name}: {len(found)} numbers differ, the first: {found[0]}")


def _kpis_of_landed(answer: Path) -> None:
    """Compute KPIs from what dlt has landed."""
    with closing(duckdb.connect(str(answer / "shop.duckdb"), read_only=True)) as connection:
        connection.execute("set timezone = 'UTC'")
        kpi_query.load(connection, products="landed.products", orders="landed.orders", items="landed.order_items")
        kpi_query.write(connection, answer)


def _measure_steps(bench: Workbench, size: str, found: Drops, round_: int) -> None:
    """Measure each step of the batch in a run of its own, which logs its events to the benchmark."""
    if not bench.is_wanted(STEPS_PART, size, STEPS[-1], round_):
        return
    store = new_store(bench.folder / "store", found)
    bench.measure_steps(STEPS_PART, size, round_, store)
    shutil.rmtree(store)
