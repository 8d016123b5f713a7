"""Check, before anything is published, that measures do not contradict each other. Pure, on unrounded measures.

Correct measures pass every check, whatever rows a contract allows: the checks follow from how measures are counted and
summed, not from the values. So there is no check of a sum's sign, nor of net against gross: a refund may be a line of its
own, with a negative price.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, localcontext
from typing import Final

from takings.errors import InvariantBreach
from takings.kpis.definitions import Measures

#: measures whose categories add up to the site, because each item has exactly one category; with the words for them
_ADDITIVE: Final[Mapping[str, str]] = {
    "items": "items",
    "revenue": "revenue",
    "returned_value": "returned value",
    "cancelled_value": "cancelled value",
}


def check_invariants(by_day: Iterable[Measures], by_category: Iterable[Measures]) -> None:
    """Raise InvariantBreach for the first day on which the measures contradict each other.

    `by_category` must cover every category of the days in `by_day`.
    """
    sums: dict[date, dict[str, Decimal]] = defaultdict(_no_items)
    with localcontext() as context:
        context.prec = 60
        for row in by_category:
            _check_orders(f"category '{row['category']}' on {row['order_date']}", row)
            for measure in _ADDITIVE:
                sums[row["order_date"]][measure] += row[measure]
        for row in by_day:
            place = f"day {row['order_date']}"
            _check_orders(place, row)
            if row["customers"] > row["orders"]:
                raise _breach(place, f"{row['customers']} customers placed {row['orders']} orders")
            of_categories = sums.pop(row["order_date"], _no_items())
            for measure, words in _ADDITIVE.items():
                if of_categories[measure] != row[measure]:
                    raise _breach(
                        place,
                        f"its categories' {words}: {_plain(of_categories[measure])}, the site's: {_plain(row[measure])}",
                    )
    for day in sums:
        raise _breach(f"day {day}", "categories have items on a day without an order")


def _plain(amount: Decimal | int) -> str:
    """Write an amount with its own digits; zero as 0, not 0E-16."""
    return f"{Decimal(amount).normalize():f}"


def _no_items() -> dict[str, Decimal]:
    return dict.fromkeys(_ADDITIVE, Decimal(0))


def _check_orders(place: str, row: Measures) -> None:
    if not 0 <= row["returned_orders"] <= row["orders"]:
        raise _breach(place, f"{row['returned_orders']} of {row['orders']} orders are returned")


def _breach(place: str, contradiction: str) -> InvariantBreach:
    return InvariantBreach(
        f"KPIs of {place}: {contradiction}. Nothing was published. Run `takings verify` and report what it prints."
    )
