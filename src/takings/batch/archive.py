"""Archive a batch's originals, with their lineage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from takings import layout
from takings.archive import moves
from takings.archive.lineage import ended, given_back
from takings.archive.moves import Move
from takings.batch.claim import Claim
from takings.batch.verdicts import BatchVerdicts
from takings.errors import StuckFile
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
    for report in verdicts.reports:
        if report.key in archived:
            continue
        if not has_time():
            return None
        place, arrival = arrivals[report.key]
        claim.check()
        if (reason := _archive_file(claim, place, arrival, report)) is not None:
            stuck[arrival.key] = reason
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


def _archive_file(claim: Claim, place: int, arrival: Arrival, report: FileReport) -> str | None:
    """Archive one original and record how it ended; return why the drop could not be removed, or None if it was."""
    move, stuck = _move(claim, arrival, report), None
    if move.reason_key is not None:
        _keep_reasons(claim, place, report, move.reason_key)
    try:
        claim.ports.store.archive(
            arrival.source, arrival.etag, claim.batch_id, move.destination, arrival.version, report.fingerprint
        )
    except StuckFile as refused:
        stuck = str(refused)
        claim.ports.tell("file.stuck", {"key": arrival.key, "reason": stuck})
    claim.ports.tell("file.archived", {"key": arrival.key, "archived_at": move.destination})
    record = ended(
        claim.begun(arrival),
        verdict=report.verdict,
        fingerprint=report.fingerprint,
        records=report.records,
        reason=report.reason,
        archived_at=move.destination,
    )
    claim.ports.ledger.record([record])
    return stuck


def _move(claim: Claim, arrival: Arrival, report: FileReport) -> Move:
    return moves.plan_move(arrival, report, claim.batch_id, claim.manifest.now)


def _keep_reasons(claim: Claim, place: int, report: FileReport, key: str) -> None:
    """Keep the reasons next to a refused file; a file without faulty records only gets its report's reason."""
    if not claim.ports.store.copy(layout.staged_reasons(claim.batch_id, place), key):
        claim.ports.store.create_from(key, reason_lines(report, ()))
