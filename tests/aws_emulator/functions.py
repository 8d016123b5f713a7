"""Lambda and EventBridge Scheduler as the pipeline uses them: errors keep their types, failed events become dead letters."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
import zipfile
from contextvars import ContextVar
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any, Final

from ministack.core import lambda_runtime
from ministack.services import cloudwatch_logs, eventbridge, lambda_svc, scheduler, sqs

from tests.aws_emulator import lifetime
from tests.aws_emulator.patching import Function, needed, patch, put, put_text

_TOLD = '"error": str(e), "trace": traceback.format_exc()'
_TOLD_WITH_TYPE = '"error": str(e), "type": type(e).__name__, "trace": traceback.format_exc()'
_raised: ContextVar[str | None] = ContextVar("raised", default=None)
#: how far the Scheduler's clock is ahead, so that a test need not wait for a sweep
_ahead = 0.0


def behave(python: str, tick: float) -> None:
    """Correct what differs from AWS; functions run on the given Python."""
    needed(lambda_svc, "_execution_record_for_config", "_get_func_record_for_ref", "_functions")
    needed(cloudwatch_logs, "_log_groups")
    needed(sqs, "_queue_by_arn", "_act_send_message")
    patch(lambda_runtime, "_detect_runtime_binary", "runtime", lambda original: _on(python, original))
    put_text(lambda_runtime, "_PYTHON_WORKER_SCRIPT", _TOLD, _TOLD_WITH_TYPE)
    put(lambda_runtime, "zipfile", SimpleNamespace(ZipFile=ExtractedOnce, BadZipFile=zipfile.BadZipFile))
    patch(
        lambda_runtime.Worker,
        "invoke",
        "self, event, request_id, trace_id, depth, durable, invoked_function_arn",
        _noting_what_was_raised,
    )
    patch(lambda_svc, "_execute_function_warm", "func, event, request_id", _with_error_types)
    patch(lambda_svc, "_execute_function", "func, event", _within_its_lifetime)
    parameters = "func, request_id, log_text, error, duration_ms, log_source"
    patch(lambda_svc, "_emit_lambda_logs", parameters, _unless_its_lifetime_is_over)
    patch(lambda_svc, "_route_async_failure", "target_arn, func_name, event, result", _as_dead_letter)
    patch(eventbridge, "_dispatch_to_lambda", "arn, payload", lambda _: _invoke_later)
    patch(scheduler, "reset", "", _forgetting_what_fired)
    patch(scheduler, "_delete_schedule", "name, query", _forgetting_one)
    put(scheduler, "_SCHEDULE_TICK_INTERVAL", tick)
    put(scheduler, "time", SimpleNamespace(time=lambda: time.time() + _ahead, sleep=time.sleep))


class ExtractedOnce(zipfile.ZipFile):
    """An archive that is extracted once for all functions that it is the code of, as most have the same two."""

    _folders: Final[dict[str, Path]] = {}
    _one_at_a_time: Final = Lock()

    def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:
        """Lay links to what the archive holds into a folder; Python compiles it once, too."""
        assert (members, pwd) == (None, None)
        assert self.filename is not None
        digest = hashlib.sha256(Path(self.filename).read_bytes()).hexdigest()
        with self._one_at_a_time:
            if digest not in self._folders:
                folder = Path(tempfile.mkdtemp(prefix="code-"))
                super().extractall(folder)
                self._folders[digest] = folder
        for entry in self._folders[digest].iterdir():
            (Path(path) / entry.name).symlink_to(entry)


def advance(seconds: float) -> None:
    """Move the Scheduler's clock ahead of the others."""
    global _ahead
    _ahead = seconds


def _on(python: str, original: Function) -> Function:
    def detect(runtime: str) -> tuple[str, str]:
        binary, script = original(runtime)
        return (python if runtime.startswith("python") else binary), script

    return detect


def _noting_what_was_raised(original: Function) -> Function:
    def invoke(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        _raised.set(result.get("type"))
        return result

    return invoke


def _with_error_types(original: Function) -> Function:
    """Use the exception's class as on AWS; MiniStack calls every error Runtime.HandlerError."""

    def execute(func: Any, event: Any, request_id: str) -> Any:
        _raised.set(None)
        result = original(func, event, request_id)
        if result.get("error") and result["body"]["errorType"] == "Runtime.HandlerError" and (raised := _raised.get()):
            result["body"] |= {"errorType": raised, "requestId": request_id}
        return result

    return execute


def _within_its_lifetime(original: Function) -> Function:
    """Do not retry an event after a reset."""

    def execute(func: Any, event: Any) -> Any:
        lifetime.leave_if_over()
        return original(func, event)

    return execute


def _unless_its_lifetime_is_over(original: Function) -> Function:
    """Keep the output of a function killed by a reset out of the next test's logs.

    A function that is deleted while it runs makes no new log group for its last words: no role of the pipeline may.
    """

    def emit(func: Any, *args: Any, **kwargs: Any) -> None:
        name = (func.get("config") or func)["FunctionName"]
        is_kept = name in lambda_svc._functions or f"/aws/lambda/{name}" in cloudwatch_logs._log_groups
        if is_kept and not lifetime.is_over():
            original(func, *args, **kwargs)

    return emit


def _as_dead_letter(original: Function) -> Function:
    """Put the event as it was into a dead-letter queue, and MiniStack's envelope into a destination for failures."""

    def route(target_arn: str, func_name: str, event: Any, result: Any) -> None:
        lifetime.leave_if_over()
        config = lambda_svc._functions.get(func_name, {}).get("config", {})
        queue = sqs._queue_by_arn(target_arn)
        if queue is None or (config.get("DeadLetterConfig") or {}).get("TargetArn") != target_arn:
            original(target_arn, func_name, event, result)
            return
        error = result.get("body", {})
        told = {"ErrorCode": "200", "ErrorMessage": error.get("errorMessage"), "RequestID": error.get("requestId")}
        attributes = {name: {"DataType": "String", "StringValue": text} for name, text in told.items() if text}
        attributes["ErrorCode"]["DataType"] = "Number"
        sqs._act_send_message({"MessageBody": json.dumps(event), "MessageAttributes": attributes}, queue["url"])

    return route


def _invoke_later(arn: str, payload: str) -> None:
    """Invoke a function as AWS does for an event: repeat it when it fails, then keep it as a dead letter."""
    func, config, _ = lambda_svc._get_func_record_for_ref(arn)
    if func and config:
        lifetime.begin()
        lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(func, config), json.loads(payload))


def _forgetting_what_fired(original: Function) -> Function:
    """Forget fired schedules; otherwise a new schedule with an old name would count as fired."""

    def reset() -> None:
        scheduler._schedule_last_fired.clear()
        advance(0)
        original()

    return reset


def _forgetting_one(original: Function) -> Function:
    def delete_schedule(name: str, query: dict[str, str]) -> Any:
        for key in [key for key in scheduler._schedule_last_fired if key[2].endswith(f"/{name}")]:
            del scheduler._schedule_last_fired[key]
        return original(name, query)

    return delete_schedule
