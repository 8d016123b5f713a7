"""Choose the workers of a job on Amazon EMR Serverless for a batch, among those that it offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

#: processors of a worker, which is the driver or an executor, and its Java heap in GB; DuckDB and Python get as much again.
#: With so many processors EMR Serverless offers up to 30, 60 and 120 GB (its User Guide, "Understanding EMR Serverless worker
#: configurations")
_WORKERS: Final = ((4, 14), (8, 28), (16, 56))
#: so much memory beside the heap as in it
_OVERHEAD: Final = "1.0"
#: in each worker's memory beside the heap, every task that runs at a time gets a share; Python takes a part of that
_DUCKDB_GIB: Final = 3
#: GB on each worker's disk, and of which kind; after a full disk the next larger one
_DISKS: Final = ((200, "standard"), (1000, "shuffle_optimized"), (2000, "shuffle_optimized"))
#: bytes of CSV and of the lake for each executor: 2.5 GB for each of its processors, as on Fargate
_BYTES_AN_EXECUTOR: Final = 10_000_000_000
#: with the driver, the 16 processors that a new account may use at a time
_LEAST_EXECUTORS: Final = 3
#: with the driver, what the application allows at most
_MOST_EXECUTORS: Final = 63


@dataclass(frozen=True, kw_only=True)
class SparkSize:
    """What a job gets."""

    #: of each worker
    processors: int
    heap_gb: int
    disk_gb: int
    disk_type: str
    most_executors: int
    #: processors for each task: one validates a file, or computes a part of a merge
    task_processors: int

    @property
    def has_largest_disk(self) -> bool:
        """Return whether EMR Serverless offers no larger disk."""
        return self.disk_gb >= _DISKS[-1][0]

    @property
    def options(self) -> Mapping[str, str]:
        """Return Spark's settings for the size."""
        return {
            "spark.driver.cores": str(self.processors),
            "spark.driver.memory": f"{self.heap_gb}g",
            "spark.executor.cores": str(self.processors),
            "spark.executor.memory": f"{self.heap_gb}g",
            "spark.task.cpus": str(self.task_processors),
            "spark.dynamicAllocation.initialExecutors": "1",
            "spark.dynamicAllocation.maxExecutors": str(self.most_executors),
            "spark.emr-serverless.memoryOverheadFactor": _OVERHEAD,
            **{
                f"spark.emr-serverless.{worker}.disk{what}": value
                for worker in ("driver", "executor")
                for what, value in (("", f"{self.disk_gb}G"), (".type", self.disk_type))
            },
        }

    @property
    def memory(self) -> str:
        """Return what DuckDB may use in each task, and in the driver."""
        return f"{_DUCKDB_GIB * self.task_processors}GiB"


def spark_size(csv: int, *, lake_bytes: int = 0, out_of_memory: int = 0, out_of_disk: int = 0) -> SparkSize:
    """Return the size for `csv` bytes and a lake of `lake_bytes`, after earlier failures for want of memory or disk.

    After each failure for want of memory, a task has twice as much, in workers twice as large, up to the largest.
    """
    level = min(out_of_memory, len(_WORKERS) - 1)
    processors, heap = _WORKERS[level]
    disk, kind = _DISKS[min(out_of_disk, len(_DISKS) - 1)]
    wanted = max(_LEAST_EXECUTORS, ceil((csv + lake_bytes) / _BYTES_AN_EXECUTOR))
    return SparkSize(
        processors=processors,
        heap_gb=heap,
        disk_gb=disk,
        disk_type=kind,
        most_executors=min(wanted, _MOST_EXECUTORS),
        task_processors=1 << level,
    )
