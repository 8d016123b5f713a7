"""Run the server until a signal ends it, and then disconnect open pages."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from takings.entrypoints.web.live import Live


class PageServer(uvicorn.Server):
    """A server that ends normally at SIGTERM, and as an interruption at SIGINT."""

    _asked_by: int | None = None

    def __init__(self, config: uvicorn.Config, live: Live) -> None:
        super().__init__(config)
        self._live = live

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Disconnect open pages first: they would listen forever."""
        await self._live.close()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Listen to SIGINT and SIGTERM until the server has ended."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._stop) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._asked_by == signal.SIGINT:
            raise KeyboardInterrupt

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._asked_by = self._asked_by or number
        self.handle_exit(number, frame)
