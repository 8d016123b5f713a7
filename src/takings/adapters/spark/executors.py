"""Let Spark's executors validate a batch's files: one job of one task for each file, so that one file fails for itself.

A job returns what its successful attempt returned. So what attempts that failed have written is never read, and neither is
what a second copy of a task writes that Spark starts beside a slow one (`spark.speculation`).
"""

from __future__ import annotations

import pickle  # nosec B403 - as Spark itself passes what tasks get and return
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import Any, Final
from uuid import uuid4

from duckdb import DuckDBPyConnection
from py4j.protocol import Py4JError
from pyspark import SparkContext
from pyspark.errors import PySparkException

import takings
from takings.adapters.platform import OpenFiles
from takings.adapters.spark.faulty_records import read_faulty
from takings.adapters.spark.job_failures import failure_of
from takings.adapters.spark.shared_session import SharedSession
from takings.adapters.spark.task import Answer, Asked, bytes_of, run_task, unpack
from takings.contracts.model import Dataset
from takings.errors import UnreadableFile
from takings.layout import BatchId
from takings.ports import BusinessTime, FileToValidate, ObjectStore, ValidationEngine
from takings.validation.findings import FaultyRecord
from takings.validation.validated import ValidatedFile

#: jobs that wait in Spark's queue or run: more than a cluster has processors free for, so that none is idle
_JOBS: Final = 256
#: on this machine alone, tasks share the memory setting, but DuckDB needs some
_LEAST_MEMORY: Final = 100 * 10**6


@dataclass(frozen=True, kw_only=True)
class Work:
    """What every task of a store is told besides its file."""

    open_files: OpenFiles
    #: makes the validation engine on a connection
    engine: Callable[[DuckDBPyConnection, BusinessTime], ValidationEngine]
    time_zone: str
    #: the setting
    memory: str


class SparkExecutors:
    """The executors of the session's application."""

    def __init__(self, shared: SharedSession, store: ObjectStore, work: Work) -> None:
        self._shared = shared
        self._store = store
        self._work = work
        self._context: SparkContext | None = None
        self._group = f"takings-{uuid4().hex}"
        self._cancelling: Thread | None = None

    def begin(self) -> int:
        """Begin the application, or another one where the last one has ended by itself."""
        self.close()
        self._context = self._shared.session().sparkContext
        if _is_local(self._context):
            # Spark would take the first python3 that it finds.
            self._context.pythonExec = sys.executable
        return _JOBS

    def close(self) -> None:
        """Forget an application that has lost its master or its JVM; a sound one has other users."""
        if self._context is not None and not _is_alive(self._context):
            with suppress(PySparkException, Py4JError, ConnectionError):
                self._shared.close()
        self._context = None

    def validate(self, file: FileToValidate, staged: Mapping[Dataset, Path]) -> Callable[[], ValidatedFile] | None:
        """Validate a file in a task, and stage its rows; return what reads the findings."""
        try:
            answer = self._ask(file)
        except (PySparkException, Py4JError, ConnectionError) as failed:
            raise failure_of(failed, file.arrival.key) from failed
        if answer.unread is not None:
            raise UnreadableFile(answer.unread)
        if answer.validated is None:
            return None
        folder, packed, faulty = self._store.staging(file.batch_id), answer.validated, answer.faulty
        self._store.take_staged(
            file.batch_id, {folder / name: staged[dataset] for dataset, name in answer.staged.items()}
        )

        def faulty_records() -> Iterator[FaultyRecord]:
            return self._faulty(file.batch_id, folder / faulty) if faulty is not None else iter(())

        return lambda: replace(unpack(packed), faulty_records=faulty_records)

    def memory_of_task(self) -> str:
        """Return what DuckDB may use in a task; tasks on this machine alone share what the setting says."""
        context, setting = self._context, self._work.memory
        if context is None or not _is_local(context):
            return setting
        size = bytes_of(setting)
        return f"{max(size // context.defaultParallelism, min(size, _LEAST_MEMORY)) // 10**6}MB"

    def interrupt(self) -> None:
        """Cancel the jobs, in a thread: a signal in the main thread must not break off a call to the JVM."""
        if self._cancelling is None or not self._cancelling.is_alive():
            self._cancelling = Thread(target=self._cancel, name="takings-cancel", daemon=True)
            self._cancelling.start()

    def _cancel(self) -> None:
        # An application that cannot be told to cancel its jobs has ended, and its jobs with it.
        with suppress(PySparkException, Py4JError, ConnectionError):
            if self._context is not None:
                self._context.cancelJobGroup(self._group)

    def _ask(self, file: FileToValidate) -> Answer:
        context = self._context
        assert context is not None
        asked = Asked(
            file=file,
            open_files=self._work.open_files,
            engine=self._work.engine,
            time_zone=self._work.time_zone,
            memory=self.memory_of_task(),
            application=str(context.applicationId),
        )
        context.setJobGroup(self._group, f"validate {file.arrival.key}", interruptOnCancel=True)
        request = takings.__version__, pickle.dumps(asked)
        (answer,) = context.parallelize([request], 1).map(run_task).collect()
        return answer

    def _faulty(self, batch_id: BatchId, path: Path) -> Iterator[FaultyRecord]:
        self._store.fetch_staged(batch_id, [path])
        return read_faulty(path)


def _is_alive(context: SparkContext) -> bool:
    """Return whether an application can be given jobs."""
    application: Any = context._jsc
    try:
        return application is not None and not application.sc().isStopped()
    except (Py4JError, ConnectionError):
        return False


def _is_local(context: SparkContext) -> bool:
    """Return whether tasks run on this machine, beside the driver."""
    application: Any = context._jsc
    return bool(application.isLocal())
