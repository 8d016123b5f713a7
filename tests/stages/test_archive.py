"""Where a file's original goes after its batch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

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


def test_the_day_is_that_of_the_batchs_instant_in_utc() -> None:
    """Whatever zone the instant is written in."""
    in_tokyo = datetime(2025, 3, 31, 8, tzinfo=timezone(timedelta(hours=9)))
    assert in_tokyo.astimezone(UTC).day == 30
    move = plan_move(ARRIVAL, report(Verdict.ACCEPTED), BATCH, in_tokyo)
    assert move.destination == f"processed/2025/03/30/{BATCH}/order_items/2025/a.csv"
