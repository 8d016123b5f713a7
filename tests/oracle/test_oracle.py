"""The oracle itself, sentence by sentence of the definitions, with numbers worked out by hand."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from tests.oracle.comparison import compare, differences
from tests.oracle.kpis import (
    CategoryKpis,
    Dataset,
    Item,
    Lake,
    Order,
    OrderKpis,
    Row,
    category_kpis,
    instant,
    kpis_csv,
    lake_of,
    newest,
    order_kpis,
    read_rows,
    records,
    waiting_orphans,
)
from tests.oracle.store import DamagedArchive, read_store

VERSION = datetime(2025, 3, 31, 8, tzinfo=UTC)

PRODUCTS = """id,sku,cost,category,name,brand,retail_price,department
1,A-1,1.00,Books,Atlas,Acme,20.00,Home
2,B-2,1.00,Books,Bible,Acme,20.00,Home
3,T-3,1.00,Toys,Train,Acme,20.00,Home
"""
ORDERS_HEADER = "order_id,user_id,status,created_at,num_of_item\n"
ITEMS_HEADER = "id,order_id,product_id,user_id,status,returned_at,sale_price\n"


def rows(dataset: Dataset, content: str, version: datetime = VERSION, time_zone: str = "UTC") -> list[Row]:
    """Read a file whose name does not matter."""
    return read_rows(dataset, content, version, f"raw-data/{dataset}/a.csv", time_zone)


def lake(orders: str, items: str = "", products: str = PRODUCTS, time_zone: str = "UTC") -> Lake:
    """Return the lake of three files, given without the headers of orders and items."""
    return lake_of(
        [
            *rows("products", products),
            *rows("orders", ORDERS_HEADER + orders, time_zone=time_zone),
            *rows("order_items", ITEMS_HEADER + items, time_zone=time_zone),
        ],
        time_zone,
    )


def by_day(*arguments: str, **named: str) -> OrderKpis:
    """Return the KPIs of a lake with one day."""
    (row,) = order_kpis(lake(*arguments, **named))
    return row


def by_category(*arguments: str, **named: str) -> CategoryKpis:
    """Return the KPIs of a lake with one category on one day."""
    (row,) = category_kpis(lake(*arguments, **named))
    return row


THREE_ORDERS = """1,7,shipped,2025-03-30T10:00:00,2
2,7,returned,2025-03-30T11:00:00,1
3,8,cancelled,2025-03-30T12:00:00,1
"""
FOUR_ITEMS = """1,1,1,7,shipped,,10.00
2,1,3,7,returned,2025-04-02T00:00:00,5.50
3,2,1,7,shipped,,7.25
4,3,2,8,cancelled,,2.00
"""


class TestDefinitions:
    def test_a_day_of_the_site(self) -> None:
        """Every field of OrderKPIs: 24.75 from three orders of two customers, one of them returned."""
        assert order_kpis(lake(THREE_ORDERS, FOUR_ITEMS)) == [
            OrderKpis(
                order_date=date(2025, 3, 30),
                total_orders=3,
                total_revenue=Decimal("24.75"),
                total_items_sold=4,
                return_rate=Decimal("33.33"),
                unique_customers=2,
                avg_order_value=Decimal("8.25"),
                returned_value=Decimal("5.50"),
                cancelled_value=Decimal("2.00"),
                net_revenue=Decimal("17.25"),
            )
        ]

    def test_a_day_of_each_category(self) -> None:
        """Every field of CategoryKPIs: three books in three orders, and one returned toy."""
        assert category_kpis(lake(THREE_ORDERS, FOUR_ITEMS)) == [
            CategoryKpis(
                category="Books",
                order_date=date(2025, 3, 30),
                daily_revenue=Decimal("19.25"),
                avg_order_value=Decimal("6.42"),
                avg_return_rate=Decimal("0.00"),
                total_orders=3,
                items_sold=3,
                returned_value=Decimal("0.00"),
                cancelled_value=Decimal("2.00"),
                net_revenue=Decimal("17.25"),
            ),
            CategoryKpis(
                category="Toys",
                order_date=date(2025, 3, 30),
                daily_revenue=Decimal("5.50"),
                avg_order_value=Decimal("5.50"),
                avg_return_rate=Decimal("100.00"),
                total_orders=1,
                items_sold=1,
                returned_value=Decimal("5.50"),
                cancelled_value=Decimal("0.00"),
                net_revenue=Decimal("0.00"),
            ),
        ]

    def test_the_day_is_that_of_the_business_time_zone(self) -> None:
        """22:30 UTC is 23:30 in Berlin's winter, and 00:30 of the next day in its summer."""
        orders = "1,7,shipped,2025-03-29T22:30:00Z,1\n2,7,shipped,2025-06-29T22:30:00Z,1\n"
        assert [row.order_date for row in order_kpis(lake(orders))] == [date(2025, 3, 29), date(2025, 6, 29)]
        berlin = order_kpis(lake(orders, time_zone="Europe/Berlin"))
        assert [row.order_date for row in berlin] == [date(2025, 3, 29), date(2025, 6, 30)]

    def test_an_item_inherits_its_orders_day(self) -> None:
        """An item created after midnight counts on the day before, with its order."""
        item_after_midnight = rows(
            "order_items",
            "id,order_id,product_id,user_id,status,sale_price,created_at\n1,1,1,7,shipped,3.00,2025-03-31T00:10:00\n",
        )
        orders = rows("orders", ORDERS_HEADER + "1,7,shipped,2025-03-30T23:50:00,1\n")
        of_both = lake_of([*rows("products", PRODUCTS), *orders, *item_after_midnight], "UTC")
        assert [(row.order_date, row.total_revenue) for row in order_kpis(of_both)] == [
            (date(2025, 3, 30), Decimal("3.00"))
        ]
        assert [row.order_date for row in category_kpis(of_both)] == [date(2025, 3, 30)]

    def test_money_is_summed_exactly_and_rounded_once(self) -> None:
        """Three times 0.005 are 0.015, half-up 0.02; rounded one by one they would be 0.03."""
        row = by_day(
            "1,7,shipped,2025-03-30,1\n",
            "1,1,1,7,shipped,,0.005\n2,1,1,7,shipped,,0.005\n3,1,1,7,shipped,,0.005\n",
        )
        assert (row.total_revenue, row.avg_order_value) == (Decimal("0.02"), Decimal("0.02"))

    def test_rounding_is_half_up_and_not_to_even(self) -> None:
        """0.125 becomes 0.13; one digit below the half, in the 16th place, is enough for 0.12."""
        order = "1,7,shipped,2025-03-30,1\n"
        assert by_day(order, "1,1,1,7,shipped,,0.125\n").total_revenue == Decimal("0.13")
        assert by_day(order, "1,1,1,7,shipped,,0.1249999999999999\n").total_revenue == Decimal("0.12")

    def test_sums_keep_every_digit(self) -> None:
        """The last of a sum's 30 digits decides: .0049999999999999 is .00, .0050000000000000 is .01."""
        order = "1,7,shipped,2025-03-30,1\n"
        items = "".join(f"{n},1,1,7,shipped,,999999999999.0000000000000001\n" for n in range(11))
        below, half = "11,1,1,7,shipped,,0.0049999999999988\n", "11,1,1,7,shipped,,0.0049999999999989\n"
        assert by_day(order, items + below).total_revenue == Decimal("10999999999989.00")
        assert by_day(order, items + half).total_revenue == Decimal("10999999999989.01")

    def test_an_average_is_made_of_the_unrounded_sum(self) -> None:
        """0.005 over two orders is 0.0025, so 0.00; the published 0.01 over two would be 0.005, so 0.01."""
        row = by_day("1,7,shipped,2025-03-30,1\n2,7,shipped,2025-03-30,1\n", "1,1,1,7,shipped,,0.005\n")
        assert (row.total_revenue, row.avg_order_value) == (Decimal("0.01"), Decimal("0.00"))

    def test_net_is_made_of_the_unrounded_sums(self) -> None:
        """0.006 less 0.003 is 0.003, so 0.00; the rounded 0.01 less the rounded 0.00 would be 0.01."""
        row = by_day("1,7,shipped,2025-03-30,1\n", "1,1,1,7,returned,,0.003\n2,1,1,7,shipped,,0.003\n")
        assert (row.total_revenue, row.returned_value, row.net_revenue) == (
            Decimal("0.01"),
            Decimal("0.00"),
            Decimal("0.00"),
        )

    def test_every_status_counts_in_the_headline_fields(self) -> None:
        """One order and one item of each of the six statuses: six orders, six items, 6.00."""
        statuses = ["processing", "shipped", "delivered", "complete", "returned", "cancelled"]
        row = by_day(
            "".join(f"{n},7,{status},2025-03-30,1\n" for n, status in enumerate(statuses)),
            "".join(f"{n},{n},1,7,{status},,1.00\n" for n, status in enumerate(statuses)),
        )
        assert (row.total_orders, row.total_items_sold, row.total_revenue) == (6, 6, Decimal("6.00"))
        assert (row.returned_value, row.cancelled_value, row.net_revenue) == (
            Decimal("1.00"),
            Decimal("1.00"),
            Decimal("4.00"),
        )

    @pytest.mark.parametrize(
        ("status", "returned_at", "returned", "cancelled", "net"),
        [
            ("shipped", "", "0.00", "0.00", "8.00"),
            ("returned", "", "8.00", "0.00", "0.00"),
            ("delivered", "2025-04-02", "8.00", "0.00", "0.00"),
            ("delivered", "  ", "0.00", "0.00", "8.00"),
            ("cancelled", "", "0.00", "8.00", "0.00"),
            ("cancelled", "2025-04-02", "8.00", "0.00", "0.00"),
        ],
    )
    def test_an_item_is_returned_cancelled_or_neither(
        self, status: str, returned_at: str, returned: str, cancelled: str, net: str
    ) -> None:
        """Returned is by status or returned_at, cancelled by status, and never both."""
        arguments = ("1,7,shipped,2025-03-30,1\n", f"1,1,1,7,{status},{returned_at},8.00\n")
        expected = (Decimal(returned), Decimal(cancelled), Decimal(net))
        site, category = by_day(*arguments), by_category(*arguments)
        assert (site.returned_value, site.cancelled_value, site.net_revenue) == expected
        assert (category.returned_value, category.cancelled_value, category.net_revenue) == expected

    @pytest.mark.parametrize(
        ("status", "cells", "pieces", "revenue", "returned", "cancelled", "rate"),
        [
            ("shipped", ",,", 1, "8.00", "0.00", "0.00", "0.00"),
            ("shipped", "3,2.50,", 3, "21.50", "0.00", "0.00", "0.00"),
            ("shipped", "0,,", 0, "0.00", "0.00", "0.00", "0.00"),
            ("shipped", "1,10.00,", 1, "-2.00", "0.00", "0.00", "0.00"),
            ("shipped", "2,,5.00", 2, "16.00", "5.00", "0.00", "100.00"),
            ("returned", "2,1.00,", 2, "15.00", "15.00", "0.00", "100.00"),
            ("returned", "2,,0.00", 2, "16.00", "0.00", "0.00", "100.00"),
            ("cancelled", "2,,", 2, "16.00", "0.00", "16.00", "0.00"),
            ("cancelled", "2,,5.00", 2, "16.00", "5.00", "11.00", "100.00"),
            ("cancelled", "1,,9.00", 1, "8.00", "9.00", "-1.00", "100.00"),
        ],
    )
    def test_an_item_may_say_what_it_is_worth(
        self, status: str, cells: str, pieces: int, revenue: str, returned: str, cancelled: str, rate: str
    ) -> None:
        """Quantity, discount and refund: empty means one piece, no discount, and unknown."""
        content = "id,order_id,product_id,status,sale_price,n,off,back\n" + f"1,1,1,{status},8.00,{cells}\n"
        roles = {"quantity": "n", "discount": "off", "refund": "back"}
        found = [
            *rows("products", PRODUCTS),
            *rows("orders", ORDERS_HEADER + "1,7,shipped,2025-03-30,1\n"),
            *read_rows("order_items", content, VERSION, "a.csv", "UTC", roles=roles),
        ]
        (site,), (category,) = order_kpis(lake_of(found, "UTC")), category_kpis(lake_of(found, "UTC"))
        expected = (pieces, Decimal(revenue), Decimal(returned), Decimal(cancelled))
        assert (site.total_items_sold, site.total_revenue, site.returned_value, site.cancelled_value) == expected
        assert (
            category.items_sold,
            category.daily_revenue,
            category.returned_value,
            category.cancelled_value,
        ) == expected
        assert site.net_revenue == category.net_revenue == Decimal(revenue) - Decimal(returned) - Decimal(cancelled)
        assert (site.total_orders, category.total_orders, category.avg_return_rate) == (1, 1, Decimal(rate))

    def test_an_item_without_a_status_has_its_orders(self) -> None:
        """Returned with it, cancelled with it; its own status takes precedence."""
        items = "1,1,1,7,,,8.00\n2,1,1,7,shipped,,1.00\n"
        for status, returned, cancelled in (("returned", "8.00", "0.00"), ("cancelled", "0.00", "8.00")):
            site = by_day(f"1,7,{status},2025-03-30,1\n", items)
            assert (site.returned_value, site.cancelled_value) == (Decimal(returned), Decimal(cancelled))

    def test_the_orders_status_says_nothing_about_its_items(self) -> None:
        """A returned order whose item was kept: return_rate 100, no returned value, no return in the category."""
        arguments = ("1,7,returned,2025-03-30,1\n", "1,1,1,7,shipped,,8.00\n")
        site, category = by_day(*arguments), by_category(*arguments)
        assert (site.return_rate, site.returned_value) == (Decimal("100.00"), Decimal("0.00"))
        assert category.avg_return_rate == Decimal("0.00")

    def test_the_items_status_says_nothing_about_its_order(self) -> None:
        """A delivered order whose item came back: return_rate 0, and a return in the category."""
        arguments = ("1,7,delivered,2025-03-30,1\n", "1,1,1,7,returned,,8.00\n")
        assert by_day(*arguments).return_rate == Decimal("0.00")
        assert by_category(*arguments).avg_return_rate == Decimal("100.00")

    def test_a_waiting_orphan_is_in_no_figure(self) -> None:
        """An item without its order and one without its product are in neither table."""
        waiting = lake(
            "1,7,shipped,2025-03-30,1\n", "1,1,1,7,shipped,,8.00\n2,9,1,7,shipped,,1.00\n3,1,9,7,shipped,,1.00\n"
        )
        assert [row.total_revenue for row in order_kpis(waiting)] == [Decimal("8.00")]
        assert [row.total_items_sold for row in order_kpis(waiting)] == [1]
        assert [(row.category, row.items_sold) for row in category_kpis(waiting)] == [("Books", 1)]
        assert [item.id for item in waiting_orphans(waiting)] == ["2", "3"]

    def test_an_order_without_counted_items_counts_with_nothing(self) -> None:
        """It counts on its day with 0.00, in the average as well, and makes no category row."""
        alone = lake("1,7,shipped,2025-03-30,1\n", "1,1,9,7,shipped,,8.00\n")
        assert kpis_csv(order_kpis(alone), "day").split("\n")[1] == "2025-03-30,1,0.00,0,0.00,1,0.00,0.00,0.00,0.00"
        assert category_kpis(alone) == []

    def test_a_category_counts_an_order_once(self) -> None:
        """Two books in one order and one in another: 9.00 over two orders; one of the two has a return."""
        row = by_category(
            "1,7,shipped,2025-03-30,2\n2,7,shipped,2025-03-30,1\n",
            "1,1,1,7,returned,,2.00\n2,1,2,7,returned,,3.00\n3,2,1,7,shipped,,4.00\n",
        )
        assert (row.daily_revenue, row.total_orders, row.items_sold) == (Decimal("9.00"), 2, 3)
        assert (row.avg_order_value, row.avg_return_rate) == (Decimal("4.50"), Decimal("50.00"))

    def test_a_categorys_return_rate_looks_at_its_own_items(self) -> None:
        """A returned toy is not a returned book."""
        rates = {
            row.category: row.avg_return_rate
            for row in category_kpis(
                lake("1,7,shipped,2025-03-30,2\n", "1,1,1,7,shipped,,2.00\n2,1,3,7,returned,,3.00\n")
            )
        }
        assert rates == {"Books": Decimal("0.00"), "Toys": Decimal("100.00")}


class TestCsv:
    def test_the_days_in_their_order(self) -> None:
        """Header, rows by order_date, two decimals, LF."""
        orders = "2,7,shipped,2025-04-01,1\n1,7,shipped,2025-03-30,1\n"
        assert kpis_csv(order_kpis(lake(orders, "1,1,1,7,shipped,,8\n")), "day") == (
            "order_date,total_orders,total_revenue,total_items_sold,return_rate,unique_customers,avg_order_value,"
            "returned_value,cancelled_value,net_revenue\n"
            "2025-03-30,1,8.00,1,0.00,1,8.00,0.00,0.00,8.00\n"
            "2025-04-01,1,0.00,0,0.00,1,0.00,0.00,0.00,0.00\n"
        )

    def test_the_categories_in_their_order(self) -> None:
        """By category in code point order, then order_date; quotes only if needed."""
        products = PRODUCTS.replace("2,B-2,1.00,Books", "2,B-2,1.00,accessories").replace("Toys", '"Toys, ""big"""')
        orders = "1,7,shipped,2025-04-01,1\n2,7,shipped,2025-03-30,1\n"
        items = "1,1,2,7,shipped,,1\n2,1,3,7,shipped,,2\n3,1,1,7,shipped,,3\n4,2,1,7,shipped,,4\n"
        assert kpis_csv(category_kpis(lake(orders, items, products=products)), "category") == (
            "category,order_date,daily_revenue,avg_order_value,avg_return_rate,total_orders,items_sold,"
            "returned_value,cancelled_value,net_revenue\n"
            "Books,2025-03-30,4.00,4.00,0.00,1,1,0.00,0.00,4.00\n"
            "Books,2025-04-01,3.00,3.00,0.00,1,1,0.00,0.00,3.00\n"
            '"Toys, ""big""",2025-04-01,2.00,2.00,0.00,1,1,0.00,0.00,2.00\n'
            "accessories,2025-04-01,1.00,1.00,0.00,1,1,0.00,0.00,1.00\n"
        )

    def test_no_value_is_an_empty_field(self) -> None:
        """A ratio with a zero denominator is neither 0 nor NaN."""
        nothing = OrderKpis(
            order_date=date(2025, 3, 30),
            total_orders=0,
            total_revenue=Decimal("0.00"),
            total_items_sold=0,
            return_rate=None,
            unique_customers=0,
            avg_order_value=None,
            returned_value=Decimal("0.00"),
            cancelled_value=Decimal("0.00"),
            net_revenue=Decimal("0.00"),
        )
        assert kpis_csv([nothing], "day").split("\n")[1] == "2025-03-30,0,0.00,0,,0,,0.00,0.00,0.00"


class TestNewest:
    FIRST, SECOND = (
        Order(
            id="1",
            user_id="7",
            status=status,
            created_at=VERSION,
            version=VERSION + timedelta(microseconds=later),
            source=source,
            line=line,
        )
        for status, later, source, line in [("shipped", 0, "b.csv", 9), ("returned", 1, "a.csv", 2)]
    )

    def test_the_newest_version_wins_in_any_order(self) -> None:
        """One microsecond decides, whichever came first."""
        assert newest([self.FIRST, self.SECOND]) == newest([self.SECOND, self.FIRST]) == [self.SECOND]

    def test_of_equal_versions_the_greater_source_then_line_wins(self) -> None:
        """`b.csv` comes after `a.csv`, line 9 after line 2."""
        content = ORDERS_HEADER + "1,7,shipped,2025-03-30,1\n1,7,returned,2025-03-30,1\n"
        a, a_again = read_rows("orders", content, VERSION, "a.csv", "UTC")
        b, _ = read_rows("orders", content, VERSION, "b.csv", "UTC")
        assert newest([a_again, a]) == newest([a, a_again]) == [a_again]
        assert newest([a_again, b, a]) == [b]

    def test_a_product_and_an_order_with_the_same_id_are_two_things(self) -> None:
        """Keys belong to a dataset."""
        assert len(newest([*rows("products", PRODUCTS), self.FIRST])) == 4

    def test_an_order_that_moves_leaves_its_old_day(self) -> None:
        """A correction takes its items along."""
        correction = rows("orders", ORDERS_HEADER + "1,7,shipped,2025-04-01,1\n", VERSION + timedelta(seconds=1))
        others = [
            *rows("products", PRODUCTS),
            *rows("orders", ORDERS_HEADER + "1,7,shipped,2025-03-30,1\n"),
            *rows("order_items", ITEMS_HEADER + "1,1,1,7,shipped,,8.00\n"),
        ]
        moved = lake_of([*correction, *others], "UTC")
        assert [(row.order_date, row.total_revenue) for row in order_kpis(moved)] == [
            (date(2025, 4, 1), Decimal("8.00"))
        ]

    def test_the_shops_instant_comes_before_the_arrivals_version(self) -> None:
        """A late file with an older instant reverts nothing; of equal instants, the later arrival counts."""
        early, late = (changed_at(hour, VERSION - timedelta(hours=hour)) for hour in (9, 10))
        again = changed_at(10, VERSION)
        assert newest([early, late]) == newest([late, early]) == [late]
        assert newest([again, early, late]) == newest([late, again, early]) == [again]


def changed_at(hour: int, version: datetime) -> Row:
    """Return an order that the shop changed at some hour of 1 April."""
    content = f"order_id,user_id,status,created_at,updated_at\n1,7,shipped,2025-03-30,2025-04-01T{hour:02}:00:00\n"
    (row,) = read_rows("orders", content, version, "a.csv", "UTC", versioned_by="updated_at")
    return row


class TestDeliveries:
    """The lines of an order replace each other together."""

    @staticmethod
    def lines(*content: str, minutes: int = 0, source: str = "a.csv") -> list[Row]:
        """Return lines of items: id, order, price."""
        rows_ = (f"{id_},{order},1,7,shipped,,{price}" for id_, order, price in (line.split() for line in content))
        text = ITEMS_HEADER + "".join(f"{row}\n" for row in rows_)
        return read_rows("order_items", text, VERSION + timedelta(minutes=minutes), source, "UTC")

    @staticmethod
    def kept(*deliveries: list[Row]) -> list[tuple[str, str, str]]:
        """Return order, id and price of every item in the lake, whichever delivery came first."""
        found = [
            sorted(
                (item.order_id, item.id, str(item.sale_price))
                for item in lake_of((row for rows in order for row in rows), "UTC", replaces_lines=True).items.values()
            )
            for order in permutations(deliveries)
        ]
        assert all(each == found[0] for each in found)
        return found[0]

    def test_the_newest_delivery_of_an_order_replaces_all_its_lines(self) -> None:
        """Item 2 was removed; order 2, which the newer file does not mention, stays."""
        first, second = self.lines("1 1 10.00", "2 1 12.00", "3 2 5.00"), self.lines("1 1 10.00", minutes=1)
        assert self.kept(first, second) == [("1", "1", "10.00"), ("2", "3", "5.00")]

    def test_an_older_delivery_brings_no_line_back(self) -> None:
        """Not even one that the newer ones never had."""
        old, middle = self.lines("9 1 1.00"), self.lines("1 1 2.00", minutes=1)
        assert self.kept(old, middle, self.lines("2 1 3.00", minutes=2)) == [("1", "2", "3.00")]

    def test_of_equal_versions_the_greater_key_wins_as_a_whole(self) -> None:
        """Lines of two files never mix."""
        assert self.kept(self.lines("1 1 1.00"), self.lines("2 1 2.00", source="b.csv")) == [("1", "2", "2.00")]

    def test_one_id_in_two_orders_is_two_items(self) -> None:
        """A line is identified by its order and its id."""
        assert self.kept(self.lines("1 1 1.00", "1 2 2.00")) == [("1", "1", "1.00"), ("2", "1", "2.00")]


class TestReading:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2025-03-30T16:14:26", datetime(2025, 3, 30, 16, 14, 26, tzinfo=UTC)),
            ("2025-03-30 16:14:26 UTC", datetime(2025, 3, 30, 16, 14, 26, tzinfo=UTC)),
            ("2025-03-30 16:14:26.123456 UTC", datetime(2025, 3, 30, 16, 14, 26, 123456, tzinfo=UTC)),
            ("2025-03-30T16:14:26.1Z", datetime(2025, 3, 30, 16, 14, 26, 100000, tzinfo=UTC)),
            ("2025-03-30T16:14:26.123456999Z", datetime(2025, 3, 30, 16, 14, 26, 123456, tzinfo=UTC)),
            ("2025-03-30T16:14:26+05:30", datetime(2025, 3, 30, 10, 44, 26, tzinfo=UTC)),
            ("2025-03-30 16:14:26.5-01:00", datetime(2025, 3, 30, 17, 14, 26, 500000, tzinfo=UTC)),
        ],
    )
    def test_timestamps(self, text: str, expected: datetime) -> None:
        """Each accepted form, in a shop whose time zone is UTC."""
        assert instant(text, "UTC") == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2025-01-15T12:00:00", datetime(2025, 1, 15, 11, tzinfo=UTC)),
            ("2025-07-15T12:00:00", datetime(2025, 7, 15, 10, tzinfo=UTC)),
            ("2025-07-15T12:00:00Z", datetime(2025, 7, 15, 12, tzinfo=UTC)),
            ("2025-03-30T02:30:00", datetime(2025, 3, 30, 1, 30, tzinfo=UTC)),
            ("2025-10-26T02:30:00", datetime(2025, 10, 26, 0, 30, tzinfo=UTC)),
        ],
        ids=["winter", "summer", "a zone of its own", "in the gap: +01:00", "repeated: the first, +02:00"],
    )
    def test_timestamps_without_a_zone(self, text: str, expected: datetime) -> None:
        """They are Berlin's in a shop in Berlin."""
        assert instant(text, "Europe/Berlin") == expected

    def test_statuses_in_any_case_and_spelling(self) -> None:
        """Completed and canceled are stored as complete and cancelled."""
        spellings = ["Processing", "SHIPPED", "Delivered", "Completed", "complete", "Returned", "Canceled", "CANCELLED"]
        read = rows("orders", ORDERS_HEADER + "".join(f"{n},7,{s},2025-03-30,1\n" for n, s in enumerate(spellings)))
        assert [row.status for row in read if isinstance(row, Order)] == [
            "processing",
            "shipped",
            "delivered",
            "complete",
            "complete",
            "returned",
            "cancelled",
            "cancelled",
        ]

    def test_physical_lines(self) -> None:
        """A quoted line break belongs to its field, a blank line is not a record, CRLF is one line end."""
        content = b'\xef\xbb\xbfid,name\r\n1,"a\r\nb ""c""\n"\r\n\r\n2,d\n\n\n3,"e,f"'
        assert list(records(content)) == [(1, b"id,name"), (2, b'1,"a\r\nb ""c""\n"'), (6, b"2,d"), (9, b'3,"e,f"')]

    def test_columns_by_name(self) -> None:
        """In any order; unknown ones are ignored, optional ones may be missing; a byte order mark is not part of a name."""
        content = '\ufeffsale_price,gift,status,product_id,id,user_id,order_id\n"0.50",yes,Shipped,3,2,7,1\n'
        assert rows("order_items", content) == [
            Item(
                id="2",
                order_id="1",
                product_id="3",
                status="shipped",
                has_returned_at=False,
                sale_price=Decimal("0.50"),
                version=VERSION,
                source="raw-data/order_items/a.csv",
                line=2,
            )
        ]

    def test_a_record_that_is_not_valid_is_named(self) -> None:
        """The oracle guesses nothing."""
        with pytest.raises(ValueError, match=r"raw-data/orders/a\.csv, line 3 is no valid record"):
            rows("orders", ORDERS_HEADER + "1,7,shipped,2025-03-30,1\n2,7,shipped,2025-03-30\n")

    def test_a_mended_row_stands_right_behind_its_original(self) -> None:
        """Its version is the original's plus a microsecond, whenever it was dropped."""
        content = "order_id,user_id,status,created_at,num_of_item,_takings_line,_takings_version\n"
        (row,) = rows("orders", content + "1,7,shipped,2025-03-30,1,5,2025-03-01T00:00:00.000009Z\n")
        assert row.version == datetime(2025, 3, 1, 0, 0, 0, 10, tzinfo=UTC)


class Archive:
    """A handmade store: what docs/store.md says, and no more."""

    def __init__(self, root: Path) -> None:
        """Start an empty store in UTC."""
        self.root = root
        self.write("lake/format.json", json.dumps({"schema_version": 1, "time_zone": "UTC"}))

    def write(self, key: str, content: str | bytes) -> None:
        """Write one file of the store."""
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def batch(
        self,
        number: int,
        files: dict[str, str | bytes],
        *,
        verdict: str = "accepted",
        policy: str = "file",
        kept: int | None = None,
        ending: str = "outcome",
        archived_in: str | None = "processed/2025/04/01",
    ) -> str:
        """Write a batch of `prefix/file` -> content; every file has the same verdict and `kept` accepted records."""
        batch_id = f"20250401T12000{number}000000Z-4f2a"
        arrivals: list[dict[str, Any]] = []
        verdicts: list[dict[str, Any]] = []
        for place, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            prefix, file = place.split("/", 1)
            named = {"key": f"raw-data/{place}", "dataset": prefix.replace("-", "_")}
            arrivals.append({**named, "size": len(data), "etag": "", "version": f"2025-04-01T11:00:0{number}.000000Z"})
            plain = gzip.decompress(data) if file.endswith(".gz") else data
            count = len(plain.splitlines()) - 1 if kept is None else kept
            verdicts.append(
                {
                    **named,
                    "verdict": verdict,
                    "fingerprint": hashlib.sha256(data).hexdigest(),
                    "records": {"read": count, "accepted": count, "rejected": 0, "identical_duplicates": 0},
                }
            )
            folder = "raw-data" if archived_in is None else f"{archived_in}/{batch_id}"
            self.write(f"{folder}/{prefix if archived_in is None else named['dataset']}/{file}", data)
        manifest = {
            "schema_version": 1,
            "batch_id": batch_id,
            "now": f"2025-04-01T12:00:0{number}.000000Z",
            "package_version": "0.1.0",
            "time_zone": "UTC",
            "contracts": "",
            "settings": {"policy": policy},
            "files": arrivals,
        }
        self.write(f"batches/{batch_id}/manifest.json", json.dumps(manifest))
        self.write(f"batches/{batch_id}/verdicts.json", json.dumps({"batch_id": batch_id, "files": verdicts}))
        if ending == "outcome":
            self.write(f"batches/{batch_id}/outcome.json", "{}")
        if ending == "commit":
            commit = {"schema_version": 1, "commit": number, "batch_id": batch_id, "tables": {}}
            self.write(f"lake/commits/{number}.json", json.dumps(commit))
        return batch_id

    def days(self) -> list[tuple[str, int, str]]:
        """Return day, orders and revenue as the oracle computes them."""
        return [
            (str(row.order_date), row.total_orders, str(row.total_revenue)) for row in order_kpis(read_store(self.root))
        ]


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Return a store with one batch: two orders of 10.00 and 2.50 on one day."""
    made = Archive(tmp_path)
    made.batch(
        1,
        {
            "products/p.csv": PRODUCTS,
            "orders/north/o.csv": ORDERS_HEADER + "1,7,shipped,2025-03-30,1\n2,8,shipped,2025-03-30,1\n",
            "order-items/i.csv.gz": gzip.compress(
                (ITEMS_HEADER + "1,1,1,7,shipped,,10.00\n2,2,3,8,shipped,,2.50\n").encode()
            ),
        },
    )
    return made


class TestStore:
    def test_the_archived_originals_make_the_lake(self, archive: Archive) -> None:
        """Folders inside a prefix and compressed files are read, too."""
        assert archive.days() == [("2025-03-30", 2, "12.50")]

    def test_an_empty_store_has_no_kpis(self, tmp_path: Path) -> None:
        """A store that never had a batch is not an error."""
        assert order_kpis(read_store(tmp_path)) == []

    def test_a_later_batch_corrects_an_earlier_one(self, archive: Archive) -> None:
        """The newer version of item 2 replaces its price."""
        archive.batch(2, {"order-items/i.csv": ITEMS_HEADER + "2,2,3,8,shipped,,3.50\n"})
        assert archive.days() == [("2025-03-30", 2, "13.50")]

    @pytest.mark.parametrize("verdict", ["duplicate", "rejected"])
    def test_only_accepted_files_count(self, archive: Archive, verdict: str) -> None:
        """A duplicate is in processed/, but does not count."""
        archive.batch(2, {"orders/o.csv": ORDERS_HEADER + "3,7,shipped,2025-03-30,1\n"}, verdict=verdict)
        assert archive.days() == [("2025-03-30", 2, "12.50")]

    def test_a_batch_in_flight_does_not_count(self, archive: Archive) -> None:
        """Without a commit and an outcome its rows are not in the lake."""
        archive.batch(2, {"orders/o.csv": ORDERS_HEADER + "3,7,shipped,2025-03-30,1\n"}, ending="none")
        assert archive.days() == [("2025-03-30", 2, "12.50")]

    @pytest.mark.parametrize("archived_in", ["processed/2025/04/01", None])
    def test_a_committed_batch_counts_before_its_outcome(self, archive: Archive, archived_in: str | None) -> None:
        """Its originals may still be in raw-data/."""
        archive.batch(
            2,
            {"orders/o.csv": ORDERS_HEADER + "3,7,shipped,2025-03-30,1\n"},
            ending="commit",
            archived_in=archived_in,
        )
        assert archive.days() == [("2025-03-30", 3, "12.50")]

    def test_a_batch_that_was_refused_as_a_whole_does_not_count(self, archive: Archive) -> None:
        """A good file of a failed strict batch is in failed/."""
        archive.batch(
            2,
            {"orders/o.csv": ORDERS_HEADER + "3,7,shipped,2025-03-30,1\n"},
            policy="strict",
            archived_in="failed/2025/04/01",
        )
        assert archive.days() == [("2025-03-30", 2, "12.50")]

    def test_quarantined_rows_are_left_out(self, archive: Archive) -> None:
        """A bad row after a quoted line break and a broken record are named by their physical lines."""
        content = (
            "order_id,user_id,status,created_at,num_of_item,note\n"
            '3,7,shipped,2025-03-31,1,"two\nlines"\n'
            "4,7,lost,2025-03-31,1,x\n"
            "5,7,shipped\n"
            "\n"
            "6,7,shipped,2025-03-31,1,x\n"
        )
        batch_id = archive.batch(2, {"orders/o.csv": content}, policy="row", kept=2)
        archive.write(
            f"quarantine/{batch_id}/orders/o.csv",
            "order_id,user_id,status,created_at,num_of_item,note,"
            "_takings_source,_takings_line,_takings_reasons,_takings_version\n"
            "4,7,lost,2025-03-31,1,x,raw-data/orders/o.csv,4,status|one_of,2025-04-01T11:00:02.000000Z\n",
        )
        archive.write(f"quarantine/{batch_id}/orders/o.csv.broken.jsonl", '{"line": 5, "base64": "NSw3LHNoaXBwZWQ="}\n')
        assert archive.days() == [("2025-03-30", 2, "12.50"), ("2025-03-31", 2, "0.00")]

    def test_other_bytes_are_a_loud_complaint(self, archive: Archive) -> None:
        """An original whose fingerprint differs from the verdict's is not read."""
        (changed,) = archive.root.glob("processed/2025/04/01/*/orders/north/o.csv")
        changed.write_bytes(changed.read_bytes() + b"9,9,shipped,2025-03-30,1\n")
        with pytest.raises(DamagedArchive, match="the fingerprint is"):
            archive.days()

    def test_a_lost_original_is_a_loud_complaint(self, archive: Archive) -> None:
        """A commit without its original cannot be checked."""
        archive.batch(2, {"orders/o.csv": ORDERS_HEADER + "3,7,shipped,2025-03-30,1\n"}, ending="commit")
        (lost,) = archive.root.glob("processed/2025/04/01/*/orders/o.csv")
        lost.unlink()
        with pytest.raises(DamagedArchive, match="the original is gone"):
            archive.days()

    def test_a_verdict_that_counts_otherwise_is_a_loud_complaint(self, archive: Archive) -> None:
        """Records that were neither accepted nor quarantined are missing."""
        archive.batch(2, {"orders/o.csv": ORDERS_HEADER + "3,7,shipped,2025-03-30,1\n"}, kept=2)
        with pytest.raises(DamagedArchive, match="the verdict says 2 records"):
            archive.days()

    def test_zoneless_times_are_the_manifests_and_days_the_lakes(self, archive: Archive) -> None:
        """After a restatement in another time zone, the instants stay and the days move."""
        archive.write("lake/format.json", json.dumps({"schema_version": 1, "time_zone": "America/New_York"}))
        assert archive.days() == [("2025-03-29", 2, "12.50")]


class TestComparison:
    def test_differences_are_a_diff_of_at_most_twenty_lines(self) -> None:
        """The oracle's lines have a minus, those of Takings a plus."""
        assert differences("by day", "a\nb\n", "a\nb\n") == []
        assert differences("by day", "a\nb\n", "a\nc\n") == [
            "--- oracle, by day",
            "+++ takings, by day",
            "@@ -2 +2 @@",
            "-b",
            "+c",
        ]
        assert differences("by day", "a\n", "a\r\n")[-1] == "+a\\r"
        many = differences("by day", "", "".join(f"{n}\n" for n in range(99)))
        assert (len([line for line in many if line[0] == "+" and line[1] != "+"]), many[-1]) == (20, "…")

    @pytest.mark.parametrize("revenue", ["12.50", "12.51"])
    def test_the_command_says_whether_takings_says_the_same(
        self, archive: Archive, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, revenue: str
    ) -> None:
        """A substitute for Takings prints a day's revenue, right or wrong."""
        stand_in = tmp_path_factory.mktemp("stand_in")
        lake = read_store(archive.root)
        texts = {
            "day": kpis_csv(order_kpis(lake), "day").replace(",12.50,2,", f",{revenue},2,"),
            "category": kpis_csv(category_kpis(lake), "category"),
        }
        (stand_in / "takings.py").write_text(f"import sys\nsys.stdout.write({texts!r}[sys.argv[4]])\n")
        root = Path(__file__).parents[2]
        monkeypatch.setenv("PYTHONPATH", str(stand_in))
        monkeypatch.chdir(root)
        done = subprocess.run(
            [sys.executable, "-m", "tests.oracle", str(archive.root)], capture_output=True, text=True, check=False
        )
        if revenue == "12.50":
            assert compare(archive.root) == []
            assert (done.returncode, done.stdout) == (
                0,
                "No difference: 1 days, 2 category rows, 2 orders, 2 items, 0 waiting orphans.\n",
            )
        else:
            assert done.returncode == 1
            assert done.stdout.splitlines()[-2:] == [
                "-2025-03-30,2,12.50,2,0.00,2,6.25,0.00,0.00,12.50",
                "+2025-03-30,2,12.51,2,0.00,2,6.25,0.00,0.00,12.50",
            ]
