"""Simulate many seeds: `python -m tests.simulation 10000 1`; print a seed's story: `python -m tests.simulation 1 17 --trace`.

WORKERS processes share the seeds. Exit codes: 0 all went well, 1 a seed failed, 2 wrong usage.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.trying import live


def main(arguments: list[str]) -> int:
    """Simulate, and print which seeds failed and how to see their stories."""
    numbers = [int(argument) for argument in arguments if argument.isdecimal()]
    if len(numbers) != 2 or set(arguments) - {*map(str, numbers), "--trace"}:
        print("usage: python -m tests.simulation N SEED [--trace]    (N seeds from SEED on)", file=sys.stderr)
        return 2
    count, first = numbers
    workers = min(count, int(os.environ.get("WORKERS", os.cpu_count() or 1)))
    begun, failures = time.monotonic(), 0
    with ProcessPoolExecutor(max(workers, 1), mp_context=multiprocessing.get_context("spawn")) as pool:
        for number, (seed, failure, story) in enumerate(pool.map(live, range(first, first + count), chunksize=1), 1):
            if "--trace" in arguments:
                print(story)
            if failure:
                failures += 1
                print(f"seed {seed}: {failure}\n  its story: python -m tests.simulation 1 {seed} --trace", flush=True)
            if number % 500 == 0:
                print(f"{number} seeds, {failures} failed, {time.monotonic() - begun:.0f} s", flush=True)
    print(f"{count} seeds from {first} on, {failures} failed, {time.monotonic() - begun:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
