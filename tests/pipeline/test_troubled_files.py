"""A fault of one file is not a fault of the store: it is named and left, and all the others go on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from takings.adapters.local.database import open_database
from takings.archive.lineage import RETURNED_TO_PENDING
from takings.errors import StoreError
from takings.intake.batching import Dispatch
from takings.intake.gate import GateState
from takings.layout import BatchId
from takings.queries.incomplete import find_incomplete
from takings.queries.status import find_status
from takings.runs import pipeline, steps
from takings.runs.replay import replay_batch
from takings.runs.steps import Validated
from takings.validation.findings import Verdict
from tests.file_systems import bad_block, refusing_to_move, refusing_to_open
from tests.shop import csv_of, drop, drop_all, expected, files, lineage, new_store, opened, order, published, run

KEY = "raw-data/orders/a.csv"
OTHERS = ["processed/order_items/a.csv", "processed/products/a.csv"]
DENIED = "it cannot be read: Permission denied. Let the user that runs Takings read it (chmod, chown)."
BAD_BLOCK = f"{KEY}: it cannot be read: Input/output error. Check its disk, and drop the file again."
STUCK = "it is archived, but cannot be removed from raw-data/: Operation not permitted. Remove it by hand."


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a store with one file of each dataset pending."""
    return drop_all(new_store(tmp_path / "shop"))


def troubles(root: Path) -> list[dict[str, str]]:
    """Return what `takings status` names."""
    with opened(root) as shop:
        found: list[dict[str, str]] = find_status(shop.ports, find_incomplete(shop.ports)).to_json()["unreadable"]
        return found


@pytest.mark.parametrize("engine", ["duckdb", "pandas"])
def test_a_file_that_may_not_be_read_is_left_until_it_may(root: Path, engine: str) -> None:
    """The others go on; it is named, and taken once somebody has corrected its permissions."""
    with refusing_to_open(root / KEY):
        outcome = run(root, validation_engine=engine)
        assert [(key, ignored.reason) for key, ignored in outcome.sighting.ignored] == [(KEY, DENIED)]
        assert troubles(root) == [{"key": KEY, "reason": DENIED}]
    assert files(root, "processed", "failed", "raw-data") == [*OTHERS, KEY]
    run(root, validation_engine=engine)
    assert published(root) == expected(root)
    assert (troubles(root), files(root, "raw-data")) == ([], [])


@pytest.mark.parametrize("engine", ["duckdb", "pandas"])
def test_a_file_on_a_bad_block_is_given_back_unjudged(root: Path, engine: str) -> None:
    """The others of its batch go on; the next run tries it again, the same run does not."""
    with bad_block(root / KEY):
        (batch,) = run(root, validation_engine=engine).batches
        assert (len(batch.reports), batch.returned, dict(batch.unread)) == (2, (KEY,), {KEY: BAD_BLOCK})
        assert troubles(root) == [{"key": KEY, "reason": BAD_BLOCK}]
    assert files(root, "processed", "failed", "raw-data") == [*OTHERS, KEY]
    assert [record.reason for record in lineage(root) if record.file_key == KEY] == [RETURNED_TO_PENDING]
    run(root, validation_engine=engine)
    assert published(root) == expected(root)
    assert troubles(root) == []


@pytest.mark.parametrize(
    ("minutes", "is_tried"), [(4, False), (6, True)], ids=["within five minutes", "after five minutes"]
)
def test_a_watch_tries_a_file_again_after_five_minutes(root: Path, minutes: int, is_tried: bool) -> None:
    """Not at each look: each would start a batch."""
    with bad_block(root / KEY):
        run(root)
    with opened(root, later=timedelta(minutes=minutes)) as shop:
        sighting, decision = pipeline.look(shop.ports, shop.ports.ledger.gate(), at_once=True)
    assert isinstance(decision, Dispatch) is is_tried
    assert bool(sighting.troubles) is not is_tried


def test_other_bytes_under_the_key_are_taken_at_once(root: Path) -> None:
    """Nothing is known against them; what was noted about the others is forgotten."""
    with bad_block(root / KEY):
        run(root)
    drop(root, "orders/a.csv", csv_of(order(1), order(2, user_id=9), order(3)))
    (batch,) = run(root).batches
    assert [report.key for report in batch.reports] == [KEY]
    with opened(root) as shop:
        assert shop.ports.ledger.gate().left == ()


def test_a_file_that_is_gone_is_forgotten(root: Path) -> None:
    """The gate keeps only what still exists."""
    with bad_block(root / KEY):
        run(root)
    (root / KEY).unlink()
    run(root)
    with opened(root) as shop:
        assert shop.ports.ledger.gate().left == ()


@pytest.mark.parametrize("policy", ["file", "strict", "row"])
def test_no_policy_makes_it_the_fault_of_others(root: Path, policy: str) -> None:
    """Not even the strict one: nothing is known to be wrong with its rows."""
    (root / "raw-data/order-items/a.csv").unlink()
    with bad_block(root / KEY):
        (batch,) = run(root, policy=policy).batches
    assert [(report.file, report.verdict) for report in batch.reports] == [("a.csv", Verdict.ACCEPTED)]


def test_the_steps_of_a_state_machine_leave_it_as_well(root: Path) -> None:
    """If one process could not read it, the next ones leave it."""
    with opened(root) as shop, bad_block(root / KEY):
        _, decision = pipeline.look(shop.ports, shop.ports.ledger.gate(), at_once=True)
        assert isinstance(decision, Dispatch)
        claimed = pipeline.claim_batch(shop.ports, shop.ports.ledger.gate(), decision.drops)
        assert claimed is not None
        batch_id = BatchId(str(claimed.batch_id))
        assert steps.validate(shop.ports, batch_id, 1) is Validated.ACCEPTED
        steps.transform(shop.ports, batch_id, 1)
        outcome = steps.archive(shop.ports, batch_id, 1)
        assert outcome is not None
        assert dict(outcome.unread) == {KEY: BAD_BLOCK}
        assert [(each.key, each.reason) for each in shop.ports.ledger.gate().left] == [(KEY, BAD_BLOCK)]


def test_a_batch_can_be_given_up_beside_an_unreadable_overwritten_file(root: Path) -> None:
    """Nobody holds its bytes."""
    with opened(root) as shop:
        gate = shop.ports.ledger.gate()
        _, decision = pipeline.look(shop.ports, gate, at_once=True)
        assert isinstance(decision, Dispatch)
        claimed = pipeline.claim_batch(shop.ports, gate, decision.drops)
        assert claimed is not None
        drop(root, "orders/a.csv", csv_of(order(1), order(2, user_id=9), order(3)))
        with refusing_to_open(root / KEY):
            assert steps.mark_failed(shop.ports, BatchId(str(claimed.batch_id)), 1, "no disk") == "given back"
        assert shop.ports.ledger.gate().state is GateState.IDLE


def test_more_than_500_unreadable_files_are_the_store_s_trouble(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the machinery is suspected, and every file is pending again."""
    monkeypatch.setattr("takings.batch.validate.MOST_LEFT", 0)
    with (
        bad_block(root / KEY),
        pytest.raises(StoreError, match="more than 0 files under raw-data/ cannot be read, most recently"),
    ):
        run(root)
    assert len(files(root, "raw-data")) == 3
    run(root)
    assert published(root) == expected(root)


# After the point of no return


def test_an_original_that_cannot_be_removed_ends_its_batch_all_the_same(root: Path) -> None:
    """It is archived and named; it never becomes a new arrival, however often the store is listed."""
    with refusing_to_move(root / KEY):
        assert [len(run(root).batches) for _ in range(3)] == [1, 0, 0]
    assert troubles(root) == [{"key": KEY, "reason": STUCK}]
    assert files(root, "processed", "raw-data") == [
        "processed/order_items/a.csv",
        "processed/orders/a.csv",
        *OTHERS[1:],
        KEY,
    ]
    assert published(root) == expected(root)


def test_other_bytes_in_the_place_of_one_that_could_not_be_removed_are_an_arrival(root: Path) -> None:
    """They are a correction like any other."""
    with refusing_to_move(root / KEY):
        run(root)
    drop(root, "orders/a.csv", csv_of(order(1, status="returned")))
    (batch,) = run(root).batches
    assert [(report.key, report.verdict) for report in batch.reports] == [(KEY, Verdict.ACCEPTED)]
    assert (troubles(root), files(root, "raw-data")) == ([], [])


# The archive again


def test_an_archived_original_that_cannot_be_read_is_left_out_of_a_replay(root: Path) -> None:
    """The others of the batch are replayed, and it is named."""
    (batch,) = run(root).batches
    (original,) = (root / "processed").rglob("orders/a.csv")
    place = original.relative_to(root).as_posix()
    with opened(root) as shop, bad_block(original):
        (replayed,) = replay_batch(shop.ports, batch.batch_id)
    assert (len(replayed.reports), replayed.returned) == (2, (KEY,))
    assert dict(replayed.unread) == {KEY: BAD_BLOCK.replace(KEY, place, 1)}
    assert troubles(root) == []


# Older stores


def test_a_gate_of_an_older_version_has_left_no_file(root: Path) -> None:
    """Its table lacks the column, which is added."""
    run(root)
    database = open_database(root / ".takings" / "takings.db")
    database.execute("alter table PendingBatches drop column left_files")
    database.execute("pragma user_version = 0")
    database.close()
    with bad_block(drop(root, "orders/b.csv", csv_of(order(4)))):
        run(root)
    with opened(root) as shop:
        assert [each.key for each in shop.ports.ledger.gate().left] == ["raw-data/orders/b.csv"]
