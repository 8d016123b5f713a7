"""Step Functions as the pipeline uses it: ECS tasks fail with AWS's messages, names are unique, time limits hold."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from ministack.core.responses import (
    error_response_json,
    get_account_id,
    get_region,
    json_response,
    now_iso,
    request_scope,
)
from ministack.services import ecs, stepfunctions

from tests.aws_emulator import permissions
from tests.aws_emulator.lifetime import leave_if_over
from tests.aws_emulator.patching import Function, needed, patch, patch_entry

_POLL_SECONDS: Final = 0.05
#: from the API reference of StartExecution
_NAME: Final = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")
_execution: ContextVar[dict[str, Any] | None] = ContextVar("execution", default=None)
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@dataclass(frozen=True, kw_only=True)
class Wait:
    """A wait that an execution asked for; MiniStack shortens it by SFN_WAIT_SCALE."""

    execution: str
    seconds: float


waits: list[Wait] = []
#: functions that refuse every call, and for how many seconds of an execution's waits from the first call on
refusing: dict[str, float] = {}
_first_refusal: dict[tuple[str, str], float] = {}


def behave() -> None:
    """Correct what differs from AWS."""
    needed(stepfunctions, "_executions", "_state_machines", "_resolve_state_machine_arn", "_ExecutionError")
    needed(stepfunctions, "_add_event", "_emit_execution_status_event")
    needed(ecs, "_stop_task", "_describe_tasks", "_task_defs", "_resolve_td_key")
    patch(stepfunctions, "_start_execution", "data", _once)
    patch(stepfunctions, "_run_execution", "exec_arn", _known_and_limited)
    patch(stepfunctions, "_invoke_resource", "resource, input_data", _while_it_lives)
    patch(stepfunctions, "_invoke_resource_with_timeout", "resource, input_data, timeout", _limited)
    patch(stepfunctions, "_find_matching_retrier", "retriers, error, retry_counts", _patient)
    patch(stepfunctions, "_scaled_sleep", "seconds", _told)
    patch(stepfunctions, "_invoke_ecs_run_task", "resource, input_data", _run_task)
    runs = lambda _: stepfunctions._invoke_ecs_run_task  # noqa: E731  it is read once
    patch_entry(stepfunctions, "_SERVICE_DISPATCH", "arn:aws:states:::ecs:runTask", "resource, input_data", runs)


def _once(original: Function) -> Function:
    """A running name with the same input is the same execution; a used name is taken."""

    def start_execution(data: dict[str, Any]) -> Any:
        machine = stepfunctions._resolve_state_machine_arn(data.get("stateMachineArn", ""))
        name = data.get("name")
        if name is not None and not _NAME.fullmatch(name):
            return error_response_json("InvalidName", f"Invalid Name: '{name}'", 400)
        if name is not None and machine is not None:
            arn = machine.replace(":stateMachine:", ":execution:") + f":{name}"
            running = stepfunctions._executions.get(arn)
            if running and running["status"] == "RUNNING" and running["input"] == data.get("input", "{}"):
                return json_response({"executionArn": arn, "startDate": running["startDate"]})
        return original(data)

    return start_execution


def _known_and_limited(original: Function) -> Function:
    """Every state knows its execution, and the state machine's own TimeoutSeconds ends it."""

    def run_execution(exec_arn: str) -> None:
        execution = stepfunctions._executions.get(exec_arn)
        if execution is None:
            return
        _execution.set(execution)
        machine = stepfunctions._state_machines.get(execution["stateMachineArn"])
        limit = json.loads(machine["definition"]).get("TimeoutSeconds") if machine else None
        timer = threading.Timer(limit, _time_out, [execution, get_account_id(), get_region()]) if limit else None
        if timer:
            timer.daemon = True
            timer.start()
        try:
            original(exec_arn)
        finally:
            if timer:
                timer.cancel()

    return run_execution


def _time_out(execution: dict[str, Any], account: str, region: str) -> None:
    with request_scope(account, region):
        if execution["status"] == "RUNNING":
            execution |= {"status": "TIMED_OUT", "stopDate": now_iso(), "error": "States.Timeout"}
            stepfunctions._add_event(execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {}})
            stepfunctions._emit_execution_status_event(execution)


def _while_it_lives(original: Function) -> Function:
    def invoke_resource(resource: str, input_data: Any) -> Any:
        _leave_if_ended()
        if ":::lambda:invoke" in resource:
            demand("lambda:InvokeFunction", input_data["FunctionName"])
            # Without the alias that is called.
            _refuse(input_data["FunctionName"].partition(":function:")[2].partition(":")[0])
        return original(resource, input_data)

    return invoke_resource


def demand(action: str, resource: str, conditions: Mapping[str, str] | None = None) -> None:
    """Fail the state if its state machine's role does not allow the call."""
    execution = _execution.get()
    machine = execution and stepfunctions._state_machines.get(execution["stateMachineArn"])
    if machine:
        try:
            permissions.demand(machine["roleArn"], action, resource, conditions)
        except permissions.NotAllowed as refused:
            raise stepfunctions._ExecutionError("States.Permissions", str(refused)) from refused


def _refuse(function: str) -> None:
    """Fail the state as Lambda does that has no room for another call, as long as a test wants it."""
    execution = (_execution.get() or {}).get("executionArn", "")
    waited = sum(wait.seconds for wait in waits if wait.execution == execution)
    if waited - _first_refusal.setdefault((execution, function), waited) < refusing.get(function, 0):
        raise stepfunctions._ExecutionError("Lambda.TooManyRequestsException", "Rate Exceeded.")


def forget() -> None:
    """Begin anew: nothing was waited for, and no function refuses a call."""
    waits.clear()
    refusing.clear()
    _first_refusal.clear()


def _leave_if_ended() -> None:
    """End the thread of an execution that was stopped, or whose test is over."""
    leave_if_over()
    execution = _execution.get()
    if execution is not None and execution["status"] != "RUNNING":
        raise SystemExit


def _limited(original: Function) -> Function:
    """Stop an ECS task or a job when its time is over; MiniStack would let it run."""

    def invoke_with_timeout(resource: str, input_data: Any, timeout: float) -> Any:
        if not any(each in resource for each in (":ecs:runTask.sync", ":emr-serverless:")):
            return original(resource, input_data, timeout)
        token = _deadline.set(time.monotonic() + timeout)
        try:
            return stepfunctions._invoke_resource(resource, input_data)
        finally:
            _deadline.reset(token)

    return invoke_with_timeout


def _patient(original: Function) -> Function:
    """Apply MaxDelaySeconds and JitterStrategy, which MiniStack ignores; wait at most a minute."""

    def find_matching_retrier(retriers: Any, error: str, retry_counts: dict[int, int]) -> Any:
        retrier, index = original(retriers, error, retry_counts)
        if retrier is None:
            return retrier, index
        delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** retry_counts.get(index, 0)
        delay = min(delay, retrier.get("MaxDelaySeconds", delay))
        if retrier.get("JitterStrategy") == "FULL":
            delay = random.uniform(0, delay)
        return {**retrier, "IntervalSeconds": delay, "BackoffRate": 1.0}, index

    return find_matching_retrier


def _told(original: Function) -> Function:
    def scaled_sleep(seconds: float) -> None:
        execution = _execution.get()
        if execution is not None:
            waits.append(Wait(execution=execution["executionArn"], seconds=seconds))
        original(seconds)
        _leave_if_ended()

    return scaled_sleep


def _run_task(original: Function) -> Function:
    def run_task(resource: str, input_data: Any) -> Any:
        in_cluster = {"ecs:cluster": str(input_data.get("Cluster", "default"))}
        definition = ecs._task_defs.get(ecs._resolve_td_key(input_data["TaskDefinition"]))
        if definition:
            demand("ecs:RunTask", definition["taskDefinitionArn"], in_cluster)
            for role in ("taskRoleArn", "executionRoleArn"):
                if definition.get(role):
                    demand("iam:PassRole", definition[role], {"iam:PassedToService": "ecs-tasks.amazonaws.com"})
        answer = _in_pascal_case(original(resource.removesuffix(".sync"), input_data))
        if not resource.endswith(".sync"):
            return answer
        if answer["Failures"]:
            raise stepfunctions._ExecutionError("ECS.AmazonECSException", json.dumps(answer))
        (task,) = answer["Tasks"]
        stopped = _until_it_stopped(input_data.get("Cluster", "default"), task["TaskArn"])
        if all(container.get("ExitCode") == 0 for container in stopped["Containers"]):
            return stopped
        raise stepfunctions._ExecutionError("States.TaskFailed", json.dumps(stopped))

    return run_task


def _until_it_stopped(cluster: str, arn: str) -> dict[str, Any]:
    """Wait for a task; stop it if its execution ends first, or its time is over."""
    name, in_cluster = {"cluster": cluster, "task": arn}, {"ecs:cluster": cluster}
    demand("ecs:DescribeTasks", arn, in_cluster)
    found: list[dict[str, Any]] = []

    def has_stopped() -> bool:
        _, _, body = ecs._describe_tasks({"cluster": cluster, "tasks": [arn]})
        found[:] = json.loads(body)["tasks"]
        if not found:
            raise SystemExit  # a reset took it away
        return bool(found[0]["lastStatus"] == "STOPPED")

    def stop() -> None:
        demand("ecs:StopTask", arn, in_cluster)
        ecs._stop_task({**name, "reason": "Step Functions: the execution has ended, or the state's TimeoutSeconds"})

    wait_for(has_stopped, stop)
    task: dict[str, Any] = _in_pascal_case(found[0])
    return task


def wait_for(has_ended: Callable[[], bool], stop: Callable[[], None]) -> None:
    """Wait for what a state has started; stop it if the execution ends first, or the state's time is over."""
    while not has_ended():
        deadline = _deadline.get()
        if deadline is not None and time.monotonic() > deadline:
            stop()
            raise stepfunctions._ExecutionError("States.Timeout", "")
        try:
            _leave_if_ended()
        except SystemExit:
            stop()
            raise
        time.sleep(_POLL_SECONDS)


def _in_pascal_case(value: Any) -> Any:
    """Write names in Step Functions' style."""
    if isinstance(value, list):
        return [_in_pascal_case(each) for each in value]
    if isinstance(value, dict):
        return {name[:1].upper() + name[1:]: _in_pascal_case(each) for name, each in value.items()}
    return value
