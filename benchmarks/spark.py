"""Measure what a cluster of Spark costs beside one machine: a batch step by step, and the driver's memory by files.

    python -m benchmarks.spark [--items 1000000 10000000] [--executors 1 2] [--files 1000 10000 30000] [--answer FILE.json]

The cluster is a master and workers of one processor on this machine. Processor seconds are those of the driver with its JVM,
and of the workers with all that they started. MB are those of Spark's own event log.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from benchmarks.event_log import moved
from benchmarks.machine import about, beside
from benchmarks.meter import processor_seconds
from benchmarks.spark_files import driver_memory
from benchmarks.steps import STEPS, Mark, costs
from takings.composition.stores import open_store
from takings.contracts.model import Dataset
from takings.runs import pipeline
from tests.cluster.standalone import Cluster, environment, standalone

RAW: Final = Path(__file__).with_name("spark.json")
#: files of orders, and of items
_PARTS: Final = 6
#: the events that end steps, and the one that begins the first; see benchmarks.steps
_EVENTS: Final = ("batch.dispatched", "file.judged", "kpis.computing", "kpis.published", "batch.done")
#: as long as a run may take
_LIMIT_SECONDS: Final = 7200


def main(arguments: list[str]) -> int:
    """Measure and write the figures; print each as it comes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spark", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--items", type=int, nargs="*", default=[1_000_000, 10_000_000])
    parser.add_argument("--executors", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--files", type=int, nargs="*", default=[1_000, 10_000, 30_000])
    parser.add_argument("--answer", type=Path, default=RAW)
    asked = parser.parse_args(arguments)
    found: dict[str, Any] = {"machine": about(()), "batches": [], "files": []}
    with tempfile.TemporaryDirectory(prefix="takings-spark-") as name:
        folder = Path(name)
        for items in asked.items:
            for batch in _batches(folder / f"{items}", items, asked.executors):
                _keep(found, "batches", batch, asked.answer)
        if asked.files:
            with standalone(folder / "cluster", workers=1) as cluster:
                for one in driver_memory(folder / "many", asked.files, cluster):
                    _keep(found, "files", one, asked.answer)
    return 0


def _keep(found: dict[str, Any], kind: str, one: Mapping[str, Any], answer: Path) -> None:
    found[kind].append({**one, "load": beside()})
    print(json.dumps(found[kind][-1]), flush=True)
    answer.write_text(json.dumps(found, indent=1) + "\n")


def _batches(folder: Path, items: int, executors: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Take the same drops in with DuckDB on this machine, and with each number of executors."""
    shop = folder / "shop"
    words = ["generate", str(shop / "raw-data"), "--orders", str(items // 3 + 1), "--parts", str(_PARTS)]
    subprocess.run([sys.executable, "-m", "takings", *words], env=environment(), check=True, stdout=subprocess.DEVNULL)
    yield {"engine": "duckdb", **_taken_in(shop, folder / "duckdb", {})}
    for number in executors:
        with standalone(folder / f"cluster-{number}", workers=number) as cluster:
            log = folder / f"events-{number}"
            log.mkdir()
            found = _taken_in(shop, folder / f"spark-{number}", on(cluster, log), cluster)
            (events,) = (path for path in log.rglob("*") if path.is_file() and not path.name.startswith("."))
            ends = found.pop("ends")
            with events.open() as lines:
                steps = {step: asdict(each) for step, each in moved(lines, ends).items()}
            yield {"engine": "spark", "executors": number, **found, "moved": steps}
    shutil.rmtree(folder)


def on(cluster: Cluster, log: Path) -> dict[str, str]:
    """Return the variables of a driver that uses the cluster and keeps an event log."""
    options = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": log.as_uri(),
        "spark.sql.shuffle.partitions": "16",
    }
    return environment(options) | {"TAKINGS_ENGINE": "spark", "TAKINGS_SPARK_MASTER": cluster.url}


def _taken_in(shop: Path, store: Path, settings: Mapping[str, str], cluster: Cluster | None = None) -> dict[str, Any]:
    """Run a copy of a store in a process of its own, and measure that."""
    shutil.copytree(shop, store)
    answer = store.with_suffix(".json")
    workers = [] if cluster is None else [str(member.process.pid) for member in cluster.workers]
    command = [sys.executable, "-m", "benchmarks.spark", "take", str(store), str(answer), *workers]
    subprocess.run(command, env=environment() | settings, check=True, timeout=_LIMIT_SECONDS)
    shutil.rmtree(store)
    found: dict[str, Any] = json.loads(answer.read_text())
    if cluster is None:
        del found["ends"], found["executors_processor"]
    return found


def take(store: Path, answer: Path, workers: Sequence[int]) -> None:
    """Take what is pending in; write what each step cost here and in the workers."""
    marks: list[tuple[Mark, float, float]] = []
    begun = time.time()

    def tell(fact: str, _: Mapping[str, object]) -> None:
        if fact in _EVENTS:
            here = Mark(fact=fact, wall=time.perf_counter(), processor=processor_seconds(os.getpid()))
            marks.append((here, sum(map(processor_seconds, workers)), time.time()))

    with open_store(store, tell) as shop:
        pipeline.run(shop.ports, at_once=True)
        items = sum(file.rows for file in shop.ports.tables.snapshot()[Dataset.ORDER_ITEMS].files)
    here = costs([mark for mark, _, _ in marks])
    there = costs([replace(mark, processor=elsewhere) for mark, elsewhere, _ in marks])
    at = {mark.fact: moment for mark, _, moment in marks}
    found = {
        "items": items,
        "seconds": time.time() - begun,
        "wall": {step: here[step][0] for step in STEPS},
        "processor": {step: here[step][1] for step in STEPS},
        "executors_processor": {step: there[step][1] for step in STEPS},
        "all_processor": processor_seconds(os.getpid()) + sum(map(processor_seconds, workers)),
        "ends": list(zip(STEPS, (at[fact] for fact in _EVENTS[1:]), strict=True)),
    }
    answer.write_text(json.dumps(found))


if __name__ == "__main__":
    if sys.argv[1:2] == ["take"]:
        take(Path(sys.argv[2]), Path(sys.argv[3]), [int(word) for word in sys.argv[4:]])
    else:
        sys.exit(main(sys.argv[1:]))
