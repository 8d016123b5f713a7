"""Report the state of a store, as `takings status` shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from takings import layout
from takings.archive.lineage import LineageRecord, dead_letters
from takings.batch.commits import newest_commit
from takings.batch.gaps import read_gaps
from takings.contracts.model import Dataset
from takings.errors import CorruptState
from takings.intake.arrivals import sight
from takings.intake.batching import Decision, Hold, WaitUntil, decide
from takings.intake.gate import Suspect
from takings.lake import Commit
from takings.layout import BatchId
from takings.ports import Ports
from takings.queries.incomplete import Incomplete
from takings.queries.published_kpis import kpi_warnings, stale_tables

_SHOWN_FAILURES: Final = 10


@dataclass(frozen=True, kw_only=True)
class Status:
    """The state of a store."""

    #: when it was so
    at: datetime
    #: IDLE, WAITING, FORMING, RUNNING or BLOCKED
    state: str
    #: pending files per dataset and source
    pending: Mapping[str, int]
    #: what the policy says about what is pending
    decision: Decision
    #: of the batch in flight, if there is one; so are the next four
    batch_id: BatchId | None
    attempt: int
    owner: str | None
    lease_expires_at: datetime | None
    reading: str | None
    #: files whose reading has killed a process
    suspects: tuple[Suspect, ...]
    #: key and reason of the files that a person must put right before they can be taken
    unreadable: tuple[tuple[str, str], ...]
    #: the batch's lease has expired, so that the next run resumes it
    is_abandoned: bool
    #: why the batch is blocked
    reason: str | None
    #: the newest one's number; None for a new store
    commit: int | None
    #: items that wait in the lake for their order or product
    orphans: int
    #: the version of the one that has waited longest
    oldest_orphan_at: datetime | None
    incomplete: Incomplete
    #: KPI table of the shop's own -> why its newest numbers are not published
    stale: Mapping[str, str]
    #: KPI table of the shop's own -> which check that only warns does not hold
    kpi_warnings: Mapping[str, str]
    #: the newest refused files, oldest first
    failures: tuple[LineageRecord, ...]
    #: all refused files that no newer original has replaced, oldest first
    dead_letters: tuple[LineageRecord, ...]

    @property
    def deadline(self) -> datetime | None:
        """Return when the pending files are dispatched; None where they wait for no deadline."""
        return self.decision.deadline if isinstance(self.decision, WaitUntil) else None

    @property
    def missing(self) -> tuple[Dataset, ...]:
        """Return the datasets that never had a file, where the pending files wait for them."""
        return self.decision.missing if isinstance(self.decision, Hold) else ()

    def to_json(self) -> dict[str, Any]:
        """Return it as `takings status --json` prints it."""
        return {
            "schema_version": 1,
            "state": self.state,
            "pending": dict(self.pending),
            "decision": type(self.decision).__name__,
            "deadline": _instant(self.deadline),
            "missing": list(self.missing),
            "batch_id": self.batch_id,
            "attempt": self.attempt,
            "owner": self.owner,
            "lease_expires_at": _instant(self.lease_expires_at),
            "reading": self.reading,
            "suspects": [{"key": suspect.key, "deaths": suspect.deaths} for suspect in self.suspects],
            "unreadable": [{"key": key, "reason": reason} for key, reason in self.unreadable],
            "is_abandoned": self.is_abandoned,
            "reason": self.reason,
            "commit": self.commit,
            "orphans": self.orphans,
            "oldest_orphan_at": _instant(self.oldest_orphan_at),
            "incomplete": self.incomplete.to_json(),
            **({"stale": dict(self.stale)} if self.stale else {}),
            **({"kpi_warnings": dict(self.kpi_warnings)} if self.kpi_warnings else {}),
            "failures": _files(self.failures),
            "dead_letters": _files(self.dead_letters),
        }


def find_status(ports: Ports, incomplete: Incomplete) -> Status:
    """Return the state of a store."""
    gate = ports.ledger.gate()
    now = ports.clock.now()
    # Whatever was tried at whatever time: a file that could not be read is no file like the others.
    sources = ports.contracts.sources
    unread = gate.left_alone(datetime.min.replace(tzinfo=UTC))
    sighting = sight(ports.store.list(layout.RAW), unread, sources=sources.folders)
    commit = newest_commit(ports.store, gate.last_commit)
    orphans, since = _orphans(ports, commit) if commit else (0, None)
    lineage = ports.ledger.lineage_of_refused()
    pending = Counter(drop.dataset for _, drop in sighting.drops)
    return Status(
        at=now,
        state=gate.state.value,
        pending={kind.value: pending[kind] for kind in (*Dataset, *sources.by_name)},
        decision=decide(
            sighting.drops, gate.landed, ports.batch_policy, deadline=gate.deadline, now=now, sources=sources
        ),
        batch_id=gate.batch_id,
        attempt=gate.attempt,
        owner=gate.owner,
        lease_expires_at=gate.lease_expires_at,
        reading=gate.reading,
        suspects=gate.suspects,
        unreadable=sighting.troubles,
        is_abandoned=gate.is_abandoned(now),
        reason=gate.reason,
        commit=commit.number if commit else None,
        orphans=orphans,
        oldest_orphan_at=since,
        incomplete=incomplete,
        stale=stale_tables(ports),
        kpi_warnings=kpi_warnings(ports),
        failures=tuple(record for record in lineage if record.verdict == "rejected")[-_SHOWN_FAILURES:],
        dead_letters=tuple(dead_letters(lineage)),
    )


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else layout.format_instant(moment)


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
