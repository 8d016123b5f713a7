"""Say how the gate may change: the one record per store through which a batch starts and ends.

Every transition returns the next gate, one generation later; the ledger writes it only if nobody else has written since.
IDLE -> WAITING -> FORMING -> RUNNING -> (BLOCKED ->) IDLE.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from takings.contracts.datasets import Dataset, DropKind
from takings.layout import BatchId

#: how long an owner may be silent before another resumes its batch
LEASE: Final = timedelta(seconds=60)
#: how often the owner says that it is alive: three times missed before the lease ends
RENEWAL: Final = timedelta(seconds=15)
#: a file that kills its reader more often is refused; the first time it may not have been alone, or not to blame
MOST_DEATHS: Final = 3
#: more files that cannot be read are no longer the trouble of each; and the gate stays small
MOST_LEFT: Final = 500
#: a file that could not be read is tried again after so long
TRY_AGAIN: Final = timedelta(minutes=5)


class GateState(StrEnum):
    """The state of the store's one batch."""

    #: no batch is in flight; nothing is pending, or datasets are missing
    IDLE = "IDLE"
    #: no batch is in flight; what is pending goes at the deadline
    WAITING = "WAITING"
    #: a batch has an owner; its lineage is not written yet
    FORMING = "FORMING"
    #: the batch's lineage is written, and its attempts take it through its steps
    RUNNING = "RUNNING"
    #: the batch is stopped until a person unblocks it
    BLOCKED = "BLOCKED"


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A file during whose reading a process died; it is tried alone, and refused unread after MOST_DEATHS."""

    key: str
    #: other bytes under the key are not suspected
    etag: str
    deaths: int


@dataclass(frozen=True, kw_only=True)
class LeftFile:
    """A file under raw-data/ that is left for now; other bytes under its key are not."""

    key: str
    etag: str
    #: why, and what to do
    reason: str
    #: when it was tried
    tried_at: datetime
    #: it is archived and only could not be removed, so that it is never tried again
    is_archived: bool = False


@dataclass(frozen=True, kw_only=True)
class OwnTableState:
    """How far a KPI table of the shop's own is published."""

    #: a changed grain needs a new name: rows of two grains would lie side by side
    key: tuple[str, ...]
    #: under which every day was published; None: under none yet
    definition: str | None
    #: under which its publication was last tried
    tried: str
    #: why its newest numbers could not be published; None: they are
    stale: str | None = None
    #: days that are not published yet; all of them where the definition is not the present one
    days: frozenset[date] = frozenset()
    #: day -> which `warn:` check does not hold for its published numbers; of the newest such days
    warned: Mapping[date, str] = field(default_factory=dict)

    @property
    def warning(self) -> str | None:
        """Return which checks do not hold that only warn, as a sentence; None where all hold."""
        if not self.warned:
            return None
        others = len(self.warned) - 1
        more = f" So on {others} other day{'s' if others > 1 else ''}." if others else ""
        return f"{self.warned[max(self.warned)]}.{more}"

    def to_json(self) -> dict[str, Any]:
        """Return the state as the ledgers keep it."""
        return {
            "key": list(self.key),
            "definition": self.definition,
            "tried": self.tried,
            "stale": self.stale,
            "days": [day.isoformat() for day in sorted(self.days)],
            **({"warned": {day.isoformat(): self.warned[day] for day in sorted(self.warned)}} if self.warned else {}),
        }

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> OwnTableState:
        """Read what `to_json` wrote."""
        return OwnTableState(
            key=tuple(document["key"]),
            definition=document["definition"],
            tried=document["tried"],
            stale=document["stale"],
            days=frozenset(map(date.fromisoformat, document["days"])),
            warned={date.fromisoformat(day): phrase for day, phrase in document.get("warned", {}).items()},
        )


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The gate at one generation."""

    generation: int = 0
    state: GateState = GateState.IDLE
    #: when what is pending goes, once every dataset is present
    deadline: datetime | None = None
    #: pending files per dataset at the last look
    pending: Mapping[DropKind, int] = field(default_factory=dict)
    batch_id: BatchId | None = None
    #: 1 for the first try of the batch
    attempt: int = 0
    owner: str | None = None
    lease_expires_at: datetime | None = None
    #: why the batch is blocked; only when BLOCKED
    reason: str | None = None
    #: the file that is being read, a suspect if the process dies; or a text for several files, and then none is a suspect
    reading: str | None = None
    #: files whose reading has killed a process
    suspects: tuple[Suspect, ...] = ()
    #: files that batches could not read, or not remove
    left: tuple[LeftFile, ...] = ()
    #: a cache of the newest commit's number
    last_commit: int = 0
    #: datasets that ever reached the lake
    landed: frozenset[Dataset] = frozenset()
    #: KPI tables of the shop's own, by name
    own_tables: Mapping[str, OwnTableState] = field(default_factory=dict)

    @property
    def has_batch(self) -> bool:
        """Return whether a batch is in flight."""
        return self.state in {GateState.FORMING, GateState.RUNNING, GateState.BLOCKED}

    def is_abandoned(self, now: datetime) -> bool:
        """Return whether the batch in flight has no living owner."""
        if self.state not in {GateState.FORMING, GateState.RUNNING}:
            return False
        return self.owner is None or self.lease_expires_at is None or self.lease_expires_at <= now

    def deaths_of(self, key: str, etag: str) -> int:
        """Return how many processes died while they read these bytes of a key."""
        return sum(suspect.deaths for suspect in self.suspects if (suspect.key, suspect.etag) == (key, etag))

    def left_alone(self, since: datetime) -> Mapping[tuple[str, str], str]:
        """Return, per key and ETag, why a file is left alone: it is archived, or was tried at this time or later."""
        return {(each.key, each.etag): each.reason for each in self.left if each.is_archived or each.tried_at >= since}

    def waiting(
        self, deadline: datetime | None, pending: Mapping[DropKind, int], left: tuple[LeftFile, ...] = ()
    ) -> Gate:
        """Note what is pending, until when it waits, and which of the files that were left are still there."""
        state = GateState.IDLE if deadline is None else GateState.WAITING
        return self._next(state=state, deadline=deadline, pending=dict(pending), left=left)

    def claimed(self, batch_id: BatchId, owner: str, now: datetime) -> Gate:
        """Start a batch as its owner."""
        return self._next(state=GateState.FORMING, deadline=None, batch_id=batch_id, attempt=1, **_owned_by(owner, now))

    def resumed(self, owner: str, now: datetime) -> Gate:
        """Take over the same batch as its next attempt."""
        return self._next(attempt=self.attempt + 1, **_owned_by(owner, now))

    def adopted(self, owner: str, now: datetime) -> Gate:
        """Take over the same attempt in another process, which does its next step, or the same one again."""
        return self._next(**_owned_by(owner, now))

    def running(self) -> Gate:
        """Note that manifest and lineage are written."""
        return self._next(state=GateState.RUNNING)

    def now_reading(self, key: str) -> Gate:
        """Record which file is being read, in case the owner dies over it."""
        return self._next(reading=key)

    def suspecting(self, key: str, etag: str) -> Gate:
        """Note that a process died while it read a file."""
        others = tuple(suspect for suspect in self.suspects if suspect.key != key)
        deaths = self.deaths_of(key, etag) + 1
        return self._next(suspects=(*others, Suspect(key=key, etag=etag, deaths=deaths)))

    def renewed(self, now: datetime) -> Gate:
        """Prolong the owner's lease."""
        return self._next(lease_expires_at=now + LEASE)

    def let_go(self, now: datetime) -> Gate:
        """End the owner's lease without ending the batch, so that anybody may resume it."""
        return self._next(owner=None, lease_expires_at=now, reading=None)

    def blocked(self, reason: str) -> Gate:
        """Stop the batch until somebody unblocks it."""
        return self._next(state=GateState.BLOCKED, owner=None, lease_expires_at=None, reason=reason)

    def unblocked(self, now: datetime) -> Gate:
        """Let the first process that looks resume a blocked batch."""
        return self._next(state=GateState.RUNNING, reason=None, lease_expires_at=now)

    def with_own_tables(self, states: Mapping[str, OwnTableState]) -> Gate:
        """Note how far the shop's own KPI tables are published; one that is not named was removed."""
        return self._next(own_tables=dict(states))

    def released(
        self,
        *,
        last_commit: int,
        landed: Iterable[Dataset] = (),
        settled: Collection[str] = (),
        left: Collection[LeftFile] = (),
    ) -> Gate:
        """End the batch; the files that it has settled are suspected no longer, and those that it left are remembered."""
        known = {*settled, *(each.key for each in left)}
        return self._next(
            state=GateState.IDLE,
            deadline=None,
            batch_id=None,
            attempt=0,
            owner=None,
            lease_expires_at=None,
            reason=None,
            reading=None,
            suspects=tuple(suspect for suspect in self.suspects if suspect.key not in settled),
            left=(*(each for each in self.left if each.key not in known), *left),
            last_commit=last_commit,
            landed=self.landed | frozenset(landed),
        )

    def _next(self, **changes: Any) -> Gate:  # noqa: ANN401 - values of any of its fields
        return replace(self, generation=self.generation + 1, **changes)


def _owned_by(owner: str, now: datetime) -> dict[str, Any]:
    """Return what changes when an owner takes a batch: its lease begins, and what the one before left is cleared."""
    return {"owner": owner, "lease_expires_at": now + LEASE, "reason": None, "reading": None}
