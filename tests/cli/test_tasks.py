"""A batch's steps as container tasks: what they log, and how they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from takings.adapters.duckdb.validation import DuckDbValidation
from takings.entrypoints import tasks
from takings.errors import OutOfDisk, OutOfMemory
from takings.intake.gate import GateState
from takings.layout import BatchId
from takings.runs import steps
from takings.runs.pipeline import claim_batch, look
from tests.shop import csv_of, drop, drop_all, expected, new_store, opened, order, published, run


@dataclass
class Task:
    """Tasks on a store, in this process."""

    root: Path
    batch_id: BatchId
    printed: Callable[[], str]

    def run(self, step: str, **environment: str) -> int:
        """Run a step as the platform does: controlled by its environment."""
        work = {"TAKINGS_STORE": str(self.root), "TAKINGS_BATCH_ID": self.batch_id, "TAKINGS_ATTEMPT": "1"}
        with pytest.MonkeyPatch.context() as patched:
            for name, value in (work | environment).items():
                patched.setenv(name, value)
            return tasks.run([step], [])

    def facts(self) -> list[dict[str, Any]]:
        """Return what was logged since the last call."""
        return [json.loads(line) for line in self.printed().splitlines()]


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Restore this process's signal handlers afterwards."""
    kept = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, kept)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a store with one file of each dataset pending."""
    return drop_all(new_store(tmp_path / "shop"))


def begun(root: Path) -> BatchId:
    """Take what is pending through the gate, as the state machine does."""
    with opened(root) as shop:
        sighting, _ = look(shop.ports, shop.ports.ledger.gate(), at_once=True)
        claimed = claim_batch(shop.ports, shop.ports.ledger.gate(), sighting.drops)
    assert claimed is not None
    return BatchId(str(claimed.batch_id))


@pytest.fixture
def task(root: Path, capsys: pytest.CaptureFixture[str]) -> Task:
    """Return the tasks of a batch that was started."""
    return Task(root, begun(root), lambda: capsys.readouterr().out)


def test_the_steps_of_a_batch(task: Task) -> None:
    """Both end with 0 and log what they did, fact by fact."""
    assert task.run("validate") == tasks.DONE
    facts = task.facts()
    assert [fact["fact"] for fact in facts] == [*["file.validating", "file.judged"] * 3, "task.done"]
    assert facts[-1]["validated"] == "accepted"
    assert task.run("transform") == tasks.DONE
    assert published(task.root) == expected(task.root)


def test_maintenance_is_a_task_without_a_batch(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what it did, as a line that is a measurement as well; where a batch is in flight it changes no commit."""
    run(root)
    begun(drop(root, "orders/b.csv", csv_of(order(9))).parents[2])
    capsys.readouterr()
    assert tasks.run(["maintain"], []) == 2
    assert "the environment lacks TAKINGS_STORE" in json.loads(capsys.readouterr().out)["cause"]
    monkeypatch.setenv("TAKINGS_STORE", str(root))
    assert tasks.run(["maintain"], []) == tasks.DONE
    fact = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {name: fact[name] for name in ("fact", "compacted", "commit", "vacuumed", "expired")} == {
        "fact": "store.maintained",
        "compacted": {},
        "commit": None,
        "vacuumed": 0,
        "expired": 0,
    }
    (metric,) = fact["_aws"]["CloudWatchMetrics"]
    assert metric == {
        "Namespace": "Takings",
        "Dimensions": [["store", "service"]],
        "Metrics": [{"Name": "LakeFilesVacuumed", "Unit": "Count"}],
    }
    assert (fact["store"], fact["service"], fact["LakeFilesVacuumed"]) == (str(root), "maintenance", 0.0)
    assert published(root) == expected(root)


def test_bad_data_is_told_by_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No file of the batch was accepted."""
    root = drop(new_store(tmp_path / "shop"), "orders/bad.csv", b"id\n1\n").parents[2]
    assert Task(root, begun(root), lambda: capsys.readouterr().out).run("validate") == tasks.BAD_DATA


def test_a_newer_attempt_is_no_failure(task: Task) -> None:
    """The older one ends without a side effect."""
    with opened(task.root) as shop:
        gate = shop.ports.ledger.gate()
        shop.ports.ledger.change_gate(gate.resumed("somebody", shop.ports.clock.now()))
    assert task.run("validate") == tasks.DONE
    assert [fact["fact"] for fact in task.facts()] == ["task.superseded"]


@pytest.mark.parametrize(
    ("fault", "code", "fact"),
    [
        (OutOfMemory("DuckDB could not continue with memory = '400MB'."), tasks.OUT_OF_MEMORY, "task.out_of_memory"),
        (MemoryError("no more"), tasks.OUT_OF_MEMORY, "task.out_of_memory"),
        (OSError(28, "No space left on device", "/store/x"), tasks.OUT_OF_DISK, "task.out_of_disk"),
        (OutOfDisk("The disk is full."), tasks.OUT_OF_DISK, "task.out_of_disk"),
        (OSError(5, "Input/output error", "/store/x"), tasks.UNFINISHED, "task.failed"),
    ],
)
def test_what_breaks_is_told_apart(
    task: Task, monkeypatch: pytest.MonkeyPatch, fault: Exception, code: int, fact: str
) -> None:
    """Lack of memory needs another remedy than a retry; in both cases, the batch can be resumed."""

    def broken(*_: object, **__: object) -> None:
        raise fault

    with monkeypatch.context() as patched:
        patched.setattr(DuckDbValidation, "validate", broken)
        assert task.run("validate") == code
    assert task.facts()[-1]["fact"] == fact
    assert task.run("validate") == tasks.DONE


def test_a_terminated_task_hands_its_batch_back(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM interrupts it; the gate says that nobody works on the batch, and no file is suspected."""

    def terminated(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("the handler runs before the next line")

    with monkeypatch.context() as patched:
        patched.setattr(DuckDbValidation, "validate", terminated)
        assert task.run("validate") == tasks.TERMINATED
    with opened(task.root) as shop:
        left = shop.ports.ledger.gate()
    assert (left.state, left.owner, left.attempt, left.reading, left.suspects) == (
        GateState.RUNNING,
        None,
        1,
        None,
        (),
    )
    assert task.run("validate") == tasks.DONE


#: what runs forever, and says when it begins: a DuckDB query, the start of a JVM, a Spark job
ENDLESS = {
    # DuckDB would notice it only at the query's end: its main thread sleeps while another thread does the last work.
    "duckdb": """
from takings.adapters.duckdb.validation import DuckDbValidation
def validate(self, *_, **__):
    begin()
    self._connection.cursor().execute("select sum(sin(range)) from range(1000000000000000)").fetchall()
DuckDbValidation.validate = validate
""",
    # Meanwhile its batch is released, even if no heartbeat notices, and however slow the end is.
    "a deaf library": """
import ctypes, datetime, os, signal, time
from takings.adapters import heartbeat
from takings.adapters.duckdb.validation import DuckDbValidation
from takings.entrypoints import tasks
heartbeat.RENEWAL = datetime.timedelta(milliseconds=1)
tasks._GRACE_SECONDS = 1
end = os._exit
os._exit = lambda code: time.sleep(0.5) or end(code)
def validate(self, *_, **__):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
    begin()
    ctypes.CDLL(None).sleep(600)
DuckDbValidation.validate = validate
""",
    "jvm": """
from takings.adapters.spark.kpi_engine import SparkEngine
measures = SparkEngine.measures
SparkEngine.measures = lambda *arguments: begin() or measures(*arguments)
""",
    "spark": """
from takings.adapters.spark.lake import SparkLake
def rows(_, session, *__):
    begin()
    session.range(10**15).selectExpr("sum(sin(id))").collect()
SparkLake.rows = rows
""",
}


@pytest.mark.xdist_group("spark")
@pytest.mark.parametrize(("work", "seconds"), [("duckdb", 1), ("a deaf library", 0.5), ("jvm", 0.5), ("spark", 3)])
def test_sigterm_is_answered_soon_whatever_runs(task: Task, tmp_path: Path, work: str, seconds: float) -> None:
    """Fargate kills after at most 120 s. Everything that the task began ends with it: nobody keeps its output open."""
    is_spark = work in {"jvm", "spark"}
    if is_spark:
        pytest.importorskip("pyspark")
        assert task.run("validate") == tasks.DONE
    program = f"begin = lambda: print('begun', flush=True)\n{ENDLESS[work]}\nfrom takings.entrypoints.tasks import main\nmain()"
    environment = {
        "TAKINGS_STORE": str(task.root),
        "TAKINGS_BATCH_ID": task.batch_id,
        "TAKINGS_ATTEMPT": "1",
        "TAKINGS_ENGINE": "spark" if is_spark else "duckdb",
    }
    with (tmp_path / "told").open("w+") as said:
        with subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", program, "transform" if is_spark else "validate"],
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        ) as process:
            try:
                assert process.stdout is not None
                while "begun" not in process.stdout.readline():
                    assert process.poll() is None
                time.sleep(seconds)
                process.terminate()
                rest, _ = process.communicate(timeout=60)
            finally:
                process.kill()
        said.seek(0)
        assert (process.returncode, said.read()) == (tasks.TERMINATED, "")
    (last,) = (json.loads(line) for line in rest.splitlines())
    assert last["fact"] == "task.terminated"
    if work != "a deaf library":
        # It stops in order, without being given up: PySpark's calls to a busy JVM on the way out would be answered only at
        # the query's end.
        assert "after_seconds" not in last
    with opened(task.root) as shop:
        left = shop.ports.ledger.gate()
    assert (left.state, left.owner, left.attempt) == (GateState.RUNNING, None, 1)


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (["archive"], {}, "name the step to run, one of validate, transform, maintain; got archive."),
        ([], {}, "name the step to run, one of validate, transform, maintain; got nothing."),
        (["validate"], {}, "the environment lacks TAKINGS_STORE, TAKINGS_BATCH_ID, TAKINGS_ATTEMPT."),
        (
            ["validate"],
            {"TAKINGS_STORE": "shop", "TAKINGS_BATCH_ID": "b", "TAKINGS_ATTEMPT": "x"},
            "TAKINGS_ATTEMPT is 'x', not a number. Set it to the attempt's number.",
        ),
    ],
)
def test_wrong_usage(
    arguments: list[str],
    environment: dict[str, str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2, and one line that says what is wrong."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert tasks.run(arguments, []) == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert told in json.loads(line)["cause"]


def test_a_step_is_a_process_of_its_own() -> None:
    """Its exit code says how it went, and it prints facts."""
    command = [sys.executable, "-m", "takings.entrypoints.tasks", "archive"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    (line,) = ended.stdout.splitlines()
    assert json.loads(line)["cause"] == "name the step to run, one of validate, transform, maintain; got archive."


def test_the_last_step_finds_what_tasks_did(task: Task) -> None:
    """Afterwards, a Lambda archives the originals."""
    task.run("validate")
    task.run("transform")
    with opened(task.root) as shop:
        outcome = steps.archive(shop.ports, task.batch_id, 1)
    assert outcome is not None
    assert outcome.commit == 1
