"""Measure how soon the KPI API answers, idle and while a batch runs.

python benchmarks/api.py [--orders 1000000] [--rate 50] [--idle 10]

`takings serve` serves a store with 90 days of a smaller history. One client asks in turn for the last 30 days and for the days
by category, at a fixed rate, so that a slow answer does not reduce the number of questions: each time counts from when the
question was due. The first measurement is on the idle store, the second while `takings run` takes the batch.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

from takings.adapters.shop_generator import ShopPlan, generate_shop
from takings.composition.stores import open_store
from takings.runs import pipeline

_QUESTIONS = (
    "/api/v1/kpis?from=2025-03-02",
    "/api/v1/kpis?by=category&from=2025-03-25",
    "/api/v1/kpis?format=csv",
    "/api/v1/kpis?by=category&category=Jeans",
)
_PATIENCE_SECONDS = 60


def main() -> None:
    """Print the median, the 99th percentile and the longest time of both."""
    options = _options()
    with TemporaryDirectory() as folder:
        root = Path(folder, "shop")
        generate_shop(root / "raw-data", ShopPlan(orders=20_000, seed=1, days=90))
        with open_store(root, lambda *_: None) as shop:
            pipeline.run(shop.ports, at_once=True)
        with _serving(root) as port:
            end = time.perf_counter() + options.idle
            _report("idle", _asked(port, options.rate, lambda: time.perf_counter() < end))
            plan = ShopPlan(orders=options.orders, seed=2, days=90, parts=4)
            generate_shop(Path(folder, "drafts"), plan)
            for dataset in Path(folder, "drafts").iterdir():
                for file in dataset.iterdir():
                    file.rename(root / "raw-data" / dataset.name / f"more-{file.name}")
            command = [sys.executable, "-m", "takings", "run", str(root), "--now"]
            begun = time.perf_counter()
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as batch:
                asked = _asked(port, options.rate, lambda: batch.poll() is None)
            print(f"a batch of {options.orders:,} orders ran for {time.perf_counter() - begun:.1f} s")
            _report("batch", asked)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=50)
    parser.add_argument("--idle", type=float, default=10)
    return parser.parse_args()


@contextmanager
def _serving(root: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "takings", "serve", str(root), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            found = re.search(r":(\d+) ", server.stderr.readline())
            assert found is not None
            yield int(found[1])
        finally:
            server.terminate()


def _asked(port: int, rate: int, goes_on: Callable[[], bool]) -> list[float]:
    """Ask at a fixed rate while the condition holds; return the seconds from when each question was due to its full answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS)
    begun = time.perf_counter()
    took: list[float] = []
    while goes_on():
        due = begun + len(took) / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        connection.request("GET", _QUESTIONS[len(took) % len(_QUESTIONS)])
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
        took.append(time.perf_counter() - due)
    connection.close()
    return took


def _report(name: str, took: list[float]) -> None:
    ordered = sorted(1000 * seconds for seconds in took)
    middle, late, last = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100], ordered[-1]
    print(f"{name:<6} {len(ordered):,} answers: median {middle:.1f}, p99 {late:.1f}, longest {last:.1f} ms")


if __name__ == "__main__":
    main()
