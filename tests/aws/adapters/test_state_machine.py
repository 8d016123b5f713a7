"""The state machine's definition keeps its promises."""

from __future__ import annotations

import random
from copy import deepcopy
from typing import Any

from takings.adapters.aws.state_machine import definition
from tools.lint_state_machine import PIPELINE, SPARK, dangling

DOCUMENT = definition(PIPELINE, subnets=["subnet-1", "subnet-2"], security_groups=["sg-1"], has_public_ip=False)
#: with an application on EMR Serverless, which has all of the other's states
WHOLE = definition(
    PIPELINE, subnets=["subnet-1", "subnet-2"], security_groups=["sg-1"], has_public_ip=False, spark=SPARK
)
TASKS: dict[str, dict[str, Any]] = {name: state for name, state in WHOLE["States"].items() if state["Type"] == "Task"}


def test_takes_a_batch_the_brief_s_way() -> None:
    """ValidateData, TransformData and ArchiveProcessedFiles follow each other; any other end is MarkFilesAsFailed."""
    assert [
        DOCUMENT["States"][name]["Next"] for name in ("ValidateData", "TransformData", "ArchiveProcessedFiles")
    ] == [
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


#: what AWS says of a function or a cluster that has no room for another call or task
THROTTLED = {
    "arn:aws:states:::lambda:invoke": "Lambda.TooManyRequestsException",
    "arn:aws:states:::ecs:runTask.sync": "ECS.ThrottlingException",
    "arn:aws:states:::emr-serverless:startJobRun.sync": "EMRServerless.ThrottlingException",
}


def throttled(task: dict[str, Any]) -> dict[str, Any]:
    """Return how a task is tried again for which there is no room."""
    return next(retry for retry in task["Retry"] if THROTTLED[task["Resource"]] in retry["ErrorEquals"])


def pauses(retry: dict[str, Any]) -> list[float]:
    """Return the longest pause before each try; with full jitter it is half as long on average."""
    grown = (retry["IntervalSeconds"] * retry["BackoffRate"] ** number for number in range(retry["MaxAttempts"]))
    return [min(pause, retry["MaxDelaySeconds"]) for pause in grown]


def test_where_there_is_no_room_is_tried_again_for_ten_minutes() -> None:
    """An account may have ten calls at a time, and an export may saturate it for minutes."""
    assert [name for name, task in TASKS.items() if sum(pauses(throttled(task))) / 2 < 600] == []
    chance = random.Random(1)
    shortest = [
        min(sum(chance.uniform(0, pause) for pause in pauses(throttled(task))) for _ in range(2000))
        for task in TASKS.values()
    ]
    assert min(shortest) > 480


def test_bad_data_rings_once() -> None:
    """Its dead letters ring; an execution that fails would ring a second time."""
    (refused,) = (each for each in DOCUMENT["States"]["AllMarked"]["Choices"] if "StringEquals" in each)
    look = DOCUMENT["States"][refused["Next"]]
    assert (refused["StringEquals"], {look["Next"], *(catch["Next"] for catch in look["Catch"])}) == (
        "filed away",
        {"Refused"},
    )
    assert DOCUMENT["States"]["Refused"]["Type"] == "Succeed"


def test_a_batch_that_cannot_be_marked_ends_with_what_was_wrong() -> None:
    """Not with the failure of marking it: the next look goes on with the batch, and a person reads the cause."""
    assert TASKS["MarkFilesAsFailed"]["Catch"] == [
        {"ErrorEquals": ["States.ALL"], "ResultPath": "$.unmarked", "Next": "Failed"}
    ]
    assert DOCUMENT["States"]["Failed"]["ErrorPath"] == "$.error.Error"


def test_names_this_pipeline_s_parts() -> None:
    """Nothing is left to fill in; tasks run in the chosen subnets."""
    assert "${" not in f"{DOCUMENT}{WHOLE}"
    assert TASKS["ValidateData"]["Parameters"]["NetworkConfiguration"] == {
        "AwsvpcConfiguration": {
            "Subnets": ["subnet-1", "subnet-2"],
            "SecurityGroups": ["sg-1"],
            "AssignPublicIp": "DISABLED",
        }
    }


def test_every_way_leads_to_a_state() -> None:
    """And the check notices a way to nowhere, and a state that nothing leads to."""
    assert [*dangling(DOCUMENT), *dangling(WHOLE)] == []
    broken = deepcopy(DOCUMENT)
    broken["States"]["ValidateData"]["Next"] = "TransformDate"
    assert list(dangling(broken)) == [
        "ValidateData leads to TransformDate, which is not a state",
    ]
    del broken["States"]["AllArchived"]["Default"]
    assert list(dangling(broken))[-1] == "nothing leads to LookAgain"
