"""Tell why a job failed: Spark returns text, in which the error of the last attempt at a task stands."""

from __future__ import annotations

import re
from typing import Final

from py4j.protocol import Py4JJavaError

from takings import errors
from takings.errors import MachineryError, ReaderDied, SettingsError, TakingsError

#: what Spark says where a task ended with its process: the executor's, or the Python beside it
_DEATHS: Final = ("ExecutorLostFailure", "Python worker exited unexpectedly")
#: the last line of a traceback
_OWN_ERROR: Final = re.compile(r"takings\.errors\.(\w+): (.+)$", re.MULTILINE)
_ABSENT: Final = re.compile(r"No module named '?(\w+)")
_LINE: Final = re.compile(r"^(\w[\w.]*(?:Error|Exception|Failure|Interrupt)\b.*)$", re.MULTILINE)


def failure_of(failed: Exception, key: str) -> TakingsError:
    """Return the error to raise for a job that should have validated a file."""
    text = str(failed)
    if found := _OWN_ERROR.findall(text):
        name, message = found[-1]
        kind = getattr(errors, name, MachineryError)
        return kind(message) if issubclass(kind, TakingsError) else MachineryError(message)
    if absent := _ABSENT.search(text):
        return SettingsError(
            f"the executors' Python has no package {absent[1]}. Install Takings there with the same extras as on the driver, or"
            " send them a packed environment (spark.archives); see docs/spark.md."
        )
    if any(death in text for death in _DEATHS):
        return ReaderDied(
            key, f"{key}: each process of the cluster that read the file has died. Run again; nothing is lost."
        )
    return MachineryError(
        f"Spark could not validate {key}: {_cause(text, failed)}. Check that `spark_master` can be reached and its workers have"
        " memory and disk left, and run again; nothing is lost."
    )


def _cause(text: str, failed: Exception) -> str:
    """Return the line that says what happened: a traceback's last one, or else the JVM's first one."""
    if python := _LINE.findall(text):
        return str(python[-1]).rstrip(".")
    lines = text.strip().splitlines() or [type(failed).__name__]
    return (lines[1] if isinstance(failed, Py4JJavaError) and len(lines) > 1 else lines[0]).lstrip(": ").rstrip(".")
