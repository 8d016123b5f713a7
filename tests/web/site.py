"""Serve a store's page on a free port of this machine, in a thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from takings.entrypoints.web.application import application
from takings.entrypoints.web.live import Live
from takings.entrypoints.web.opening import OpenedStore
from takings.entrypoints.web.server import PageServer
from takings.entrypoints.web.store_reader import StoreReader
from tests.shop import silent


class _Threaded(PageServer):
    """A server that leaves signals to the tests."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def served(store: Path | str, *, token: str | None = None) -> Iterator[str]:
    """Serve a store until the block ends; return its address."""
    opened = OpenedStore(str(store), silent)
    reader = StoreReader(opened)
    live = Live(reader)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(application(reader, live, token=token), log_config=None, timeout_graceful_shutdown=3)
    server = _Threaded(config, live)
    thread = threading.Thread(target=server.run, args=([listener],), name="page")
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
        opened.close()
