"""Which days are unusual: outside what the last eight days of their weekday say."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from takings.queries.unusual_days import UsualRange, unusual_days, usual_range

DAY = date(2025, 3, 31)


def weeks(*revenue: int | None) -> dict[date, Decimal]:
    """Return the revenue of the Mondays before DAY, the newest first."""
    return {
        DAY - timedelta(weeks=week): Decimal(each) for week, each in enumerate(revenue, start=1) if each is not None
    }


def test_the_range_is_the_median_and_four_usual_distances() -> None:
    """Median 105; the distances 5, 5, 5, 5, 15, 15, 15, 85 have the median 10; 4 x 1.4826 x 10 = 59.304."""
    assert usual_range(weeks(100, 110, 100, 110, 90, 120, 90, 190), DAY) == UsualRange(
        median=Decimal(105), low=Decimal("45.696"), high=Decimal("164.304"), days=8
    )


def test_equal_days_leave_a_twentieth_of_the_median() -> None:
    """A cent more is no surprise: 100 ± 4 x 5."""
    assert usual_range(weeks(100, 100, 100, 100), DAY) == UsualRange(
        median=Decimal(100), low=Decimal("80.00"), high=Decimal("120.00"), days=4
    )


def test_three_days_say_nothing_and_the_ninth_week_is_forgotten() -> None:
    """Days without a number are no days of 0."""
    assert usual_range(weeks(100, None, 100, 100), DAY) is None
    known = usual_range(weeks(*[100] * 8, 100_000), DAY)
    assert known is not None
    assert known.days == 8


@pytest.mark.parametrize(("revenue", "is_unusual"), [(80, False), (79, True), (120, False), (121, True), (0, True)])
def test_a_day_is_unusual_outside_its_range(revenue: int, is_unusual: bool) -> None:
    """Its ends belong to it."""
    known = weeks(100, 100, 100, 100) | {DAY: Decimal(revenue)}
    assert [found.day for found in unusual_days(known, DAY, DAY)] == ([DAY] if is_unusual else [])


def test_one_black_friday_does_not_hide_the_next_drop() -> None:
    """The median and the MAD do not follow one outlier; mean and deviation would reach below zero."""
    known = weeks(100, 100, 2000, 100, 100, 100, 100, 100) | {DAY: Decimal(20)}
    assert [found.revenue for found in unusual_days(known, DAY, DAY)] == [20]
