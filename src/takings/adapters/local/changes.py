"""Notice changes in a store's folder through the system's file events.

They are only hints: a network folder has none, and the system limits their number.
"""

from __future__ import annotations

import logging
import queue
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from takings.ports import Tell, Wake

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver, ObservedWatch

# It logs errors when it is stopped between two events, and for lost events, which the sweep makes up for.
logging.getLogger("watchdog").setLevel(logging.CRITICAL)

#: the files of one export arrive at shorter intervals than this, so that one look finds them all …
_QUIET_SECONDS: Final = 0.05
#: … and an endless stream is looked at after this time
_PATIENCE_SECONDS: Final = 0.25
#: reads (each look is one) are not changes; Linux reports when a writer closes the file, other systems only that it writes
_EVENTS: Final[list[type[FileSystemEvent]]] = [
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    *([] if sys.platform == "linux" else [FileModifiedEvent]),
]


class FolderChanges(FileSystemEventHandler):
    """The changes under a folder; the folder may be created later, or removed and created again."""

    def __init__(self, folder: Path, tell: Tell) -> None:
        self._folder = folder
        self._tell = tell
        self._hints: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._is_stopped = False
        self._observer: BaseObserver | None = None
        self._watch: ObservedWatch | None = None
        #: identifies the watched folder, in case another takes its name
        self._watched: tuple[int, int] | None = None

    @contextmanager
    def noticing(self) -> Iterator[FolderChanges]:
        """Notice changes until the block ends."""
        try:
            self._observer = Observer()
            self._observer.start()
        except OSError as refused:
            self._do_without(refused)
        try:
            self._follow()
            yield self
        finally:
            if self._observer is not None:
                self._observer.stop()
                self._observer.join()

    def wait(self, seconds: float) -> Wake:
        """Wait until something may have changed and the burst of changes is over, or for `seconds`, or until stopped."""
        self._follow()
        if self._next_hint(seconds):
            end = time.monotonic() + _PATIENCE_SECONDS
            while self._next_hint(_QUIET_SECONDS) and time.monotonic() < end:
                pass
            return Wake.STOP if self._is_stopped else Wake.CHANGED
        return Wake.STOP if self._is_stopped else Wake.QUIET

    def stop(self) -> None:
        """End the wait; putting into a SimpleQueue is safe in a signal handler."""
        self._is_stopped = True
        self._hints.put(None)

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Take a hint, in watchdog's thread."""
        if isinstance(event, DirDeletedEvent) and Path(str(event.src_path)) == self._folder.resolve():
            self._watched = None
        self._hints.put(None)

    def _next_hint(self, seconds: float) -> bool:
        if self._is_stopped:
            return False
        with suppress(queue.Empty):
            self._hints.get(timeout=max(seconds, 0))
            return True
        return False

    def _follow(self) -> None:
        """Watch the folder that now has the name, if it is another folder than before."""
        try:
            status = self._folder.stat()
        except OSError:
            return
        found = (status.st_dev, status.st_ino)
        if self._observer is None or found == self._watched:
            return
        if self._watch is not None:
            self._observer.unschedule(self._watch)
            self._watch = None
        try:
            self._watch = self._observer.schedule(self, self._folder.resolve(), recursive=True, event_filter=_EVENTS)
        except FileNotFoundError:
            return
        except OSError as refused:
            self._do_without(refused)
            return
        self._watched = found
        # Nobody was notified of changes before the watch began.
        self._hints.put(None)

    def _do_without(self, refused: OSError) -> None:
        if self._observer is not None and self._observer.is_alive():
            self._observer.stop()
            self._observer.join()
        self._observer = None
        self._tell("watch.without_events", {"folder": self._folder, "reason": refused.strerror or str(refused)})
