"""Tasks and executions that fail, on the whole pipeline: retried, given back or completed, with nothing lost or doubled."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from takings.adapters.aws import names
from takings.archive.lineage import LineageStatus
from takings.intake.gate import GateState
from tests.aws.harness.deployed import STORE, Deployed, failing_at, full_at, stopping_at, story
from tests.aws.harness.pipeline import until
from tests.shop import drop_all, lineage, new_store, opened, published, run

pytestmark = [pytest.mark.xdist_group("end_to_end_failures"), pytest.mark.no_cover]
RAW = ["raw-data/order-items/a.csv", "raw-data/orders/a.csv", "raw-data/products/a.csv"]


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """Return a folder where the three standard files were processed."""
    root = drop_all(new_store(tmp_path / "shop"))
    run(root)
    return root


def started(deployed: Deployed) -> str:
    """Drop the three files without events, and start their batch."""
    deployed.aws.hold_events()
    deployed.drop_all()
    answer = deployed.look(at_once=True)
    assert (answer["detected"], answer["attempt"]) == ("started", 1)
    return str(answer["batch_id"])


def is_as(deployed: Deployed, local: Path) -> bool:
    """Return whether numbers, lineage and archive are those of an undisturbed run, and nothing is left over."""
    assert published(STORE) == published(local)
    assert [told for told in story(STORE) if told[1] is LineageStatus.SUCCESS] == story(local)
    assert deployed.keys("raw-data", "processed", "failed", "staging") == [
        "processed/order_items/a.csv",
        "processed/orders/a.csv",
        "processed/products/a.csv",
    ]
    return True


def test_a_killed_task_is_tried_again_with_more_memory(deployed: Deployed, local: Path) -> None:
    """The kernel sends SIGKILL when memory runs out. The same attempt continues."""
    deployed.run_services(stopping_at("file.validating", names.VALIDATION))
    started(deployed)
    os.kill(deployed.stopped_at("file.validating", names.VALIDATION)["pid"], signal.SIGKILL)
    assert deployed.settled() == ["SUCCEEDED"]
    tried = [(task["command"][-1], task["exit_code"], task["memory"]) for task in deployed.tasks()]
    assert tried == [("validate", 137, "4096"), ("validate", 0, "8192"), ("transform", 0, "8192")]
    assert is_as(deployed, local)


def test_a_task_that_is_asked_to_end_hands_its_batch_back(deployed: Deployed, local: Path) -> None:
    """As Fargate Spot does, in the middle of the transformation; the next try has the same size, at once."""
    deployed.run_services(stopping_at("lake.merging", names.TRANSFORMATION))
    started(deployed)
    task = deployed.stopped_at("lake.merging", names.TRANSFORMATION)
    deployed.aws.client("ecs").stop_task(cluster=names.CLUSTER, task=task["task"], reason="Spot is wanted back")
    os.kill(task["pid"], signal.SIGCONT)
    assert deployed.settled() == ["SUCCEEDED"]
    tried = [(task["command"][-1], task["exit_code"], task["memory"]) for task in deployed.tasks()]
    assert tried == [("validate", 0, "4096"), ("transform", 143, "4096"), ("transform", 0, "4096")]
    assert is_as(deployed, local)


def test_what_fails_before_its_verdicts_is_given_back(deployed: Deployed, local: Path) -> None:
    """After four tries the files are pending again, and the next sweep takes them as a new batch."""
    deployed.run_services(failing_at("file.validating", names.VALIDATION))
    first = started(deployed)
    assert deployed.settled() == ["FAILED"]
    assert [task["exit_code"] for task in deployed.tasks()] == [3, 3, 3, 3]
    assert deployed.keys("raw-data", "processed", "failed") == RAW
    assert {(each.batch_id, each.reason) for each in lineage(STORE)} == {(first, "returned to pending")}
    deployed.run_services()
    deployed.set(batch_files="3")
    deployed.sweep()
    assert deployed.settled(executions=2) == ["FAILED", "SUCCEEDED"]
    assert is_as(deployed, local)


def test_a_full_disk_is_doubled_and_then_a_person_is_asked(deployed: Deployed, local: Path) -> None:
    """There is none larger than 200 GiB; unblocked on a machine that has more, the batch is completed there."""
    deployed.run_services(full_at("lake.merging", names.TRANSFORMATION))
    started(deployed)
    assert deployed.settled() == ["FAILED"]
    assert [task["exit_code"] for task in deployed.tasks()] == [0, 5, 5, 5, 5, 5]
    disks = [task["ephemeral_storage"]["sizeInGiB"] for task in deployed.tasks("transform")]
    assert disks == [22, 44, 88, 176, 200]
    with opened(STORE) as shop:
        gate = shop.ports.ledger.gate()
        assert (gate.state, str(gate.reason).partition(",")[0]) == (GateState.BLOCKED, "a task's disk of 200 GiB")
        shop.ports.ledger.change_gate(gate.unblocked(shop.ports.clock.now()))
    run(STORE)
    assert is_as(deployed, local)


def test_what_fails_after_its_verdicts_is_completed(deployed: Deployed, local: Path) -> None:
    """Its verdicts stand, so the next sweep makes another attempt at the same batch."""
    deployed.run_services(failing_at("lake.merging", names.TRANSFORMATION))
    batch_id = started(deployed)
    assert deployed.settled() == ["FAILED"]
    assert [task["exit_code"] for task in deployed.tasks()] == [0, 3, 3, 3, 3]
    deployed.run_services()
    assert deployed.look() == {"detected": "started", "batch_id": batch_id, "attempt": 2}
    assert deployed.settled(executions=2) == ["FAILED", "SUCCEEDED"]
    assert {each.batch_id for each in lineage(STORE)} == {batch_id}
    assert is_as(deployed, local)


def end_lease() -> None:
    """Set the gate's lease to a second ago, as if its owner had been silent for a minute."""
    with opened(STORE) as shop:
        gate, now = shop.ports.ledger.gate(), shop.ports.clock.now()
        shop.ports.ledger.change_gate(replace(gate.renewed(now), lease_expires_at=now - timedelta(seconds=1)))


def test_an_execution_may_outlive_its_lease(deployed: Deployed, local: Path) -> None:
    """While it runs, nobody starts another attempt; the task continues where it was."""
    deployed.run_services(stopping_at("file.validating", names.VALIDATION))
    batch_id = started(deployed)
    task = deployed.stopped_at("file.validating", names.VALIDATION)
    end_lease()
    assert deployed.look() == {"detected": "in progress", "batch_id": batch_id}
    os.kill(task["pid"], signal.SIGCONT)
    assert deployed.settled() == ["SUCCEEDED"]
    assert [task["exit_code"] for task in deployed.tasks()] == [0, 0]
    assert is_as(deployed, local)


def test_an_execution_that_somebody_stopped_is_followed_by_another(deployed: Deployed, local: Path) -> None:
    """Once its lease has ended and no execution runs, the batch gets its next attempt; the old task cannot disturb it."""
    deployed.run_services(stopping_at("lake.merging", names.TRANSFORMATION))
    batch_id = started(deployed)
    task = deployed.stopped_at("lake.merging", names.TRANSFORMATION)
    (execution,) = deployed.executions()
    deployed.aws.client("stepfunctions").stop_execution(executionArn=execution["executionArn"])
    until(lambda: deployed.tasks("transform")[0]["exit_code"] is not None)
    assert deployed.tasks("transform")[0]["task"] == task["task"]
    end_lease()
    assert deployed.look() == {"detected": "started", "batch_id": batch_id, "attempt": 2}
    assert deployed.settled(executions=2) == ["ABORTED", "SUCCEEDED"]
    assert is_as(deployed, local)
