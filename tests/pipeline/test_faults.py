"""What breaks in the machinery is told as what it is, and can be run again."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Timer
from typing import Any

import duckdb
import pytest
from deltalake.exceptions import DeltaError

from takings import pipeline
from takings.adapters.faults import translated_faults
from takings.entrypoints.faults import explain_os_error
from takings.errors import CorruptState, MachineryError, StoreError
from takings.gate import Gate, GateState
from tests.shop import drop_all, new_store, opened


@pytest.mark.parametrize(
    ("raised", "told", "text"),
    [
        (
            duckdb.OutOfMemoryException("no memory\nmore"),
            MachineryError,
            "DuckDB could not go on with memory = '400MB'",
        ),
        (duckdb.IOException("No space left on device"), StoreError, "No space left on device. Check the disk's space"),
        (
            sqlite3.OperationalError("database is locked"),
            StoreError,
            "takings.db: database is locked. Check that no other",
        ),
        (sqlite3.DatabaseError("malformed"), CorruptState, "takings.db is damaged (malformed). Nothing was changed."),
        (DeltaError("no log"), StoreError, "the lake could not be read or written: no log. Check the disk's space"),
    ],
)
def test_faults_of_libraries_name_the_next_step(raised: Exception, told: type[Exception], text: str) -> None:
    """A library's error becomes one of Takings, whose text says what to do."""
    with pytest.raises(told) as found, translated_faults("400MB"):
        raise raised
    assert text in str(found.value)
    assert found.value.__cause__ is raised


def test_a_signal_during_a_query_interrupts() -> None:
    """DuckDB makes it a RuntimeError of the interruption, which nothing may take for a failure and try again.

    On one thread: beside others the main thread may wait for the query's end before it looks for signals.
    """
    endless = "select count(*) from range(1_000_000_000_000) numbers (number) where number % 7 = 3"
    alarm = Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    with closing(duckdb.connect(config={"threads": 1})) as connection:
        alarm.start()
        with pytest.raises(KeyboardInterrupt), translated_faults("400MB"):
            connection.execute(endless).fetchall()


def test_a_program_error_stays_what_it_is() -> None:
    """Only DuckDB's interruption is one."""
    with pytest.raises(RuntimeError, match="nonsense"), translated_faults("400MB"):
        raise RuntimeError("nonsense")


def test_an_interrupted_batch_is_not_tried_again(tmp_path: Path) -> None:
    """It is let go of, to be resumed by whoever comes first."""
    root = drop_all(new_store(tmp_path / "shop"))
    with opened(root) as shop:

        class Interrupted:
            def __getattr__(self, method: str) -> Any:
                if method == "check":
                    raise RuntimeError("Query interrupted")
                return getattr(shop.ports.validation, method)

        with pytest.raises(KeyboardInterrupt):
            pipeline.run(replace(shop.ports, validation=Interrupted()), at_once=True)
        left = shop.ports.ledger.gate()
    assert (left.state, left.owner, left.attempt) == (GateState.RUNNING, None, 1)


def test_a_full_disk_is_told_with_its_file() -> None:
    """The system's own errors name the file, what happened and the next step."""
    full = OSError(errno.ENOSPC, "No space left on device", "/shop/lake/x")
    assert explain_os_error(full) == (
        "/shop/lake/x: No space left on device. The disk is full. Free some space and run again; nothing is lost."
    )


def test_an_answer_lost_at_the_very_end_is_told_as_what_it_is(tmp_path: Path) -> None:
    """The gate was released, only its answer was lost: that fault is told, not that the gate is gone."""
    root = drop_all(new_store(tmp_path / "shop"))
    with opened(root) as shop:

        class Deaf:
            def __getattr__(self, method: str) -> Any:
                return getattr(shop.ports.ledger, method)

            def change_gate(self, after: Gate) -> Gate:
                changed = shop.ports.ledger.change_gate(after)
                if after.state is GateState.IDLE:
                    raise StoreError("no answer.")
                return changed

        with pytest.raises(StoreError, match="no answer"):
            pipeline.run(replace(shop.ports, ledger=Deaf()), at_once=True)
