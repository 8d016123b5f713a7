"""How the gate changes: IDLE -> WAITING -> FORMING -> RUNNING -> (BLOCKED ->) IDLE."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from takings.contracts.model import Dataset
from takings.intake.gate import LEASE, RENEWAL, Gate, GateState, LeftFile, OwnTableState, Suspect
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


def left(name: str, *, etag: str = "e", minutes: int = 0, is_archived: bool = False) -> LeftFile:
    """Return a file that was left."""
    return LeftFile(
        key=f"raw-data/orders/{name}.csv",
        etag=etag,
        reason=f"{name}: cannot be read.",
        tried_at=NOON + timedelta(minutes=minutes),
        is_archived=is_archived,
    )


def test_waiting_keeps_only_the_left_files_that_are_still_there() -> None:
    """A look names them; none where it names none."""
    noted = Gate(left=(left("a"), left("b"))).waiting(LATER, {}, (left("b"),))
    assert noted == Gate(generation=1, state=GateState.WAITING, deadline=LATER, left=(left("b"),))
    assert noted.waiting(None, {}) == Gate(generation=2)


def test_a_file_is_left_alone_since_its_last_try_or_for_good() -> None:
    """One that was tried before is tried again, unless it is archived and could only not be removed."""
    gate = Gate(left=(left("a"), left("b", minutes=1), left("c", minutes=2), left("d", is_archived=True)))
    assert gate.left_alone(NOON + timedelta(minutes=1)) == {
        ("raw-data/orders/b.csv", "e"): "b: cannot be read.",
        ("raw-data/orders/c.csv", "e"): "c: cannot be read.",
        ("raw-data/orders/d.csv", "e"): "d: cannot be read.",
    }


def test_who_takes_a_batch_clears_what_the_owner_before_left() -> None:
    """The file that was being read and the reason of a block; the attempt is the next one, or stays where it is adopted."""
    before = replace(RUNNING, reading="raw-data/orders/a.csv", reason="numbers contradict each other")
    after = replace(RUNNING, generation=8, owner="you", lease_expires_at=LATER + LEASE)
    assert before.adopted("you", LATER) == after
    assert before.resumed("you", LATER) == replace(after, attempt=2)
    assert before.claimed(BATCH, "you", LATER) == replace(after, state=GateState.FORMING)


def test_the_file_that_is_being_read_is_known_until_the_batch_is_let_go() -> None:
    """If the owner dies before, it is a suspect."""
    reading = RUNNING.now_reading("raw-data/orders/a.csv")
    assert reading == replace(RUNNING, generation=8, reading="raw-data/orders/a.csv")
    assert reading.let_go(NOON) == replace(RUNNING, generation=9, owner=None, lease_expires_at=NOON)


def test_deaths_are_counted_per_file_and_its_bytes() -> None:
    """Other bytes under the key begin again, and other files keep theirs."""
    other = Suspect(key="b", etag="e1", deaths=1)
    once = replace(RUNNING, suspects=(other,)).suspecting("a", "e1")
    assert once == replace(RUNNING, generation=8, suspects=(other, Suspect(key="a", etag="e1", deaths=1)))
    twice = once.suspecting("a", "e1")
    assert twice.suspects == (other, Suspect(key="a", etag="e1", deaths=2))
    assert [twice.deaths_of("a", "e1"), twice.deaths_of("a", "e2"), twice.deaths_of("b", "e1")] == [2, 0, 1]
    assert twice.suspecting("a", "e2").suspects == (other, Suspect(key="a", etag="e2", deaths=1))


def test_a_release_forgets_settled_files_and_remembers_those_that_it_left() -> None:
    """A file that is left again has the newer reason; a suspect that is not settled stays one."""
    suspects = tuple(Suspect(key=f"raw-data/orders/{name}.csv", etag="e", deaths=1) for name in "ab")
    own = {"Sales": OwnTableState(key=("order_date",), definition="d", tried="d")}
    blocked = replace(
        RUNNING,
        state=GateState.BLOCKED,
        deadline=NOON,
        reason="numbers contradict each other",
        reading="raw-data/orders/a.csv",
        suspects=suspects,
        left=(left("a"), left("b"), left("c")),
        own_tables=own,
    )
    again = left("b", minutes=3)
    assert blocked.released(last_commit=4, settled=["raw-data/orders/a.csv"], left=[again]) == Gate(
        generation=8,
        pending={Dataset.ORDERS: 2},
        last_commit=4,
        landed=frozenset({Dataset.PRODUCTS}),
        suspects=suspects[1:],
        left=(left("c"), again),
        own_tables=own,
    )


def test_a_table_of_the_shops_own_that_is_not_named_was_removed() -> None:
    """The others have their new states."""
    sales, margins = (OwnTableState(key=("order_date",), definition=None, tried=name) for name in ("s", "m"))
    before = replace(RUNNING, own_tables={"Sales": sales, "Margins": margins})
    assert before.with_own_tables({"Sales": margins}) == replace(RUNNING, generation=8, own_tables={"Sales": margins})


SUNDAY, MONDAY, TUESDAY = date(2025, 3, 30), date(2025, 3, 31), date(2025, 4, 1)


def test_the_state_of_an_own_table_is_read_as_it_was_written() -> None:
    """Days in order; a table on which no check warns says nothing about warnings, as before there were any."""
    state = OwnTableState(
        key=("shop", "order_date"),
        definition="d",
        tried="e",
        stale="a row has no day",
        days=frozenset({TUESDAY, SUNDAY, MONDAY}),
        warned={MONDAY: "revenue < 0", SUNDAY: "orders > 9"},
    )
    written = {
        "key": ["shop", "order_date"],
        "definition": "d",
        "tried": "e",
        "stale": "a row has no day",
        "days": ["2025-03-30", "2025-03-31", "2025-04-01"],
        "warned": {"2025-03-30": "orders > 9", "2025-03-31": "revenue < 0"},
    }
    assert state.to_json() == written
    assert list(state.to_json()["warned"]) == ["2025-03-30", "2025-03-31"]
    assert OwnTableState.from_json(written) == state
    quiet = replace(state, warned={})
    del written["warned"]
    assert quiet.to_json() == written
    assert OwnTableState.from_json(written) == quiet


@pytest.mark.parametrize(
    ("warned", "warning"),
    [
        ({}, None),
        ({MONDAY: "revenue < 0"}, "revenue < 0."),
        ({SUNDAY: "orders > 9", MONDAY: "revenue < 0"}, "revenue < 0. So on 1 other day."),
        ({SUNDAY: "orders > 9", TUESDAY: "x", MONDAY: "revenue < 0"}, "x. So on 2 other days."),
    ],
)
def test_the_newest_days_warning_is_told(warned: dict[date, str], warning: str | None) -> None:
    """With how many other days there are."""
    assert OwnTableState(key=(), definition=None, tried="e", warned=warned).warning == warning


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
