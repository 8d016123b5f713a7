"""A blocked batch has a way out that loses nothing, whatever the reason; docs/operations.md lists them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from takings.composition.empty_stores import open_empty_store
from takings.contracts.model import Dataset
from takings.errors import InvariantBreach, MachineryError
from takings.intake.gate import GateState
from takings.lake import TableChange
from takings.layout import BatchId
from takings.runs import pipeline, steps
from takings.runs.rebuild import read_archive, rebuild
from tests.shop import csv_of, drop, drop_all, expected, files, item, new_store, opened, published, run, silent

MORE_ITEMS = csv_of(item(4, 1, 2, "3.00"), item(5, 3, 3, "1.25"))


def duplicate_products(root: Path) -> None:
    """Damage the lake as no merge would: every product occurs twice, so every category counts twice."""
    with opened(root) as shop:
        tables = shop.ports.tables
        snapshot = tables.snapshot()[Dataset.PRODUCTS]
        change = shop.ports.engine.compact(Dataset.PRODUCTS, snapshot, snapshot.files)
        tables.apply(Dataset.PRODUCTS, TableChange(added=change.added, removed=()), snapshot, BatchId("damage"))


def test_a_damaged_lake_is_left_behind_by_a_rebuild(root: Path, tmp_path: Path) -> None:
    """`KPIs of …`: the archive makes a sound store, and the batch's files, which are still drops, go there."""
    run(drop_all(root))
    duplicate_products(root)
    drop(root, "order-items/b.csv", MORE_ITEMS)
    with pytest.raises(InvariantBreach, match=r"KPIs of day 2025-03-3[01]: its categories' items: "):
        run(root)
    with pytest.raises(MachineryError, match="is blocked: KPIs of"):
        run(root)

    new = tmp_path / "new"
    with open_empty_store(new, root, silent, {"threads": 1}) as (shop, source):
        rebuilt = rebuild(source, read_archive(source), shop.ports)
    assert rebuilt.changes == ()
    assert files(root, "raw-data") == ["raw-data/order-items/b.csv"]
    drop(new, "order-items/b.csv", (root / "raw-data" / "order-items" / "b.csv").read_bytes())
    run(new)

    sound = drop_all(new_store(tmp_path / "sound"))
    drop(sound, "order-items/b.csv", MORE_ITEMS)
    run(sound)
    assert published(new) == published(sound) == expected(sound)


def test_bytes_that_were_overwritten_meanwhile_are_in_the_batchs_own_copy(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A blocked batch keeps what it read, under `.takings/fetched/BATCH/`, as long as it is blocked."""
    run(drop_all(root))
    drop(root, "order-items/b.csv", MORE_ITEMS)

    def breached(*_: object) -> None:
        raise InvariantBreach("KPIs of day 2025-03-30: a fault.")

    with monkeypatch.context() as faulty:
        faulty.setattr("takings.batch.publish.check_invariants", breached)
        with pytest.raises(InvariantBreach):
            run(root)
    newer = csv_of(item(5, 3, 3, "2.50"))
    drop(root, "order-items/b.csv", newer)
    (copy,) = (root / ".takings" / "fetched").rglob("b.csv")
    assert copy.read_bytes() == MORE_ITEMS
    # The way out of a fault in Takings itself: a corrected version, and `takings unblock`. Both contents count.
    unblock(root)
    assert [batch.commit for batch in run(root).batches] == [2, 3]
    assert published(root) == expected(root)


@pytest.mark.parametrize("has_word", [True, False], ids=["five failed attempts", "five silent attempts"])
def test_what_failed_five_times_is_completed_once_its_cause_is_mended(root: Path, has_word: bool) -> None:
    """`5 attempts have …`: once unblocked, the next attempt continues with the same verdicts, and every file counts once."""
    drop_all(root)
    with opened(root) as shop:
        gate = shop.ports.ledger.gate()
        drops = pipeline.look(shop.ports, gate, at_once=True)[0].drops
        claimed = pipeline.claim_batch(shop.ports, gate, drops)
        assert claimed is not None
        assert claimed.batch_id is not None
        steps.validate(shop.ports, claimed.batch_id, 1)
        tired = replace(shop.ports.ledger.gate(), attempt=steps.MOST_ATTEMPTS)
        shop.ports.ledger.change_gate(replace(tired, generation=tired.generation + 1))
        if has_word:
            failed = steps.mark_failed(shop.ports, claimed.batch_id, steps.MOST_ATTEMPTS, "no disk")
            assert failed is steps.AfterFailure.BLOCKED
        else:
            gate = shop.ports.ledger.gate()
            shop.ports.ledger.change_gate(gate.blocked("5 attempts ended without reporting a result"))
    with pytest.raises(MachineryError, match="is blocked: 5 attempts "):
        run(root)
    unblock(root)
    (batch,) = run(root).batches
    assert (batch.batch_id, batch.attempt, batch.commit) == (claimed.batch_id, steps.MOST_ATTEMPTS + 1, 1)
    assert published(root) == expected(root)
    assert files(root, "raw-data", "failed") == []


def unblock(root: Path) -> None:
    """Do what `takings unblock` does."""
    with opened(root) as shop:
        gate = shop.ports.ledger.gate()
        assert gate.state is GateState.BLOCKED
        shop.ports.ledger.change_gate(gate.unblocked(shop.ports.clock.now()))
