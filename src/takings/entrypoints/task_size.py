"""Choose the size of a container task for a batch, among those that AWS Fargate offers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Final

from takings.contracts.datasets import SourceName
from takings.intake.arrivals import Arrival

_GIB: Final = 1 << 30

#: CPU units (1,024 are one processor), the most memory that goes with them and its steps, in MiB (Amazon ECS Developer
#: Guide, "Task definition differences for Fargate"); with less than one processor a JVM would take minutes to start
_OFFERED: Final = (
    (1024, 8 * 1024, 1024),
    (2048, 16 * 1024, 1024),
    (4096, 30 * 1024, 1024),
    (8192, 60 * 1024, 4 * 1024),
    (16384, 120 * 1024, 8 * 1024),
)
#: the ephemeral storage that can be requested (20 GiB are the default)
_LEAST_DISK: Final = 21
_MOST_DISK: Final = 200
#: CSV per processor: two processors take 47 s for 1.2 GB (docs/performance.md), so this takes three minutes; with the start
#: of the task a batch stays within five
_BYTES_A_PROCESSOR: Final = 2_500_000_000
#: room for DuckDB, Python and a JVM together; more than the smallest memory offered with each number of processors
_MEMORY_A_PROCESSOR: Final = 4 * 1024
#: a shop's CSV compresses to a tenth, and is decompressed on the task's disk
_COMPRESSION: Final = 10
#: bytes on the task's disk at once per byte of CSV: the fetched file, its normal form where it needs one, staged rows (a
#: third), the lake's files before and after the merge, and what DuckDB or Spark spill
_COPIES: Final = 4
#: a source's records lie in a database and are made into rows of several datasets before these are checked
_MADE: Final = 3
#: DuckDB, Spark's JVM, and everything else
_SHARES: Final = 3


@dataclass(frozen=True, kw_only=True)
class TaskSize:
    """What a task gets."""

    #: in CPU units: 1,024 are one processor
    cpu: int
    memory_mib: int
    #: ephemeral storage
    disk_gib: int

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that let DuckDB and Spark's JVM use a third of the memory each before they spill.

        DuckDB needs about 200 MB beyond its third, and a JVM a quarter more than its heap; Python and delta-rs get the rest.
        """
        share = self.memory_mib // _SHARES
        return {
            "TAKINGS_MEMORY": f"{share}MiB",
            "PYSPARK_SUBMIT_ARGS": f"--driver-memory {share}m pyspark-shell",
        }


def task_size(csv_bytes: int, out_of_memory: int = 0) -> TaskSize:
    """Return the task size for `csv_bytes` after `out_of_memory` earlier failures.

    The memory need not hold the batch: beyond their shares DuckDB and Spark spill to disk, and 400 MB have been enough for
    1.2 GB. Processors make a large batch fast, memory comes with them, and the disk has to hold everything. After each failure
    the task gets twice the memory, up to the largest task.
    """
    wanted = min(max(1, ceil(csv_bytes / _BYTES_A_PROCESSOR)) * 1024, _OFFERED[-1][0])
    processors = next(cpu for cpu, _, _ in _OFFERED if cpu >= wanted)
    memory = min((processors // 1024 * _MEMORY_A_PROCESSOR) << out_of_memory, _OFFERED[-1][1])
    # Some amounts of memory come only with more processors.
    cpu, step = next((cpu, step) for cpu, most, step in _OFFERED if cpu >= processors and most >= memory)
    return TaskSize(
        cpu=cpu,
        memory_mib=ceil(memory / step) * step,
        disk_gib=min(_LEAST_DISK + ceil(csv_bytes * _COPIES / _GIB), _MOST_DISK),
    )


def csv_bytes(arrivals: Iterable[Arrival]) -> int:
    """Return about how many bytes of CSV a batch's files have once they are decompressed, and what sources make of them."""
    return sum(
        arrival.size
        * (_COMPRESSION if arrival.source.lower().endswith(".gz") else 1)
        * (_MADE if isinstance(arrival.dataset, SourceName) else 1)
        for arrival in arrivals
    )
