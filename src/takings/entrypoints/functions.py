"""Handle events as the functions `file-detector` and `file-archiver`, which AWS Lambda calls.

Events are logged as JSON, one per line, and metrics in CloudWatch's embedded metric format.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, assert_never

from aws_lambda_powertools import Logger, Metrics

from takings import layout
from takings.composition.functions import METRICS, FunctionStore, open_function_store
from takings.entrypoints.metrics import UNITS, measured
from takings.entrypoints.step_plans import Asked, first_plan, job_names, next_plan, runs_as_jobs
from takings.entrypoints.store_events import read_events
from takings.entrypoints.task_failures import TaskFailure, as_cause, read_failure
from takings.entrypoints.task_size import batch_bytes, lake_bytes, too_large
from takings.errors import CorruptState, Superseded, UsageError
from takings.intake.arrivals import Sighting
from takings.intake.manifest import read_manifest
from takings.intake.next_action import Blocked, Busy
from takings.layout import BatchId
from takings.runs import steps
from takings.runs.detect import Detected, Started, detect, list_pending
from takings.runs.pipeline import Rest
from takings.runs.steps import AfterFailure

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

#: enough to copy the largest single original, and to answer
_LAST_CALL_MILLISECONDS: Final = 120_000

_logger = Logger()


def detector(event: Mapping[str, Any], context: LambdaContext) -> dict[str, object]:
    """Look at the store once, whatever the events say, and start what is due; `{"at_once": true}` waits for nothing.

    Lambda hands over what has gathered in the queue of the bucket's events. The answer names the messages that hold no event:
    they alone come again, and end as dead letters. If the look fails, all of them come again.
    """
    events = read_events(event)
    with _opened(context, {"event": events.described}) as (store, metrics):
        found: list[Sighting] = []
        detected = detect(store.ports, store.executions, at_once=event.get("at_once") is True, on_sighting=found.append)
        if not found and events.unread is None:
            # While a batch is in flight, new files start nothing, and only sweeps and the like look how old they are.
            found.append(list_pending(store.ports))
        metrics(_ages(store.ports.clock.now(), found, detected))
        match detected:
            case Started(batch_id=batch_id, attempt=attempt):
                answer: dict[str, object] = {"detected": "started", "batch_id": batch_id, "attempt": attempt}
            case Busy(batch_id=running):
                answer = {"detected": "in progress", "batch_id": running}
            case Blocked(batch_id=stopped, reason=reason):
                answer = {"detected": "blocked", "batch_id": stopped, "reason": reason}
            case Rest(decision=decision):
                answer = {"detected": "resting", "decision": type(decision).__name__}
            case _:
                assert_never(detected)
        _logger.info("store.looked_at", extra=answer | {"events": events.count})
        return answer if events.unread is None else {"batchItemFailures": events.unread}


def _ages(now: datetime, found: list[Sighting], detected: Detected) -> dict[str, float]:
    """Return how old the oldest file is, if a listing tells, and how old the batch in flight; whether it is blocked."""
    written = [min((info.written_at for info, _ in sighting.drops), default=now) for sighting in found]
    batch_id = detected.batch_id if isinstance(detected, Started | Busy | Blocked) else None
    began = now if batch_id is None else layout.batch_instant(batch_id)
    return {
        **({"OldestPendingSeconds": max((now - written[0]).total_seconds(), 0.0)} if written else {}),
        "BatchAgeSeconds": max((now - began).total_seconds(), 0.0),
        "BatchesBlocked": float(isinstance(detected, Blocked)),
    }


def archiver(event: Mapping[str, Any], context: LambdaContext) -> dict[str, object]:
    """Take a step of a batch between or after its tasks: plan, decide, file_away or mark_failed."""
    steps: dict[str, Callable[[FunctionStore, Mapping[str, Any], Callable[[], bool]], dict[str, object]]] = {
        "plan": _plan,
        "decide": _decide,
        "file_away": _archive,
        "mark_failed": _mark_failed,
    }
    named = event.get("step")
    if named not in steps or "batch_id" not in event or "attempt" not in event:
        raise UsageError(f"the event names no step of a batch: {sorted(event)}. Let the state machine send it.")
    known = {"step": named, "batch_id": event["batch_id"], "attempt": event["attempt"]}
    with _opened(context, known) as (store, _):
        try:
            return steps[named](store, event, lambda: context.get_remaining_time_in_millis() > _LAST_CALL_MILLISECONDS)
        except Superseded as newer:
            _logger.info("step.superseded", extra={"cause": str(newer)})
            return {"outcome": "superseded", "done": True}


@contextmanager
def _opened(
    context: LambdaContext, known: Mapping[str, object]
) -> Iterator[tuple[FunctionStore, Callable[[Mapping[str, float]], None]]]:
    """Open the store for one invocation; log its metrics when it ends."""
    found: dict[str, float] = {}

    def tell(fact: str, about: Mapping[str, object]) -> None:
        _logger.info(fact, extra=dict(about))
        found.update(measured(fact, about))

    _logger.append_keys(request_id=context.aws_request_id, **known)
    try:
        with open_function_store(tell) as store, store.ports.faults():
            yield store, found.update
            _measure(store.name, found)
    finally:
        _logger.remove_keys(["request_id", *known])


def _measure(store: str, found: Mapping[str, float]) -> None:
    """Log metrics of the store in the embedded metric format."""
    if found:
        metrics = Metrics(namespace=METRICS)
        metrics.add_dimension(name="store", value=store)
        for name, value in found.items():
            metrics.add_metric(name=name, unit=UNITS[name], value=value)
        metrics.flush_metrics()


def _plan(store: FunctionStore, event: Mapping[str, Any], _: Callable[[], bool]) -> dict[str, object]:
    """Say where the batch's steps run, and in which size."""
    plan = first_plan(_asked(store, event))
    _logger.info("steps.planned", extra={name: plan[name] for name in ("runs_on", "cpu", "memory") if name in plan})
    return plan


def _decide(store: FunctionStore, event: Mapping[str, Any], _: Callable[[], bool]) -> dict[str, object]:
    """Decide whether to retry a failed step, when, where, and how large."""
    plan, known = next_plan(_asked(store, event), event["plan"], _cause(store, event), random.random())
    _logger.warning("task.failed", extra=known)
    return plan


def _asked(store: FunctionStore, event: Mapping[str, Any]) -> Asked:
    """Return what the batch asks for, by the bytes that its manifest names and those of the lake."""
    batch_id = BatchId(event["batch_id"])
    key = layout.manifest(batch_id)
    content = store.ports.store.read(key)
    if content is None:
        raise CorruptState(f"{key} is missing, but its batch was started. Restore it from a back-up.")
    return Asked(
        bucket=store.name,
        table_prefix=store.table_prefix,
        region=store.region,
        steps_on=store.steps_on,
        batch_id=batch_id,
        attempt=event["attempt"],
        csv=batch_bytes(read_manifest(content, key).arrivals),
        lake=lake_bytes(store.ports.store),
        # A state machine without an application does not name any.
        package=event.get("spark"),
    )


def _cause(store: FunctionStore, event: Mapping[str, Any]) -> str:
    """Return why a step failed: by the exit code that a job has left, if it has, else in the words of AWS."""
    if runs_as_jobs(event["plan"]):
        batch_id = BatchId(event["batch_id"])
        for job in job_names(batch_id, event["attempt"], event["plan"]["tries"]).values():
            left = store.ports.store.read(layout.job_outcome(batch_id, job))
            if left is not None:
                return as_cause(left)
    return str(event["error"].get("Cause", ""))


def _archive(store: FunctionStore, event: Mapping[str, Any], has_time: Callable[[], bool]) -> dict[str, object]:
    """Archive the batch's originals, as many as there is time for, and end the batch."""
    outcome = steps.archive(
        store.ports,
        BatchId(event["batch_id"]),
        event["attempt"],
        has_time=has_time,
        on_failed=store.dead_letters.send,
    )
    return {"outcome": "unfinished" if outcome is None else "filed away", "done": outcome is not None}


def _mark_failed(store: FunctionStore, event: Mapping[str, Any], has_time: Callable[[], bool]) -> dict[str, object]:
    """End a batch after one of its steps failed permanently, as far as possible; block it if no disk is large enough."""
    error = event.get("error") or {}
    cause = str(error.get("Cause", ""))
    is_too_large = read_failure(cause) is TaskFailure.OUT_OF_DISK
    failed = steps.mark_failed(
        store.ports,
        BatchId(event["batch_id"]),
        event["attempt"],
        f"{error.get('Error', 'unknown')}: {cause[:1000]}",
        blocked_for=too_large(store.name, is_job='"JobRunId"' in cause) if is_too_large else None,
        has_time=has_time,
        on_failed=store.dead_letters.send,
    )
    return {"outcome": failed.value, "done": failed is not AfterFailure.NOT_ARCHIVED_YET}
