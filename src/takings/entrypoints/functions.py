"""Handle events as the functions `file-detector` and `file-archiver`, which AWS Lambda calls.

Events are logged as JSON, one per line, and metrics in CloudWatch's embedded metric format.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, assert_never
from urllib.parse import unquote_plus

from aws_lambda_powertools import Logger, Metrics

from takings import layout
from takings.composition.functions import METRICS, FunctionStore, open_function_store
from takings.entrypoints.metrics import UNITS, measured
from takings.entrypoints.task_failures import Again, decide_after
from takings.entrypoints.task_size import csv_bytes, task_size
from takings.errors import CorruptState, Superseded, UsageError
from takings.intake.manifest import read_manifest
from takings.intake.next_action import Blocked, Busy
from takings.layout import BatchId
from takings.runs import steps
from takings.runs.detect import Started, detect, oldest_waiting
from takings.runs.pipeline import Rest
from takings.runs.steps import AfterFailure

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

#: enough to copy the largest single original, and to answer
_LAST_CALL_MILLISECONDS: Final = 120_000
#: how many keys of an event are logged; the listing decides anyway
_KEYS_LOGGED: Final = 10

_logger = Logger()


def detector(event: Mapping[str, Any], context: LambdaContext) -> dict[str, object]:
    """Look at the store, whatever the event says, and start what is due; `{"at_once": true}` waits for nothing."""
    with _opened(context, {"event": _described(event)}) as (store, metrics):
        detected = detect(store.ports, store.executions, at_once=event.get("at_once") is True)
        oldest = oldest_waiting(store.ports)
        age = (store.ports.clock.now() - oldest).total_seconds() if oldest else 0.0
        metrics({"OldestPendingSeconds": max(age, 0.0), "BatchesBlocked": float(isinstance(detected, Blocked))})
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
        _logger.info("store.looked_at", extra=answer)
        return answer


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
    """Size the batch's tasks by the bytes that its manifest names."""
    return _planned(store, event, tries=0, out_of_memory=0)


def _decide(store: FunctionStore, event: Mapping[str, Any], _: Callable[[], bool]) -> dict[str, object]:
    """Decide whether to retry a failed task, when, and how large."""
    before, error = event["plan"], event["error"]
    tries = before["tries"] + 1
    decided = decide_after(str(error.get("Cause", "")), tries, random.random())
    _logger.warning(
        "task.failed", extra={"failure": decided.failure.value, "tries": tries, "again": isinstance(decided, Again)}
    )
    more = isinstance(decided, Again) and decided.needs_more_memory
    plan = _planned(store, event, tries=tries, out_of_memory=before["out_of_memory"] + more)
    pause = decided.pause_seconds if isinstance(decided, Again) else 0
    return plan | {"again": isinstance(decided, Again), "pause_seconds": pause}


def _planned(store: FunctionStore, event: Mapping[str, Any], *, tries: int, out_of_memory: int) -> dict[str, object]:
    key = layout.manifest(BatchId(event["batch_id"]))
    content = store.ports.store.read(key)
    if content is None:
        raise CorruptState(f"{key} is missing, but its batch was started. Restore it from a back-up.")
    size = task_size(csv_bytes(read_manifest(content, key).arrivals), out_of_memory)
    environment = {
        "TAKINGS_BATCH_ID": event["batch_id"],
        "TAKINGS_ATTEMPT": str(event["attempt"]),
        **size.environment,
    }
    return {
        "tries": tries,
        "out_of_memory": out_of_memory,
        "cpu": str(size.cpu),
        "memory": str(size.memory_mib),
        "disk_gib": size.disk_gib,
        "environment": [{"Name": name, "Value": value} for name, value in environment.items()],
    }


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
    """End a batch after one of its steps failed permanently, as far as possible."""
    error = event.get("error") or {}
    failed = steps.mark_failed(
        store.ports,
        BatchId(event["batch_id"]),
        event["attempt"],
        f"{error.get('Error', 'unknown')}: {str(error.get('Cause', ''))[:1000]}",
        has_time=has_time,
        on_failed=store.dead_letters.send,
    )
    return {"outcome": failed.value, "done": failed is not AfterFailure.NOT_ARCHIVED_YET}


def _described(event: Mapping[str, Any]) -> str:
    """Return what caused this look at the store: the files of an S3 event, or the source of any other."""
    keys = [
        unquote_plus(record["s3"]["object"]["key"])
        for record in event.get("Records", ())
        if isinstance(record, dict) and "s3" in record
    ]
    if keys:
        more = f" and {len(keys) - _KEYS_LOGGED} more" if len(keys) > _KEYS_LOGGED else ""
        return ", ".join(keys[:_KEYS_LOGGED]) + more
    return str(event.get("source") or event.get("Event") or "unknown")
