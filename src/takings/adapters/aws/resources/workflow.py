"""Create the state machine and the schedules."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from takings.adapters.aws import names
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.resources.network import Network
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.step import SetupStep, patiently
from takings.adapters.aws.spark_jobs import SparkJobs
from takings.adapters.aws.state_machine import definition

#: a lake grows slowly, and what nothing needs is kept for a week anyway
_MAINTAINED: Final = "rate(1 day)"
#: the event for the detector
_SWEEP_EVENT: Final = json.dumps({"source": "takings.sweep"}, separators=(",", ":"))


@dataclass(frozen=True, kw_only=True)
class Watching:
    """How executions and calls are recorded."""

    #: the events of executions that are logged: OFF, FATAL, ERROR or ALL
    level: str
    #: by X-Ray
    is_traced: bool

    def of_executions(self, pipeline: Pipeline) -> dict[str, Any]:
        """Return the state machine's options; data is never logged: it would only repeat what the store has."""
        group = pipeline.arn("logs", f"log-group:{pipeline.log_group(names.STATE_MACHINE)}:*")
        logs = [] if self.level == "OFF" else [{"cloudWatchLogsLogGroup": {"logGroupArn": group}}]
        return {
            "loggingConfiguration": {"level": self.level, "includeExecutionData": False, "destinations": logs},
            "tracingConfiguration": {"enabled": self.is_traced},
        }


def state_machine_steps(
    services: Services,
    pipeline: Pipeline,
    network: Network,
    task_definitions: Mapping[str, str],
    watching: Watching | None = None,
    spark: SparkJobs | None = None,
) -> Iterator[SetupStep]:
    """Yield the state machine if it is missing or differs; without `watching`, leave its logs and traces as they are."""
    name = pipeline.name(names.STATE_MACHINE)
    recorded = watching.of_executions(pipeline) if watching else {}
    wanted = definition(
        pipeline,
        subnets=list(network.subnets),
        security_groups=[network.security_group] if network.security_group else [],
        has_public_ip=network.has_public_ip,
        task_definitions=task_definitions,
        spark=spark,
    )
    role = pipeline.role(names.STATE_MACHINE_ROLE)
    try:
        found = services.stepfunctions.describe_state_machine(stateMachineArn=pipeline.state_machine)
    except services.stepfunctions.exceptions.StateMachineDoesNotExist:
        yield SetupStep(
            what=f"state machine {name}",
            make=lambda: patiently(
                lambda: services.stepfunctions.create_state_machine(
                    name=name, definition=json.dumps(wanted), roleArn=role, type="STANDARD", **recorded
                )
            ),
        )
        return
    does_so = json.loads(found["definition"]) == wanted and found["roleArn"] == role
    if not does_so or any(_recorded(found, key) != value for key, value in recorded.items()):
        yield SetupStep(
            what=f"state machine {name} ({'is recorded otherwise' if does_so else 'does something else'})",
            make=lambda: patiently(
                lambda: services.stepfunctions.update_state_machine(
                    stateMachineArn=pipeline.state_machine, definition=json.dumps(wanted), roleArn=role, **recorded
                )
            ),
        )


def _recorded(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return an option of a state machine, with what Step Functions leaves out."""
    usual: dict[str, Any] = {
        "loggingConfiguration": {"level": "OFF", "includeExecutionData": False, "destinations": []},
        "tracingConfiguration": {"enabled": False},
    }
    return {**usual[key], **(found.get(key) or {})}


def schedule_steps(services: Services, pipeline: Pipeline, sweep: timedelta, network: Network) -> Iterator[SetupStep]:
    """Yield the group of schedules, the sweep and the maintenance, if they are missing or differ."""
    group = pipeline.name(names.SCHEDULES)
    try:
        services.scheduler.get_schedule_group(Name=group)
    except services.scheduler.exceptions.ResourceNotFoundException:
        yield SetupStep(
            what=f"schedule group {group}", make=lambda: services.scheduler.create_schedule_group(Name=group)
        )
    look = {"Arn": pipeline.live(names.DETECTOR), "Input": _SWEEP_EVENT}
    yield from _schedule_steps(services, pipeline, names.SWEEP, _rate(sweep), look)
    yield from _schedule_steps(services, pipeline, names.MAINTAIN, _MAINTAINED, _maintenance(pipeline, network))


def moved_maintenance(services: Services, pipeline: Pipeline, network: Network) -> Iterator[SetupStep]:
    """Yield the schedule of the maintenance if it is there and runs in another network."""
    try:
        services.scheduler.get_schedule(Name=names.MAINTAIN, GroupName=pipeline.name(names.SCHEDULES))
    except services.scheduler.exceptions.ResourceNotFoundException:
        return
    yield from _schedule_steps(services, pipeline, names.MAINTAIN, _MAINTAINED, _maintenance(pipeline, network))


def _maintenance(pipeline: Pipeline, network: Network) -> dict[str, Any]:
    """Return what the schedule starts: the newest task definition of the maintenance, where other tasks run."""
    return {
        "Arn": pipeline.cluster,
        "EcsParameters": {
            "TaskDefinitionArn": pipeline.arn("ecs", f"task-definition/{pipeline.name(names.MAINTENANCE)}"),
            "LaunchType": "FARGATE",
            "TaskCount": 1,
            # As others write down what is taken for granted.
            "EnableECSManagedTags": False,
            "EnableExecuteCommand": False,
            "PropagateTags": "TASK_DEFINITION",
            "NetworkConfiguration": {
                "awsvpcConfiguration": {
                    "Subnets": list(network.subnets),
                    "SecurityGroups": [network.security_group] if network.security_group else [],
                    "AssignPublicIp": "ENABLED" if network.has_public_ip else "DISABLED",
                }
            },
        },
    }


def _schedule_steps(
    services: Services, pipeline: Pipeline, name: str, expression: str, target: dict[str, Any]
) -> Iterator[SetupStep]:
    wanted: dict[str, Any] = {
        "Name": name,
        "GroupName": pipeline.name(names.SCHEDULES),
        "ScheduleExpression": expression,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": target | {"RoleArn": pipeline.role(names.SCHEDULER_ROLE)},
    }
    try:
        found = services.scheduler.get_schedule(Name=name, GroupName=wanted["GroupName"])
    except services.scheduler.exceptions.ResourceNotFoundException:
        yield SetupStep(
            what=f"schedule {name}, {expression}",
            make=lambda: patiently(lambda: services.scheduler.create_schedule(**wanted)),
        )
        return
    present = {key: found["Target"].get(key) for key in wanted["Target"]}
    is_the_same = (found["ScheduleExpression"], _in_order(present)) == (expression, _in_order(wanted["Target"]))
    if not is_the_same or found.get("State") == "DISABLED":
        yield SetupStep(
            what=f"schedule {name} (is {expression})" if name == names.SWEEP else f"schedule {name} (runs otherwise)",
            make=lambda: services.scheduler.update_schedule(**wanted),
        )


def _in_order(value: Any) -> Any:  # noqa: ANN401 - a part of a document
    """Return a target with its lists in order: subnets may be answered in any."""
    if isinstance(value, dict):
        return {key: _in_order(part) for key, part in value.items()}
    return sorted(value) if isinstance(value, list) else value


def _rate(sweep: timedelta) -> str:
    """Return a sweep's rate; a schedule has whole minutes."""
    minutes = max(1, round(sweep.total_seconds() / 60))
    return f"rate({minutes} minute{'' if minutes == 1 else 's'})"
