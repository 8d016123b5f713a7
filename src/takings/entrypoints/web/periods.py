"""Read a page's parameters: dates and categories from an address that somebody may have typed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from takings.entrypoints.web.figures import Period, usual_period
from takings.errors import UsageError

#: the ranges that the overview offers, in days
QUICK: Final = (7, 14, 28, 90)


def read_day(text: str | None, name: str) -> date | None:
    """Read a date; UsageError if it is not a date."""
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{name}='{text}' is not a date. Write it as 2025-01-31.") from None


def read_period(days: Sequence[date], first: str | None, last: str | None) -> Period:
    """Read a range of days; fill in an end that is left open."""
    usual = usual_period(days)
    until = read_day(last, "to") or days[-1]
    since = read_day(first, "from") or (usual.first if not last else min(days[0], until))
    if since > until:
        raise UsageError(f"from={since} is after to={until}. Change one of them.")
    return Period(first=since, last=until)


def quick_periods(days: Sequence[date]) -> list[tuple[str, Period]]:
    """Return the ranges that the overview offers: several numbers of newest days, and all."""
    length = (days[-1] - days[0]).days + 1
    found = [
        (f"{number} days", Period(first=days[-1] - timedelta(days=number - 1), last=days[-1]))
        for number in QUICK
        if number < length
    ]
    return [*found, ("All", Period(first=days[0], last=days[-1]))]
