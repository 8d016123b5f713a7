"""Keep a lease alive from a separate thread while the owner works."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from takings.errors import MachineryError
from takings.intake.gate import RENEWAL

_log = logging.getLogger("takings")


class ThreadHeartbeat:
    """A beat every 15 seconds, within a block of `faults`, so that errors of libraries become Takings errors."""

    def __init__(self, faults: Callable[[], AbstractContextManager[None]]) -> None:
        self._faults = faults

    @contextmanager
    def beating(self, beat: Callable[[], None]) -> Iterator[None]:
        """Call `beat` until the block ends; an error in it ends the calls, and the owner notices at its next step."""
        done = threading.Event()

        def keep_beating() -> None:
            while not done.wait(RENEWAL.total_seconds()):
                try:
                    with self._faults():
                        beat()
                except MachineryError as lost:
                    _log.warning("lease.lost reason=%s", lost)
                    return

        thread = threading.Thread(target=keep_beating, name="takings-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
