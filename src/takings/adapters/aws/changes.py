"""Wait for the next sweep of a bucket: a laptop hears nothing of its events."""

from __future__ import annotations

import queue
from contextlib import suppress

from takings.ports import Wake


class NoChanges:
    """Hints that never come; a watch finds what is new by its sweeps."""

    def __init__(self) -> None:
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._is_stopped = False

    def wait(self, seconds: float) -> Wake:
        """Wait so many seconds, or until asked to stop."""
        if not self._is_stopped:
            with suppress(queue.Empty):
                self._asked.get(timeout=max(seconds, 0))
        return Wake.STOP if self._is_stopped else Wake.QUIET

    def stop(self) -> None:
        """Ask whoever waits to stop; putting into a SimpleQueue is safe in a signal handler."""
        self._is_stopped = True
        self._asked.put(None)
