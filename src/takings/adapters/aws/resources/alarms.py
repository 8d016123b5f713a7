"""Create the alarms and the dashboard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from takings.adapters.aws import names
from takings.adapters.aws.alarms import AlarmLimits, alarm_names, alarms
from takings.adapters.aws.dashboard import dashboard
from takings.adapters.aws.faults import code_of
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.step import SetupStep


def alarm_steps(services: Services, pipeline: Pipeline, limits: AlarmLimits) -> Iterator[SetupStep]:
    """Yield each alarm that is missing or differs, then the dashboard."""
    wanted = [alarm.definition(pipeline) for alarm in alarms(pipeline, limits)]
    found = _found(services, [each["AlarmName"] for each in wanted])
    for each in wanted:
        present = found.get(each["AlarmName"])
        if present is None or any(_plain(present.get(key)) != _plain(value) for key, value in each.items()):
            yield SetupStep(
                what=f"alarm {each['AlarmName']}{'' if present is None else ' (rings at something else)'}",
                make=partial(services.cloudwatch.put_metric_alarm, **each),
            )
    yield from _dashboard_steps(services, pipeline)


def remove_alarms(services: Services, pipeline: Pipeline) -> Iterator[SetupStep]:
    """Yield the removal of the existing alarms and dashboard."""
    for alarm in _found(services, alarm_names(pipeline)):
        yield SetupStep(what=f"alarm {alarm}", make=partial(services.cloudwatch.delete_alarms, AlarmNames=[alarm]))
    name = pipeline.name(names.DASHBOARD)
    if _body(services, name) is not None:
        yield SetupStep(
            what=f"dashboard {name}", make=lambda: services.cloudwatch.delete_dashboards(DashboardNames=[name])
        )


def _plain(value: object) -> object:
    """Return a value without the order of its parts: dimensions may come in any order."""
    return sorted(value, key=str) if isinstance(value, list) else value


def _found(services: Services, wanted: list[str]) -> dict[str, dict[str, Any]]:
    """Return the existing ones of the wanted alarms, in the order of `wanted`."""
    described = services.cloudwatch.describe_alarms(AlarmNames=wanted, AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    by_name = {each["AlarmName"]: dict(each) for each in described}
    return {name: by_name[name] for name in wanted if name in by_name}


def _dashboard_steps(services: Services, pipeline: Pipeline) -> Iterator[SetupStep]:
    name = pipeline.name(names.DASHBOARD)
    wanted = dashboard(pipeline)
    found = _body(services, name)
    if found is None or json.loads(found) != wanted:
        yield SetupStep(
            what=f"dashboard {name}{'' if found is None else ' (shows something else)'}",
            make=lambda: services.cloudwatch.put_dashboard(DashboardName=name, DashboardBody=json.dumps(wanted)),
        )


def _body(services: Services, name: str) -> str | None:
    try:
        return services.cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"]
    except ClientError as refused:
        # The error's name depends on the protocol: ResourceNotFound, DashboardNotFoundError.
        if "NotFound" in code_of(refused):
            return None
        raise
