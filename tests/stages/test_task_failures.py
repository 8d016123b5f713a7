"""A failed task is retried only if that can help."""

from __future__ import annotations

import json

import pytest

from takings.entrypoints.task_failures import (
    MOST_TRIES,
    Again,
    GiveUp,
    TaskFailure,
    as_cause,
    decide_after,
    read_failure,
)


def cause(code: int | None, stopped: str = "Essential container in task exited", reason: str = "") -> str:
    """Return what Step Functions reports about a failed task."""
    container = {"Name": "validation-service", "Reason": reason} | ({} if code is None else {"ExitCode": code})
    return json.dumps({"Containers": [container], "StoppedReason": stopped})


def job(details: str, state: str = "FAILED") -> str:
    """Return what Step Functions reports about a failed job on EMR Serverless."""
    return json.dumps({"JobRunId": "00f1", "State": state, "StateDetails": details})


@pytest.mark.parametrize(
    ("told", "failure"),
    [
        (cause(1), TaskFailure.BAD_DATA),
        (cause(2), TaskFailure.USAGE),
        (cause(3), TaskFailure.INFRASTRUCTURE),
        (cause(4), TaskFailure.OUT_OF_MEMORY),
        (cause(5), TaskFailure.OUT_OF_DISK),
        (cause(137), TaskFailure.OUT_OF_MEMORY),
        (cause(None, reason="OutOfMemoryError: Container killed due to memory usage"), TaskFailure.OUT_OF_MEMORY),
        (cause(143), TaskFailure.TERMINATED),
        (cause(None, stopped="CannotPullContainerError"), TaskFailure.INFRASTRUCTURE),
        (
            job("Job failed, please check complete logs in configured logging destination. ExitCode: 1."),
            TaskFailure.INFRASTRUCTURE,
        ),
        (job("Job failed, please check complete logs. ExitCode: 137. Last few exceptions"), TaskFailure.OUT_OF_MEMORY),
        (job("Last few exceptions: Caused by: java.lang.OutOfMemoryError: Java heap space"), TaskFailure.OUT_OF_MEMORY),
        (job("Caused by: java.io.IOException: No space left on device"), TaskFailure.OUT_OF_DISK),
        (
            job("Worker could not be allocated as the application has exceeded maximumCapacity"),
            TaskFailure.INFRASTRUCTURE,
        ),
        (job("", "CANCELLED"), TaskFailure.INFRASTRUCTURE),
        (as_cause(b"1\n"), TaskFailure.BAD_DATA),
        (as_cause(b"143"), TaskFailure.TERMINATED),
        (as_cause(b""), TaskFailure.INFRASTRUCTURE),
        ("", TaskFailure.INFRASTRUCTURE),
        ("Rate exceeded (Service: AmazonECS)", TaskFailure.INFRASTRUCTURE),
        ("[]", TaskFailure.INFRASTRUCTURE),
        ('{"Containers": null}', TaskFailure.INFRASTRUCTURE),
    ],
)
def test_tells_why_a_task_failed(told: str, failure: TaskFailure) -> None:
    """By the exit code if there is one, otherwise by ECS's message; a task that never started has neither."""
    assert read_failure(told) is failure


def test_does_not_try_again_what_no_try_would_mend() -> None:
    """Bad data stays bad, and only people change settings."""
    assert decide_after(cause(1), 1, 0.5) == GiveUp(failure=TaskFailure.BAD_DATA)
    assert decide_after(cause(2), 1, 0.5) == GiveUp(failure=TaskFailure.USAGE)


def test_waits_longer_each_time() -> None:
    """The pause is between half of a doubling limit and all of it, so that two batches do not collide again."""
    tried = [decide_after(cause(3), tries, jitter) for tries, jitter in ((1, 0.0), (1, 1.0), (2, 1.0), (3, 1.0))]
    assert [each.pause_seconds for each in tried if isinstance(each, Again)] == [5, 10, 20, 40]
    assert decide_after(cause(3), MOST_TRIES, 1.0) == GiveUp(failure=TaskFailure.INFRASTRUCTURE)


def test_goes_on_at_once_where_waiting_would_not_help() -> None:
    """A spot instance that was wanted back, and a task that needs more memory."""
    assert decide_after(cause(143), 1, 1.0) == Again(failure=TaskFailure.TERMINATED, pause_seconds=0)
    assert decide_after(cause(4), 1, 1.0) == Again(failure=TaskFailure.OUT_OF_MEMORY, pause_seconds=0)


def test_asks_for_what_was_lacking() -> None:
    """Memory or disk; a pause needs neither."""
    told = [decide_after(cause(code), 1, 0.0) for code in (3, 4, 5)]
    assert [(each.needs_more_memory, each.needs_more_disk) for each in told if isinstance(each, Again)] == [
        (False, False),
        (True, False),
        (False, True),
    ]


def test_doubles_the_disk_until_there_is_no_larger_one() -> None:
    """However often that is: the next try is another one."""
    larger = Again(failure=TaskFailure.OUT_OF_DISK, pause_seconds=0)
    assert [decide_after(cause(5), tries, 0.0) for tries in (1, MOST_TRIES, MOST_TRIES + 1)] == [larger] * 3
    assert decide_after(cause(5), 1, 0.0, has_largest_disk=True) == GiveUp(failure=TaskFailure.OUT_OF_DISK)
