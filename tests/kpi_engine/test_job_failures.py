"""What Spark says about a failed job becomes an error of Takings: a death is a file's affair, all else is the machinery's."""

from __future__ import annotations

import pytest

from takings.adapters.spark.job_failures import failure_of
from takings.errors import MachineryError, OutOfMemory, ReaderDied, SettingsError

_LOST = (
    "Job aborted due to stage failure: Task 0 in stage 3.0 failed 4 times, most recent failure: Lost task 0.3 in stage 3.0"
    " (TID 9) (10.0.0.7 executor 2): "
)
_TRACEBACK = 'org.apache.spark.api.python.PythonException: Traceback (most recent call last):\n  File "worker.py"\n'
_BELOW = "\n\n\tat org.apache.spark.api.python.BasePythonRunner$ReaderIterator.handlePythonException"


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        (
            f"{_LOST}ExecutorLostFailure (executor 2 exited caused by one of the running tasks) Reason: exit code 137",
            ReaderDied,
            "a.csv: each process of the cluster that read the file has died. Run again; nothing is lost.",
        ),
        (
            f"{_LOST}org.apache.spark.SparkException: Python worker exited unexpectedly (crashed)",
            ReaderDied,
            "a.csv: each process of the cluster that read the file has died. Run again; nothing is lost.",
        ),
        (f"{_LOST}{_TRACEBACK}takings.errors.OutOfMemory: too little.{_BELOW}", OutOfMemory, "too little."),
        (
            f"{_LOST}{_TRACEBACK}ModuleNotFoundError: No module named 'takings'{_BELOW}",
            SettingsError,
            "the executors' Python has no package takings. Install Takings there with the same extras",
        ),
        (
            f"{_LOST}{_TRACEBACK}KeyError: 'x'{_BELOW}",
            MachineryError,
            "Spark could not validate a.csv: KeyError: 'x'. Check that `spark_master` can be reached",
        ),
        (
            "Connection refused",
            MachineryError,
            "Spark could not validate a.csv: Connection refused. Check that `spark_master` can be reached",
        ),
    ],
)
def test_failures_are_told_apart(text: str, kind: type[Exception], says: str) -> None:
    """By the error of the last attempt."""
    failure = failure_of(ConnectionError(text), "a.csv")
    assert (type(failure), str(failure)[: len(says)]) == (kind, says)
