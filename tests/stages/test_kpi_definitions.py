"""How measures become published numbers: exact decimals, one rounding, no value for a zero denominator."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from takings.kpis import KpiRow, Publication, definition_hash, derive, load_kpi_tables, prepare_publication
from takings.kpis.definitions import KpiValue, divide, round_money
from takings.kpis.publication import days_of, is_affected, visible
from takings.lake import Affected, everything
from tests.shop import NOON

ORDERS, CATEGORIES = load_kpi_tables()
SUNDAY, MONDAY = date(2025, 3, 30), date(2025, 3, 31)
DAY: dict[str, Any] = {
    "order_date": SUNDAY,
    "orders": 3,
    "returned_orders": 1,
    "customers": 2,
    "items": 4,
    "revenue": Decimal("24.75"),
    "returned_value": Decimal("5.50"),
    "cancelled_value": Decimal("2.00"),
}
CATEGORY: dict[str, Any] = {
    "category": "Books",
    "order_date": SUNDAY,
    "orders": 3,
    "returned_orders": 2,
    "items": 3,
    "revenue": Decimal("19.25"),
    "returned_value": Decimal("0.00"),
    "cancelled_value": Decimal("2.00"),
}
PUBLICATION = Publication(commit=7, batch_id="b7", computed_at=NOON, definition="d")
NO_ORDERS: dict[str, KpiValue] = {
    "total_orders": 0,
    "total_revenue": Decimal("0.00"),
    "total_items_sold": 0,
    "return_rate": None,
    "unique_customers": 0,
    "avg_order_value": None,
    "returned_value": Decimal("0.00"),
    "cancelled_value": Decimal("0.00"),
    "net_revenue": Decimal("0.00"),
}


def test_a_day_of_the_site() -> None:
    """Every column of OrderKPIs."""
    assert derive(ORDERS, DAY) == (
        (SUNDAY,),
        {
            "total_orders": 3,
            "total_revenue": Decimal("24.75"),
            "total_items_sold": 4,
            "return_rate": Decimal("33.33"),
            "unique_customers": 2,
            "avg_order_value": Decimal("8.25"),
            "returned_value": Decimal("5.50"),
            "cancelled_value": Decimal("2.00"),
            "net_revenue": Decimal("17.25"),
        },
    )


def test_a_day_of_a_category() -> None:
    """Every column of CategoryKPIs."""
    assert derive(CATEGORIES, CATEGORY) == (
        ("Books", SUNDAY),
        {
            "daily_revenue": Decimal("19.25"),
            "avg_order_value": Decimal("6.42"),
            "avg_return_rate": Decimal("66.67"),
            "total_orders": 3,
            "items_sold": 3,
            "returned_value": Decimal("0.00"),
            "cancelled_value": Decimal("2.00"),
            "net_revenue": Decimal("17.25"),
        },
    )


def test_columns_stand_in_the_published_order() -> None:
    """Files, tables and databases all use it."""
    assert ",".join(ORDERS.header) == (
        "order_date,total_orders,total_revenue,total_items_sold,return_rate,unique_customers,avg_order_value,"
        "returned_value,cancelled_value,net_revenue"
    )
    assert ",".join(CATEGORIES.header) == (
        "category,order_date,daily_revenue,avg_order_value,avg_return_rate,total_orders,items_sold,returned_value,"
        "cancelled_value,net_revenue"
    )


@pytest.mark.parametrize(
    ("exact", "rounded"),
    [
        ("1.005", "1.01"),
        ("1.004999999999999999", "1.00"),
        ("1.015", "1.02"),
        ("-1.005", "-1.01"),
        ("-0.004", "0.00"),
        ("1234567890123456789012.1250000000000001", "1234567890123456789012.13"),
    ],
)
def test_money_is_rounded_half_up(exact: str, rounded: str) -> None:
    """A half is rounded away from zero, exactly at any size, and never to a negative zero."""
    assert str(round_money(Decimal(exact))) == rounded


@pytest.mark.parametrize(
    ("numerator", "denominator", "quotient"),
    [
        (Decimal("0.01"), 2, "0.01"),
        (Decimal("0.03"), 8, "0.00"),
        (Decimal("2.00"), 3, "0.67"),
        (100, 8, "12.50"),
        (Decimal("9999999999999999999999.9949999999999999"), 1, "9999999999999999999999.99"),
        (0, 5, "0.00"),
    ],
)
def test_a_ratio_is_rounded_once(numerator: Decimal | int, denominator: int, quotient: str) -> None:
    """From the exact quotient, not from rounded parts."""
    assert str(divide(numerator, denominator)) == quotient


def test_a_ratio_is_made_of_unrounded_sums() -> None:
    """0.0149 of one order and its net of 0.0049: rounding the parts first would give another net."""
    _, values = derive(ORDERS, DAY | {"orders": 1, "returned_orders": 0, "customers": 1, "revenue": Decimal("0.0149"),
                                      "returned_value": Decimal("0.0050"), "cancelled_value": Decimal("0.0050")})  # fmt: skip
    assert (values["total_revenue"], values["returned_value"], values["net_revenue"]) == (
        Decimal("0.01"),
        Decimal("0.01"),
        Decimal("0.00"),
    )


def test_a_zero_denominator_has_no_value() -> None:
    """Neither 0 nor NaN."""
    assert divide(Decimal("1.00"), 0) is None
    nothing = DAY | dict.fromkeys(("orders", "returned_orders", "customers", "items"), 0)
    nothing |= dict.fromkeys(("revenue", "returned_value", "cancelled_value"), Decimal(0))
    assert derive(ORDERS, nothing) == ((SUNDAY,), NO_ORDERS)


def test_only_affected_keys_are_published() -> None:
    """A day that no row of the batch touches keeps its row, with the old commit."""
    affected = Affected(days=frozenset({SUNDAY}), category_days=frozenset({("Books", SUNDAY)}))
    days = prepare_publication(ORDERS, [DAY, DAY | {"order_date": MONDAY}], affected, (), PUBLICATION)
    toys = CATEGORY | {"category": "Toys"}
    categories = prepare_publication(CATEGORIES, [toys, CATEGORY], affected, (), PUBLICATION)
    assert days == (PUBLICATION.row(*derive(ORDERS, DAY)),)
    assert categories == (PUBLICATION.row(*derive(CATEGORIES, CATEGORY)),)


def test_when_everything_is_affected_every_key_is_published_in_order() -> None:
    """Whatever the order of the measures."""
    rows = prepare_publication(ORDERS, [DAY | {"order_date": MONDAY}, DAY], everything(), (), PUBLICATION)
    assert [row.key for row in rows] == [(SUNDAY,), (MONDAY,)]


def test_a_published_key_without_rows_becomes_zeros_and_is_hidden() -> None:
    """The row keeps the guard; an unaffected one is left alone."""
    affected = Affected(days=frozenset({SUNDAY}))
    rows = prepare_publication(ORDERS, [], affected, [(SUNDAY,), (MONDAY,)], PUBLICATION)
    assert rows == (KpiRow(key=(SUNDAY,), values=NO_ORDERS, commit=7, batch_id="b7", computed_at=NOON, definition="d"),)
    assert list(visible(rows)) == []


def test_a_day_of_orders_without_items_is_shown() -> None:
    """An order without counted items counts, with 0.00."""
    no_items = DAY | {"items": 0} | dict.fromkeys(("revenue", "returned_value", "cancelled_value"), Decimal(0))
    rows = prepare_publication(ORDERS, [no_items], everything(), (), PUBLICATION)
    assert list(visible(rows)) == list(rows)


def test_a_pair_affects_its_day() -> None:
    """Its day has to be computed; the day's own row and its other categories stay."""
    both = Affected(days=frozenset({SUNDAY}), category_days=frozenset({("Books", MONDAY)}))
    assert days_of(both) == {SUNDAY, MONDAY}
    assert is_affected(("Books", MONDAY), both) is True
    assert is_affected((MONDAY,), both) is False
    assert is_affected(("Toys", MONDAY), both) is False


def test_affected_keys_are_read_as_they_were_written() -> None:
    """In order, so that the document depends only on its content."""
    affected = Affected(
        days=frozenset({MONDAY, SUNDAY}), category_days=frozenset({("Toys", SUNDAY), ("Books", MONDAY)})
    )
    assert affected.to_json() == {
        "everything": False,
        "days": ["2025-03-30", "2025-03-31"],
        "category_days": [["Books", "2025-03-31"], ["Toys", "2025-03-30"]],
    }
    assert Affected.from_json(affected.to_json()) == affected
    assert Affected.from_json(everything().to_json()) == everything()


def test_the_definition_changes_with_whatever_may_change_a_number() -> None:
    """SQL, columns, policy and time zone; the same meaning has the same hash."""
    tables = (ORDERS, CATEGORIES)
    other_sql = (replace(ORDERS, sql=ORDERS.sql.replace("count(distinct user_id)", "count(user_id)")), CATEGORIES)
    other_column = (
        replace(ORDERS, columns=(replace(ORDERS.columns[0], measure="items"), *ORDERS.columns[1:])),
        CATEGORIES,
    )
    hashes = [
        definition_hash(tables, policy="file", time_zone="UTC"),
        definition_hash(other_sql, policy="file", time_zone="UTC"),
        definition_hash(other_column, policy="file", time_zone="UTC"),
        definition_hash(tables, policy="row", time_zone="UTC"),
        definition_hash(tables, policy="file", time_zone="Europe/Berlin"),
    ]
    assert len(set(hashes)) == len(hashes)
    assert definition_hash(tables, policy="file", time_zone="UTC") == hashes[0]
