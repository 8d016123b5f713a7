"""Look at a store and hand its next batch to a state machine; every event, deadline and sweep leads here.

The order is that of a local run: manifest, gate, then the execution. A process that dies in between leaves a batch without an
execution. When its lease has expired, the next look starts it as the next attempt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from takings import layout
from takings.batch.own_kpis import due_tables
from takings.errors import ConflictError
from takings.intake.arrivals import Sighting, sight
from takings.intake.batching import Decision, Dispatch, WaitUntil
from takings.intake.gate import Gate
from takings.intake.next_action import Blocked, Busy, Look, Resume, next_action
from takings.layout import BatchId
from takings.ports import Executions, Ports
from takings.runs.pipeline import Rest, claim_batch, claim_publication, look
from takings.runs.steps import MOST_ATTEMPTS


@dataclass(frozen=True, kw_only=True)
class Started:
    """An attempt at a batch was handed over."""

    batch_id: BatchId
    attempt: int


Detected = Started | Busy | Blocked | Rest


def detect(
    ports: Ports,
    executions: Executions,
    *,
    at_once: bool = False,
    on_sighting: Callable[[Sighting], None] = lambda _: None,
) -> Detected:
    """Start or restart a batch if one is due, and schedule the next look at the store's deadline.

    raw-data/ is listed only where no batch is in flight, and once; `on_sighting` gets what was found.
    """
    gate = ports.ledger.gate()
    match action := next_action(gate, ports.clock.now()):
        case Blocked() | Busy():
            return action
        case Resume():
            return _resume(ports, executions, gate)
        case Look():
            return _look(ports, executions, gate, at_once=at_once, on_sighting=on_sighting)


def _look(
    ports: Ports, executions: Executions, gate: Gate, *, at_once: bool, on_sighting: Callable[[Sighting], None]
) -> Detected:
    """Start a batch of what is pending, or schedule the next look at its deadline."""
    sighting, decision = look(ports, gate, at_once=at_once, since=ports.clock.now() if at_once else None)
    on_sighting(sighting)
    executions.wake_at(decision.deadline if isinstance(decision, WaitUntil) else None)
    if isinstance(decision, Dispatch):
        claimed = claim_batch(ports, gate, decision.drops)
    elif is_publication_due(ports, current := ports.ledger.gate(), decision):
        claimed = claim_publication(ports, current)
    else:
        return Rest(decision=decision, sighting=sighting)
    if claimed is None:
        return Busy(batch_id=None)
    return _start(ports, executions, claimed)


def is_publication_due(ports: Ports, gate: Gate, decision: Decision) -> bool:
    """Return whether KPI tables of the shop's own are new or changed, and no batch comes soon that publishes them anyway."""
    if isinstance(decision, WaitUntil) or gate.has_batch or not gate.last_commit:
        return False
    return bool(due_tables(ports, gate.own_tables))


def list_pending(ports: Ports) -> Sighting:
    """List raw-data/ without deciding anything: files of the batch in flight are among what is found."""
    return sight(ports.store.list(layout.RAW), sources=ports.contracts.sources.folders)


def _resume(ports: Ports, executions: Executions, gate: Gate) -> Detected:
    """Start the next attempt of a batch whose lease expired, unless its execution is still running.

    Nobody renews the lease between two steps, and a task may take longer to start than a lease lasts.
    """
    batch_id = BatchId(str(gate.batch_id))
    if executions.is_running(batch_id, gate.attempt):
        return Busy(batch_id=batch_id)
    if gate.attempt >= MOST_ATTEMPTS and gate.owner is not None:
        return _stop(ports, gate)
    resumed = gate.resumed(ports.owners.me(), ports.clock.now())
    try:
        # The process that adopts the attempt needs to know what the dead one was reading.
        claimed = ports.ledger.change_gate(replace(resumed, reading=gate.reading))
    except ConflictError:
        return Busy(batch_id=batch_id)
    ports.tell("batch.resumed", {"batch_id": batch_id, "attempt": claimed.attempt})
    return _start(ports, executions, claimed)


def _stop(ports: Ports, gate: Gate) -> Detected:
    """Block a batch whose attempts all died; the last one still has an owner, so not even marking it as failed worked."""
    reason = f"{gate.attempt} attempts ended without reporting a result; the last execution says why."
    try:
        ports.ledger.change_gate(gate.blocked(reason))
    except ConflictError:
        return Busy(batch_id=gate.batch_id)
    ports.tell("batch.blocked", {"batch_id": gate.batch_id, "reason": reason})
    return Blocked(batch_id=gate.batch_id, reason=reason)


def _start(ports: Ports, executions: Executions, claimed: Gate) -> Started:
    batch_id = BatchId(str(claimed.batch_id))
    executions.start(batch_id, claimed.attempt)
    ports.tell("batch.started", {"batch_id": batch_id, "attempt": claimed.attempt})
    return Started(batch_id=batch_id, attempt=claimed.attempt)
