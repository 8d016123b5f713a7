"""Check that measures do not contradict each other, before anything is published. Pure, on unrounded measures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal, localcontext

from takings.errors import InvariantBreach
from takings.kpis.definitions import Measures


def check_invariants(by_day: Iterable[Measures], by_category: Iterable[Measures]) -> None:
    """Raise InvariantBreach naming the first day on which the measures contradict each other.

    `by_category` must cover every category of the days in `by_day`.
    """
    revenue_of: dict[date, Decimal] = defaultdict(Decimal)
    items_of: dict[date, int] = defaultdict(int)
    with localcontext() as context:
        context.prec = 60
        for row in by_category:
            _check_row(f"category '{row['category']}' on {row['order_date']}", row)
            revenue_of[row["order_date"]] += row["revenue"]
            items_of[row["order_date"]] += row["items"]
        for row in by_day:
            place = f"day {row['order_date']}"
            _check_row(place, row)
            if row["customers"] > row["orders"]:
                raise _breach(place, f"{row['customers']} customers placed {row['orders']} orders")
            revenue = revenue_of.pop(row["order_date"], Decimal(0))
            if revenue != row["revenue"]:
                raise _breach(
                    place, f"its categories' revenue is {_plain(revenue)}, the site's is {_plain(row['revenue'])}"
                )
            items = items_of.pop(row["order_date"], 0)
            if items != row["items"]:
                raise _breach(place, f"its categories have {items} items, the site has {row['items']}")
    for day in revenue_of:
        raise _breach(f"day {day}", "categories have items on a day without an order")


def _check_row(place: str, row: Measures) -> None:
    if not 0 <= row["returned_orders"] <= row["orders"]:
        raise _breach(place, f"{row['returned_orders']} of {row['orders']} orders are returned")
    reduced = row["returned_value"] + row["cancelled_value"]
    if row["revenue"] < 0 or row["returned_value"] < 0 or row["cancelled_value"] < 0 or reduced > row["revenue"]:
        raise _breach(place, f"returned and cancelled {_plain(reduced)} exceed the revenue {_plain(row['revenue'])}")


def _plain(amount: Decimal) -> str:
    """Write an amount with the digits that it has; nothing is 0, not 0E-16."""
    return f"{amount.normalize():f}"


def _breach(place: str, contradiction: str) -> InvariantBreach:
    return InvariantBreach(
        f"KPIs of {place}: {contradiction}. Nothing was published. Run `takings verify` and report what it prints."
    )
