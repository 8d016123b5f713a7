"""Estimate the monthly costs of a pipeline on AWS: `python -m tools.costs` prints the tables of docs/costs.md.

This is a model, not a bill: files of one size come evenly over the day, and nothing has been measured on AWS. Change a
constant and run it again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

from takings.entrypoints.task_size import TaskSize, task_size
from takings.intake.batching import BatchPolicy
from takings.settings import Settings

#: US dollars, written down without the price list at hand: compare them with it before you rely on them
REGION: Final = "us-east-1"
AS_OF: Final = "November 2026"
PRICES: Final[Mapping[str, float]] = {
    "Fargate, a processor for an hour (Linux, x86)": 0.04048,
    "Fargate, a GB of memory for an hour": 0.004445,
    "Fargate, a GB of storage beyond 20 for an hour": 0.000111,
    "public IPv4 address for an hour": 0.005,
    "Lambda, a GB for a second": 0.0000166667,
    "Lambda, 1,000,000 calls": 0.20,
    "S3 Standard, a GB for a month": 0.023,
    "S3, 1,000 writes, copies or lists": 0.005,
    "S3, 1,000 reads": 0.0004,
    "DynamoDB on demand, 1,000,000 write units": 0.625,
    "DynamoDB on demand, 1,000,000 read units": 0.125,
    "SQS, 1,000,000 requests": 0.40,
    "Step Functions Standard, 1,000 transitions": 0.025,
    "CloudWatch Logs, a GB": 0.50,
    "CloudWatch, a metric for a month": 0.30,
    "CloudWatch, an alarm for a month": 0.10,
    "KMS, a key for a month": 1.00,
}
#: what the model assumes, with the reason
ASSUMED: Final[Mapping[str, tuple[float, str]]] = {
    "MB of CSV in a file": (1.0, "some 8,000 items; docs/performance.md has 125 MB for a million"),
    "MB a processor works through in a second": (12.8, "1.2 GB on two processors in 47 s, on another machine"),
    "seconds until a task works": (60.0, "the image is pulled, Python or a JVM starts; not measured"),
    "seconds to fetch and report a file": (0.01, "six requests of 50 ms, 32 side by side; not measured on AWS"),
    "seconds to file an original away": (0.01, "a copy and a removal, 32 files side by side; not measured on AWS"),
    "seconds of a look": (1.0, "the detector, once for the events of a window, a deadline or a sweep; not measured"),
    "seconds of a day's maintenance": (60.0, "it rewrites a day's small files; not measured"),
    "writes to S3 per file": (5.0, "the drop, its staged rows, two reports, the copy"),
    "reads from S3 per file": (2.0, "the drop, its staged rows"),
    "write units per file": (6.0, "two records of lineage, each in two indexes"),
    "days that a batch touches": (30.0, "corrections and late files"),
    "categories": (30.0, ""),
    "KB of log per file": (2.0, "one line per fact"),
    "share of the CSV that the lake takes": (0.3, "Parquet with zstd"),
}
FILES_A_DAY: Final = (100, 10_000, 1_000_000)
#: states that a batch enters when nothing fails, and its start
TRANSITIONS: Final = 9
#: names of `entrypoints/metrics.py`, for one store
METRICS: Final = 9
#: of `adapters/aws/alarms.py`; their topic has a key
ALARMS: Final = 21
#: as `adapters/aws/resources/tasks.py` defines the task
_MAINTENANCE: Final = TaskSize(cpu=1024, memory_mib=4096, disk_gib=100)
#: GB of a function's memory, and how long the archiver works before it is called again
_FUNCTION_GB: Final = 1.0
_ARCHIVER_SECONDS: Final = 780
#: Lambda asks an event source of SQS with five readers, each of which waits up to 20 s; it removes ten messages at once
_READERS: Final = 5
_POLL_SECONDS: Final = 20
_MESSAGES_A_REQUEST: Final = 10
_DAYS: Final = 30
_DAY_SECONDS: Final = 86_400
#: the gate's lease is renewed every 15 s; in addition, a batch makes about ten writes
_HEARTBEAT_SECONDS: Final = 15
_GATE_WRITES: Final = 10


@dataclass(frozen=True, kw_only=True)
class Load:
    """The batches that a number of files a day makes."""

    files_a_day: int
    files_a_batch: float
    batch_seconds: float
    size: TaskSize
    #: False where a batch takes longer than the next batch's files need to arrive
    keeps_up: bool

    @property
    def batches_a_day(self) -> float:
        """Return how many batches there are."""
        return self.files_a_day / self.files_a_batch


def main() -> None:
    """Print the tables."""
    sys.stdout.write("\n".join(page()) + "\n")


def page(policy: BatchPolicy | None = None) -> Iterator[str]:
    """Yield the lines of the tables of docs/costs.md."""
    policy = policy or Settings().batch_policy
    yield from _table(("assumed", "", "because"), ((name, f"{value:g}", why) for name, (value, why) in ASSUMED.items()))
    yield ""
    yield from _table(
        (f"price ({REGION}, as of {AS_OF})", "US$"),
        ((name, f"{price:.10f}".rstrip("0").rstrip(".")) for name, price in PRICES.items()),
    )
    yield ""
    loads = [load(files, policy) for files in FILES_A_DAY]
    costs = [monthly(each) for each in loads]
    yield from _table(("", *(f"{each.files_a_day:,} files a day" for each in loads)), _rows(loads, costs))


def load(files_a_day: int, policy: BatchPolicy) -> Load:
    """Return how large batches get: with the files that come within the wait, or during the previous batch."""
    rate = files_a_day / _DAY_SECONDS
    waiting = min(policy.batch_files, 1 + rate * policy.batch_wait.total_seconds())
    count = waiting
    # A batch takes what came during the previous one, until both have the same size or the policy allows no more.
    for _ in range(1000):
        count = min(max(waiting, rate * _seconds(count)), policy.batch_max_files)
    return Load(
        files_a_day=files_a_day,
        files_a_batch=count,
        batch_seconds=_seconds(count),
        size=_size(count),
        keeps_up=count >= rate * _seconds(count) * 0.999,
    )


def monthly(load: Load) -> dict[str, float]:
    """Return what each service costs in a month of 30 days, after the first month."""
    files, batches = load.files_a_day * _DAYS, load.batches_a_day * _DAYS
    maintained = _DAYS * (_assumed("seconds until a task works") + _assumed("seconds of a day's maintenance"))
    fargate = _fargate(batches * _task_seconds(load.files_a_batch), load.size) + _fargate(maintained, _MAINTENANCE)
    looks = _looks(load) * _DAYS
    calls = looks + batches * (
        3 + ceil(load.files_a_batch * _assumed("seconds to file an original away") / _ARCHIVER_SECONDS)
    )
    seconds = (
        looks * _assumed("seconds of a look")
        + files * _assumed("seconds to file an original away")
        + batches * 3 * _assumed("seconds of a look")
    )
    messages = files * (1 + 2 / _MESSAGES_A_REQUEST) + _READERS * _DAYS * _DAY_SECONDS / _POLL_SECONDS
    functions = (
        seconds * _FUNCTION_GB * PRICES["Lambda, a GB for a second"] + calls / 1e6 * PRICES["Lambda, 1,000,000 calls"]
    )
    partitions = _assumed("days that a batch touches")
    # Each look without a batch in flight lists what is pending, 1,000 keys a page; each table of the lake has a file a day.
    lists = looks * ceil(load.files_a_batch / 1000)
    writes = files * _assumed("writes to S3 per file") + batches * (2 * partitions + 20) + lists
    reads = files * _assumed("reads from S3 per file") + batches * (2 * partitions + 50)
    requests = writes / 1000 * PRICES["S3, 1,000 writes, copies or lists"] + reads / 1000 * PRICES["S3, 1,000 reads"]
    published = partitions * (1 + _assumed("categories"))
    put = files * _assumed("write units per file") + batches * (
        2 * published + _GATE_WRITES + load.batch_seconds / _HEARTBEAT_SECONDS
    )
    got = files * 2 + batches * (published + 50)
    tables = (
        put / 1e6 * PRICES["DynamoDB on demand, 1,000,000 write units"]
        + got / 1e6 * PRICES["DynamoDB on demand, 1,000,000 read units"]
    )
    return {
        "Fargate": fargate,
        "Lambda": functions,
        "S3, requests": requests,
        "S3, storage": _stored_gb(files) * PRICES["S3 Standard, a GB for a month"],
        "DynamoDB": tables,
        "SQS": messages / 1e6 * PRICES["SQS, 1,000,000 requests"],
        "Step Functions": batches * TRANSITIONS / 1000 * PRICES["Step Functions Standard, 1,000 transitions"],
        "CloudWatch": files * _assumed("KB of log per file") / 1e6 * PRICES["CloudWatch Logs, a GB"]
        + METRICS * PRICES["CloudWatch, a metric for a month"],
        "Alarms": ALARMS * PRICES["CloudWatch, an alarm for a month"] + PRICES["KMS, a key for a month"],
    }


def _fargate(seconds: float, size: TaskSize) -> float:
    """Return what tasks of a size cost that run so long together."""
    return (
        seconds
        / 3600
        * (
            size.cpu / 1024 * PRICES["Fargate, a processor for an hour (Linux, x86)"]
            + size.memory_mib / 1024 * PRICES["Fargate, a GB of memory for an hour"]
            + (size.disk_gib - 20) * PRICES["Fargate, a GB of storage beyond 20 for an hour"]
            + PRICES["public IPv4 address for an hour"]
        )
    )


def _looks(load: Load) -> float:
    """Return how many looks there are a day: one a window with events, one a sweep, and one after each batch."""
    settings = Settings()
    windows = min(load.files_a_day, _DAY_SECONDS / settings.event_window.total_seconds())
    return windows + _DAY_SECONDS / settings.sweep.total_seconds() + load.batches_a_day


def _stored_gb(files: float) -> float:
    """Return the storage of a month's files: originals, lake, and for 30 days the objects removed from raw-data/."""
    return files * _assumed("MB of CSV in a file") / 1000 * (2 + _assumed("share of the CSV that the lake takes"))


def _size(files: float) -> TaskSize:
    return task_size(round(files * _assumed("MB of CSV in a file") * 1e6))


def _task_seconds(files: float) -> float:
    """Return how long both tasks run: starting, and working."""
    speed = _assumed("MB a processor works through in a second") * _size(files).cpu / 1024
    reading = files * _assumed("seconds to fetch and report a file")
    return 2 * _assumed("seconds until a task works") + reading + files * _assumed("MB of CSV in a file") / speed


def _seconds(files: float) -> float:
    return _task_seconds(files) + files * _assumed("seconds to file an original away")


def _assumed(name: str) -> float:
    return ASSUMED[name][0]


def _rows(loads: list[Load], costs: list[dict[str, float]]) -> Iterator[tuple[str, ...]]:
    yield "files a batch", *(f"{each.files_a_batch:,.0f}" for each in loads)
    yield "batches a day", *(f"{each.batches_a_day:,.0f}" for each in loads)
    yield "minutes a batch", *(f"{each.batch_seconds / 60:.1f}" for each in loads)
    yield "processors, GB of a task", *(f"{each.size.cpu // 1024}, {each.size.memory_mib // 1024}" for each in loads)
    yield "keeps up", *("yes" if each.keeps_up else "**no**" for each in loads)
    for name in costs[0]:
        yield name, *(f"{cost[name]:,.2f}" for cost in costs)
    yield "**US$ a month**", *(f"**{sum(cost.values()):,.2f}**" for cost in costs)
    grown = [_stored_gb(each.files_a_day * _DAYS) * PRICES["S3 Standard, a GB for a month"] for each in loads]
    share = 1 / (2 + _assumed("share of the CSV that the lake takes"))
    yield "more with each further month", *(f"{cost * (1 - share):,.2f}" for cost in grown)


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


if __name__ == "__main__":
    main()
