"""How large a container task a batch gets."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takings.contracts.datasets import SourceName
from takings.contracts.model import Dataset
from takings.entrypoints.task_size import TaskSize, batch_bytes, task_size
from takings.intake.arrivals import Arrival
from takings.settings import Settings
from tests.shop import NOON

GB = 10**9
#: memory in MiB by CPU units, as Amazon's documentation lists it
LEGAL = {
    256: [512, 1024, 2048],
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
}


@pytest.mark.parametrize(
    ("csv", "size"),
    [
        (0, TaskSize(cpu=1024, memory_mib=4096, disk_gib=21)),
        (GB, TaskSize(cpu=1024, memory_mib=4096, disk_gib=25)),
        (5 * GB, TaskSize(cpu=2048, memory_mib=8192, disk_gib=40)),
        (6 * GB, TaskSize(cpu=4096, memory_mib=16384, disk_gib=44)),
        (20 * GB, TaskSize(cpu=8192, memory_mib=32768, disk_gib=96)),
        (500 * GB, TaskSize(cpu=16384, memory_mib=65536, disk_gib=200, is_enough=False)),
    ],
)
def test_a_larger_batch_gets_a_larger_task(csv: int, size: TaskSize) -> None:
    """More processors for speed, more disk for the data, up to the largest task."""
    assert task_size(csv) == size


def test_a_task_that_ran_out_of_memory_gets_twice_as_much() -> None:
    """With more processors if that much memory requires them, up to the largest task."""
    assert [task_size(6 * GB, out_of_memory=times) for times in (1, 2, 3, 4)] == [
        TaskSize(cpu=8192, memory_mib=32768, disk_gib=44),
        TaskSize(cpu=16384, memory_mib=65536, disk_gib=44),
        TaskSize(cpu=16384, memory_mib=122880, disk_gib=44, is_enough=False),
        TaskSize(cpu=16384, memory_mib=122880, disk_gib=44, is_enough=False),
    ]


def test_the_lake_fits_on_the_disk_as_well() -> None:
    """As it is and as it will be: a batch may change every day of it."""
    assert [task_size(GB, lake_bytes=lake).disk_gib for lake in (0, 10 * GB, 80 * GB, 500 * GB)] == [25, 44, 174, 200]


def test_a_task_whose_disk_was_full_gets_twice_as_much() -> None:
    """Until there is no larger one; its memory stays."""
    sizes = [task_size(GB, out_of_disk=times) for times in range(5)]
    assert [size.disk_gib for size in sizes] == [25, 50, 100, 200, 200]
    assert [size.has_largest_disk for size in sizes] == [False, False, False, True, True]
    assert {size.memory_mib for size in sizes} == {4096}


@given(st.integers(0, 10**15), st.integers(0, 70), st.integers(0, 10**15), st.integers(0, 70))
def test_every_size_is_one_that_is_offered(csv: int, out_of_memory: int, lake: int, out_of_disk: int) -> None:
    """Fargate refuses to start anything else."""
    size = task_size(csv, out_of_memory, lake_bytes=lake, out_of_disk=out_of_disk)
    assert size.memory_mib in LEGAL[size.cpu]
    assert 21 <= size.disk_gib <= 200
    assert Settings(memory=size.environment["TAKINGS_MEMORY"]).memory == size.environment["TAKINGS_MEMORY"]


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 5))
def test_more_is_never_answered_by_less(less: int, more: int, out_of_memory: int) -> None:
    """Not for more bytes, and not after another failure from lack of memory."""
    less, more = sorted((less, more))
    small, large, again = (
        task_size(*of) for of in ((less, out_of_memory), (more, out_of_memory), (less, out_of_memory + 1))
    )
    for other in (large, again):
        assert (small.cpu <= other.cpu, small.memory_mib <= other.memory_mib, small.disk_gib <= other.disk_gib) == (
            True,
        ) * 3


def test_duckdb_and_spark_share_the_memory() -> None:
    """A third for each, which leaves memory for everything else."""
    assert task_size(0).environment == {
        "TAKINGS_MEMORY": "1365MiB",
        "PYSPARK_SUBMIT_ARGS": "--driver-memory 1365m pyspark-shell",
    }


def arrival(key: str, size: int, archived_at: str | None = None, version: datetime = NOON) -> Arrival:
    """Return a file in a manifest."""
    return Arrival(
        key=key, dataset=Dataset.ORDERS, file="f", size=size, etag="e", version=version, archived_at=archived_at
    )


def test_compressed_files_count_tenfold() -> None:
    """What they become on the task's disk, also when an archived one comes again."""
    assert batch_bytes([arrival("raw-data/orders/a.csv", 5), arrival("raw-data/orders/b.CSV.gz", 7)]) == 75
    assert batch_bytes([replace(arrival("raw-data/till/a.csv", 5), dataset=SourceName("till"))]) == 15
    assert batch_bytes([arrival("raw-data/orders/a.csv.gz", 3, "processed/2025/03/30/b/orders/a.csv.gz")]) == 30
