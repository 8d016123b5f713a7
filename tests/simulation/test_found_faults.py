"""Faults that the simulation found and that were corrected since, each as a short scene."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from takings import layout
from takings.archive.lineage import LineageStatus
from takings.batch.attempt import Attempt
from takings.batch.claim import Claim
from takings.composition.stores import Shop
from takings.errors import Superseded
from takings.intake.arrivals import ObjectInfo
from takings.intake.gate import Gate, GateState
from takings.layout import BatchId
from takings.runs import maintenance, pipeline
from takings.runs.pipeline import Ports
from tests.shop import PRODUCTS, drop, opened

#: by then, any lease has ended
LATER: Final = timedelta(minutes=2)


class Interrupted:
    """A port where something happens once, before the first call that meets a condition."""

    def __init__(self, port: object, when: Callable[..., bool], happens: Callable[[], object]) -> None:
        self._port = port
        self._when = when
        self._happens = [happens]

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._port, method)

        def interrupted(*values: Any, **named: Any) -> Any:
            if self._happens and self._when(method, *values):
                self._happens.pop()()
            return call(*values, **named)

        return interrupted


def interrupted(ports: Ports, port: str, when: Callable[..., bool], happens: Callable[[], object]) -> Ports:
    """Return ports, one of which has something happen once."""
    happening: dict[str, Any] = {port: Interrupted(getattr(ports, port), when, happens)}
    return replace(ports, **happening)


@contextmanager
def two_instances(root: Path) -> Iterator[tuple[Shop, Shop]]:
    """Open a store with one pending file twice; the second one always sees the first one's lease as ended."""
    drop(root, "products/a.csv", PRODUCTS)
    with opened(root) as one, opened(root, later=LATER) as other:
        yield one, other


def claimed_drop(ports: Ports) -> tuple[Gate, ObjectInfo]:
    """Claim a batch of the pending file."""
    gate = ports.ledger.gate()
    sighting, _ = pipeline.look(ports, gate, at_once=True)
    claimed = pipeline.claim_batch(ports, gate, sighting.drops)
    assert claimed is not None
    return claimed, sighting.drops[0][0]


def a_look_meets_a_batch(root: Path) -> None:
    """A batch begins after the listing and before the pending files are noted: the gate stays the batch's."""
    with two_instances(root) as (one, other):
        claimed = one.ports.ledger.gate().claimed(BatchId("b"), "somebody", one.ports.clock.now())
        looking = interrupted(
            one.ports,
            "ledger",
            lambda method, *_: method == "change_gate",
            lambda: other.ports.ledger.change_gate(claimed),
        )
        pipeline.look(looking, one.ports.ledger.gate(), at_once=False)
        assert one.ports.ledger.gate().state is GateState.FORMING


def a_gate_changes_hands_behind_the_check(root: Path) -> None:
    """Another attempt takes over between the check and the change: the gate stays that attempt's."""
    with two_instances(root) as (one, other):
        now = one.ports.clock.now()
        mine = one.ports.ledger.change_gate(one.ports.ledger.gate().claimed(BatchId("b"), "me", now))
        reads: list[str] = []

        def is_second_read(method: str, *_: object) -> bool:
            reads.append(method)
            return len(reads) == 2

        losing = interrupted(
            one.ports,
            "ledger",
            is_second_read,
            lambda: other.ports.ledger.change_gate(mine.resumed("other", now)),
        )
        with suppress(Superseded):
            Claim(ports=losing, gate=mine).change(lambda gate: gate.released(last_commit=0, landed=()))
        assert (one.ports.ledger.gate().state, one.ports.ledger.gate().owner) == (GateState.FORMING, "other")


def a_lost_attempt_commits_after_all(root: Path) -> None:
    """A lost attempt's commit comes right before the other attempt's: it is the batch's only one."""

    def is_commit(method: str, *values: object) -> bool:
        return method == "create" and values[0] == layout.commit(1)

    with two_instances(root) as (one, other):
        content: list[bytes] = []

        def remember(method: str, *values: Any) -> bool:
            content.extend(values[1:] if is_commit(method, *values) else ())
            return is_commit(method, *values)

        winning = interrupted(
            other.ports, "store", is_commit, lambda: one.ports.store.create(layout.commit(1), content[0])
        )
        losing = interrupted(one.ports, "store", remember, lambda: pipeline.run(winning, at_once=True))
        with pytest.raises(Superseded):
            pipeline.run(losing, at_once=True)
        assert [info.key for info in one.ports.store.list(layout.COMMITS)] == [layout.commit(1)]


def a_lost_attempt_begins_after_all(root: Path) -> None:
    """Another attempt completes the batch before this one recorded its beginning: the files have ended."""
    with two_instances(root) as (one, other):
        losing = interrupted(
            one.ports, "ledger", lambda method, *_: method == "begin", lambda: pipeline.run(other.ports, at_once=True)
        )
        with pytest.raises(Superseded):
            pipeline.run(losing, at_once=True)
        assert [record.status for record in one.ports.ledger.lineage()] == [LineageStatus.SUCCESS]


def a_lost_attempt_gives_up_after_all(root: Path) -> None:
    """It removes nothing: the newer attempt holds the only copy of bytes that were overwritten since."""
    with two_instances(root) as (one, other):
        claimed, info = claimed_drop(one.ports)
        batch_id = BatchId(str(claimed.batch_id))

        def take_over() -> None:
            other.ports.ledger.change_gate(other.ports.ledger.gate().resumed("other", other.ports.clock.now()))
            assert other.ports.store.fetch(info.key, info.etag, batch_id) is not None
            drop(root, "products/a.csv", b"id\n")

        losing = interrupted(one.ports, "ledger", lambda method, *_: method == "give_back", take_over)
        with suppress(Superseded):
            Attempt(Claim(ports=losing, gate=claimed)).give_up("no disk")
        assert other.ports.store.fetch(info.key, info.etag, batch_id) is not None


def a_batch_begins_beside_a_maintenance(root: Path) -> None:
    """It begins after the gate was read and before private copies are listed: its own stay until it has ended."""
    with two_instances(root) as (one, other):
        copies: list[Path | None] = []

        def begin() -> None:
            claimed, info = claimed_drop(other.ports)
            copies.append(other.ports.store.fetch(info.key, info.etag, BatchId(str(claimed.batch_id))))

        def lists_copies(method: str, key: object = None, *_: object) -> bool:
            return (method, key) == ("list", layout.FETCHED)

        tending = interrupted(one.ports, "store", lists_copies, begin)
        maintenance.maintain(tending, keep_reports=timedelta(days=90), is_dry_run=False)
        assert [copy is not None and copy.exists() for copy in copies] == [True]


FOUND: Final = {
    "a look that lost the gate to a batch notes its deadline over that batch": a_look_meets_a_batch,
    "an attempt changes a gate that it has not checked": a_gate_changes_hands_behind_the_check,
    "a batch commits beside the commit that its lost attempt still wrote": a_lost_attempt_commits_after_all,
    "a lost attempt records the begin of a file that has ended": a_lost_attempt_begins_after_all,
    "a lost attempt gives up and forgets what the newer one holds": a_lost_attempt_gives_up_after_all,
    "a maintenance forgets what a batch holds that began while it looked": a_batch_begins_beside_a_maintenance,
}


@pytest.mark.parametrize("fault", FOUND)
def test_what_was_wrong_once_is_right(root: Path, fault: str) -> None:
    """The scene's own docstring says what should happen."""
    FOUND[fault](root)
