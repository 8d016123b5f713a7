"""Fill in the state machine's definition, in the Amazon States Language."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import reduce
from importlib.resources import files
from typing import Any, Final

from takings.adapters.aws import names
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.spark_jobs import SparkJobs

_FILE: Final = "ecommerce-pipeline.asl.json"
#: the states that choose between a task and a job -> the task
_CHOICES: Final = {"WhereToValidate": "ValidateData", "WhereToTransform": "TransformData"}
#: the jobs
_JOBS: Final = ("ValidateDataOnSpark", "TransformDataOnSpark")


def definition(
    pipeline: Pipeline,
    *,
    subnets: list[str],
    security_groups: list[str],
    has_public_ip: bool,
    task_definitions: Mapping[str, str] | None = None,
    spark: SparkJobs | None = None,
) -> dict[str, Any]:
    """Return the definition for a pipeline whose tasks run in these subnets; without `spark`, it starts no jobs.

    `task_definitions` names each service's `family:revision`; without it, the newest of the family runs.
    """
    revisions = task_definitions or {}
    filled: Mapping[str, str | list[str]] = {
        "${detector}": pipeline.live(names.DETECTOR),
        "${archiver}": pipeline.live(names.ARCHIVER),
        "${cluster}": pipeline.cluster,
        "${validation_service}": revisions.get(names.VALIDATION, pipeline.name(names.VALIDATION)),
        "${transformation_service}": revisions.get(names.TRANSFORMATION, pipeline.name(names.TRANSFORMATION)),
        "${subnets}": subnets,
        "${security_groups}": security_groups,
        "${public_ip}": "ENABLED" if has_public_ip else "DISABLED",
        "${spark_application}": spark.application if spark else "",
        "${spark_package}": spark.package if spark else "",
        "${spark_logs}": pipeline.log_group(names.SPARK),
        "${validation_on_spark}": pipeline.role(names.VALIDATION_ON_SPARK_ROLE),
        "${transformation_on_spark}": pipeline.role(names.TRANSFORMATION_ON_SPARK_ROLE),
    }
    text = files(__package__).joinpath(_FILE).read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(
        reduce(
            lambda filled_in, each: filled_in.replace(json.dumps(each[0]), json.dumps(each[1])), filled.items(), text
        ).replace("${partition}", pipeline.partition)
    )
    return document if spark else _without_jobs(document)


def _without_jobs(document: dict[str, Any]) -> dict[str, Any]:
    """Return the definition of a pipeline without an application: nothing in it names EMR Serverless."""
    states = {name: state for name, state in document["States"].items() if name not in (*_CHOICES, *_JOBS)}
    for state in states.values():
        if state.get("Next") in _CHOICES:
            state["Next"] = _CHOICES[state["Next"]]
        state.get("Parameters", {}).get("Payload", {}).pop("spark", None)
    return document | {"States": states}


def named_application(document: dict[str, Any]) -> str | None:
    """Return the id of the application whose jobs a definition starts; None where it starts none."""
    state: dict[str, Any] = document.get("States", {}).get(_JOBS[0], {})
    named: str | None = state.get("Parameters", {}).get("ApplicationId")
    return named


def named_network(document: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return the subnets and the security groups of a definition's tasks; empty lists where it is not ours."""
    state: dict[str, Any] = document.get("States", {}).get("ValidateData", {})
    network = state.get("Parameters", {}).get("NetworkConfiguration", {}).get("AwsvpcConfiguration", {})
    return list(network.get("Subnets", ())), list(network.get("SecurityGroups", ()))
