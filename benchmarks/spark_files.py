"""Measure a Spark driver's memory by the number of files: of a lake that it reads, and of a batch that it hands out.

python -m benchmarks.spark_files STORE ANSWER.json measures|run
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from pyspark import SparkContext

from takings.composition.stores import open_store
from takings.contracts.model import Dataset
from takings.lake import AddedFile, LakeFile, TableChange
from takings.layout import BatchId
from takings.runs import pipeline
from tests.cluster.standalone import Cluster, environment

#: a batch of more files takes long on a small machine: each is a job of its own
_MOST_DROPS: Final = 1_000
_ITEM: Final = "id,order_id,user_id,product_id,status,created_at,shipped_at,delivered_at,returned_at,sale_price\n"


def driver_memory(folder: Path, numbers: Sequence[int], cluster: Cluster) -> Iterator[dict[str, Any]]:
    """Yield what a driver needed for KPIs of a lake of so many files, and for a batch of as many, up to a thousand."""
    settings = {"TAKINGS_ENGINE": "spark", "TAKINGS_SPARK_MASTER": cluster.url}
    for number in numbers:
        yield {"lake_files": number, **_asked(_lake_of(folder / f"lake-{number}", number), "measures", settings)}
        if number <= _MOST_DROPS:
            yield {"drops": number, **_asked(_drops(folder / f"drops-{number}", number), "run", settings)}


def _asked(store: Path, work: str, settings: Mapping[str, str]) -> dict[str, Any]:
    answer = store.with_suffix(".json")
    command = [sys.executable, "-m", "benchmarks.spark_files", str(store), str(answer), work]
    subprocess.run(command, env=environment() | settings, check=True)
    found: dict[str, Any] = json.loads(answer.read_text())
    return found


def _lake_of(store: Path, number: int) -> Path:
    """Make a store whose table of items has so many files; all are links to a few, as readers cannot tell."""
    words = ["generate", str(store / "raw-data"), "--orders", "300", "--days", "30"]
    subprocess.run([sys.executable, "-m", "takings", *words], env=environment(), check=True, stdout=subprocess.DEVNULL)
    with open_store(store, lambda *_: None, {"engine": "duckdb"}) as shop:
        pipeline.run(shop.ports, at_once=True)
        table = shop.ports.tables.snapshot()[Dataset.ORDER_ITEMS]
        originals = [file for file in table.files if file.order_date is not None]
        links = tuple(_link(store, originals[place % len(originals)]) for place in range(number - len(table.files)))
        shop.ports.tables.apply(Dataset.ORDER_ITEMS, TableChange(added=links, removed=()), table, BatchId("links"))
    return store


def _link(store: Path, file: LakeFile) -> AddedFile:
    original = store / "lake" / Dataset.ORDER_ITEMS / file.path
    link = original.with_name(f"link-{uuid4()}.parquet")
    link.hardlink_to(original)
    return AddedFile(
        path=f"{original.parent.name}/{link.name}",
        size=original.stat().st_size,
        rows=file.rows,
        order_date=file.order_date,
        minimum={column: low for column, (low, _) in file.ranges.items()},
        maximum={column: high for column, (_, high) in file.ranges.items()},
        null_count={},
    )


def _drops(store: Path, number: int) -> Path:
    """Drop so many files of one item each."""
    words = ["generate", str(store / "raw-data"), "--orders", "300", "--days", "30"]
    subprocess.run([sys.executable, "-m", "takings", *words], env=environment(), check=True, stdout=subprocess.DEVNULL)
    items = store / "raw-data" / "order-items"
    for place in range(number):
        row = f"{10**6 + place},{place % 300 + 1},8,1,delivered,,,,,10.00\n"
        (items / f"item-{place}.csv").write_text(_ITEM + row)
    return store


def measure(store: Path, answer: Path, work: str) -> None:
    """Work on a store, and write what this process and its JVM needed at most."""
    begun = time.monotonic()
    with open_store(store, lambda *_: None, {"batch_max_files": 100_000}) as shop:
        ports = shop.ports
        if work == "run":
            (batch,) = pipeline.run(ports, at_once=True).batches
            assert all(report.rows_accepted for report in batch.reports)
        else:
            assert all(ports.kpi_engine.measures(ports.kpi_tables, ports.tables.snapshot(), None).values())
        found = {
            "seconds": time.monotonic() - begun,
            "python_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
            **_of_jvm(),
        }
    answer.write_text(json.dumps(found))


def _of_jvm() -> dict[str, float]:
    """Return the memory of the driver's JVM: at most, of it the heap, and the heap that is still used after a collection."""
    gateway: Any = SparkContext._gateway
    lines = Path(f"/proc/{gateway.proc.pid}/status").read_text().splitlines()
    (peak,) = (int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    java: Any = SparkContext._jvm
    factory = java.java.lang.management.ManagementFactory
    pools = [pool for pool in factory.getMemoryPoolMXBeans() if pool.getType().toString() == "Heap memory"]
    heap = sum(pool.getPeakUsage().getUsed() for pool in pools)
    java.System.gc()
    live = factory.getMemoryMXBean().getHeapMemoryUsage().getUsed()
    return {"jvm_mb": peak / 1000, "heap_mb": heap / 1e6, "live_heap_mb": live / 1e6}


if __name__ == "__main__":
    measure(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
