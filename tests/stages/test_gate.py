"""How the gate changes: IDLE -> WAITING -> FORMING -> RUNNING -> (BLOCKED ->) IDLE."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from takings.contracts.model import Dataset
from takings.intake.gate import LEASE, RENEWAL, Gate, GateState
from takings.layout import BatchId
from tests.shop import NOON

BATCH = BatchId("20250330T120000000000Z-ab12")
LATER = NOON + timedelta(minutes=20)
RUNNING = Gate(
    generation=7,
    state=GateState.RUNNING,
    pending={Dataset.ORDERS: 2},
    batch_id=BATCH,
    attempt=1,
    owner="me",
    lease_expires_at=NOON + LEASE,
    last_commit=3,
    landed=frozenset({Dataset.PRODUCTS}),
)


def test_a_new_gate_is_idle() -> None:
    """Nothing is in flight and nothing has landed."""
    assert Gate() == Gate(generation=0, state=GateState.IDLE, pending={}, attempt=0, last_commit=0, landed=frozenset())
    assert not Gate().has_batch


def test_waiting_notes_deadline_and_pending_files() -> None:
    """With a deadline it is WAITING; without one it is IDLE, whatever is pending."""
    noted = Gate().waiting(LATER, {Dataset.ORDERS: 2})
    assert noted == Gate(generation=1, state=GateState.WAITING, deadline=LATER, pending={Dataset.ORDERS: 2})
    assert noted.waiting(None, {}) == Gate(generation=2, state=GateState.IDLE)
    assert not noted.has_batch


def test_a_claim_starts_the_first_attempt() -> None:
    """The deadline is used up; landed datasets and the last commit stay."""
    before = replace(
        RUNNING, state=GateState.WAITING, deadline=NOON, batch_id=None, attempt=0, owner=None, lease_expires_at=None
    )
    assert before.claimed(BATCH, "me", NOON) == replace(RUNNING, generation=8, state=GateState.FORMING)


def test_a_running_batch_has_its_manifest_and_lineage() -> None:
    """Only the state changes."""
    forming = replace(RUNNING, state=GateState.FORMING)
    assert forming.running() == replace(RUNNING, generation=8)


def test_the_owner_renews_its_lease() -> None:
    """The lease survives three missed renewals."""
    assert RUNNING.renewed(NOON + RENEWAL) == replace(RUNNING, generation=8, lease_expires_at=NOON + RENEWAL + LEASE)
    assert LEASE > 3 * RENEWAL


def test_taking_over_is_the_next_attempt_at_the_same_batch() -> None:
    """There is never a second batch next to it; FORMING stays FORMING."""
    later = NOON + 2 * LEASE
    assert RUNNING.resumed("you", later) == replace(
        RUNNING, generation=8, attempt=2, owner="you", lease_expires_at=later + LEASE
    )
    forming = replace(RUNNING, state=GateState.FORMING)
    assert forming.resumed("you", later).state is GateState.FORMING


def test_letting_go_leaves_the_batch_to_anybody() -> None:
    """The same attempt, without an owner."""
    let_go = RUNNING.let_go(NOON)
    assert let_go == replace(RUNNING, generation=8, owner=None, lease_expires_at=NOON)
    assert let_go.is_abandoned(NOON)


def test_a_blocked_batch_is_resumed_by_nobody_until_it_is_unblocked() -> None:
    """The reason is kept until then."""
    blocked = RUNNING.blocked("numbers contradict each other")
    assert blocked == replace(
        RUNNING,
        generation=8,
        state=GateState.BLOCKED,
        owner=None,
        lease_expires_at=None,
        reason="numbers contradict each other",
    )
    assert blocked.has_batch
    assert not blocked.is_abandoned(LATER)

    unblocked = blocked.unblocked(LATER)
    assert unblocked == replace(RUNNING, generation=9, owner=None, lease_expires_at=LATER)
    assert unblocked.is_abandoned(LATER)


def test_a_release_keeps_what_landed() -> None:
    """The gate is IDLE again, with the newest commit and every dataset that has landed."""
    assert RUNNING.released(last_commit=4, landed=[Dataset.ORDERS]) == Gate(
        generation=8,
        pending={Dataset.ORDERS: 2},
        last_commit=4,
        landed=frozenset({Dataset.PRODUCTS, Dataset.ORDERS}),
    )


@pytest.mark.parametrize(
    ("state", "owner", "lease", "is_abandoned"),
    [
        (GateState.IDLE, None, None, False),
        (GateState.WAITING, None, None, False),
        (GateState.FORMING, "me", NOON + LEASE, False),
        (GateState.RUNNING, "me", NOON + timedelta(microseconds=1), False),
        (GateState.RUNNING, "me", NOON, True),
        (GateState.FORMING, "me", NOON - LEASE, True),
        (GateState.RUNNING, None, NOON + LEASE, True),
        (GateState.RUNNING, "me", None, True),
        (GateState.BLOCKED, None, None, False),
    ],
)
def test_a_batch_is_abandoned_when_its_lease_has_ended(
    state: GateState, owner: str | None, lease: datetime | None, is_abandoned: bool
) -> None:
    """Or if nobody owns it; without a batch in flight, there is nothing to abandon."""
    assert Gate(state=state, owner=owner, lease_expires_at=lease).is_abandoned(NOON) is is_abandoned
