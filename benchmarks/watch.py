"""Measure how soon an idle `takings watch` publishes 10 small files.

python benchmarks/watch.py [--rounds 20] [--orders 10000] [--days 30] [--facts]

The store has an earlier history. Each round drops 5 files of 20 orders and 5 with their 60 items, by renaming, and waits for
the batch's rows in both KPI tables, and for its outcome. The first round does not count. `--facts` prints the events of the
last round, with milliseconds.
"""

from __future__ import annotations

import argparse
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from takings.adapters.shop_generator import ShopPlan, generate_shop
from takings.composition.stores import open_store
from takings.runs import pipeline

_ORDERS, _FILES = 20, 5
#: far above the generated ids
_FIRST_ID = 10**9
_IDLE_SECONDS, _POLL_SECONDS, _PATIENCE_SECONDS = 1.5, 0.002, 60


def main() -> None:
    """Print smallest, middle and largest time over the rounds."""
    options = _options()
    with TemporaryDirectory() as folder:
        root = Path(folder, "shop")
        generate_shop(root / "raw-data", ShopPlan(orders=options.orders, seed=1, days=options.days, parts=1))
        with open_store(root, lambda *_: None) as shop:
            pipeline.run(shop.ports, at_once=True)
        log = Path(folder, "log")
        with watching(root, log) as process, closing(sqlite3.connect(root / ".takings" / "takings.db")) as database:
            drop_ten(root, database, options.rounds, options.days)
            before = processor_seconds(process)
            rounds = [drop_ten(root, database, place, options.days) for place in range(options.rounds)]
            busy = processor_seconds(process) - before
        for what, seconds in zip(("published", "ended"), zip(*rounds, strict=True), strict=True):
            shown = (f"{1000 * value:5.0f}" for value in (min(seconds), statistics.median(seconds), max(seconds)))
            print(f"{what:<10} min, median, max of {len(rounds)} rounds: {', '.join(shown)} ms after the last file")
        print(f"the watch used {1000 * busy / len(rounds):.0f} ms of processors a round")
        if options.facts:
            _show_facts(log.read_text().splitlines())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--facts", action="store_true")
    return parser.parse_args()


@contextmanager
def watching(root: Path, log: Path) -> Iterator[int]:
    """Lend the process id of a watch that is ready."""
    command = [sys.executable, "-m", "takings", "--verbose", "watch", str(root)]
    with log.open("w") as told, subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=told) as process:
        try:
            _await(lambda: "watching" in log.read_text())
            yield process.pid
        finally:
            process.terminate()


def processor_seconds(process: int) -> float:
    """Return a process's processor seconds, as Linux counts them."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def drop_ten(root: Path, database: sqlite3.Connection, place: int, days: int) -> tuple[float, float]:
    """Drop ten files; return the seconds until their KPIs are published, and until the batch has ended."""
    time.sleep(_IDLE_SECONDS)
    commit = _newest_commit(database) + 1
    drafts = _write_files(root, place, days)
    for draft, target in drafts:
        draft.rename(target)
    dropped = time.perf_counter()
    _await(lambda: _newest_commit(database) >= commit)
    published = time.perf_counter() - dropped
    _await(lambda: not any(target.exists() for _, target in drafts) and _is_idle(database))
    return published, time.perf_counter() - dropped


def _write_files(root: Path, place: int, days: int) -> list[tuple[Path, Path]]:
    """Write the files of a round under hidden names, and return their final names."""
    day = datetime.fromtimestamp(1735689600 + (days - 1) * 86400, UTC).date()
    written = []
    for part in range(_FILES):
        first = _FIRST_ID + (place * _FILES + part) * _ORDERS
        ids = range(first, first + _ORDERS)
        orders = [f"{id_},{id_ % 999},shipped,{day}T12:00:00,3" for id_ in ids]
        items = [f"{3 * id_ + n},{id_},{1 + id_ % 100},{id_ % 999},shipped,9.9{n}" for id_ in ids for n in range(3)]
        for dataset, header, rows in (
            ("orders", "order_id,user_id,status,created_at,num_of_item", orders),
            ("order-items", "id,order_id,product_id,user_id,status,sale_price", items),
        ):
            target = root / "raw-data" / dataset / f"{place}-{part}.csv"
            draft = target.with_name(f".{target.name}")
            draft.write_text("\n".join([header, *rows]) + "\n")
            written.append((draft, target))
    return written


def _newest_commit(database: sqlite3.Connection) -> int:
    """Return the newest commit with rows in both KPI tables."""
    (commit,) = database.execute(
        'select min(newest) from (select max("commit") newest from OrderKPIs union all select max("commit") from CategoryKPIs)'
    ).fetchone()
    return int(commit)


def _is_idle(database: sqlite3.Connection) -> bool:
    (state,) = database.execute("select state from PendingBatches").fetchone()
    return bool(state == "IDLE")


def _await(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError("the watch did not react")
        time.sleep(_POLL_SECONDS)


def _show_facts(lines: list[str]) -> None:
    """Print the events of the watch's last batch."""
    facts = [re.fullmatch(r"(\S+ \S+),(\d+) (\S+) ?(.*)", line) for line in lines]
    told = [(datetime.fromisoformat(f"{fact[1]}.{fact[2]}"), fact[3], fact[4][:60]) for fact in facts if fact]
    last = max(place for place, (_, name, _) in enumerate(told) if name == "batch.dispatched")
    for at, name, known in told[last:]:
        print(f"{(at - told[last][0]).total_seconds() * 1000:6.0f}  {name:<18} {known}")


if __name__ == "__main__":
    main()
