"""Create the state machine and the schedules."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from takings.adapters.aws import names
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.resources.network import Network
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.step import SetupStep, patiently
from takings.adapters.aws.state_machine import definition

#: the event for the detector
_SWEEP_EVENT: Final = json.dumps({"source": "takings.sweep"}, separators=(",", ":"))


def state_machine_steps(
    services: Services, pipeline: Pipeline, network: Network, task_definitions: Mapping[str, str]
) -> Iterator[SetupStep]:
    """Yield the state machine if it is missing or differs."""
    name = pipeline.name(names.STATE_MACHINE)
    wanted = definition(
        pipeline,
        subnets=list(network.subnets),
        security_groups=[network.security_group] if network.security_group else [],
        has_public_ip=network.has_public_ip,
        task_definitions=task_definitions,
    )
    role = pipeline.role(names.STATE_MACHINE_ROLE)
    try:
        found = services.stepfunctions.describe_state_machine(stateMachineArn=pipeline.state_machine)
    except services.stepfunctions.exceptions.StateMachineDoesNotExist:
        yield SetupStep(
            what=f"state machine {name}",
            make=lambda: patiently(
                lambda: services.stepfunctions.create_state_machine(
                    name=name, definition=json.dumps(wanted), roleArn=role, type="STANDARD"
                )
            ),
        )
        return
    if json.loads(found["definition"]) != wanted or found["roleArn"] != role:
        yield SetupStep(
            what=f"state machine {name} (does something else)",
            make=lambda: services.stepfunctions.update_state_machine(
                stateMachineArn=pipeline.state_machine, definition=json.dumps(wanted), roleArn=role
            ),
        )


def schedule_steps(services: Services, pipeline: Pipeline, sweep: timedelta) -> Iterator[SetupStep]:
    """Yield the group of schedules, and the sweep, if they are missing or differ."""
    group = pipeline.name(names.SCHEDULES)
    try:
        services.scheduler.get_schedule_group(Name=group)
    except services.scheduler.exceptions.ResourceNotFoundException:
        yield SetupStep(
            what=f"schedule group {group}", make=lambda: services.scheduler.create_schedule_group(Name=group)
        )
    wanted: dict[str, Any] = {
        "Name": names.SWEEP,
        "GroupName": group,
        "ScheduleExpression": _rate(sweep),
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": pipeline.function(names.DETECTOR),
            "RoleArn": pipeline.role(names.SCHEDULER_ROLE),
            "Input": _SWEEP_EVENT,
        },
    }
    try:
        found = services.scheduler.get_schedule(Name=names.SWEEP, GroupName=group)
    except services.scheduler.exceptions.ResourceNotFoundException:
        yield SetupStep(
            what=f"schedule {names.SWEEP}, {wanted['ScheduleExpression']}",
            make=lambda: patiently(lambda: services.scheduler.create_schedule(**wanted)),
        )
        return
    target = {key: found["Target"].get(key) for key in wanted["Target"]}
    is_the_same = (found["ScheduleExpression"], target) == (wanted["ScheduleExpression"], wanted["Target"])
    if not is_the_same or found.get("State") == "DISABLED":
        yield SetupStep(
            what=f"schedule {names.SWEEP} (is {wanted['ScheduleExpression']})",
            make=lambda: services.scheduler.update_schedule(**wanted),
        )


def _rate(sweep: timedelta) -> str:
    """Return a sweep's rate; a schedule has whole minutes."""
    minutes = max(1, round(sweep.total_seconds() / 60))
    return f"rate({minutes} minute{'' if minutes == 1 else 's'})"
