"""What the pipeline asks of EMR Serverless is what its API knows, by AWS's own description of it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.session import Session
from botocore.validate import ParamValidator

from takings.adapters.aws.policies import roles
from takings.adapters.aws.spark_jobs import application
from takings.adapters.aws.state_machine import definition, named_application
from takings.entrypoints.step_plans import first_plan
from tests.stages.test_step_plans import LARGE, SMALL
from tools.lint_state_machine import PIPELINE, SPARK

WITHOUT = definition(PIPELINE, subnets=["subnet-1"], security_groups=["sg-1"], has_public_ip=True)
WITH = definition(PIPELINE, subnets=["subnet-1"], security_groups=["sg-1"], has_public_ip=True, spark=SPARK)
JOBS = {"ValidateDataOnSpark": "validate", "TransformDataOnSpark": "transform"}


def complaints(operation: str, given: dict[str, Any]) -> str:
    """Return what AWS's description of an operation says against a request."""
    shape = Session().get_service_model("emr-serverless").operation_model(operation).input_shape
    assert shape is not None
    return str(ParamValidator().validate(given, shape).generate_report())


def resolved(value: Any, plan: dict[str, Any]) -> Any:
    """Return a state's parameters as Step Functions sends them, in the spelling of the API."""
    if not isinstance(value, dict):
        return value
    found = {}
    for name, part in value.items():
        plain = name.removesuffix(".$")
        sent = resolved(part, plan)
        if name.endswith(".$"):
            sent = {"plan": plan}
            for step in part.removeprefix("$.").split("."):
                sent = sent[step]
        found[plain[0].lower() + plain[1:]] = sent
    return found


@pytest.mark.parametrize(("state", "step"), list(JOBS.items()))
def test_a_job_is_started_as_the_api_asks(state: str, step: str) -> None:
    """With the plan that the function makes; what is sent is what the plan names."""
    plan: dict[str, Any] = first_plan(LARGE)
    sent = resolved(WITH["States"][state]["Parameters"], plan)
    assert complaints("StartJobRun", sent) == ""
    assert sent["clientToken"] == sent["name"] == plan["job"][step]["name"]
    assert sent["jobDriver"]["sparkSubmit"] == {
        "entryPoint": plan["job"]["entry_point"],
        "entryPointArguments": plan["job"][step]["arguments"],
        "sparkSubmitParameters": plan["job"]["parameters"],
    }
    assert sent["applicationId"] == SPARK.application
    assert complaints("StartJobRun", sent | {"sparkMaster": "local"}) != ""


def test_a_job_has_the_role_of_its_step() -> None:
    """As a task has."""
    named = {JOBS[state]: WITH["States"][state]["Parameters"]["ExecutionRoleArn"] for state in JOBS}
    assert named == {
        "validate": PIPELINE.role("takings-validation-on-spark"),
        "transform": PIPELINE.role("takings-transformation-on-spark"),
    }
    assert {PIPELINE.role(role.name) for role in roles(PIPELINE, SPARK.application)} >= set(named.values())


def test_a_job_never_outlives_its_state_for_long() -> None:
    """Step Functions cancels it when the state's time is over; EMR Serverless does so a little later, whatever happens."""
    for state in JOBS:
        limit = WITH["States"][state]["TimeoutSeconds"]
        assert limit < WITH["States"][state]["Parameters"]["ExecutionTimeoutMinutes"] * 60 <= limit + 600


def test_the_application_is_one_that_the_api_can_make() -> None:
    """It stops by itself, keeps no workers, and is bounded."""
    wanted = application(PIPELINE)
    assert complaints("CreateApplication", {**wanted, "clientToken": "a"}) == ""
    assert "initialCapacity" not in wanted
    assert wanted["autoStopConfiguration"]["enabled"]
    assert wanted["maximumCapacity"]["cpu"] == "256 vCPU"
    changed = {name: value for name, value in wanted.items() if name not in {"name", "type"}}
    assert complaints("UpdateApplication", {**changed, "applicationId": "00f1", "clientToken": "a"}) == ""


def chosen(choice: str, plan: dict[str, Any]) -> str:
    """Return the state that a choice leads to, as Step Functions finds it."""
    state = WITH["States"][choice]
    (way,) = state["Choices"]
    is_there, is_equal = way["And"]
    assert (is_there["Variable"], is_equal["Variable"]) == ("$.plan.runs_on",) * 2
    holds = ("runs_on" in plan) is is_there["IsPresent"] and plan.get("runs_on") == is_equal["StringEquals"]
    return str(way["Next"] if holds else state["Default"])


def test_the_plan_says_which_way_a_batch_goes() -> None:
    """Also a plan of an earlier version's function, which says nothing."""
    ways = {
        choice: [chosen(choice, plan) for plan in (first_plan(SMALL), first_plan(LARGE), {"tries": 0})]
        for choice in ("WhereToValidate", "WhereToTransform")
    }
    assert ways == {
        "WhereToValidate": ["ValidateData", "ValidateDataOnSpark", "ValidateData"],
        "WhereToTransform": ["TransformData", "TransformDataOnSpark", "TransformData"],
    }
    into = {name: state.get("Next") for name, state in WITH["States"].items()}
    assert [name for name, way in into.items() if way == "WhereToValidate"] == ["TakePlan", "PlanValidateDataAgain"]
    assert [name for name, way in into.items() if way == "WhereToTransform"] == [
        "ValidateData",
        "ValidateDataOnSpark",
        "PlanTransformDataAgain",
    ]


def test_a_pipeline_without_an_application_knows_no_jobs() -> None:
    """Its state machine, which needs no permission for them."""
    assert "spark" not in str(WITHOUT).lower()
    assert "emr-serverless" not in str(WITHOUT)
    assert [named_application(document) for document in (WITHOUT, WITH, {})] == [None, SPARK.application, None]
