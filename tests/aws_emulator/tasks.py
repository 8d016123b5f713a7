"""ECS as the pipeline uses it: overrides count, and a stopped task is asked to end before it is killed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ministack.core.responses import get_account_id, get_region, json_response, request_scope
from ministack.services import ecs

from tests.aws_emulator import permissions
from tests.aws_emulator.containers import Container, Docker
from tests.aws_emulator.patching import Function, needed, patch, patch_entry, put

#: ECS waits 30 s by default; this is the longest wait here
LONGEST_GRACE_SECONDS: Final = 3.0
_TASK: Final = "com.amazonaws.ecs.task-arn"


def run_as_children(folder: Path) -> Docker:
    """Run every task's containers as child processes."""
    needed(
        ecs, "_tasks", "_task_defs", "_sanitize", "_resolve_task", "_resolve_cluster_name", "_cleanup_task_resources"
    )
    needed(ecs, "_ImagePullError")
    docker = Docker(folder, ecs._ImagePullError, _credentials, _entry_point)
    put(ecs, "_docker", docker)
    put(ecs, "_ECS_REAP_INTERVAL", 3600)
    patch(ecs, "_mark_task_stopped", "task_arn, task, reason, stop_code, exit_code", _in_the_words_of_aws)
    patch(ecs, "_register_task_definition", "data", _in_another_order)
    patch_entry(ecs, "_ACTION_MAP", "RegisterTaskDefinition", "data", lambda _: ecs._register_task_definition)
    patch(ecs, "_run_task", "data", _with_overrides)
    patch_entry(ecs, "_ACTION_MAP", "RunTask", "data", lambda _: ecs._run_task)
    patch(ecs, "_stop_task", "data", lambda _: lambda data: _stop(docker, data))
    patch_entry(ecs, "_ACTION_MAP", "StopTask", "data", lambda _: ecs._stop_task)
    return docker


def running(docker: Docker) -> list[dict[str, Any]]:
    """Return every container since the last reset: its process, what it was given, and its task's size."""
    return [_described(container) for container in docker.all]


def _described(container: Container) -> dict[str, Any]:
    arn = container.labels.get(_TASK) or container.labels.get("arn", "")
    task: dict[str, Any] = next((task for (_, _, key), task in ecs._tasks.all_items() if key == arn), {})
    return {
        "task": arn,
        "image": container.image,
        "pid": container.process.pid,
        "command": container.command,
        "environment": container.environment,
        "cpu": task.get("cpu"),
        "memory": task.get("memory"),
        "ephemeral_storage": task.get("ephemeralStorage"),
        "exit_code": container.exit_code,
        "log": str(container.log),
    }


def _credentials(labels: Mapping[str, str]) -> dict[str, str]:
    """Return what a container gets from its task role."""
    role = _definition(labels).get("taskRoleArn")
    return permissions.credentials(role, labels[_TASK].rsplit("/", 1)[-1]) if role else {}


def _entry_point(labels: Mapping[str, str]) -> list[str]:
    """Return what a task definition says instead of its image."""
    containers = _definition(labels).get("containerDefinitions") or [{}]
    return list(containers[0].get("entryPoint") or ())


def _definition(labels: Mapping[str, str]) -> dict[str, Any]:
    key = ":".join(labels.get(f"com.amazonaws.ecs.task-definition-{part}", "") for part in ("family", "version"))
    found: dict[str, Any] = ecs._task_defs.get(key) or {}
    return found


def _in_another_order(original: Function) -> Function:
    """Return variables in another order, without those that have no value, as ECS does."""

    def register(data: Any) -> Any:
        containers = [
            each | {"environment": [pair for pair in reversed(each.get("environment", ())) if pair["value"]]}
            for each in data.get("containerDefinitions", ())
        ]
        return original(data | {"containerDefinitions": containers})

    return register


def _in_the_words_of_aws(original: Function) -> Function:
    said = {"Essential container exited": "Essential container in task exited"}

    def mark(task_arn: str, task: Any, reason: str, stop_code: str, exit_code: int | None = None) -> Any:
        return original(task_arn, task, said.get(reason, reason), stop_code, exit_code)

    return mark


def _with_overrides(original: Function) -> Function:
    """Take the size from the overrides as well; MiniStack takes only command and environment from them."""

    def run_task(data: dict[str, Any]) -> Any:
        status, headers, body = original(data)
        if status >= 400:
            return status, headers, body
        answer = json.loads(body)
        chosen = {name: data.get("overrides", {}).get(name) for name in ("cpu", "memory", "ephemeralStorage")}
        chosen = {name: value for name, value in chosen.items() if value}
        for task in answer["tasks"]:
            task.update(chosen)
            ecs._tasks[task["taskArn"]].update(chosen)
        return json_response(answer)

    return run_task


def _stop(docker: Docker, data: dict[str, Any]) -> Any:
    """Answer at once; MiniStack would report exit code 0, and wait for the task."""
    cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))
    task = ecs._resolve_task(data.get("task", ""), cluster) if cluster is not None else None
    if task is None:
        answer = {"__type": "InvalidParameterException", "message": "The referenced task was not found."}
        return json_response(answer, 400)
    if task["desiredStatus"] != "STOPPED":
        containers = [each for each in docker.all if each.labels.get(_TASK) == task["taskArn"] and not each.removed]
        for container in containers:
            container.being_stopped = True
        task["desiredStatus"] = "STOPPED"
        scope = (get_account_id(), get_region())
        reason = data.get("reason", "Task stopped by user")
        threading.Thread(target=_end, args=(scope, docker, task, containers, reason), daemon=True).start()
    return json_response({"task": ecs._sanitize(task)})


def _end(
    scope: tuple[str, str], docker: Docker, task: dict[str, Any], containers: list[Container], reason: str
) -> None:
    with request_scope(*scope):
        end = time.monotonic() + _grace(task)
        for container in containers:
            container.stop(max(0.0, end - time.monotonic()))
        codes = [container.exit_code for container in containers]
        # The process that marks it checks whether it still should run.
        task["desiredStatus"] = "RUNNING"
        ecs._mark_task_stopped(
            task["taskArn"], task, reason, "UserInitiated", max((code or 0 for code in codes), default=None)
        )
        ecs._cleanup_task_resources(task, docker)


def _grace(task: dict[str, Any]) -> float:
    definition = next(
        each for _, each in ecs._task_defs.items() if each["taskDefinitionArn"] == task["taskDefinitionArn"]
    )
    asked = [float(container.get("stopTimeout", 30)) for container in definition["containerDefinitions"]]
    return min(LONGEST_GRACE_SECONDS, *asked)
