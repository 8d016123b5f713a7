"""Choose how large a container task has to be for a batch, among the sizes that AWS Fargate offers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Final

from takings.intake.arrivals import Arrival

_GIB: Final = 1 << 30

#: CPU units (1,024 are one processor), and the most memory that goes with them and its steps, in MiB
#: (Amazon ECS Developer Guide, "Task definition differences for Fargate"); with less than one a JVM would take minutes to start
_OFFERED: Final = (
    (1024, 8 * 1024, 1024),
    (2048, 16 * 1024, 1024),
    (4096, 30 * 1024, 1024),
    (8192, 60 * 1024, 4 * 1024),
    (16384, 120 * 1024, 8 * 1024),
)
#: the ephemeral storage that can be asked for (20 GiB come without asking)
_LEAST_DISK: Final = 21
_MOST_DISK: Final = 200
#: what a task has to work through per processor: 1.2 GB of CSV take two processors 47 s (docs/performance.md), so this takes
#: three minutes; with the start of the task a batch stays within five
_BYTES_A_PROCESSOR: Final = 2_500_000_000
#: room for DuckDB, Python and a JVM side by side; with each number of processors it is more than the least that is offered
_MEMORY_A_PROCESSOR: Final = 4 * 1024
#: a shop's CSV shrinks to a tenth, and is spread out on the task's disk again
_COMPRESSION: Final = 10
#: of each byte of CSV, what lies on the task's disk at once: the fetched file, its normal form where it needs one, staged rows
#: (a third), the lake's files before and after the merge, and what DuckDB or Spark spill
_COPIES: Final = 4
#: DuckDB, Spark's JVM, and all the rest
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
        """Return the variables that tell DuckDB and Spark's JVM to take a third of the memory each, before they spill.

        Beside its third DuckDB needs about 200 MB, and a JVM a quarter more than its heap; Python and delta-rs have the rest.
        """
        share = self.memory_mib // _SHARES
        return {
            "TAKINGS_MEMORY": f"{share}MiB",
            "PYSPARK_SUBMIT_ARGS": f"--driver-memory {share}m pyspark-shell",
        }


def task_size(csv_bytes: int, out_of_memory: int = 0) -> TaskSize:
    """Return the size for a batch with so many bytes of CSV, of which tasks ran out of memory so many times before.

    A task's memory does not have to hold the batch: DuckDB and Spark spill to disk beyond their shares, and 400 MB have been
    enough for 1.2 GB. Processors make a large batch fast, memory comes with them, and the disk has to hold everything. What ran
    out of memory all the same gets twice as much each time, up to the largest task there is.
    """
    wanted = min(max(1, ceil(csv_bytes / _BYTES_A_PROCESSOR)) * 1024, _OFFERED[-1][0])
    processors = next(cpu for cpu, _, _ in _OFFERED if cpu >= wanted)
    memory = min((processors // 1024 * _MEMORY_A_PROCESSOR) << out_of_memory, _OFFERED[-1][1])
    # Some amounts of memory are only offered with more processors.
    cpu, step = next((cpu, step) for cpu, most, step in _OFFERED if cpu >= processors and most >= memory)
    return TaskSize(
        cpu=cpu,
        memory_mib=ceil(memory / step) * step,
        disk_gib=min(_LEAST_DISK + ceil(csv_bytes * _COPIES / _GIB), _MOST_DISK),
    )


def csv_bytes(arrivals: Iterable[Arrival]) -> int:
    """Return about how many bytes of CSV a batch's files have once they are decompressed."""
    return sum(arrival.size * (_COMPRESSION if arrival.source.lower().endswith(".gz") else 1) for arrival in arrivals)
