"""Gather a day's digest: its numbers beside those of a week before, the weeks before it as a chart, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from takings.kpis.columns import KpiValue
from takings.kpis.publication import visible
from takings.ports import Ports
from takings.queries.incomplete import find_incomplete
from takings.queries.news import revenue_by_day
from takings.queries.published_kpis import By, kpi_table
from takings.queries.status import Status, find_status
from takings.queries.unusual_days import WEEKS, UsualRange, usual_range
from takings.time_zones import business_time

#: days of the chart, with the day itself
CHART_DAYS: Final = 14
#: how many categories are named
_MOST_CATEGORIES: Final = 5
_WEEK: Final = timedelta(weeks=1)


@dataclass(frozen=True, kw_only=True)
class Digest:
    """What is worth knowing of a day."""

    day: date
    #: the published columns of OrderKPIs; empty where the day has no number
    numbers: Mapping[str, KpiValue]
    week_before: Mapping[str, KpiValue]
    #: what the day's revenue usually is on this weekday; None where too little is known
    usual: UsualRange | None
    #: revenue of the last 14 days up to this one; None where a day has no number
    chart: tuple[tuple[date, Decimal | None], ...]
    #: the categories with most revenue of the day, and it
    categories: tuple[tuple[str, Decimal], ...]
    #: what is known to be missing from the day's numbers; empty where nothing is
    lacks: str
    #: pending files, orphans and refused files as they are now
    status: Status


def find_digest(ports: Ports, day: date | None = None) -> Digest:
    """Return the digest of a business day; of yesterday unless one is named."""
    if day is None:
        day = business_time(ports.time_zone).day_of(ports.clock.now()) - timedelta(days=1)
    revenue = revenue_by_day(ports, day - timedelta(weeks=WEEKS), day)
    days = [day - timedelta(days=back) for back in reversed(range(CHART_DAYS))]
    incomplete = find_incomplete(ports)
    missing = incomplete.days.get(day)
    return Digest(
        day=day,
        numbers=_numbers(ports, day),
        week_before=_numbers(ports, day - _WEEK),
        usual=usual_range(revenue, day),
        chart=tuple((each, revenue.get(each)) for each in days),
        categories=_categories(ports, day),
        lacks="" if missing is None else missing.sentence,
        status=find_status(ports, incomplete),
    )


def _numbers(ports: Ports, day: date) -> Mapping[str, KpiValue]:
    rows = visible(ports.kpis.rows(kpi_table(ports.kpi_tables, By.DAY), first=day, last=day))
    return next((row.values for row in rows), {})


def _categories(ports: Ports, day: date) -> tuple[tuple[str, Decimal], ...]:
    rows = visible(ports.kpis.rows(kpi_table(ports.kpi_tables, By.CATEGORY), first=day, last=day))
    found = [(row.key[0], Decimal(row.values["daily_revenue"] or 0)) for row in rows]
    return tuple(sorted(found, key=lambda pair: (-pair[1], pair[0]))[:_MOST_CATEGORIES])
