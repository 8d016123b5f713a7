"""What the functions do between a batch's tasks and after them, and how a batch is handed over."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from takings.adapters.aws import object_store
from takings.adapters.aws.executions import Handover, StateMachine
from takings.adapters.aws.names import DEADLINE
from takings.entrypoints.functions import archiver, detector
from takings.errors import SettingsError
from takings.layout import BatchId
from takings.runs import steps
from tests.aws.harness.deployed import STORE, Deployed, deploy
from tests.aws.harness.pipeline import Aws
from tests.shop import opened

BATCH = BatchId("20260101T000000000000Z-aaaa")
MINUTES = 60_000


@dataclass
class Context:
    """The context that Lambda passes to a call."""

    remaining: Iterator[int]
    aws_request_id: str = "b5f7"

    def get_remaining_time_in_millis(self) -> int:
        return next(self.remaining)


def in_time() -> Any:
    return Context(iter([15 * MINUTES] * 100))


@pytest.fixture
def deployed(pipe: Aws, functions: Path, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    """Return a pipeline whose events are held back, with functions in this process."""
    made = deploy(pipe, functions)
    pipe.hold_events()
    configured = pipe.client("lambda").get_function_configuration(FunctionName="file-archiver")
    for name, value in configured["Environment"]["Variables"].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TAKINGS_STORE", STORE)
    # Only the test runs the tasks.
    pipe.run_images({"validation-service": ["sleep", "60"], "transformation-service": ["sleep", "60"]})
    return made


def begin() -> BatchId:
    """Let the detector start a batch of what is pending."""
    started = detector({"at_once": True}, in_time())
    assert started["detected"] == "started", started
    return BatchId(str(started["batch_id"]))


def do(step: Callable[..., object], batch_id: BatchId, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a task's step in this process."""
    with monkeypatch.context() as patched:
        patched.delenv("TAKINGS_STORE")
        with opened(STORE) as shop:
            step(shop.ports, batch_id, 1)


def test_a_batch_is_planned_filed_away_in_pieces_and_ended(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest decides the tasks' size; a function that runs out of time continues where it stopped."""
    deployed.drop_all()
    batch_id = begin()
    step = {"batch_id": batch_id, "attempt": 1}
    assert detector({"source": "takings.sweep"}, in_time())["detected"] == "in progress"
    plan = archiver({"step": "plan", **step}, in_time())
    assert {name: plan[name] for name in ("tries", "cpu", "memory", "disk_gib")} == {
        "tries": 0,
        "cpu": "1024",
        "memory": "4096",
        "disk_gib": 22,
    }
    for task in (steps.validate, steps.transform):
        do(task, batch_id, monkeypatch)
    monkeypatch.setattr(object_store, "SIDE_BY_SIDE", 1)
    hurried: Any = Context(iter([15 * MINUTES, MINUTES]))
    assert archiver({"step": "file_away", **step}, hurried) == {"outcome": "unfinished", "done": False}
    assert len(deployed.keys("processed/")) == 1
    assert archiver({"step": "file_away", **step}, in_time()) == {"outcome": "filed away", "done": True}
    assert archiver({"step": "file_away", **step}, in_time()) == {"outcome": "superseded", "done": True}
    assert len(deployed.keys("processed/")) == 3


def test_a_failed_task_is_tried_again_with_what_it_lacked(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """With more memory, or after a pause; after the last try the batch is given up, and its files are pending again."""
    deployed.drop_all()
    batch_id = begin()
    step = {"batch_id": batch_id, "attempt": 1}
    plan = archiver({"step": "plan", **step}, in_time())
    full = {"Error": "States.TaskFailed", "Cause": '{"Containers": [{"ExitCode": 4}]}'}
    larger = archiver({"step": "decide", **step, "plan": plan, "error": full}, in_time())
    assert (larger["again"], larger["pause_seconds"], larger["memory"], larger["tries"]) == (True, 0, "8192", 1)
    broken = {"Error": "States.TaskFailed", "Cause": '{"Containers": [{"ExitCode": 3}]}'}
    later = archiver({"step": "decide", **step, "plan": larger, "error": broken}, in_time())
    assert (later["again"], later["memory"], later["tries"]) == (True, "8192", 2)
    last = archiver({"step": "decide", **step, "plan": later | {"tries": 3}, "error": broken}, in_time())
    assert last["again"] is False
    marked = archiver({"step": "mark_failed", **step, "error": broken}, in_time())
    assert marked == {"outcome": "given back", "done": True}
    assert len(deployed.keys("raw-data/")) == 3


def test_a_batch_s_steps_run_where_the_settings_say(deployed: Deployed) -> None:
    """As jobs only where the state machine names their package; how a job ended is read where it has left it."""
    deployed.drop_all()
    step: dict[str, Any] = {"batch_id": begin(), "attempt": 1}
    package = {"spark": "s3://shop/spark/0123456789abcdef"}
    assert archiver({"step": "plan", **step, **package}, in_time())["runs_on"] == "fargate"
    deployed.set(steps_on="emr-serverless")
    with pytest.raises(SettingsError, match="takings aws bootstrap s3://shop --spark FOLDER"):
        archiver({"step": "plan", **step}, in_time())
    plan: Any = archiver({"step": "plan", **step, **package}, in_time())
    assert (plan["runs_on"], plan["job"]["entry_point"]) == ("emr-serverless", f"{package['spark']}/step.py")
    failed = {"Error": "States.TaskFailed", "Cause": '{"JobRunId": "00j1", "StateDetails": "ExitCode: 1"}'}
    again = archiver({"step": "decide", **step, **package, "plan": plan, "error": failed}, in_time())
    assert (again["again"], again["tries"]) == (True, 1)
    deployed.put(f"staging/{step['batch_id']}/jobs/{plan['job']['transform']['name']}.exit-code", b"2\n")
    ended = archiver({"step": "decide", **step, **package, "plan": plan, "error": failed}, in_time())
    assert ended["again"] is False
    assert len(deployed.keys("raw-data/")) == 3


def test_a_batch_that_keeps_failing_waits_for_a_person(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the point of no return each sweep tries again, but not forever; then a metric raises an alarm."""
    deployed.drop_all()
    batch_id = begin()
    do(steps.validate, batch_id, monkeypatch)
    error = {"Error": "States.TaskFailed", "Cause": "the lake is gone"}
    ends: list[object] = []
    found: dict[str, object] = {}
    for attempt in range(1, steps.MOST_ATTEMPTS + 1):
        ended = archiver({"step": "mark_failed", "batch_id": batch_id, "attempt": attempt, "error": error}, in_time())
        ends.append(ended["outcome"])
        stop(deployed)
        found = detector({"source": "takings.sweep"}, in_time())
    assert ends == ["to be completed"] * 4 + ["blocked"]
    assert (found["detected"], "5 attempts have failed" in str(found["reason"])) == ("blocked", True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "BatchesBlocked" in line]
    assert [line["BatchesBlocked"] for line in lines] == [[0.0]] * 5 + [[1.0]]


def stop(deployed: Deployed) -> None:
    """End the executions, whose tasks nobody runs."""
    for each in deployed.executions():
        if each["status"] == "RUNNING":
            deployed.aws.client("stepfunctions").stop_execution(executionArn=each["executionArn"])


def test_a_deadline_is_kept_moved_and_cleared(pipe: Aws, functions: Path) -> None:
    """One schedule in whole seconds, never before the deadline."""
    deploy(pipe, functions)
    executions = machine(pipe)
    executions.wake_at(None)
    tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    executions.wake_at(tomorrow)
    executions.wake_at(tomorrow)
    assert schedule(pipe) == f"at({tomorrow:%Y-%m-%dT%H:%M:%S})"
    later = tomorrow + timedelta(minutes=5, microseconds=1)
    executions.wake_at(later)
    assert schedule(pipe) == f"at({later + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S})"
    executions.wake_at(None)
    executions.wake_at(None)
    assert schedule(pipe) is None


def test_an_attempt_is_started_once(deployed: Deployed) -> None:
    """However often it is started; what was never started is not running."""
    executions = machine(deployed.aws)
    assert not executions.is_running(BATCH, 1)
    executions.start(BATCH, 1)
    executions.start(BATCH, 1)
    assert len(deployed.executions()) == 1
    deployed.aws.ended(deployed.executions()[0]["executionArn"], seconds=90)
    assert not executions.is_running(BATCH, 1)
    executions.start(BATCH, 1)
    assert [each["name"] for each in deployed.executions()] == [f"{BATCH}-1"]


def machine(pipe: Aws) -> StateMachine:
    arn = "arn:aws:{}:eu-west-1:000000000000:{}"
    return StateMachine(
        pipe.client("stepfunctions"),
        pipe.client("scheduler"),
        Handover(
            state_machine=arn.format("states", "stateMachine:ecommerce-pipeline"),
            schedule_group="takings",
            schedule_role="arn:aws:iam::000000000000:role/takings-scheduler",
            detector=arn.format("lambda", "function:file-detector"),
        ),
        "shop",
    )


def schedule(pipe: Aws) -> str | None:
    """Return when the store will be looked at again; None without a deadline."""
    found = pipe.client("scheduler").list_schedules(GroupName="takings")["Schedules"]
    names = [each["Name"] for each in found]
    if DEADLINE not in names:
        return None
    return str(pipe.client("scheduler").get_schedule(Name=DEADLINE, GroupName="takings")["ScheduleExpression"])
