"""Wait for the next sweep of a bucket: a laptop does not receive its events."""

from __future__ import annotations

import queue
from contextlib import suppress

from takings.ports import Wake


class NoChanges:
    """Hints that never come; a watch finds new files by its sweeps."""

    def __init__(self) -> None:
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._is_stopped = False

    def wait(self, seconds: float) -> Wake:
        """Wait for `seconds`, or until asked to stop."""
        if not self._is_stopped:
            with suppress(queue.Empty):
                self._asked.get(timeout=max(seconds, 0))
        return Wake.STOP if self._is_stopped else Wake.QUIET

    def stop(self) -> None:
        """End the wait; putting into a SimpleQueue is safe in a signal handler."""
        self._is_stopped = True
        self._asked.put(None)
