"""Decide what follows a failed task: retry the step after a pause, with more memory or disk, or give the batch up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

#: exit codes of `entrypoints/tasks.py` …
_BAD_DATA: Final = 1
_USAGE: Final = 2
_OUT_OF_MEMORY: Final = 4
_OUT_OF_DISK: Final = 5
#: … and of a process that got SIGTERM (a spot instance is reclaimed) or SIGKILL (usually out of memory)
_TERMINATED: Final = 143
_KILLED: Final = 137
#: tries of a step in all
MOST_TRIES: Final = 4
#: the pause before the second try; each further one is twice as long
_FIRST_PAUSE_SECONDS: Final = 10


class TaskFailure(StrEnum):
    """Why a task failed."""

    #: no file of the batch was accepted
    BAD_DATA = "bad data"
    #: wrong settings or contracts
    USAGE = "usage"
    OUT_OF_MEMORY = "out of memory"
    OUT_OF_DISK = "out of disk"
    #: the platform stopped the task
    TERMINATED = "terminated"
    #: anything else, such as a task that never started
    INFRASTRUCTURE = "infrastructure"


@dataclass(frozen=True, kw_only=True)
class Again:
    """Retry the step."""

    failure: TaskFailure
    pause_seconds: int

    @property
    def needs_more_memory(self) -> bool:
        """Return whether the next try gets twice the memory."""
        return self.failure is TaskFailure.OUT_OF_MEMORY

    @property
    def needs_more_disk(self) -> bool:
        """Return whether the next try gets twice the disk."""
        return self.failure is TaskFailure.OUT_OF_DISK


@dataclass(frozen=True, kw_only=True)
class GiveUp:
    """Stop retrying: no further try would help."""

    failure: TaskFailure


def decide_after(cause: str, tries: int, jitter: float, *, has_largest_disk: bool = False) -> Again | GiveUp:
    """Decide after a step's failure number `tries`; `jitter`, between 0 and 1, keeps batches from retrying together.

    A full disk is doubled until it is the largest one there is, however often that is.
    """
    failure = read_failure(cause)
    if failure is TaskFailure.OUT_OF_DISK:
        return GiveUp(failure=failure) if has_largest_disk else Again(failure=failure, pause_seconds=0)
    if failure in {TaskFailure.BAD_DATA, TaskFailure.USAGE} or tries >= MOST_TRIES:
        return GiveUp(failure=failure)
    if failure is TaskFailure.INFRASTRUCTURE:
        longest = _FIRST_PAUSE_SECONDS << (tries - 1)
        return Again(failure=failure, pause_seconds=round(longest * (1 + jitter) / 2))
    return Again(failure=failure, pause_seconds=0)


def read_failure(cause: str) -> TaskFailure:
    """Read why a task or a job failed from Step Functions' cause: its description as JSON."""
    try:
        document: Any = json.loads(cause)
        if "JobRunId" in document:
            return _failure_of_job(str(document.get("StateDetails", "")))
        containers = [each for each in document["Containers"] if each.get("ExitCode") != 0]
        code: int | None = containers[0].get("ExitCode") if containers else None
        why = f"{document.get('StoppedReason', '')} {containers[0].get('Reason', '') if containers else ''}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return TaskFailure.INFRASTRUCTURE
    if code in {_OUT_OF_MEMORY, _KILLED} or "OutOfMemory" in why:
        return TaskFailure.OUT_OF_MEMORY
    by_code = {
        _BAD_DATA: TaskFailure.BAD_DATA,
        _USAGE: TaskFailure.USAGE,
        _OUT_OF_DISK: TaskFailure.OUT_OF_DISK,
        _TERMINATED: TaskFailure.TERMINATED,
    }
    return by_code.get(int(code or 0), TaskFailure.INFRASTRUCTURE)


def as_cause(left: bytes) -> str:
    """Return the exit code that a job has left in the store as the description of a task that ended with it."""
    code = left.strip()
    return json.dumps({"Containers": [{"ExitCode": int(code)}]}) if code.isdigit() else ""


def _failure_of_job(details: str) -> TaskFailure:
    """Read why a job on EMR Serverless failed that has left no exit code: its driver was killed, or never started.

    `details` are the service's words. The exit code in them is spark-submit's, which is 1 for most failures.
    """
    if "OutOfMemory" in details or f"ExitCode: {_KILLED}" in details:
        return TaskFailure.OUT_OF_MEMORY
    if "No space left on device" in details:
        return TaskFailure.OUT_OF_DISK
    return TaskFailure.INFRASTRUCTURE
