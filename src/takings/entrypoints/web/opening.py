"""Keep a store open for readers, and reopen it when its database was created or replaced meanwhile."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from takings.composition.stores import Shop, open_store_to_read
from takings.ports import Tell

_Identity = tuple[int, int, int] | None


class OpenedStore:
    """A store that requests read, several at a time."""

    def __init__(self, store: str, tell: Tell) -> None:
        self.store = store
        self._tell = tell
        self._stack = ExitStack()
        self._opening = threading.Lock()
        self._shop: Shop | None = None
        self._identity: _Identity = None
        #: DuckDB works for one request at a time: its memory is bounded, and small answers do not wait for it
        self.engine = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Shop]:
        """Lend the store; errors of its libraries within the block become Takings errors."""
        shop = self._current()
        with shop.ports.faults():
            yield shop

    def close(self) -> None:
        """Close the store, with all its reopenings."""
        with self._opening:
            self._shop = None
            self._stack.close()

    def _current(self) -> Shop:
        with self._opening:
            identity = self._look()
            if self._shop is None or identity != self._identity:
                # Other requests may still read the previous one, so it stays open, too.
                self._shop = self._stack.enter_context(open_store_to_read(self.store, self._tell))
                self._identity = identity
            return self._shop

    def _look(self) -> _Identity:
        """Return what identifies a store's database, to notice a replacement; a bucket's tables are never replaced."""
        try:
            status = (Path(self.store) / ".takings" / "takings.db").stat()
        except OSError:
            return None
        # If nothing can be written next to the database, readers use a copy made at opening.
        changed = 0 if os.access(self.store, os.W_OK) else status.st_mtime_ns
        return (status.st_dev, status.st_ino, changed)
