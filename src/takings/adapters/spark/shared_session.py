"""Share one Spark session: it begins with its first user, and ends for all of them together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from pyspark.sql import SparkSession


class SharedSession:
    """The session of one command. Only the main thread may call it."""

    def __init__(self, open_session: Callable[[], AbstractContextManager[SparkSession]]) -> None:
        self._open_session = open_session
        self._opened: tuple[SparkSession, ExitStack] | None = None

    def session(self) -> SparkSession:
        """Return the session, which begins now if there is none."""
        if self._opened is None:
            stack = ExitStack()
            self._opened = stack.enter_context(self._open_session()), stack
        return self._opened[0]

    @contextmanager
    def lent(self) -> Iterator[SparkSession]:
        """Yield the session, and end it with the block, as an error or an interruption in it demands."""
        session = self.session()
        try:
            yield session
        except BaseException as failed:
            self._end(session, failed)
            raise
        self._end(session)

    def close(self) -> None:
        """End the session, if there is one."""
        if self._opened is not None:
            self._end(self._opened[0])

    def _end(self, session: SparkSession, failed: BaseException | None = None) -> None:
        """End this session, unless another user has."""
        if self._opened is None or self._opened[0] is not session:
            return
        _, stack = self._opened
        self._opened = None
        if failed is None:
            stack.close()
        else:
            stack.__exit__(type(failed), failed, failed.__traceback__)
