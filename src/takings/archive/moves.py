"""Decide where a file's original goes when its batch is done. Pure; the store moves it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from takings import layout
from takings.intake.arrivals import Arrival
from takings.layout import BatchId
from takings.validation.findings import FileReport, Verdict


@dataclass(frozen=True, kw_only=True)
class Move:
    """One original on its way out of raw-data/."""

    arrival: Arrival
    report: FileReport
    destination: str
    #: where a refused file's reasons are written
    reason_key: str | None


@dataclass(frozen=True, kw_only=True)
class Original:
    """An original as a store archives it."""

    #: the key under which the batch read it
    key: str
    etag: str
    size: int
    destination: str
    #: the place of its rows in the order of writes
    version: datetime
    #: the SHA-256 of its bytes
    fingerprint: str


def plan_move(arrival: Arrival, report: FileReport, batch_id: BatchId, now: datetime) -> Move:
    """Return where an original goes: processed/ if it was taken, failed/ if it was refused."""
    day = now.astimezone(UTC).date()
    if report.verdict is Verdict.REJECTED:
        destination = layout.failed(day, batch_id, arrival.dataset, arrival.file)
        return Move(arrival=arrival, report=report, destination=destination, reason_key=f"{destination}.reason.json")
    destination = layout.processed(day, batch_id, arrival.dataset, arrival.file)
    return Move(arrival=arrival, report=report, destination=destination, reason_key=None)
