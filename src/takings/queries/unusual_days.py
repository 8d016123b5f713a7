"""Find days whose revenue lies outside what their weekday says. Pure.

A day is compared with those of the last 8 days of its weekday that have numbers: with their median, and with how far they
usually lie from it. That is the median of the distances (MAD) times 1.4826, the standard deviation of normal values; at least
5 % of the median, since eight equal days are no reason to be surprised by a cent. Medians, because one Black Friday must not
hide the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from statistics import median
from typing import Final

#: how many earlier days of the same weekday are looked at, and how few are enough
WEEKS: Final = 8
FEWEST: Final = 4
#: how many of the usual distances a day may lie from the median
MOST: Final = Decimal(4)
#: turns a MAD into the standard deviation that normal values with it have
_OF_NORMAL: Final = Decimal("1.4826")
_LEAST_SPREAD: Final = Decimal("0.05")


@dataclass(frozen=True, kw_only=True)
class UsualRange:
    """What a weekday's earlier days say of a day's revenue."""

    median: Decimal
    low: Decimal
    high: Decimal
    #: how many days say so
    days: int


@dataclass(frozen=True, kw_only=True)
class UnusualDay:
    """A day whose revenue lies outside its usual range."""

    day: date
    revenue: Decimal
    usual: UsualRange


def usual_range(revenue: Mapping[date, Decimal], day: date) -> UsualRange | None:
    """Return what the earlier days of its weekday say of a day; None where fewer than 4 of the last 8 have numbers."""
    weeks = (day - timedelta(weeks=week) for week in range(1, WEEKS + 1))
    known = [revenue[each] for each in weeks if each in revenue]
    if len(known) < FEWEST:
        return None
    middle = Decimal(median(known))
    distance = Decimal(median(abs(each - middle) for each in known))
    reach = MOST * max(_OF_NORMAL * distance, _LEAST_SPREAD * abs(middle))
    return UsualRange(median=middle, low=middle - reach, high=middle + reach, days=len(known))


def unusual_days(revenue: Mapping[date, Decimal], first: date, last: date) -> Iterator[UnusualDay]:
    """Yield the unusual ones of the days from `first` to `last` that have numbers, oldest first."""
    for day in sorted(day for day in revenue if first <= day <= last):
        usual = usual_range(revenue, day)
        if usual is not None and not usual.low <= revenue[day] <= usual.high:
            yield UnusualDay(day=day, revenue=revenue[day], usual=usual)
