"""Work side by side in threads, so that an error or a signal in the main thread ends all of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, Final, Self, TypeVar

Answer = TypeVar("Answer")

#: how often a wait lets a signal through, and how often work that is no longer wanted is interrupted
_LOOK_SECONDS: Final = 0.05


class Workers:
    """Threads that make calls until the block ends; then whatever still runs is interrupted, and what waits is dropped."""

    def __init__(self, number: int, interrupt: Callable[[], None]) -> None:
        """Take the number of threads, and what breaks off their calls: it is repeated until they have ended."""
        self._number = number
        self._interrupt = interrupt
        self._pool: ThreadPoolExecutor | None = None
        self._futures: set[Future[Any]] = set()
        self._is_ending = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is None:
            return
        self._is_ending.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        while running := [future for future in self._futures if not future.done()]:
            self._interrupt()
            wait(running, timeout=_LOOK_SECONDS)
        self._pool.shutdown()

    def begin(self, call: Callable[[], Answer]) -> Future[Answer]:
        """Begin a call as soon as a thread is free."""
        self._pool = self._pool or ThreadPoolExecutor(self._number, thread_name_prefix="takings-worker")
        self._futures = {future for future in self._futures if not future.done()}
        future = self._pool.submit(call)
        self._futures.add(future)
        return future

    def check_wanted(self) -> None:
        """Raise InterruptedError where the block has ended, so that a long call without an interrupt ends soon."""
        if self._is_ending.is_set():
            raise InterruptedError("the result is no longer wanted")

    @staticmethod
    def result(future: Future[Answer]) -> Answer:
        """Wait for a call and return its result, or raise what it raised; signals are handled meanwhile."""
        Workers.await_all([future])
        return future.result()

    @staticmethod
    def await_all(futures: Iterable[Future[Any]]) -> None:
        """Wait until calls have ended, whatever they return or raise; signals are handled meanwhile."""
        while wait(futures := list(futures), timeout=_LOOK_SECONDS).not_done:
            pass
