"""Measures that contradict each other are never published."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from takings.errors import InvariantBreach
from takings.kpis import check_invariants

SUNDAY, MONDAY = date(2025, 3, 30), date(2025, 3, 31)


def day(**other: object) -> dict[str, Any]:
    """Return sound measures of a day of the whole site."""
    return {
        "order_date": SUNDAY,
        "orders": 2,
        "returned_orders": 1,
        "customers": 2,
        "items": 3,
        "revenue": Decimal("30.0000000000000001"),
        "returned_value": Decimal(10),
        "cancelled_value": Decimal(5),
    } | other


def category(name: str, revenue: str, items: int, **other: object) -> dict[str, Any]:
    """Return sound measures of a category's day."""
    return {
        "category": name,
        "order_date": SUNDAY,
        "orders": 1,
        "returned_orders": 0,
        "items": items,
        "revenue": Decimal(revenue),
        "returned_value": Decimal(0),
        "cancelled_value": Decimal(0),
    } | other


BOOKS = category("Books", "10.0000000000000001", 1, returned_value=Decimal(10))
TOYS = category("Toys", "20", 2, cancelled_value=Decimal(5))


def test_sound_measures_pass() -> None:
    """Also for a day of orders without items, one of refunds only, one on which every order came back, and no day at all."""
    empty = day(order_date=MONDAY, items=0, revenue=Decimal(0), returned_value=Decimal(0), cancelled_value=Decimal(0))
    check_invariants([day(), empty], [BOOKS, TOYS])
    refunds = day(revenue=Decimal(-30), items=1, returned_value=Decimal(-30), cancelled_value=Decimal(0))
    check_invariants([refunds], [category("Books", "-30", 1, returned_value=Decimal(-30))])
    all_back = category(
        "Books", "30.0000000000000001", 3, returned_orders=1, returned_value=Decimal(10), cancelled_value=Decimal(5)
    )
    check_invariants([day(returned_orders=2)], [all_back])
    check_invariants([], [])


def test_sums_are_compared_to_the_last_digit() -> None:
    """38 digits are not cut to a context's 28."""
    site = Decimal("1234567890123456789032.0000000000000001")
    books = Decimal("1234567890123456789012.0000000000000001")
    check_invariants([day(revenue=site)], [BOOKS | {"revenue": books}, TOYS])


@pytest.mark.parametrize(
    ("by_day", "by_category", "contradiction"),
    [
        (
            [day(revenue=Decimal(30))],
            [BOOKS, TOYS],
            "day 2025-03-30: its categories' revenue: 30.0000000000000001, the site's: 30",
        ),
        ([day()], [], "day 2025-03-30: its categories' items: 0, the site's: 3"),
        ([day(items=4)], [BOOKS, TOYS], "day 2025-03-30: its categories' items: 3, the site's: 4"),
        ([day(customers=3)], [BOOKS, TOYS], "day 2025-03-30: 3 customers placed 2 orders"),
        ([day(returned_orders=3)], [BOOKS, TOYS], "day 2025-03-30: 3 of 2 orders are returned"),
        ([day(returned_orders=-1)], [BOOKS, TOYS], "day 2025-03-30: -1 of 2 orders are returned"),
        (
            [day(returned_value=Decimal(26))],
            [BOOKS, TOYS],
            "day 2025-03-30: its categories' returned value: 10, the site's: 26",
        ),
        (
            [day(cancelled_value=Decimal(-1))],
            [BOOKS, TOYS],
            "day 2025-03-30: its categories' cancelled value: 5, the site's: -1",
        ),
        (
            [day()],
            [BOOKS, TOYS | {"returned_orders": 2}],
            "category 'Toys' on 2025-03-30: 2 of 1 orders are returned",
        ),
        (
            [day()],
            [BOOKS, TOYS, TOYS | {"order_date": MONDAY}],
            "day 2025-03-31: categories have items on a day without an order",
        ),
    ],
    ids=[
        "revenue differs",
        "no category",
        "items differ",
        "more customers than orders",
        "more than all orders returned",
        "fewer than none returned",
        "returned value differs",
        "cancelled value differs",
        "a category's orders",
        "a day without an order",
    ],
)
def test_a_contradiction_is_a_breach(
    by_day: list[dict[str, Any]], by_category: list[dict[str, Any]], contradiction: str
) -> None:
    """The message names the day or category, and the contradiction."""
    with pytest.raises(InvariantBreach) as breach:
        check_invariants(by_day, by_category)
    assert str(breach.value) == (
        f"KPIs of {contradiction}. Nothing was published. Run `takings verify` and report what it prints."
    )
