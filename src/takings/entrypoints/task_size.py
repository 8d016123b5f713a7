"""Choose the size of a container task for a batch, among those that AWS Fargate offers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Final

from takings import layout
from takings.contracts.model import Dataset
from takings.intake.arrivals import Arrival, csv_bytes
from takings.ports import ObjectStore

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
#: bytes on the task's disk at once per byte of CSV: the fetched file, its normal form where it needs one, staged rows (a
#: third), and what DuckDB or Spark spill
_COPIES: Final = 4
#: a batch may change every day, so every file of the lake may be fetched, and be there once more as it is after the merge;
#: a disk that is too large costs a fraction of a cent, one that is too small a whole try
_LAKE_COPIES: Final = 2
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
    #: False where the batch asks for more processors, memory or disk than the largest task has
    is_enough: bool = True

    @property
    def has_largest_disk(self) -> bool:
        """Return whether Fargate offers no larger disk."""
        return self.disk_gib >= _MOST_DISK

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


def task_size(csv: int, out_of_memory: int = 0, *, lake_bytes: int = 0, out_of_disk: int = 0) -> TaskSize:
    """Return the task size for `csv` bytes and a lake of `lake_bytes`, after earlier failures for want of memory or disk.

    The memory need not hold the batch: beyond their shares DuckDB and Spark spill to disk, and 400 MB have been enough for
    1.2 GB. Processors make a large batch fast, memory comes with them, and the disk has to hold everything. After each failure
    for want of memory or disk the task gets twice as much, up to the largest task.
    """
    most_cpu, most_memory, _ = _OFFERED[-1]
    wanted = max(1, ceil(csv / _BYTES_A_PROCESSOR)) * 1024
    processors = next(cpu for cpu, _, _ in _OFFERED if cpu >= min(wanted, most_cpu))
    wanted_memory = (processors // 1024 * _MEMORY_A_PROCESSOR) << out_of_memory
    memory = min(wanted_memory, most_memory)
    # Some amounts of memory come only with more processors.
    cpu, step = next((cpu, step) for cpu, most, step in _OFFERED if cpu >= processors and most >= memory)
    disk = (_LEAST_DISK + ceil((csv * _COPIES + lake_bytes * _LAKE_COPIES) / _GIB)) << out_of_disk
    return TaskSize(
        cpu=cpu,
        memory_mib=ceil(memory / step) * step,
        disk_gib=min(disk, _MOST_DISK),
        is_enough=wanted <= most_cpu and wanted_memory <= most_memory and disk <= _MOST_DISK,
    )


def batch_bytes(arrivals: Iterable[Arrival]) -> int:
    """Return about how many bytes of CSV a batch's files have."""
    return sum(csv_bytes(arrival.source, arrival.size, arrival.dataset) for arrival in arrivals)


def lake_bytes(store: ObjectStore) -> int:
    """Return how many bytes of Parquet the lake's tables have, removed files included that are not vacuumed yet."""
    return sum(
        info.size
        for dataset in Dataset
        for info in store.list(f"{layout.table(dataset)}/")
        if info.key.endswith(".parquet") and "/_delta_log/" not in info.key
    )


def too_large(bucket: str, *, is_job: bool = False) -> str:
    """Return why a batch is blocked that fits on no disk of Fargate's, or of EMR Serverless, and what a person can do."""
    unblock = f"takings unblock s3://{bucket}"
    if is_job:
        return (
            "a worker's disk, the largest that EMR Serverless offers, was full. Unblock it and process it with Spark on another"
            f" cluster: `{unblock} && takings run s3://{bucket} --now --engine spark` (docs/spark.md); or lower"
            " `batch_max_bytes`, and drop smaller files."
        )
    return (
        f"a task's disk of {_MOST_DISK} GiB, the largest that Fargate offers, was full. Unblock it on a machine with a larger"
        f" disk and process it there at once: `{unblock} && takings run s3://{bucket} --now`, for a large lake with"
        ' `engine = "spark"` on a cluster (docs/spark.md); or let EMR Serverless take such batches:'
        f" `takings aws bootstrap s3://{bucket} --spark FOLDER && {unblock}` (docs/aws.md); or lower `batch_max_bytes`, and"
        " drop smaller files."
    )
