"""Say how far a batch is, from what it has left in the store so far; its process is asked nothing."""

from __future__ import annotations

from typing import Any

from takings import layout
from takings.archive.lineage import LineageStatus
from takings.batch.commits import read_commit
from takings.composition.stores import Shop
from takings.documents import MANIFEST, read_document
from takings.intake.gate import Gate, GateState
from takings.layout import format_instant

#: the steps of a batch in their order, as people call them
STEPS = ("forming", "validating", "merging", "publishing", "filing")


def look(shop: Shop) -> dict[str, Any]:
    """Return where the store's one batch stands, and what is pending."""
    state = shop.ports.ledger.gate()
    return {
        "state": state.state.value,
        "batch_id": state.batch_id,
        "attempt": state.attempt,
        "reason": state.reason,
        "pending": sum(state.pending.values()),
        "deadline": None if state.deadline is None else format_instant(state.deadline),
        **(_progress(shop, state) if state.has_batch else {"step": None, "done": 0, "of": 0}),
    }


def _progress(shop: Shop, state: Gate) -> dict[str, Any]:
    assert state.batch_id is not None
    store, batch_id = shop.ports.store, state.batch_id
    manifest = read_document(store, layout.manifest(batch_id), MANIFEST) or {"files": []}
    keys = [file["key"] for file in manifest["files"]]
    papers = {info.key for info in store.list(f"{layout.BATCHES}{batch_id}/")}
    step, done = "forming", 0
    if layout.verdicts(batch_id) not in papers:
        if state.state is not GateState.FORMING:
            step, done = "validating", keys.index(state.reading) if state.reading in keys else 0
    elif _is_committed(shop, state):
        lineage = shop.ports.ledger.lineage(batch_id=batch_id)
        done = sum(record.status is not LineageStatus.IN_PROGRESS for record in lineage)
        step = "filing" if done else "publishing"
    else:
        step = "merging"
    return {"step": step, "done": done, "of": len(keys)}


def _is_committed(shop: Shop, state: Gate) -> bool:
    number = state.last_commit + 1
    while (commit := read_commit(shop.ports.store, number)) is not None:
        if commit.batch_id == state.batch_id:
            return True
        number += 1
    return False
