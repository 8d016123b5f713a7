"""What happens next in a store: every run and every look uses the same decision."""

from __future__ import annotations

from datetime import timedelta

import pytest

from takings.intake.gate import LEASE, Gate, GateState
from takings.intake.next_action import Blocked, Busy, Look, NextAction, Resume, blocked_message, next_action
from takings.layout import BatchId
from tests.shop import NOON

BATCH = BatchId("20250330T120000000000Z-ab12")
OWNED = Gate(state=GateState.RUNNING, batch_id=BATCH, attempt=1, owner="me", lease_expires_at=NOON + LEASE)
BLOCKED = Gate(state=GateState.BLOCKED, batch_id=BATCH, attempt=1, reason="numbers contradict.")


@pytest.mark.parametrize(
    ("gate", "later", "action"),
    [
        (Gate(), timedelta(0), Look()),
        (Gate(state=GateState.WAITING, deadline=NOON), timedelta(0), Look()),
        (OWNED, timedelta(0), Busy(batch_id=BATCH)),
        (OWNED, LEASE, Resume()),
        (OWNED.let_go(NOON), timedelta(0), Resume()),
        (BLOCKED, 2 * LEASE, Blocked(batch_id=BATCH, reason="numbers contradict.")),
        (BLOCKED.unblocked(NOON), timedelta(0), Resume()),
    ],
)
def test_a_batch_in_flight_goes_before_a_new_one(gate: Gate, later: timedelta, action: NextAction) -> None:
    """It is taken over once its lease has ended, unless it waits for a person."""
    assert next_action(gate, NOON + later) == action


@pytest.mark.parametrize(
    ("gate", "action"),
    [(OWNED, Resume()), (BLOCKED, Blocked(batch_id=BATCH, reason="numbers contradict.")), (Gate(), Look())],
)
def test_a_batch_of_an_owner_that_is_gone_is_taken_over_at_once(gate: Gate, action: NextAction) -> None:
    """Without waiting for its lease; a blocked batch still waits for a person."""
    assert next_action(gate, NOON, lambda owner: owner == "me") == action


def test_a_blocked_batch_is_told_with_its_remedy() -> None:
    """The command names the store, or where its name goes."""
    assert blocked_message(BATCH, "numbers contradict.") == (
        f"batch {BATCH} is blocked: numbers contradict. Then run `takings unblock STORE`."
    )
    assert blocked_message(BATCH, "numbers contradict.", "s3://shop").endswith("Then run `takings unblock s3://shop`.")
