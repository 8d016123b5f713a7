"""Record what happened to every file: the records of the ProcessedFiles table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from takings.contracts.datasets import DropKind
from takings.intake.arrivals import Arrival
from takings.layout import BatchId
from takings.validation.findings import RecordCounts, Verdict

RETURNED_TO_PENDING = "returned to pending"
REPLAY_GIVEN_UP = "the replay was given up"


class LineageStatus(StrEnum):
    """How far a file has got."""

    IN_PROGRESS = "IN_PROGRESS"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


@dataclass(frozen=True, kw_only=True)
class LineageRecord:
    """One file in one batch."""

    file_key: str
    #: the batch's instant, so that the versions of one key lie side by side
    processing_date: datetime
    status: LineageStatus
    batch_id: BatchId
    dataset: DropKind
    size: int
    etag: str
    version: datetime
    #: SHA-256 of the bytes, once they have been read
    fingerprint: str | None = None
    verdict: Verdict | None = None
    records: RecordCounts | None = None
    reason: str | None = None
    #: where the original is now; None while it is under raw-data/
    archived_at: str | None = None


def begun(arrival: Arrival, batch_id: BatchId, now: datetime) -> LineageRecord:
    """Return the record of a file that a batch has taken."""
    return LineageRecord(
        file_key=arrival.key,
        processing_date=now,
        status=LineageStatus.IN_PROGRESS,
        batch_id=batch_id,
        dataset=arrival.dataset,
        size=arrival.size,
        etag=arrival.etag,
        version=arrival.version,
        archived_at=arrival.archived_at,
    )


def ended(
    record: LineageRecord,
    *,
    verdict: Verdict,
    fingerprint: str | None,
    records: RecordCounts,
    reason: str | None,
    archived_at: str,
) -> LineageRecord:
    """Return the record of a file that has ended, with where its original is now."""
    status = LineageStatus.FAILED if verdict is Verdict.REJECTED else LineageStatus.SUCCESS
    return replace(
        record,
        status=status,
        verdict=verdict,
        fingerprint=fingerprint,
        records=records,
        reason=reason,
        archived_at=archived_at,
    )


def given_back(record: LineageRecord) -> LineageRecord:
    """Return the record of a file whose batch was given up before it changed the lake; the file is where it was before."""
    reason = RETURNED_TO_PENDING if record.archived_at is None else REPLAY_GIVEN_UP
    return replace(record, status=LineageStatus.FAILED, reason=reason)


def dead_letters(lineage: Iterable[LineageRecord]) -> list[LineageRecord]:
    """Return the refused files that no newer original has replaced, oldest first."""
    newest = newest_archived(lineage).values()
    return sorted(
        (record for record in newest if record.verdict is Verdict.REJECTED), key=lambda record: record.processing_date
    )


def newest_archived(lineage: Iterable[LineageRecord]) -> Mapping[str, LineageRecord]:
    """Return, per key, the record of its newest archived original; after replays, the last one's."""
    ended = [record for record in lineage if record.archived_at is not None and record.verdict is not None]
    return {record.file_key: record for record in sorted(ended, key=lambda each: (each.version, each.processing_date))}
