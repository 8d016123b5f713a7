"""A validation that runs in threads can be broken off at any moment, also while a thread begins a query."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import duckdb
import pytest

from takings.adapters.duckdb.validation import DuckDbValidation
from takings.time_zones import business_time


@pytest.fixture
def hurried() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hurried")
def test_sessions_that_begin_meanwhile_do_not_disturb_an_interrupt() -> None:
    """An error of the interrupt would hide what ended the batch, and leave the threads at work."""
    with duckdb.connect() as connection:
        engine = DuckDbValidation(connection, business_time("UTC"), workers=2)
        kept: list[duckdb.DuckDBPyConnection] = []
        is_over = threading.Event()

        def begin_sessions() -> None:
            while not is_over.is_set() and len(kept) < 2000:
                kept.append(engine._cursor())

        threads = [threading.Thread(target=begin_sessions) for _ in range(2)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads) and len(kept) < 300:
            engine.interrupt()
        is_over.set()
        for thread in threads:
            thread.join()
        assert kept
