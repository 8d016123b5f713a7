"""Events to open pages: a listener that leaves does not affect the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the page needs the extra takings[web]")

from starlette.requests import Request
from starlette.responses import StreamingResponse

from takings.entrypoints.web import live as live_module
from takings.entrypoints.web.live import Live
from takings.entrypoints.web.opening import OpenedStore
from takings.entrypoints.web.store_reader import StoreReader
from tests.shop import silent


def _opened(store: Path) -> OpenedStore:
    for folder in ("raw-data", ".takings"):
        (store / folder).mkdir()
    return OpenedStore(str(store), silent)


async def _events(live: Live) -> AsyncIterator[str]:
    answer = await live.stream(Request({"type": "http"}))
    assert isinstance(answer, StreamingResponse)
    async for event in answer.body_iterator:
        yield str(event)


def test_listeners_that_are_cancelled_twice_disturb_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may cancel a lost connection's work repeatedly, at any moment."""
    monkeypatch.setattr(live_module, "_SIGN_OF_LIFE_SECONDS", 0.0005)

    async def story() -> list[list[str]]:
        live = Live(StoreReader(opened))
        staying = [asyncio.create_task(_all(live)) for _ in range(3)]
        for turn in range(100):
            leaving = asyncio.create_task(_all(live))
            await asyncio.sleep(0.0001 * (turn % 7))
            while not leaving.done():
                leaving.cancel()
                await asyncio.sleep(0)
        await live.close()
        return await asyncio.wait_for(asyncio.gather(*staying), 10)

    opened = _opened(tmp_path)
    try:
        # In its own thread: a browser's driver has a loop running in this one.
        with ThreadPoolExecutor(1) as thread:
            told = thread.submit(asyncio.run, story()).result()
    finally:
        opened.close()
    assert all(events[0].startswith("retry:") for events in told)
    assert [sum(event.startswith("event: state") for event in events) for events in told] == [1, 1, 1]


async def _all(live: Live) -> list[str]:
    return [event async for event in _events(live)]
