"""Broken machinery is reported as what it is, and can be run again."""

from __future__ import annotations

import errno
import gc
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Thread, Timer
from threading import enumerate as enumerate_threads
from time import monotonic
from typing import Any, Final

import duckdb
import pytest
from deltalake.exceptions import DeltaError

from takings.adapters.duckdb.session import open_duckdb
from takings.adapters.faults import translated_faults
from takings.entrypoints.faults import explain_os_error
from takings.errors import CorruptState, MachineryError, OutOfDisk, StoreError
from takings.intake.gate import Gate, GateState
from takings.refusals import code_in, remedy_of
from takings.runs import pipeline
from tests.shop import drop_all, new_store, opened

#: far less than any of the queries takes, but enough on a busy machine
_SOON_SECONDS: Final = 15


@pytest.mark.parametrize(
    ("raised", "told", "text"),
    [
        (
            duckdb.OutOfMemoryException("no memory\nmore"),
            MachineryError,
            "DuckDB could not continue with memory = '400MB'",
        ),
        (
            duckdb.OutOfMemoryException(
                "Out of Memory Error: failed to offload data block of size 256.0 KiB (1.0 GiB/1.0 GiB used).\n"
                "This limit was set by the 'max_temp_directory_size' setting."
            ),
            OutOfDisk,
            "DuckDB has no disk left to spill to: Out of Memory Error: failed to offload data block of size 256.0 KiB",
        ),
        (
            duckdb.IOException(
                'IO Error: Async write failed: {"exception_type":"IO","exception_message":"Could not write file'
                ' \\"/shop/b.parquet\\": No space left on device","errno":"28"}'
            ),
            OutOfDisk,
            'read or written: Could not write file "/shop/b.parquet": No space left on device. The disk is full. Free',
        ),
        (
            duckdb.IOException('IO Error: Cannot open file "/shop/a.parquet": Too many open files\n\nLINE 1: select'),
            StoreError,
            'Cannot open file "/shop/a.parquet": Too many open files. Too many files are open. Raise the limit (`ulimit -n`',
        ),
        (duckdb.IOException("odd"), StoreError, "the store could not be read or written: odd. Check the disk's space"),
        (
            OSError(
                "Generic LocalFileSystem error\n \x1b[31m↳\x1b[0m Unable to copy\n  \x1b[31m↳\x1b[0m Full (os error 28)\n"
            ),
            OutOfDisk,
            "Generic LocalFileSystem error: Unable to copy: Full (os error 28). The disk is full. Free some space",
        ),
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
    """A library's error becomes a Takings error that says what to do."""
    with pytest.raises(told) as found, translated_faults("400MB"):
        raise raised
    assert text in str(found.value)
    assert found.value.__cause__ is raised


def test_a_signal_during_a_query_that_duckdb_runs_itself_interrupts() -> None:
    """DuckDB makes it a RuntimeError, which nothing may mistake for a failure and retry.

    On one thread: with others, the main thread may wait for the end of the query before it looks for signals.
    """
    alarm = Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    with closing(duckdb.connect(config={"threads": 1})) as connection:
        alarm.start()
        with pytest.raises(KeyboardInterrupt), translated_faults("400MB"):
            connection.execute(ENDLESS["aggregate"]).fetchall()


#: queries that take hours, each in another part of an engine
ENDLESS: Final = {
    "aggregate": "select sum(sin(number)) from range(1_000_000_000_000_000) numbers (number)",
    "group": "select number % 5_000_000, count(*) from range(1_000_000_000_000) numbers (number) group by all",
    "join": "select count(*) from range(100_000_000) a (x) join range(100_000_000) b (y) on a.x % 1000 = b.y % 1000",
    "rows": "select * from range(1_000_000_000_000) numbers (number)",
}


class Asked(KeyboardInterrupt):
    """What a custom handler raises."""


def exhaust(cursor: duckdb.DuckDBPyConnection, query: str) -> None:
    """Fetch every row."""
    cursor.execute(query)
    while cursor.fetchmany(1000):
        pass


class TestInterruption:
    @pytest.mark.parametrize("threads", [1, 2])
    @pytest.mark.parametrize("query", ENDLESS)
    def test_a_signal_breaks_off_whatever_a_query_is_at(self, tmp_path: Path, query: str, threads: int) -> None:
        """Even next to other threads, where DuckDB alone would notice it only at the query's end; the session stays usable."""
        with closing(open_duckdb("400MB", threads, tmp_path)) as connection:
            alarm = Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
            alarm.start()
            began = monotonic()
            with pytest.raises(KeyboardInterrupt), translated_faults("400MB"), connection.cursor() as cursor:
                exhaust(cursor, ENDLESS[query])
            assert monotonic() - began < _SOON_SECONDS
            assert connection.execute("select 1").fetchall() == [(1,)]

    def test_what_a_handler_raises_arrives_and_what_it_does_not_raise_breaks_nothing_off(self, tmp_path: Path) -> None:
        """A watch finishes its batch after the first signal, and a task has its own interruption."""
        heard: list[int] = []

        def handler(number: int, _: object) -> None:
            heard.append(number)
            if len(heard) == 2:
                raise Asked

        before = signal.signal(signal.SIGTERM, handler)
        timers = [Timer(after, lambda: os.kill(os.getpid(), signal.SIGTERM)) for after in (0.1, 0.6)]
        try:
            with closing(open_duckdb("400MB", 2, tmp_path)) as connection:
                for timer in timers:
                    timer.start()
                with pytest.raises(Asked):
                    connection.execute(ENDLESS["aggregate"])
        finally:
            for timer in timers:
                timer.join()
            signal.signal(signal.SIGTERM, before)
        assert heard == [signal.SIGTERM] * 2

    def test_other_threads_ask_duckdb_themselves(self, tmp_path: Path) -> None:
        """A web page does; several may ask at once, each on its own cursor."""
        answers: list[object] = []
        with closing(open_duckdb("400MB", 2, tmp_path)) as connection:

            def ask(number: int) -> None:
                with connection.cursor() as cursor:
                    answers.append(cursor.execute("select $1", [number]).fetchone())

            threads = [Thread(target=ask, args=(number,)) for number in range(5)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert sorted(map(str, answers)) == [f"({number},)" for number in range(5)]

    def test_errors_of_duckdb_stay_what_they_are(self, tmp_path: Path) -> None:
        """They are raised where the query was run, in DuckDB's own words."""
        with (
            closing(open_duckdb("400MB", 1, tmp_path)) as connection,
            pytest.raises(duckdb.BinderException, match="nowhere"),
        ):
            connection.execute("select nowhere")

    def test_no_thread_is_left_behind(self, tmp_path: Path) -> None:
        """A process that keeps opening stores has as many threads as before."""
        before = set(enumerate_threads())
        for _ in range(3):
            with closing(open_duckdb("400MB", 1, tmp_path)) as connection:
                connection.execute("select 1").fetchall()
            del connection
        gc.collect()
        for thread in set(enumerate_threads()) - before:
            thread.join(timeout=10)
        assert set(enumerate_threads()) <= before


def test_a_program_error_stays_what_it_is() -> None:
    """Only DuckDB's own interruption counts as one."""
    with pytest.raises(RuntimeError, match="nonsense"), translated_faults("400MB"):
        raise RuntimeError("nonsense")


def test_an_interrupted_batch_is_not_tried_again(tmp_path: Path) -> None:
    """It is released, and the next process resumes it."""
    root = drop_all(new_store(tmp_path / "shop"))
    with opened(root) as shop:

        class Interrupted:
            def __getattr__(self, method: str) -> Any:
                if method == "validate":
                    raise RuntimeError("Query interrupted")
                return getattr(shop.ports.validation, method)

        with pytest.raises(KeyboardInterrupt):
            pipeline.run(replace(shop.ports, validation=Interrupted()), at_once=True)
        left = shop.ports.ledger.gate()
    assert (left.state, left.owner, left.attempt) == (GateState.RUNNING, None, 1)


def test_a_full_disk_is_told_with_its_file() -> None:
    """The system's errors name the file, what happened, and the next step."""
    full = OSError(errno.ENOSPC, "No space left on device", "/shop/lake/x")
    assert explain_os_error(full) == (
        "/shop/lake/x: No space left on device. The disk is full. Free some space and run again; nothing is lost."
    )


def test_a_lack_of_open_files_is_told_as_such_by_every_library(tmp_path: Path) -> None:
    """DuckDB, SQLite and delta-rs, whose panic is not an Exception, each with a limit that is reached."""
    script = """
import sys, resource
from contextlib import suppress
from pathlib import Path
import duckdb, sqlite3
from deltalake import DeltaTable
from takings.adapters.faults import translated_faults
from takings.errors import StoreError

root = Path(sys.argv[1])
connection = duckdb.connect()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
kept = []
with suppress(OSError):
    while True:
        kept.append(open("/dev/null"))
for refused in (
    lambda: connection.execute(f"copy (select 1) to '{root}/a.parquet'"),
    lambda: sqlite3.connect(root / "a.db").execute("select * from sqlite_master"),
    lambda: DeltaTable(str(root)),
):
    try:
        with translated_faults("400MB"):
            refused()
    except StoreError as told:
        print(told)
"""
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True)
    told = done.stdout.splitlines()
    assert len(told) == 3
    assert all("ulimit -n" in each and "disk" not in each for each in told)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EROFS])
def test_what_the_system_refuses_is_known_by_number_and_by_text(code: int) -> None:
    """Libraries report one or the other."""
    assert code_in(f"IO Error: {os.strerror(code)}\nmore") == code
    assert code_in(f"it failed (os error {code})") == code
    assert remedy_of(code) is not None


def test_an_answer_lost_at_the_very_end_is_told_as_what_it_is(tmp_path: Path) -> None:
    """The gate was released and only the answer was lost: the error says so, not that the gate is gone."""
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
