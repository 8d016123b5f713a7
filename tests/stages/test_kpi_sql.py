"""The measures of a day and of a category, of literal rows: what golden cases show end to end, here for each line of SQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from takings.contracts.worth import USUAL_WORTH
from takings.kpis import load_kpi_tables
from takings.kpis.items import items_query

#: status, returned_at, sale_price, quantity, amount and refund of each item, with its order and product; order 4 has none
ITEMS = """
    create table order_items as
    select id, order_id, product_id, date '2025-03-30' + (order_id // 10)::int as order_date, status, returned_at::timestamp
        as returned_at, sale_price::decimal(28, 16) as sale_price, quantity::bigint as quantity, amount::decimal(28, 16)
        as _amount, refund::decimal(28, 16) as refund, 'a.csv' as _source, 'b1' as _batch, id + 1 as _line
    from (values
        (1, 1, 1, 'shipped', null, '10.00', 2, '20.00', null),
        (2, 1, 1, 'returned', null, '5.25', 1, '5.25', null),
        (3, 1, 2, 'cancelled', null, '3.00', null, '3.00', null),
        (4, 2, 2, 'shipped', '2025-04-01', '0.0000000000000007', 1, null, null),
        (5, 2, 1, 'cancelled', '2025-04-01', '7.50', 1, '7.50', null),
        (6, 3, 1, 'cancelled', null, '9.00', 1, '9.00', '4.00'),
        (7, 11, 2, null, null, '1.50', 3, '4.50', '0.00'),
        (8, 12, 2, 'shipped', null, '2.00', 1, '2.00', '0.50'),
        (9, 1, 1, 'returned', null, '0.25', 1, '0.25', null),
        (10, 3, 1, 'cancelled', null, '1.00', 1, '1.00', null),
    ) as rows(id, order_id, product_id, status, returned_at, sale_price, quantity, amount, refund)
"""
ORDERS = """
    create table orders as
    select order_id, user_id, status, date '2025-03-30' + (order_id // 10)::int as order_date
    from (values (1, 7, 'shipped'), (2, 7, 'returned'), (3, 8, 'returned'), (4, 9, 'shipped'), (11, 7, 'cancelled'),
        (12, 7, 'shipped'), (20, 7, 'shipped')) as rows(order_id, user_id, status)
"""
PRODUCTS = "create table products as from (values (1, 'Books'), (2, 'Toys'), (3, 'Hats')) as rows(id, category)"
WORTH = replace(USUAL_WORTH, quantity="quantity", refund="refund", may_lack_status=True)


@pytest.fixture
def views() -> Iterator[duckdb.DuckDBPyConnection]:
    """Return a database with the views that the SQL reads."""
    with closing(duckdb.connect(config={"threads": 1})) as connection:
        for sql in (ITEMS, ORDERS, PRODUCTS):
            connection.execute(sql)
        yield connection


def measures(views: duckdb.DuckDBPyConnection, sql: str, key: str) -> dict[str, dict[str, Any]]:
    """Return the measures that are not zero, by their key."""
    found = views.execute(f"select concat_ws(' ', {key}) as key, * exclude ({key}) from ({sql}) order by key")
    names = [column[0] for column in found.description or ()][1:]
    return {
        row[0]: {name: value for name, value in zip(names, row[1:], strict=True) if value != 0}
        for row in found.fetchall()
    }


def test_the_measures_of_a_day(views: duckdb.DuckDBPyConnection) -> None:
    """A returned item is not cancelled as well; a day of orders without items has zeros, not nothing."""
    (by_day, _) = load_kpi_tables()
    assert measures(views, by_day.sql, "order_date") == {
        "2025-03-30": {
            "orders": 4,
            "returned_orders": 2,
            "customers": 3,
            "items": 8,
            "revenue": Decimal("36.0000000000000007"),
            "returned_value": Decimal("13.0000000000000007"),
            "cancelled_value": Decimal("13.0000000000000000"),
        },
        "2025-03-31": {"orders": 2, "customers": 1, "items": 2, "revenue": Decimal("3.5000000000000000")},
        "2025-04-01": {"orders": 1, "customers": 1},
    }


def test_the_measures_of_a_category(views: duckdb.DuckDBPyConnection) -> None:
    """An order counts once in each of its categories, and is returned where an item of it is."""
    (_, by_category) = load_kpi_tables()
    assert measures(views, by_category.sql, "category, order_date") == {
        "Books 2025-03-30": {
            "orders": 3,
            "returned_orders": 2,
            "items": 6,
            "revenue": Decimal("33.0000000000000000"),
            "returned_value": Decimal("13.0000000000000000"),
            "cancelled_value": Decimal("10.0000000000000000"),
        },
        "Toys 2025-03-30": {
            "orders": 2,
            "returned_orders": 1,
            "items": 2,
            "revenue": Decimal("3.0000000000000007"),
            "returned_value": Decimal("0.0000000000000007"),
            "cancelled_value": Decimal("3.0000000000000000"),
        },
        "Toys 2025-03-31": {"orders": 2, "items": 2, "revenue": Decimal("3.5000000000000000")},
    }


def test_what_an_item_is_worth_by_its_roles(views: duckdb.DuckDBPyConnection) -> None:
    """A refund decides what came back; without one the whole amount does; the rest of a cancelled item is cancelled."""
    names = "id, status, pieces, amount, is_returned, returned_value, cancelled_value, _line"
    found = views.execute(f"select {names} from ({items_query(WORTH)}) order by id").fetchall()
    assert [" ".join(str(value) for value in row) for row in found] == [
        "1 shipped 2 20.0000000000000000 0 0E-16 0E-16 2",
        "2 returned 1 5.2500000000000000 1 5.2500000000000000 0E-16 3",
        "3 cancelled 1 3.0000000000000000 0 0E-16 3.0000000000000000 4",
        "4 shipped 1 7E-16 1 7E-16 0E-16 5",
        "5 cancelled 1 7.5000000000000000 1 7.5000000000000000 0E-16 6",
        "6 cancelled 1 9.0000000000000000 1 4.0000000000000000 5.0000000000000000 7",
        "7 cancelled 3 4.5000000000000000 0 0E-16 4.5000000000000000 8",
        "8 shipped 1 2.0000000000000000 1 0.5000000000000000 0E-16 9",
        "9 returned 1 0.2500000000000000 1 0.2500000000000000 0E-16 10",
        "10 cancelled 1 1.0000000000000000 0 0E-16 1.0000000000000000 11",
    ]


def test_the_measures_by_worth(views: duckdb.DuckDBPyConnection) -> None:
    """Pieces are counted, not rows."""
    by_day, by_category = load_kpi_tables(WORTH)
    assert measures(views, by_day.sql, "order_date") == {
        "2025-03-30": {
            "orders": 4,
            "returned_orders": 2,
            "customers": 3,
            "items": 9,
            "revenue": Decimal("46.0000000000000007"),
            "returned_value": Decimal("17.0000000000000007"),
            "cancelled_value": Decimal("9.0000000000000000"),
        },
        "2025-03-31": {
            "orders": 2,
            "customers": 1,
            "items": 4,
            "revenue": Decimal("6.5000000000000000"),
            "returned_value": Decimal("0.5000000000000000"),
            "cancelled_value": Decimal("4.5000000000000000"),
        },
        "2025-04-01": {"orders": 1, "customers": 1},
    }
    assert measures(views, by_category.sql, "category, order_date") == {
        "Books 2025-03-30": {
            "orders": 3,
            "returned_orders": 3,
            "items": 7,
            "revenue": Decimal("43.0000000000000000"),
            "returned_value": Decimal("17.0000000000000000"),
            "cancelled_value": Decimal("6.0000000000000000"),
        },
        "Toys 2025-03-30": {
            "orders": 2,
            "returned_orders": 1,
            "items": 2,
            "revenue": Decimal("3.0000000000000007"),
            "returned_value": Decimal("0.0000000000000007"),
            "cancelled_value": Decimal("3.0000000000000000"),
        },
        "Toys 2025-03-31": {
            "orders": 2,
            "returned_orders": 1,
            "items": 4,
            "revenue": Decimal("6.5000000000000000"),
            "returned_value": Decimal("0.5000000000000000"),
            "cancelled_value": Decimal("4.5000000000000000"),
        },
    }
