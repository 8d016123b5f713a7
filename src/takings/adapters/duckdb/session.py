"""Open DuckDB, everywhere in the same way: in memory, bounded, in UTC, without external extensions.

A worker thread makes the main thread's calls while that waits, so the main thread handles every signal at once. DuckDB itself
checks for signals only while the calling thread has a part of the work. If others have the last part, that thread sleeps, and
Ctrl-C would wait for the query's end.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast

import duckdb

Answer = TypeVar("Answer")

#: how often a wait checks for signals that the system gave to another thread, and how often a query is interrupted: an
#: interrupt has no effect before the query begins or between two of its steps
_LOOK_SECONDS: Final = 0.05
#: an idle thread ends within this time
_END_SECONDS: Final = 1


def open_duckdb(memory: str, threads: int, spill: Path) -> duckdb.DuckDBPyConnection:
    """Return a connection that uses at most `memory` and spills to a folder; a signal interrupts its work."""
    spill.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": memory,
            "threads": threads,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            # Of local files it keeps only a note each, for as long as the connection lives.
            "enable_external_file_cache": False,
        },
    )
    # Every cursor is a separate session, so the time zone has to be a global setting.
    connection.execute("set global TimeZone = 'UTC'")
    return interruptible(connection)


def interruptible(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Return the connection wrapped so that a signal interrupts its work at any time."""
    return cast("duckdb.DuckDBPyConnection", _Interruptible(connection, _Worker(), connection.interrupt))


@dataclass(eq=False)
class _Job:
    """One call of DuckDB."""

    call: Callable[[], Any]
    #: its result or exception, once it has ended
    result: Any = None
    error: BaseException | None = None
    over: threading.Event = field(default_factory=threading.Event)
    #: of these two the first wins
    is_begun: bool = False
    is_called_off: bool = False
    choice: threading.Lock = field(default_factory=threading.Lock)

    def do(self) -> None:
        """Make the call, unless it was cancelled."""
        with self.choice:
            self.is_begun = not self.is_called_off
        if self.is_begun:
            try:
                self.result = self.call()
            except BaseException as raised:  # noqa: BLE001 - the caller raises it again
                self.error = raised
        self.over.set()

    def call_off(self) -> bool:
        """Cancel the call; return False if it has begun."""
        with self.choice:
            self.is_called_off = True
            return not self.is_begun


class _Worker:
    """A thread that makes one call after the other while the main thread waits for it."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def do(self, call: Callable[[], Answer], interrupt: Callable[[], None]) -> Answer:
        """Return what a call returns, or raise what it raises; an exception of a signal handler interrupts it."""
        if threading.current_thread() is not threading.main_thread():
            # Python runs signal handlers only in the main thread.
            return call()
        job = _Job(call)
        try:
            self._begin(job)
            while not job.over.wait(_LOOK_SECONDS):
                pass
        except BaseException:
            self._break_off(job, interrupt)
            raise
        if job.error is not None:
            raise job.error
        return cast("Answer", job.result)

    def _begin(self, job: _Job) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=_work, args=(self._jobs,), name="takings-duckdb", daemon=True)
            self._thread.start()
            weakref.finalize(self, _end, self._jobs, self._thread)
        self._jobs.put(job)

    def _break_off(self, job: _Job, interrupt: Callable[[], None]) -> None:
        """Return when the call has ended: until then it uses the connection."""
        if job.call_off():
            return
        while not job.over.is_set():
            # A second signal changes nothing: the first one's exception is raised.
            with suppress(BaseException):
                interrupt()
                job.over.wait(_LOOK_SECONDS)


def _work(jobs: SimpleQueue[_Job | None]) -> None:
    """Do every job until nobody can send another."""
    while (job := jobs.get()) is not None:
        job.do()
        del job


def _end(jobs: SimpleQueue[_Job | None], thread: threading.Thread) -> None:
    """End the worker's thread: if it slept at the end of the process, DuckDB could not be unloaded."""
    jobs.put(None)
    if thread is not threading.current_thread():
        thread.join(_END_SECONDS)


_Target = duckdb.DuckDBPyConnection | duckdb.DuckDBPyRelation


class _Interruptible:
    """A connection, cursor or relation of DuckDB whose calls a worker makes."""

    def __init__(self, target: _Target, worker: _Worker, interrupt: Callable[[], None]) -> None:
        self._target = target
        self._worker = worker
        self._interrupt = interrupt

    def cursor(self) -> _Interruptible:
        """Begin a separate session on the same database."""
        assert isinstance(self._target, duckdb.DuckDBPyConnection)
        cursor = self._target.cursor()
        return _Interruptible(cursor, self._worker, cursor.interrupt)

    def close(self) -> None:
        """End the session."""
        self._worker.do(self._target.close, self._interrupt)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def __getattr__(self, name: str) -> object:
        found: object = getattr(self._target, name)
        if not callable(found):
            return found

        def ask(*arguments: object, **named: object) -> object:
            result: object = self._worker.do(lambda: found(*arguments, **named), self._interrupt)
            if result is self._target:
                return self
            if isinstance(result, duckdb.DuckDBPyRelation):
                return _Interruptible(result, self._worker, self._interrupt)
            return result

        return ask
