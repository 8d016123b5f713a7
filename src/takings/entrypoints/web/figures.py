"""Compute what the overview shows: totals of a period and the previous one, days, and categories. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from takings.kpis import KpiRow
from takings.queries.published_kpis import By, PublishedKpis

#: the default is the longest of these that has a previous period of the same length
_USUAL_DAYS: Final = (28, 14, 7)
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Period:
    """A range of days, both ends included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """Count the days."""
        return (self.last - self.first).days + 1

    @property
    def before(self) -> Period:
        """Return the period of the same length that ends where this one begins."""
        return Period(first=self.first - timedelta(days=self.days), last=self.first - timedelta(days=1))


@dataclass(frozen=True, kw_only=True)
class DayFigures:
    """One day, of the whole site or of the chosen categories."""

    day: date
    revenue: Decimal
    net: Decimal
    returned: Decimal
    cancelled: Decimal
    items: int
    #: None if several categories are chosen: an order may hold items of more than one
    orders: int | None
    #: orders with a return, recovered from the published rate
    returned_orders: Decimal | None
    is_unfinished: bool
    #: what is known to be missing; None if nothing is
    missing: str | None = None

    @property
    def average(self) -> Decimal | None:
        """Return the average order value."""
        return _ratio(self.revenue, self.orders)

    @property
    def return_rate(self) -> Decimal | None:
        """Return the percent of orders with a return."""
        return None if self.returned_orders is None else _ratio(100 * self.returned_orders, self.orders)


@dataclass(frozen=True, kw_only=True)
class Totals:
    """The sums over a period's days."""

    revenue: Decimal
    net: Decimal
    items: int
    orders: int | None
    average: Decimal | None
    return_rate: Decimal | None


@dataclass(frozen=True, kw_only=True)
class CategoryFigures:
    """One category in a period."""

    name: str
    revenue: Decimal
    net: Decimal
    items: int
    #: change of revenue in percent of the previous period's; None if there was none
    change: Decimal | None
    #: revenue by day, for days that have any
    by_day: dict[date, Decimal]


@dataclass(frozen=True, kw_only=True)
class Overview:
    """Everything that the overview shows."""

    period: Period
    chosen: tuple[str, ...]
    days: tuple[DayFigures, ...]
    totals: Totals
    #: None if the numbers do not reach back far enough
    before: Totals | None
    categories: tuple[CategoryFigures, ...]


def usual_period(days: Sequence[date]) -> Period:
    """Return the default period: the newest days, if possible with as many days before them."""
    first, last = days[0], days[-1]
    length = (last - first).days + 1
    for usual in _USUAL_DAYS:
        if length >= 2 * usual:
            return Period(first=last - timedelta(days=usual - 1), last=last)
    return Period(first=first, last=last)


def overview(kpis: PublishedKpis, period: Period, chosen: Collection[str]) -> Overview:
    """Return what the overview of a period shows, of the whole site or of the chosen categories."""
    of_site = not chosen
    known = kpis.days[0] if kpis.days else period.first
    has_before = period.before.first >= known
    days = _days(kpis, period, chosen)
    return Overview(
        period=period,
        chosen=tuple(chosen),
        days=days,
        totals=_totals(days),
        before=_totals(_days(kpis, period.before, chosen)) if has_before else None,
        categories=_categories(kpis, period, () if of_site else chosen, has_before=has_before),
    )


def change(now: Decimal | int | None, before: Decimal | int | None) -> Decimal | None:
    """Return the change in percent; None if there is nothing to compare with."""
    if now is None or before is None or before == 0:
        return None
    return _rounded(Decimal(100) * (Decimal(now) - Decimal(before)) / Decimal(before))


def _days(kpis: PublishedKpis, period: Period, chosen: Collection[str]) -> tuple[DayFigures, ...]:
    if not chosen:
        rows = kpis.rows(By.DAY, first=period.first, last=period.last)
        return tuple(_of_site(row, kpis) for row in rows)
    by_day: dict[date, list[KpiRow]] = defaultdict(list)
    for row in kpis.rows(By.CATEGORY, first=period.first, last=period.last):
        if row.key[0] in chosen:
            by_day[row.key[1]].append(row)
    return tuple(_of_categories(day, by_day[day], kpis, is_one=len(chosen) == 1) for day in sorted(by_day))


def _of_site(row: KpiRow, kpis: PublishedKpis) -> DayFigures:
    values = row.values
    orders = _count(values["total_orders"])
    return DayFigures(
        day=row.key[0],
        revenue=_money(values["total_revenue"]),
        net=_money(values["net_revenue"]),
        returned=_money(values["returned_value"]),
        cancelled=_money(values["cancelled_value"]),
        items=_count(values["total_items_sold"]),
        orders=orders,
        returned_orders=_returned(orders, values["return_rate"]),
        is_unfinished=kpis.is_unfinished(row.key[0]),
        missing=_missing(kpis, row.key[0]),
    )


def _of_categories(day: date, rows: Sequence[KpiRow], kpis: PublishedKpis, *, is_one: bool) -> DayFigures:
    def summed(column: str) -> Decimal:
        return sum((_money(row.values[column]) for row in rows), _ZERO)

    orders = _count(rows[0].values["total_orders"]) if is_one else None
    return DayFigures(
        day=day,
        revenue=summed("daily_revenue"),
        net=summed("net_revenue"),
        returned=summed("returned_value"),
        cancelled=summed("cancelled_value"),
        items=sum(_count(row.values["items_sold"]) for row in rows),
        orders=orders,
        returned_orders=None if orders is None else _returned(orders, rows[0].values["avg_return_rate"]),
        is_unfinished=kpis.is_unfinished(day),
        missing=_missing(kpis, day),
    )


def _missing(kpis: PublishedKpis, day: date) -> str | None:
    known = kpis.incomplete.days.get(day)
    return None if known is None else known.sentence


def _totals(days: Sequence[DayFigures]) -> Totals:
    orders = [day.orders for day in days if day.orders is not None]
    all_orders = sum(orders) if len(orders) == len(days) else None
    revenue = sum((day.revenue for day in days), _ZERO)
    returned = sum((day.returned_orders for day in days if day.returned_orders is not None), _ZERO)
    return Totals(
        revenue=revenue,
        net=sum((day.net for day in days), _ZERO),
        items=sum(day.items for day in days),
        orders=all_orders,
        average=_ratio(revenue, all_orders),
        return_rate=_ratio(100 * returned, all_orders),
    )


def _categories(
    kpis: PublishedKpis, period: Period, chosen: Collection[str], *, has_before: bool
) -> tuple[CategoryFigures, ...]:
    rows: dict[str, list[KpiRow]] = defaultdict(list)
    before: dict[str, Decimal] = defaultdict(Decimal)
    first = period.before.first if has_before else period.first
    for row in kpis.rows(By.CATEGORY, first=first, last=period.last):
        if chosen and row.key[0] not in chosen:
            continue
        if row.key[1] < period.first:
            before[row.key[0]] += _money(row.values["daily_revenue"])
        else:
            rows[row.key[0]].append(row)
    found = (_category(name, mine, before[name]) for name, mine in rows.items())
    return tuple(sorted(found, key=lambda each: (-each.revenue, each.name)))


def _category(name: str, rows: Iterable[KpiRow], before: Decimal) -> CategoryFigures:
    rows = list(rows)
    revenue = sum((_money(row.values["daily_revenue"]) for row in rows), _ZERO)
    return CategoryFigures(
        name=name,
        revenue=revenue,
        net=sum((_money(row.values["net_revenue"]) for row in rows), _ZERO),
        items=sum(_count(row.values["items_sold"]) for row in rows),
        change=change(revenue, before),
        by_day={row.key[1]: _money(row.values["daily_revenue"]) for row in rows},
    )


def _returned(orders: int, rate: object) -> Decimal:
    """Return how many orders had a return, from the published rate: its two decimals are exact up to 10,000 orders a day."""
    return _ZERO if rate is None else (_money(rate) * orders / 100).quantize(Decimal(1), rounding=ROUND_HALF_UP)


def _ratio(numerator: Decimal, denominator: int | None) -> Decimal | None:
    return _rounded(numerator / denominator, "0.01") if denominator else None


def _rounded(value: Decimal, to: str = "0.1") -> Decimal:
    return value.quantize(Decimal(to), rounding=ROUND_HALF_UP)


def _money(value: object) -> Decimal:
    assert isinstance(value, Decimal)
    return value


def _count(value: object) -> int:
    assert isinstance(value, int)
    return value
