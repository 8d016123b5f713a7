"""Measure the daily jobs: small deliveries into lakes that have a long history."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from benchmarks.drops import DAYS, Drops, drops, new_store, twin, write_changes, write_new_items, write_one_row_files
from benchmarks.meter import Cost, memory_mb, output_of, processor_seconds
from benchmarks.watch import drop_ten, watching
from benchmarks.workbench import Workbench

PART: Final = "daily"
NEW_ITEMS, CHANGES, CHANGED_DAYS, ONE_ROW_FILES = 100_000, 50_000, 60, 1_000
WATCH: Final = "watch"
#: what to call each job; their order is the table's
JOBS: Final = {
    "new-items": f"{NEW_ITEMS:,} new items on 3 days",
    "changes": f"{CHANGES:,} changed items, spread over {CHANGED_DAYS} days",
    "one-row-files": f"{ONE_ROW_FILES:,} files of one row",
    WATCH: "10 small files, dropped into an idle `takings watch`",
}


def measure(bench: Workbench, lakes: list[float]) -> None:
    """Measure every job on every lake; each round takes every job once."""
    for millions in lakes:
        size = f"{millions:g}"
        wanted = [
            (round_, job)
            for round_ in range(1, bench.rounds + 1)
            for job in JOBS
            if bench.is_wanted(PART, size, job, round_)
        ]
        if not wanted:
            continue
        history = drops(bench.folder, int(millions * 1_000_000))
        lake = lake_of(bench, history)
        writers = _writers(bench, history)
        for round_, job in wanted:
            if not bench.is_wanted(PART, size, job, round_):
                continue
            store = twin(lake, bench.folder / "store")
            if job == WATCH:
                _watch(bench, size, round_, store)
            else:
                writers[job](store / "raw-data")
                command = [sys.executable, "-m", "takings", "run", str(store), "--now"]
                bench.measure(PART, size, job, round_, command)
            shutil.rmtree(store)


def lake_of(bench: Workbench, history: Drops) -> Path:
    """Return a store with this history; make it unless it is there. It is not measured."""
    lake = bench.folder / f"lake-{history.items}"
    done = lake.with_suffix(".done")
    if not done.exists():
        bench.say(f"making a lake of {history.items:,} items")
        new_store(lake, history)
        output_of([sys.executable, "-m", "takings", "run", str(lake), "--now"])
        done.touch()
    return lake


def _writers(bench: Workbench, history: Drops) -> dict[str, Callable[[Path], None]]:
    """Return by job what drops its files into raw-data/; equal files every time."""
    new = drops(bench.folder, NEW_ITEMS, days=3, parts=1, seed=2)
    changes = bench.empty("changes")
    write_changes(history, changes, changes=CHANGES, days=CHANGED_DAYS)

    def drop_changes(raw: Path) -> None:
        shutil.copytree(changes, raw, dirs_exist_ok=True)

    return {
        "new-items": lambda raw: write_new_items(new, raw),
        "changes": drop_changes,
        "one-row-files": lambda raw: write_one_row_files(raw, ONE_ROW_FILES),
    }


def _watch(bench: Workbench, size: str, round_: int, store: Path) -> None:
    """Measure how soon an idle watch publishes ten files, in the second drop after its start."""
    log = bench.folder / "watch.log"
    database = store / ".takings" / "takings.db"
    try:
        with watching(store, log) as process, closing(sqlite3.connect(database)) as kpis:
            drop_ten(store, kpis, 0, DAYS)
            before = processor_seconds(process)
            published, _ = drop_ten(store, kpis, 1, DAYS)
            cost = Cost(wall=published, processor=processor_seconds(process) - before, peak_mb=memory_mb([process]))
    except (TimeoutError, subprocess.SubprocessError) as failure:
        bench.book.note(f"failed {PART} {size} {WATCH}", type(failure).__name__)
        bench.say(f"{PART} {size} {WATCH}: {failure}; see {log}")
        return
    bench.keep(PART, size, WATCH, round_, cost)
