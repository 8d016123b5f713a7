"""Say what to do next with a store, from its gate alone: the same ladder for a local run and for a state machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from takings.intake.gate import Gate, GateState
from takings.layout import BatchId


@dataclass(frozen=True, kw_only=True)
class Blocked:
    """The store's batch waits for a person."""

    batch_id: BatchId | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Resume:
    """The store's batch has no living owner: take it over."""


@dataclass(frozen=True, kw_only=True)
class Busy:
    """A living owner works on the store's batch, or another instance was first."""

    batch_id: BatchId | None


@dataclass(frozen=True, kw_only=True)
class Look:
    """No batch is in flight: look at what is pending."""


NextAction = Blocked | Resume | Busy | Look


def next_action(gate: Gate, now: datetime, is_gone: Callable[[str | None], bool] = lambda _: False) -> NextAction:
    """Return what to do next; `is_gone` says of an owner that it does not work on the batch, though its lease goes on."""
    if gate.state is GateState.BLOCKED:
        return Blocked(batch_id=gate.batch_id, reason=gate.reason)
    if not gate.has_batch:
        return Look()
    if gate.is_abandoned(now) or is_gone(gate.owner):
        return Resume()
    return Busy(batch_id=gate.batch_id)


def blocked_message(batch_id: BatchId | None, reason: str | None, store: str = "STORE") -> str:
    """Return the message about a blocked batch: the reason, and the command that unblocks it."""
    return f"batch {batch_id} is blocked: {reason} Then run `takings unblock {store}`."
