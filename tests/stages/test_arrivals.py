"""Which listed files are arrivals, and what version each has."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from takings.contracts.model import Dataset
from takings.intake.arrivals import Arrival, Sighting, fix_versions, sight
from takings.layout import Drop, Ignored
from tests.shop import NOON, listed, pending

HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)


def test_drops_are_seen_oldest_first() -> None:
    """Ties go by key; the order of the listing does not matter."""
    late = listed("raw-data/orders/a.csv", at=NOON + HOUR)
    second, first = listed("raw-data/orders/c.csv"), listed("raw-data/orders/b.csv")
    assert sight([late, second, first]) == Sighting(
        drops=(
            (first, Drop(dataset=Dataset.ORDERS, file="b.csv")),
            (second, Drop(dataset=Dataset.ORDERS, file="c.csv")),
            (late, Drop(dataset=Dataset.ORDERS, file="a.csv")),
        ),
        ignored=(),
    )


def test_what_is_no_drop_keeps_its_reason() -> None:
    """Nothing vanishes silently: people learn why a file stays where it is."""
    assert sight([listed("raw-data/orders/a.csv.tmp"), listed("raw-data/orders/.b.csv")]) == Sighting(
        drops=(),
        ignored=(
            ("raw-data/orders/a.csv.tmp", Ignored(reason="its name ends in neither .csv nor .csv.gz")),
            ("raw-data/orders/.b.csv", Ignored(reason="it is hidden")),
        ),
    )


def test_a_file_that_is_being_written_is_not_taken() -> None:
    """It is taken once nobody holds it open; what is not a drop keeps its own reason."""
    assert sight(
        [listed("raw-data/orders/a.csv", is_settled=False), listed("raw-data/orders/a.tmp", is_settled=False)]
    ) == Sighting(
        drops=(),
        ignored=(
            ("raw-data/orders/a.csv", Ignored(reason="it is still being written", is_passing=True)),
            ("raw-data/orders/a.tmp", Ignored(reason="its name ends in neither .csv nor .csv.gz")),
        ),
    )


@pytest.mark.parametrize(
    ("written_at", "previous", "version"),
    [
        (NOON - HOUR, None, NOON - HOUR),
        (NOON + HOUR, None, NOON),
        (NOON - HOUR, NOON - 2 * HOUR, NOON - HOUR),
        (NOON - HOUR, NOON - HOUR, NOON - HOUR + TICK),
        (NOON - 2 * HOUR, NOON - HOUR, NOON - HOUR + TICK),
        (NOON + HOUR, NOON, NOON + TICK),
        (NOON, NOON + HOUR, NOON + HOUR + TICK),
    ],
    ids=[
        "when it was written",
        "capped at now",
        "newer than the previous",
        "as old as the previous",
        "older than the previous",
        "both capped",
        "the clock went back",
    ],
)
def test_a_version_is_the_time_of_writing_after_the_keys_previous_one(
    written_at: datetime, previous: datetime | None, version: datetime
) -> None:
    """So a correction always wins over what it corrects, whatever its time says."""
    dropped = pending("orders/a.csv", at=written_at)
    earlier = {} if previous is None else {"raw-data/orders/a.csv": previous}
    assert fix_versions([dropped], earlier, NOON) == (
        Arrival(
            key="raw-data/orders/a.csv",
            dataset=Dataset.ORDERS,
            file="a.csv",
            size=100,
            etag="etag of raw-data/orders/a.csv",
            version=version,
        ),
    )


def test_another_keys_version_means_nothing() -> None:
    """Each key has its own order of writes."""
    (arrival,) = fix_versions([pending("orders/a.csv")], {"raw-data/orders/b.csv": NOON + HOUR}, NOON + HOUR)
    assert arrival.version == NOON
