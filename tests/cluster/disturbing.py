"""Kill workers of a cluster in the middle of each step of a batch, and look whether any of it can be reached from outside."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.driving import Driver
from tests.cluster.standalone import await_line, open_doors

#: longer than any step of a run takes on a busy machine
_STEP_SECONDS: Final = 1800.0
_RUNNING: Final = "Running task"
#: a task of the second stage or later: then the workers hold the first stage's results
MIDDLE: Final = r"(Running task \d+\.\d+ in stage [1-9]\d*\.)"
#: an executor's second file or a later one: each has a job of its own
SECOND_FILE: Final = r"(Running task \d+\.\d+ in stage (?:[2-9]|\d\d+)\.)"
#: an executor keeps rows that the merge has found
_KEEPS: Final = r"(Block rdd_\d+_\d+ stored)"
#: a task has begun to write a Parquet file of the lake
_WRITES: Final = r"(FileOutputCommitter|ParquetOutputFormat|CodecConfig)"


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A moment within a step of the run: what the driver has told, and what the executor logs after that."""

    told: str
    logged: tuple[str, ...]
    #: the driver tells this when the moment is over
    over: str


MERGE: Final = Moment(told="lake.merging dataset=order_items", logged=(_KEEPS, _WRITES), over="lake.committed")
KPIS: Final = Moment(told="kpis.computing", logged=(_RUNNING,), over="kpis.published")
EARLY_MERGE: Final = Moment(told="lake.merging dataset=products", logged=(_RUNNING,), over="lake.committed")
LATE_MERGE: Final = Moment(told="lake.merging dataset=order_items", logged=(_KEEPS, _RUNNING), over="lake.committed")


def look_for_open_doors(driver: Driver) -> None:
    """While it runs, check that no other machine can reach any of it."""
    await_line(executor_log(driver, 1), MIDDLE)
    if sys.platform == "linux":
        doors = open_doors(os.getpid())
        assert doors == [], doors


def kill_a_worker(driver: Driver, when: str = MIDDLE) -> None:
    """Kill the second worker while its executor works."""
    log = executor_log(driver, 1)
    await_line(log, when)
    _kill(driver, 1, log)


def kill_in(driver: Driver, moment: Moment, among: Sequence[int] = (0, 1)) -> None:
    """Kill the first of some workers whose executor reaches a moment of the run; fail if that had passed before."""
    _await(lambda: driver.has_told(moment.told), f"the driver does not tell {moment.told}", driver)
    logs = {worker: newest_log(driver, worker) for worker in among}
    sizes = {worker: log.stat().st_size for worker, log in logs.items()}
    reached: list[int] = []

    def is_reached() -> bool:
        reached.extend(each for each in among if _is_at(moment, logs[each], sizes[each]))
        return bool(reached)

    _await(is_reached, f"no executor logs {moment.logged}", driver)
    assert not driver.has_told(moment.over), f"{moment.over} came before the worker could be killed"
    _kill(driver, reached[0], logs[reached[0]])
    assert not driver.has_told(moment.over), f"{moment.over} came before the worker was dead"


def kill_both_workers(driver: Driver) -> None:
    """Kill one worker as the merge begins, start another one, and kill the other old one while items are merged."""
    kill_in(driver, EARLY_MERGE, among=(1,))
    new = driver.cluster.start_worker()
    _await(lambda: bool(driver.cluster.executor_logs(new)), "the new worker was given nothing to do", driver)
    kill_in(driver, LATE_MERGE, among=(0,))


def executor_log(driver: Driver, worker: int) -> Path:
    """Wait for the second worker's next executor; return its log."""
    found = driver.cluster.executor_logs
    _await(lambda: len(found(worker)) > driver.earlier, "the second worker was given nothing to do", driver)
    return newest_log(driver, worker)


def newest_log(driver: Driver, worker: int) -> Path:
    """Return the log of a worker's newest executor."""
    return max(driver.cluster.executor_logs(worker), key=lambda path: path.stat().st_ctime)


def _kill(driver: Driver, worker: int, log: Path) -> None:
    driver.cluster.workers[worker].kill()
    print(f"killed: {log.read_text(errors='replace').count(_RUNNING)} tasks had begun there", flush=True)


def _is_at(moment: Moment, log: Path, since: int) -> bool:
    """Return whether an executor has logged all that a moment names, behind the first bytes of its log."""
    text = log.read_bytes()
    # What an executor keeps may be there since the comparison of an earlier table.
    places = ((pattern, 0 if pattern == _KEEPS else since) for pattern in moment.logged)
    return all(re.search(pattern, text[place:].decode(errors="replace")) for pattern, place in places)


def _await(is_so: Callable[[], bool], complaint: str, driver: Driver) -> None:
    end = time.monotonic() + _STEP_SECONDS
    while not is_so():
        assert time.monotonic() < end, complaint
        assert driver.process.poll() is None, f"the driver has ended before that: {complaint}"
        time.sleep(0.01)
