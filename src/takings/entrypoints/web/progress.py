"""Report a batch's progress from the documents that it has written so far, without asking its process."""

from __future__ import annotations

from typing import Any

from takings import layout
from takings.archive.lineage import LineageStatus
from takings.batch.commits import read_commit
from takings.composition.stores import Shop
from takings.documents import MANIFEST, read_document
from takings.intake.gate import Gate, GateState
from takings.layout import format_instant

#: the steps of a batch in order, as the page calls them
STEPS = ("forming", "validating", "merging", "publishing", "archiving")


def look(shop: Shop) -> dict[str, Any]:
    """Return the state of the store's one batch, and what is pending."""
    gate = shop.ports.ledger.gate()
    return {
        "state": gate.state.value,
        "batch_id": gate.batch_id,
        "attempt": gate.attempt,
        "reason": gate.reason,
        "pending": sum(gate.pending.values()),
        "deadline": None if gate.deadline is None else format_instant(gate.deadline),
        **(_progress(shop, gate) if gate.has_batch else {"step": None, "done": 0, "of": 0}),
    }


def _progress(shop: Shop, gate: Gate) -> dict[str, Any]:
    assert gate.batch_id is not None
    store, batch_id = shop.ports.store, gate.batch_id
    manifest = read_document(store, layout.manifest(batch_id), MANIFEST) or {"files": []}
    keys = [file["key"] for file in manifest["files"]]
    papers = {info.key for info in store.list(f"{layout.BATCHES}{batch_id}/")}
    step, done = "forming", 0
    if layout.verdicts(batch_id) not in papers:
        if gate.state is not GateState.FORMING:
            step, done = "validating", keys.index(gate.reading) if gate.reading in keys else 0
    elif _is_committed(shop, gate):
        lineage = shop.ports.ledger.lineage(batch_id=batch_id)
        done = sum(record.status is not LineageStatus.IN_PROGRESS for record in lineage)
        step = "archiving" if done else "publishing"
    else:
        step = "merging"
    return {"step": step, "done": done, "of": len(keys)}


def _is_committed(shop: Shop, gate: Gate) -> bool:
    number = gate.last_commit + 1
    while (commit := read_commit(shop.ports.store, number)) is not None:
        if commit.batch_id == gate.batch_id:
            return True
        number += 1
    return False
