"""Where a file's original goes after its batch, and what is recorded of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from takings.archive.lineage import (
    LineageRecord,
    LineageStatus,
    begun,
    dead_letters,
    ended,
    given_back,
    newest_archived,
)
from takings.archive.moves import Move, plan_move
from takings.contracts.model import Dataset
from takings.intake.arrivals import Arrival
from takings.layout import BatchId
from takings.validation.findings import FileReport, RecordCounts, Verdict
from tests.shop import NOON

BATCH = BatchId("20250330T230000000000Z-ab12")
ARRIVAL = Arrival(
    key="raw-data/order-items/2025/a.csv",
    dataset=Dataset.ORDER_ITEMS,
    file="2025/a.csv",
    size=3,
    etag="1-2-3",
    version=NOON,
)


def report(verdict: Verdict) -> FileReport:
    """Return the report on the arrival."""
    return FileReport(
        key=ARRIVAL.key,
        dataset=ARRIVAL.dataset,
        file=ARRIVAL.file,
        verdict=verdict,
        fingerprint="f00",
        version=NOON,
        size=3,
        records=RecordCounts(),
    )


@pytest.mark.parametrize("verdict", [Verdict.ACCEPTED, Verdict.DUPLICATE])
def test_a_taken_file_goes_to_processed(verdict: Verdict) -> None:
    """So does a duplicate: it is archived and never counts."""
    assert plan_move(ARRIVAL, report(verdict), BATCH, NOON) == Move(
        arrival=ARRIVAL,
        report=report(verdict),
        destination=f"processed/2025/03/30/{BATCH}/order_items/2025/a.csv",
        reason_key=None,
    )


def test_a_refused_file_goes_to_failed_with_its_reasons_beside_it() -> None:
    """Their key is the file's key with one more suffix."""
    assert plan_move(ARRIVAL, report(Verdict.REJECTED), BATCH, NOON) == Move(
        arrival=ARRIVAL,
        report=report(Verdict.REJECTED),
        destination=f"failed/2025/03/30/{BATCH}/order_items/2025/a.csv",
        reason_key=f"failed/2025/03/30/{BATCH}/order_items/2025/a.csv.reason.json",
    )


@pytest.fixture
def in_los_angeles(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the machine be eight hours behind UTC."""
    with monkeypatch.context() as machine:
        machine.setenv("TZ", "America/Los_Angeles")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_los_angeles")
def test_the_day_is_that_of_the_batchs_instant_in_utc() -> None:
    """Whatever zone the instant is written in, and wherever the machine is."""
    in_tokyo = datetime(2025, 3, 31, 8, tzinfo=timezone(timedelta(hours=9)))
    assert in_tokyo.astimezone(UTC).day == 30
    move = plan_move(ARRIVAL, report(Verdict.ACCEPTED), BATCH, in_tokyo)
    assert move.destination == f"processed/2025/03/30/{BATCH}/order_items/2025/a.csv"
    after_midnight = plan_move(ARRIVAL, report(Verdict.ACCEPTED), BATCH, datetime(2025, 3, 31, 1, tzinfo=UTC))
    assert after_midnight.destination == f"processed/2025/03/31/{BATCH}/order_items/2025/a.csv"


TAKEN = LineageRecord(
    file_key="raw-data/order-items/2025/a.csv",
    processing_date=NOON + timedelta(minutes=1),
    status=LineageStatus.IN_PROGRESS,
    batch_id=BATCH,
    dataset=Dataset.ORDER_ITEMS,
    size=3,
    etag="1-2-3",
    version=NOON,
)


def test_a_file_that_a_batch_has_taken_is_in_progress() -> None:
    """Under the batch's instant; a replay's original lies in the archive already."""
    assert begun(ARRIVAL, BATCH, NOON + timedelta(minutes=1)) == TAKEN
    replayed = replace(ARRIVAL, archived_at="processed/a.csv")
    assert begun(replayed, BATCH, TAKEN.processing_date) == replace(TAKEN, archived_at="processed/a.csv")


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (Verdict.ACCEPTED, LineageStatus.SUCCESS),
        (Verdict.DUPLICATE, LineageStatus.SUCCESS),
        (Verdict.REJECTED, LineageStatus.FAILED),
    ],
)
def test_only_a_refused_file_has_failed(verdict: Verdict, status: LineageStatus) -> None:
    """The record says what was decided, why, and where the original is now."""
    counts = RecordCounts(read=3, rejected=3)
    record = ended(
        TAKEN, verdict=verdict, fingerprint="f00", records=counts, reason="no header", archived_at="failed/a.csv"
    )
    assert record == replace(
        TAKEN,
        status=status,
        verdict=verdict,
        fingerprint="f00",
        records=counts,
        reason="no header",
        archived_at="failed/a.csv",
    )


def test_a_file_of_a_batch_that_is_given_up_is_where_it_was() -> None:
    """It is pending again, or in the archive if it was to be replayed."""
    assert given_back(TAKEN) == replace(TAKEN, status=LineageStatus.FAILED, reason="returned to pending")
    replayed = replace(TAKEN, archived_at="processed/a.csv")
    assert given_back(replayed) == replace(replayed, status=LineageStatus.FAILED, reason="the replay was given up")


def archived(name: str, verdict: Verdict | None, *, hours: int = 0, version: int = 0) -> LineageRecord:
    """Return the record of a file that was archived some hours after noon, with its version in hours as well."""
    return replace(
        TAKEN,
        file_key=name,
        verdict=verdict,
        archived_at=f"archive/{name}",
        processing_date=NOON + timedelta(hours=hours),
        version=NOON + timedelta(hours=version),
    )


def test_the_newest_original_of_a_key_counts_and_after_replays_the_last_one() -> None:
    """Whatever the order of the records; not one that is pending or has no verdict yet."""
    replayed = archived("a", Verdict.ACCEPTED, hours=5, version=2)
    records = [
        replayed,
        archived("a", Verdict.REJECTED, hours=3, version=2),
        archived("a", Verdict.REJECTED, hours=9, version=1),
        archived("a", None, hours=10, version=3),
        replace(archived("a", Verdict.REJECTED, hours=10, version=3), archived_at=None),
        archived("b", Verdict.DUPLICATE),
    ]
    assert newest_archived(records) == {"a": replayed, "b": records[-1]}


def test_dead_letters_are_the_refused_files_that_nothing_has_replaced() -> None:
    """Oldest first, by when they were processed."""
    late, early = archived("a", Verdict.REJECTED, hours=2), archived("b", Verdict.REJECTED, hours=1, version=7)
    others = [
        archived("c", Verdict.REJECTED, version=1),
        archived("c", Verdict.ACCEPTED, version=2),
        archived("d", Verdict.DUPLICATE),
    ]
    assert dead_letters([late, *others, early]) == [early, late]
