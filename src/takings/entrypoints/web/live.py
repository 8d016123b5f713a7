"""Send open pages what happens, as server-sent events: one look at the store serves them all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from takings.entrypoints.web.guard import HEAD
from takings.entrypoints.web.progress import look
from takings.entrypoints.web.store_reader import StoreReader
from takings.errors import TakingsError

#: a look at a folder costs a read or two; a look at a bucket costs requests
_LOOK_SECONDS, _LOOK_SECONDS_IN_A_BUCKET = 0.4, 2.0
#: proxies end an idle connection
_SIGN_OF_LIFE_SECONDS: Final = 15.0


class Live:
    """What happens on the store, for all listeners."""

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader
        self._seconds = _LOOK_SECONDS_IN_A_BUCKET if reader.opened.store.startswith("s3://") else _LOOK_SECONDS
        # One event per listener: a condition's lock is lost if a server cancels its wait more than once.
        self._listeners: set[asyncio.Event] = set()
        self._state: dict[str, Any] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._is_closed = False

    async def stream(self, request: Request) -> Response:
        """Answer with events until the listener disconnects or the server ends."""
        events = _nothing() if request.scope.get(HEAD) else self._events()
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    async def close(self) -> None:
        """Disconnect every listener."""
        self._is_closed = True
        self._wake()

    async def _events(self) -> AsyncIterator[str]:
        news = asyncio.Event()
        self._listeners.add(news)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        told: dict[str, Any] | None = None
        try:
            yield "retry: 2000\n\n"
            while not self._is_closed:
                if self._state is not None and self._state != told:
                    told = self._state
                    yield f"event: state\ndata: {json.dumps(told)}\n\n"
                    continue
                try:
                    await asyncio.wait_for(news.wait(), _SIGN_OF_LIFE_SECONDS)
                except TimeoutError:
                    yield ": still here\n\n"
                news.clear()
        finally:
            self._listeners.discard(news)

    def _wake(self) -> None:
        for news in self._listeners:
            news.set()

    async def _look(self) -> None:
        while self._listeners and not self._is_closed:
            state = await run_in_threadpool(self._see)
            if state != self._state:
                self._state = state
                self._wake()
            await asyncio.sleep(self._seconds)
        self._state = None

    def _see(self) -> dict[str, Any]:
        try:
            with self._reader.opened.reading() as shop:
                return look(shop) | {"version": self._reader.kpis(shop).version}
        except (TakingsError, OSError) as failed:
            return {"state": "UNREADABLE", "reason": str(failed), "step": None, "version": None}


async def _nothing() -> AsyncIterator[str]:
    return
    yield
