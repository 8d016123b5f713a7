"""`takings watch` as its own process: real files, real signals, real deaths."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import takings
from takings.archive.lineage import LineageStatus
from takings.intake.gate import Gate, GateState
from takings.layout import BatchId
from takings.validation.findings import Verdict
from tests.shop import (
    ITEMS,
    ORDERS,
    PRODUCTS,
    csv_of,
    drop,
    drop_all,
    expected,
    item,
    lineage,
    opened,
    order,
    published,
)
from tests.shop import run as run_store

#: longer than anything takes, however busy the machine; only a failing test waits this long
PATIENCE_SECONDS = 60

#: `takings` whose batches pause at a fact until a file `go` exists; a file `paused` says that one is pausing
PAUSING = """
import sys, time
from pathlib import Path
from takings.entrypoints import cli, console

here, fact = Path(sys.argv.pop(1)), sys.argv.pop(1)
tell = console.Teller.__call__

def pausing(self, told, known):
    tell(self, told, known)
    if told == fact:
        (here / "paused").touch()
        while not (here / "go").exists():
            time.sleep(0.01)

console.Teller.__call__ = pausing
cli.main()
"""

#: `takings` on a system without any more file events
DEAF = """
from watchdog.observers import Observer
from takings.entrypoints import cli

def refuse(*_, **__):
    raise OSError(28, "inotify watch limit reached")

Observer.schedule = refuse
cli.main()
"""

#: `takings` that never finishes computing its KPIs
ENDLESS = """
from takings.adapters.spark.lake import SparkLake
from takings.entrypoints import cli
from takings.entrypoints.commands import watch

watch._GRACE_SECONDS = 1

def rows(_, session, *__):
    print("begun", flush=True)
    session.range(10**15).selectExpr("sum(sin(id))").collect()

SparkLake.rows = rows
cli.main()
"""


def shell() -> dict[str, str]:
    """Return the environment of a process without settings, which finds the package anywhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TAKINGS_")}
    return kept | {"PYTHONPATH": str(Path(takings.__file__).parent.parent)}


def eventually(is_so: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < end, "that never came"
        time.sleep(0.02)


@dataclass(frozen=True, kw_only=True)
class Watching:
    """A running watch."""

    process: subprocess.Popen[bytes]
    printed: Path
    told: Path

    def out(self) -> str:
        """Return what it has printed on stdout so far, in one line."""
        return " ".join(self.printed.read_text().split())

    def err(self) -> str:
        """Return what it has printed on stderr so far, in one line."""
        return " ".join(self.told.read_text().split())

    def ended(self, *signals: int) -> int:
        """Send signals, and return how it ends."""
        for number in signals:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


Watch = Callable[..., Watching]


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """Return a function that starts a watch and waits until it watches; watches still running at the end are killed."""
    environment = shell()
    running: list[Watching] = []
    with ExitStack() as open_files:

        def start(
            root: Path, *options: str, code: str = "", before: tuple[str, ...] = (), **settings: object
        ) -> Watching:
            number = len(running)
            printed, told = tmp_path / f"out{number}", tmp_path / f"err{number}"
            process = subprocess.Popen(
                [sys.executable, *(["-c", code] if code else ["-m", "takings"]), *before, "watch", str(root), *options],
                cwd=tmp_path,
                env=environment | {f"TAKINGS_{name}".upper(): str(value) for name, value in settings.items()},
                stdout=open_files.enter_context(printed.open("wb")),
                stderr=open_files.enter_context(told.open("wb")),
            )
            running.append(Watching(process=process, printed=printed, told=told))
            eventually(lambda: process.poll() is not None or "Ctrl-C ends it" in running[number].err())
            return running[number]

        yield start
        for watching in running:
            watching.process.kill()
            watching.process.wait()


@pytest.fixture
def pausing(watch: Watch, tmp_path: Path) -> Callable[[Path, str], Watching]:
    """Return a function that starts a watch whose batch pauses at a fact."""

    def start(root: Path, fact: str) -> Watching:
        paused = watch(root, code=PAUSING, before=(str(tmp_path), fact), batch_files=3)
        eventually((tmp_path / "paused").exists)
        return paused

    return start


def state_of(root: Path) -> Gate:
    """Return the store's gate."""
    with opened(root) as shop:
        return shop.ports.ledger.gate()


def commits(root: Path) -> int:
    """Return how many commits the lake has."""
    return len(list((root / "lake" / "commits").glob("*.json")))


def deadline(root: Path) -> int | None:
    """Return the deadline in the gate."""
    with closing(sqlite3.connect(root / ".takings" / "takings.db")) as database:
        found = database.execute("select deadline from PendingBatches").fetchone()
    return None if found is None else int(found[0])


class TestReacting:
    def test_files_are_taken_as_they_come(self, watch: Watch, root: Path) -> None:
        """Even in new folders; what waits is reported."""
        (root / "raw-data").rmdir()
        (root / "lake").mkdir()
        watching = watch(root, batch_files=3)
        drop(root, "products/a.csv", PRODUCTS)
        eventually(lambda: "waiting: 1 file pending, but no file of orders or order_items" in watching.out())
        drop(root, "orders/2025/a.csv", ORDERS)
        drop(root, "order-items/a.csv", ITEMS)
        eventually(lambda: "commit 1: 2 days and 3 category days published" in watching.out())
        assert watching.ended(signal.SIGTERM) == 0
        assert published(root) == expected(root)

    def test_a_burst_of_ten_files_is_one_batch(self, watch: Watch, done: Path) -> None:
        """As the policy says."""
        watching = watch(done)
        for number in range(10, 20):
            drop(done, f"orders/{number}.csv", csv_of(order(number)))
        eventually(lambda: "10 accepted" in watching.out())
        assert (watching.ended(signal.SIGTERM), commits(done)) == (0, 2)

    def test_a_file_that_is_held_open_is_taken_when_it_is_closed(self, watch: Watch, root: Path) -> None:
        """The whole of it."""
        watching = watch(root, batch_files=3)
        path = root / "raw-data" / "order-items" / "a.csv"
        path.parent.mkdir()
        with path.open("wb", buffering=0) as file:
            file.write(ITEMS[:40])
            drop(root, "products/a.csv", PRODUCTS)
            drop(root, "orders/a.csv", ORDERS)
            eventually(lambda: "waiting: 2 files pending, but no file of order_items" in watching.out())
            file.write(ITEMS[40:])
        eventually(lambda: "3 accepted" in watching.out())
        assert (watching.ended(signal.SIGTERM), published(root)) == (0, expected(root))

    def test_json_is_one_line_per_batch(self, watch: Watch, done: Path) -> None:
        """Each keeps to the outcome's schema; everything else goes to stderr."""
        drop(done, "orders/notes.txt", b"")
        watching = watch(done, "--json", batch_files=1)
        drop(done, "orders/b.csv", csv_of(order(9)))
        eventually(lambda: watching.printed.read_bytes().count(b"\n") == 1)
        drop(done, "order-items/bad.csv", csv_of(item(9, 1, sale_price="0")))
        eventually(lambda: watching.printed.read_bytes().count(b"\n") == 2)
        assert watching.ended(signal.SIGTERM) == 0
        documents = [json.loads(line) for line in watching.printed.read_text().splitlines()]
        schema = json.loads((resources.files("takings") / "schemas" / "outcome.schema.json").read_text())
        assert [list(Draft202012Validator(schema).iter_errors(document)) for document in documents] == [[], []]
        assert [(document["commit"], document["files"][0]["verdict"]) for document in documents] == [
            (2, "accepted"),
            (None, "rejected"),
        ]
        assert "left alone raw-data/orders/notes.txt: its name ends in neither .csv nor .csv.gz" in watching.err()

    def test_the_sweep_finds_files_where_there_are_no_events(self, watch: Watch, done: Path) -> None:
        """It says once that there are none."""
        watching = watch(done, code=DEAF, batch_files=1, sweep="1s")
        drop(done, "orders/b.csv", csv_of(order(8)))
        eventually(lambda: commits(done) == 2)
        drop(done, "orders/c.csv", csv_of(order(9)))
        eventually(lambda: commits(done) == 3)
        assert watching.ended(signal.SIGTERM) == 0
        assert (
            len(re.findall(r"the system does not report changes under \S+ \(inotify watch limit", watching.err())) == 1
        )

    def test_a_restarted_watch_keeps_the_deadline(self, watch: Watch, root: Path) -> None:
        """And dispatches then, although nothing else happens."""
        drop_all(root)
        first = watch(root, batch_wait="5s")
        eventually(lambda: "waiting: 3 files pending" in first.out())
        before = deadline(root)
        assert first.ended(signal.SIGTERM) == 0
        assert (deadline(root), before is None) == (before, False)
        second = watch(root, batch_wait="5s")
        eventually(lambda: "commit 1" in second.out())
        assert second.ended(signal.SIGTERM) == 0


class TestEnding:
    @pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
    def test_an_idle_watch_ends_at_once(self, watch: Watch, done: Path, number: int, code: int) -> None:
        """Without another word."""
        watching = watch(done)
        assert (watching.ended(number), watching.out()) == (code, "")
        assert watching.err().endswith("Ctrl-C ends it")

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
    def test_a_running_batch_is_finished_first(
        self, pausing: Callable[[Path, str], Watching], root: Path, tmp_path: Path, number: int, code: int
    ) -> None:
        """If that takes little time."""
        watching = pausing(drop_all(root), "lake.merging")
        watching.process.send_signal(number)
        (tmp_path / "go").touch()
        assert watching.ended() == code
        assert "commit 1: 2 days and 3 category days published" in watching.out()
        assert state_of(root).state is GateState.IDLE
        assert published(root) == expected(root)

    @pytest.mark.parametrize(
        ("signals", "code"),
        [
            ((signal.SIGTERM,), 3),
            ((signal.SIGTERM, signal.SIGTERM), 3),
            ((signal.SIGINT, signal.SIGINT), 130),
        ],
    )
    def test_a_batch_that_does_not_end_soon_is_let_go(
        self, pausing: Callable[[Path, str], Watching], root: Path, signals: tuple[int, ...], code: int
    ) -> None:
        """At the second signal, or soon after the first; another process resumes it at once."""
        watching = pausing(drop_all(root), "lake.merging")
        for place, number in enumerate(signals):
            if place:
                # Two signals of a kind at the same moment are one.
                time.sleep(0.5)
            watching.process.send_signal(number)
        assert watching.ended() == code
        gate = state_of(root)
        assert (gate.state, gate.attempt) == (GateState.RUNNING, 1)
        assert (
            f"batch {gate.batch_id} is not finished; the next `takings run` or `takings watch` continues"
            in watching.err()
        )
        assert "Traceback" not in watching.err()
        (batch,) = run_store(root).batches
        assert (batch.attempt, batch.commit) == (2, 1)
        assert published(root) == expected(root)

    @pytest.mark.xdist_group("spark")
    def test_a_query_of_spark_is_broken_off(self, watch: Watch, root: Path) -> None:
        """It does not wait: on an exception's way out, a busy JVM would answer PySpark only at the query's end."""
        pytest.importorskip("pyspark")
        watching = watch(drop_all(root), "--engine", "spark", code=ENDLESS, batch_files=3)
        eventually(lambda: "begun" in watching.out())
        time.sleep(3)
        assert watching.ended(signal.SIGINT) == 130
        assert re.fullmatch(r"watching \S+; Ctrl-C ends it batch \S+ is not finished; .* continues it", watching.err())

    def test_3_while_a_batch_is_blocked(self, watch: Watch, root: Path) -> None:
        """It is reported once, and the watch stays until it is asked to end."""
        with opened(root) as shop:
            gate = Gate(state=GateState.RUNNING, batch_id=BatchId("b1"), attempt=1)
            shop.ports.ledger.change_gate(gate.blocked("numbers contradict."))
        watching = watch(root)
        text = (
            f"takings: batch b1 is blocked: numbers contradict. Then run `takings unblock {root}`;"
            " the watch continues by itself."
        )
        eventually(lambda: text in watching.err())
        assert (watching.ended(signal.SIGTERM), watching.err().count("is blocked")) == (3, 1)

    def test_2_for_a_setting_without_sense(self, root: Path, tmp_path: Path) -> None:
        """Before anything begins."""
        (root / "takings.toml").write_text('sweep = "0s"\n')
        ended = subprocess.run(
            [sys.executable, "-m", "takings", "watch", str(root)],
            cwd=tmp_path,
            env=shell(),
            capture_output=True,
            text=True,
        )
        assert (ended.returncode, ended.stdout) == (2, "")
        assert "sweep = '0s'" in ended.stderr


class TestTogether:
    def test_a_batch_of_a_killed_watch_is_resumed_by_another(
        self, pausing: Callable[[Path, str], Watching], watch: Watch, root: Path
    ) -> None:
        """At once, without an event."""
        victim = pausing(drop_all(root), "lake.merging")
        other = watch(root)
        victim.process.kill()
        victim.process.wait()
        eventually(lambda: "commit 1" in other.out())
        assert other.ended(signal.SIGTERM) == 0
        assert (commits(root), published(root)) == (1, expected(root))

    def test_several_watches_and_runs_share_a_store(self, watch: Watch, root: Path) -> None:
        """Every file is taken once, with one owner per batch."""
        watching = [watch(root, "--json", batch_files=2) for _ in range(3)]
        drop_all(root)
        codes = []
        command = [sys.executable, "-m", "takings", "run", str(root), "--now", "--json"]
        for number in range(10, 30, 2):
            drop(root, f"orders/{number}.csv", csv_of(order(number), order(number + 1, user_id=number)))
            drop(root, f"order-items/{number}.csv", csv_of(item(number, number), item(number + 1, number + 1)))
            if number % 8 == 0:
                codes.append(subprocess.run(command, env=shell(), capture_output=True).returncode)
        codes.append(subprocess.run(command, env=shell(), capture_output=True).returncode)
        ends = [one.ended(signal.SIGTERM) for one in watching]
        assert ends == [0, 0, 0], [one.err() for one in watching]
        assert codes == [0, 0, 0]
        records: list[Any] = [record for record in lineage(root) if record.verdict is Verdict.ACCEPTED]
        assert Counter(record.file_key for record in records).most_common(1)[0][1] == 1
        assert {record.status for record in records} == {LineageStatus.SUCCESS}
        assert len(records) == 23
        assert published(root) == expected(root)
