"""The state machine's definition keeps its promises."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from takings.adapters.aws.state_machine import definition
from tools.lint_state_machine import PIPELINE, dangling

DOCUMENT = definition(PIPELINE, subnets=["subnet-1", "subnet-2"], security_groups=["sg-1"], has_public_ip=False)
TASKS: dict[str, dict[str, Any]] = {
    name: state for name, state in DOCUMENT["States"].items() if state["Type"] == "Task"
}


def test_takes_a_batch_the_brief_s_way() -> None:
    """ValidateData, TransformData and ArchiveProcessedFiles follow each other; any other end is MarkFilesAsFailed."""
    assert [TASKS[name]["Next"] for name in ("ValidateData", "TransformData", "ArchiveProcessedFiles")] == [
        "TransformData",
        "ArchiveProcessedFiles",
        "AllArchived",
    ]
    assert {name for name, task in TASKS.items() if task["Resource"] == "arn:aws:states:::ecs:runTask.sync"} == {
        "ValidateData",
        "TransformData",
    }


def test_every_task_ends_and_is_tried_again() -> None:
    """None waits forever, and two batches never retry at the same moment."""
    assert [name for name, task in TASKS.items() if not task.get("TimeoutSeconds")] == []
    assert {retry["JitterStrategy"] for task in TASKS.values() for retry in task["Retry"]} == {"FULL"}


def test_whatever_fails_is_marked_as_failed() -> None:
    """Except marking itself, and the looks after the end: the next sweep takes over."""
    caught = {
        name for name, task in TASKS.items() if any(c["Next"] == "MarkFilesAsFailed" for c in task.get("Catch", ()))
    }
    assert set(TASKS) - caught == {"MarkFilesAsFailed", "LookAgain", "LookAgainAfterFailure"}
    assert {catch["ErrorEquals"][-1] for task in TASKS.values() for catch in task.get("Catch", ())[-1:]} == {
        "States.ALL"
    }


def test_names_this_pipeline_s_parts() -> None:
    """Nothing is left to fill in; tasks run in the chosen subnets."""
    assert "${" not in str(DOCUMENT)
    assert TASKS["ValidateData"]["Parameters"]["NetworkConfiguration"] == {
        "AwsvpcConfiguration": {
            "Subnets": ["subnet-1", "subnet-2"],
            "SecurityGroups": ["sg-1"],
            "AssignPublicIp": "DISABLED",
        }
    }


def test_every_way_leads_to_a_state() -> None:
    """And the check notices a way to nowhere, and a state that nothing leads to."""
    assert list(dangling(DOCUMENT)) == []
    broken = deepcopy(DOCUMENT)
    broken["States"]["ValidateData"]["Next"] = "TransformDate"
    assert list(dangling(broken)) == [
        "ValidateData leads to TransformDate, which is not a state",
    ]
    del broken["States"]["AllArchived"]["Default"]
    assert list(dangling(broken))[-1] == "nothing leads to LookAgain"
