"""Archive a batch's originals, with their lineage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from takings import layout
from takings.archive import moves
from takings.archive.lineage import LineageRecord, ended, given_back
from takings.archive.moves import Move, Original
from takings.batch.claim import Claim
from takings.batch.side_by_side import groups
from takings.batch.verdicts import BatchVerdicts
from takings.intake.arrivals import Arrival
from takings.layout import BatchId
from takings.validation.findings import FileReport, Verdict
from takings.validation.reports import reason_lines


@dataclass(frozen=True, kw_only=True)
class FailedFile:
    """A file that was refused."""

    key: str
    batch_id: BatchId
    #: where its original is now
    archived_at: str
    reason: str | None


def archive(
    claim: Claim, verdicts: BatchVerdicts, has_time: Callable[[], bool] = lambda: True
) -> Mapping[str, str] | None:
    """Archive every original, with its lineage; return, by key, why archived drops could not be removed.

    None if the time ran out. A repetition continues: it skips what the ledger records as archived.
    """
    arrivals = {arrival.key: (place, arrival) for place, arrival in enumerate(claim.arrivals)}
    ledger = claim.ports.ledger
    ledger.give_back([given_back(claim.begun(arrivals[key][1])) for key in verdicts.returned])
    archived = {record.file_key for record in ledger.lineage(batch_id=claim.batch_id) if record.verdict}
    stuck: dict[str, str] = {}
    rest = [report for report in verdicts.reports if report.key not in archived]
    for reports in groups(claim.ports.store, rest):
        if not has_time():
            return None
        claim.check()
        stuck |= _archive_files(claim, [(*arrivals[report.key], report) for report in reports])
    return stuck


def failed_files(claim: Claim, verdicts: BatchVerdicts) -> tuple[FailedFile, ...]:
    """Return the refused files, and where each is archived."""
    arrivals = {arrival.key: arrival for arrival in claim.arrivals}
    return tuple(
        FailedFile(
            key=report.key,
            batch_id=claim.batch_id,
            archived_at=_move(claim, arrivals[report.key], report).destination,
            reason=report.reason,
        )
        for report in verdicts.reports
        if report.verdict is Verdict.REJECTED
    )


def _archive_files(claim: Claim, group: Sequence[tuple[int, Arrival, FileReport]]) -> dict[str, str]:
    """Archive originals and record how they ended; return, by key, why drops could not be removed."""
    moved = [(_move(claim, arrival, report), place) for place, arrival, report in group]
    for move, place in moved:
        if move.reason_key is not None:
            _keep_reasons(claim, place, move.report, move.reason_key)
    results = claim.ports.store.archive_each(claim.batch_id, [_original(move) for move, _ in moved])
    stuck: dict[str, str] = {}
    for (move, _), reason in zip(moved, results, strict=True):
        if reason is not None:
            stuck[move.arrival.key] = reason
            claim.ports.tell("file.stuck", {"key": move.arrival.key, "reason": reason})
        claim.ports.tell("file.archived", {"key": move.arrival.key, "archived_at": move.destination})
    claim.ports.ledger.record([_ended(claim, move) for move, _ in moved])
    return stuck


def _original(move: Move) -> Original:
    arrival = move.arrival
    return Original(
        key=arrival.source,
        etag=arrival.etag,
        size=arrival.size,
        destination=move.destination,
        version=arrival.version,
        fingerprint=move.report.fingerprint,
    )


def _ended(claim: Claim, move: Move) -> LineageRecord:
    report = move.report
    return ended(
        claim.begun(move.arrival),
        verdict=report.verdict,
        fingerprint=report.fingerprint,
        records=report.records,
        reason=report.reason,
        archived_at=move.destination,
    )


def _move(claim: Claim, arrival: Arrival, report: FileReport) -> Move:
    return moves.plan_move(arrival, report, claim.batch_id, claim.manifest.now)


def _keep_reasons(claim: Claim, place: int, report: FileReport, key: str) -> None:
    """Keep the reasons next to a refused file; a file without faulty records only gets its report's reason."""
    if not claim.ports.store.copy(layout.staged_reasons(claim.batch_id, place), key):
        claim.ports.store.create_from(key, reason_lines(report, ()))
