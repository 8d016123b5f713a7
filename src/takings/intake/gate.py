"""Say how the gate may change: the one record per store through which a batch starts and ends.

Every function takes the gate as it was read and returns the gate as it shall be, one generation later; the ledger writes
it only if nobody else has written since. IDLE -> WAITING -> FORMING -> RUNNING -> (BLOCKED ->) IDLE.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from takings.contracts.model import Dataset
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
    """Where the store's one batch stands."""

    IDLE = "IDLE"
    WAITING = "WAITING"
    FORMING = "FORMING"
    RUNNING = "RUNNING"
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
class Gate:
    """The gate at one generation."""

    generation: int = 0
    state: GateState = GateState.IDLE
    #: when what is pending goes, once every dataset is present
    deadline: datetime | None = None
    #: pending files per dataset at the last look
    pending: Mapping[Dataset, int] = field(default_factory=dict)
    batch_id: BatchId | None = None
    #: 1 for the first try of the batch
    attempt: int = 0
    owner: str | None = None
    lease_expires_at: datetime | None = None
    #: what an unblocker has to know; only when BLOCKED
    reason: str | None = None
    #: the file that is being read, suspected if the process dies meanwhile; or that there are several, of which then none is
    reading: str | None = None
    #: files whose reading has killed a process
    suspects: tuple[Suspect, ...] = ()
    #: files that batches could not read, or not remove
    left: tuple[LeftFile, ...] = ()
    #: a cache of the newest commit's number
    last_commit: int = 0
    #: datasets that ever reached the lake
    landed: frozenset[Dataset] = frozenset()

    @property
    def has_batch(self) -> bool:
        """Tell whether a batch is in flight."""
        return self.state in {GateState.FORMING, GateState.RUNNING, GateState.BLOCKED}


def waiting(
    gate: Gate, deadline: datetime | None, pending: Mapping[Dataset, int], left: tuple[LeftFile, ...] = ()
) -> Gate:
    """Note what is pending, until when it waits, and which of the files that were left are still there."""
    state = GateState.IDLE if deadline is None else GateState.WAITING
    return replace(
        gate, generation=gate.generation + 1, state=state, deadline=deadline, pending=dict(pending), left=left
    )


def left_alone(gate: Gate, since: datetime) -> Mapping[tuple[str, str], str]:
    """Return, per key and ETag, why a file is left alone: it is archived, or was tried at this time or later."""
    return {(each.key, each.etag): each.reason for each in gate.left if each.is_archived or each.tried_at >= since}


def claimed(gate: Gate, batch_id: BatchId, owner: str, now: datetime) -> Gate:
    """Start a batch as its owner."""
    return replace(
        gate,
        generation=gate.generation + 1,
        state=GateState.FORMING,
        deadline=None,
        batch_id=batch_id,
        attempt=1,
        owner=owner,
        lease_expires_at=now + LEASE,
        reason=None,
        reading=None,
    )


def resumed(gate: Gate, owner: str, now: datetime) -> Gate:
    """Take over the same batch as its next attempt."""
    return replace(
        gate,
        generation=gate.generation + 1,
        attempt=gate.attempt + 1,
        owner=owner,
        lease_expires_at=now + LEASE,
        reason=None,
        reading=None,
    )


def adopted(gate: Gate, owner: str, now: datetime) -> Gate:
    """Take over the same attempt in another process, which does its next step, or the same one again."""
    return replace(
        gate, generation=gate.generation + 1, owner=owner, lease_expires_at=now + LEASE, reason=None, reading=None
    )


def running(gate: Gate) -> Gate:
    """Say that manifest and lineage are written."""
    return replace(gate, generation=gate.generation + 1, state=GateState.RUNNING)


def reading(gate: Gate, key: str | None) -> Gate:
    """Say which file is being read (None: no more), for whoever finds the owner dead."""
    return replace(gate, generation=gate.generation + 1, reading=key)


def suspecting(gate: Gate, key: str, etag: str) -> Gate:
    """Note that a process died while it read a file."""
    others = tuple(suspect for suspect in gate.suspects if suspect.key != key)
    deaths = deaths_of(gate, key, etag) + 1
    return replace(gate, generation=gate.generation + 1, suspects=(*others, Suspect(key=key, etag=etag, deaths=deaths)))


def deaths_of(gate: Gate, key: str, etag: str) -> int:
    """Return how many processes died while they read these bytes of a key."""
    return sum(suspect.deaths for suspect in gate.suspects if (suspect.key, suspect.etag) == (key, etag))


def renewed(gate: Gate, now: datetime) -> Gate:
    """Prolong the owner's lease."""
    return replace(gate, generation=gate.generation + 1, lease_expires_at=now + LEASE)


def let_go(gate: Gate, now: datetime) -> Gate:
    """End the owner's lease without ending the batch, so that anybody may resume it."""
    return replace(gate, generation=gate.generation + 1, owner=None, lease_expires_at=now, reading=None)


def blocked(gate: Gate, reason: str) -> Gate:
    """Stop the batch until somebody unblocks it."""
    return replace(
        gate, generation=gate.generation + 1, state=GateState.BLOCKED, owner=None, lease_expires_at=None, reason=reason
    )


def unblocked(gate: Gate, now: datetime) -> Gate:
    """Let a blocked batch be resumed by whoever comes first."""
    return replace(gate, generation=gate.generation + 1, state=GateState.RUNNING, reason=None, lease_expires_at=now)


def released(
    gate: Gate,
    *,
    last_commit: int,
    landed: Iterable[Dataset] = (),
    settled: Collection[str] = (),
    left: Collection[LeftFile] = (),
) -> Gate:
    """End the batch; the files that it has settled are suspected no longer, and those that it left are remembered."""
    known = {*settled, *(each.key for each in left)}
    return replace(
        gate,
        generation=gate.generation + 1,
        state=GateState.IDLE,
        deadline=None,
        batch_id=None,
        attempt=0,
        owner=None,
        lease_expires_at=None,
        reason=None,
        reading=None,
        suspects=tuple(suspect for suspect in gate.suspects if suspect.key not in settled),
        left=(*(each for each in gate.left if each.key not in known), *left),
        last_commit=last_commit,
        landed=gate.landed | frozenset(landed),
    )


def is_abandoned(gate: Gate, now: datetime) -> bool:
    """Tell whether the batch in flight has no living owner."""
    if gate.state not in {GateState.FORMING, GateState.RUNNING}:
        return False
    return gate.owner is None or gate.lease_expires_at is None or gate.lease_expires_at <= now
