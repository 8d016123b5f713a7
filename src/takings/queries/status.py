"""Report the state of a store, as `takings status --json` and the pages show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from takings import layout
from takings.archive.lineage import LineageRecord, dead_letters
from takings.batch.commits import newest_commit
from takings.batch.gaps import read_gaps
from takings.contracts.model import Dataset
from takings.errors import CorruptState
from takings.intake.arrivals import sight
from takings.intake.batching import Hold, WaitUntil, decide
from takings.lake import Commit
from takings.ports import Ports
from takings.queries.incomplete import Incomplete
from takings.queries.published_kpis import kpi_warnings, stale_tables

_SHOWN_FAILURES: Final = 10


def status_document(ports: Ports, incomplete: Incomplete) -> dict[str, Any]:
    """Return the state of a store."""
    gate = ports.ledger.gate()
    now = ports.clock.now()
    # Whatever was tried at whatever time: a file that could not be read is no file like the others.
    sources = ports.contracts.sources
    unread = gate.left_alone(datetime.min.replace(tzinfo=UTC))
    sighting = sight(ports.store.list(layout.RAW), unread, sources=sources.folders)
    decision = decide(sighting.drops, gate.landed, ports.batch_policy, deadline=gate.deadline, now=now)
    commit = newest_commit(ports.store, gate.last_commit)
    orphans, since = _orphans(ports, commit) if commit else (0, None)
    expires = gate.lease_expires_at
    lineage = ports.ledger.lineage_of_refused()
    pending = Counter(drop.dataset for _, drop in sighting.drops)
    return {
        "schema_version": 1,
        "state": gate.state.value,
        "pending": {kind.value: pending[kind] for kind in (*Dataset, *sources.by_name)},
        "decision": type(decision).__name__,
        "deadline": layout.format_instant(decision.deadline) if isinstance(decision, WaitUntil) else None,
        "missing": list(decision.missing) if isinstance(decision, Hold) else [],
        "batch_id": gate.batch_id,
        "attempt": gate.attempt,
        "owner": gate.owner,
        "lease_expires_at": None if expires is None else layout.format_instant(expires),
        "reading": gate.reading,
        "suspects": [{"key": suspect.key, "deaths": suspect.deaths} for suspect in gate.suspects],
        "unreadable": [{"key": key, "reason": reason} for key, reason in sighting.troubles],
        "is_abandoned": gate.is_abandoned(now),
        "reason": gate.reason,
        "commit": commit.number if commit else None,
        "orphans": orphans,
        "oldest_orphan_at": None if since is None else layout.format_instant(since),
        "incomplete": incomplete.to_json(),
        **({"stale": dict(stale)} if (stale := stale_tables(ports)) else {}),
        **({"kpi_warnings": dict(warnings)} if (warnings := kpi_warnings(ports)) else {}),
        "failures": _files(record for record in lineage if record.verdict == "rejected")[-_SHOWN_FAILURES:],
        "dead_letters": _files(dead_letters(lineage)),
    }


def _orphans(ports: Ports, commit: Commit) -> tuple[int, datetime | None]:
    """Count the orphans as of a commit, and return the oldest one's version, if there is one."""
    if _waits_for_nothing(ports, commit):
        return 0, None
    lake = ports.tables.snapshot(commit.versions)
    return lake.orphans, ports.engine.orphans_since(lake) if lake.orphans else None


def _waits_for_nothing(ports: Ports, commit: Commit) -> bool:
    """Return whether the commit's batch has kept that no item waits; that is so for most, and quicker read than the lake."""
    try:
        kept = read_gaps(ports.store, commit.batch_id)
    except CorruptState:
        # `find_incomplete` reports the damage; the lake is still there.
        return False
    return kept is not None and not kept.waiting_days and not kept.undated.waiting_items


def _files(records: Iterable[LineageRecord]) -> list[dict[str, str | None]]:
    return [{"key": record.file_key, "reason": record.reason, "archived_at": record.archived_at} for record in records]
