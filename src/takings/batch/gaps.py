"""Keep with each batch what the lake lacks, so that readers need not compute it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from takings import layout
from takings.batch.commits import read_commit
from takings.documents import GAPS, read_document
from takings.errors import CorruptState
from takings.intake.manifest import to_json
from takings.kpis.publication import days_of
from takings.lake import Affected, Commit, Gaps
from takings.layout import BatchId
from takings.ports import ObjectStore, Ports


def keep_gaps(ports: Ports, commit: Commit, affected: Affected) -> None:
    """Keep, once, what is lacking as of a batch's commit; look only at the days that it may have changed."""
    key = layout.gaps(commit.batch_id)
    if ports.store.read(key) is not None:
        return
    before = _known_before(ports, commit)
    days = None
    if before is not None and not affected.is_everything:
        days = days_of(affected) | before.waiting_days
    found = ports.engine.gaps(ports.tables.snapshot(commit.versions), days)
    if before is not None and days is not None:
        found = before.followed_by(found, days)
    ports.store.create(key, to_json({"schema_version": 1, "batch_id": commit.batch_id, **found.to_json()}))


def _known_before(ports: Ports, commit: Commit) -> Gaps | None:
    """Return what was lacking as of the previous commit; None, if that is lost or damaged, means looking at all days."""
    try:
        return gaps_before(ports.store, commit)
    except CorruptState as damage:
        ports.tell("gaps.damaged", {"fault": str(damage)})
        return None


def gaps_before(store: ObjectStore, commit: Commit) -> Gaps | None:
    """Return what was lacking as of the previous commit; None if that was not kept."""
    before = read_commit(store, commit.number - 1) if commit.number > 1 else None
    return None if before is None else read_gaps(store, before.batch_id)


def read_gaps(store: ObjectStore, batch_id: BatchId) -> Gaps | None:
    """Return what the lake lacked as of a batch's commit; None if that was not kept."""
    document = read_document(store, layout.gaps(batch_id), GAPS)
    return None if document is None else Gaps.from_json(document)


def refused_days_document(batch_id: BatchId, days: Mapping[str, Iterable[date]]) -> dict[str, Any]:
    """Return the content of refused.json: the days that refused files are about, as far as their good rows show."""
    return {
        "schema_version": 1,
        "batch_id": batch_id,
        "files": [{"key": key, "days": sorted(day.isoformat() for day in each)} for key, each in sorted(days.items())],
    }
