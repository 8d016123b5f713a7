"""The SQL of merges, affected keys and gaps on literal rows: what golden cases show end to end, here for each condition.

Days are numbers here; the SQL only compares them.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from takings.adapters.merging.rows import sql
from tests.stages.literal_lake import Lake

VERSIONED = "key, _version, _source, _line"


def test_a_staged_row_is_newer_by_version_then_file_then_line(lake: Lake) -> None:
    """The same row is not newer; one that the lake does not know always is."""
    lake.table(
        "staged_things",
        VERSIONED,
        *("(1, 2, 'a', 1)", "(2, 1, 'b', 2)", "(3, 5, 'b', 1)", "(4, 5, 'a', 2)"),
        *("(5, 5, 'a', 2)", "(6, 5, 'a', 1)", "(7, 5, 'a', 1)", "(8, 1, 'a', 1)"),
    )
    lake.table(
        "prior_things",
        VERSIONED,
        *("(1, 1, 'b', 2)", "(2, 2, 'a', 1)", "(3, 5, 'a', 2)", "(4, 5, 'b', 1)"),
        *("(5, 5, 'a', 1)", "(6, 5, 'a', 2)", "(7, 5, 'a', 1)"),
    )
    lake.run(sql("changed", table="things", key="key", instant_of_s="", instant_of_p=""))
    assert lake.run("select key from changed_things order by key") == [(1,), (3,), (5,), (8,)]
    by_line = sql("changed", table="things", key="key", instant_of_s="s._line, ", instant_of_p="p._line, ")
    lake.run(by_line)
    assert lake.run("select key from changed_things order by key") == [(2,), (4,), (5,), (8,)]


def test_a_staged_delivery_is_newer_by_version_then_file(lake: Lake) -> None:
    """All lines of an order are newer, or none is."""
    lake.table(
        "staged_things",
        "unit, _version, _source, item",
        *("(1, 2, 'a', 11)", "(1, 2, 'a', 12)", "(2, 1, 'b', 21)", "(3, 5, 'b', 31)", "(4, 5, 'a', 41)"),
        *("(5, 5, 'a', 51)", "(8, 1, 'a', 81)"),
    )
    lake.table(
        "prior_things",
        "unit, _version, _source",
        *("(1, 1, 'b')", "(1, 1, 'b')", "(2, 2, 'a')", "(3, 5, 'a')", "(4, 5, 'b')", "(5, 5, 'a')"),
    )
    places = {"table": "things", "unit": "unit"}
    lake.run(sql("changed_deliveries", **places, instant="", instant_of_s="", instant_of_p=""))
    assert lake.run("select item from changed_things order by item") == [(11,), (12,), (31,), (81,)]


def test_the_newest_row_of_a_key_is_kept(lake: Lake) -> None:
    """By version, then file, then line."""
    lake.table(
        "rows",
        VERSIONED,
        *("(1, 1, 'b', 9)", "(1, 2, 'a', 1)", "(2, 5, 'a', 9)", "(2, 5, 'b', 1)", "(3, 5, 'a', 1)", "(3, 5, 'a', 2)"),
        *("(4, 5, 'b', 2)", "(4, 5, 'b', 1)", "(4, 5, 'a', 3)", "(4, 4, 'c', 4)"),
    )
    newest = sql("newest", columns=VERSIONED, key="key", instant="", rows="from rows")
    assert sorted(lake.run(newest)) == [(1, 2, "a", 1), (2, 5, "b", 1), (3, 5, "a", 2), (4, 5, "b", 2)]


def test_the_lines_of_the_newest_delivery_are_kept(lake: Lake) -> None:
    """Each of them; by version, then file."""
    lake.table(
        "rows",
        "unit, _version, _source, item",
        *("(1, 1, 'b', 10)", "(1, 2, 'a', 11)", "(1, 2, 'a', 12)", "(2, 5, 'b', 21)", "(2, 5, 'a', 22)"),
    )
    newest = sql("newest_deliveries", columns="item", unit="unit", instant="", rows="from rows")
    assert sorted(lake.run(newest)) == [(11,), (12,), (21,)]


def test_prior_rows_are_the_lakes_rows_with_staged_keys(lake: Lake) -> None:
    """With the file that holds them."""
    lake.table("staged_things", "key", "(1)", "(2)")
    lake.table("lake_things", f"{VERSIONED}, day, filename", "(1, 5, 'a', 2, 30, 'f1')", "(3, 5, 'a', 3, 30, 'f1')")
    lake.run(sql("prior", table="things", columns="key", key="key", order_date="day"))
    assert lake.run("from prior_things") == [(1, 5, "a", 2, 30, "f1")]


def test_an_item_is_written_on_its_orders_day_if_both_parents_are_there(lake: Lake) -> None:
    """Otherwise it waits; an item that moves has its new day."""
    lake.table("changed_order_items", "id, order_id, product_id", "(1, 1, 1)", "(2, 1, 9)", "(3, 9, 1)", "(4, 2, 1)")
    lake.table("lake_orders", "order_id, order_date", "(1, 30)", "(2, 31)")
    lake.table("lake_products", "id", "(1)", "(2)")
    lake.table("lake_order_items", "id, order_id", "(7, 1)", "(8, 1)", "(8, 2)")
    lake.table("moving_items", "id, order_id, new_day", "(8, 2, 33)")
    for and_order, moving in (("", 2), (" and m.order_id = i.order_id", 1)):
        lake.run(sql("incoming_order_items", changed_columns="c.id", moving_columns="i.id", and_order=and_order))
        assert lake.run("from incoming_order_items order by id") == [
            *((1, 30), (2, None), (3, None), (4, 31)),
            *[(8, 33)] * moving,
        ]


def test_an_order_affects_its_new_day_and_the_one_before(lake: Lake) -> None:
    """Each once; a row that the lake knows better affects nothing."""
    lake.table("changed_orders", "order_id, order_date", "(1, 30)", "(2, 30)")
    lake.table("prior_orders", "order_id, order_date", "(1, 29)", "(2, 30)", "(3, 28)")
    assert sorted(lake.run(sql("affected_days"))) == [(29,), (30,)]


def test_new_and_moved_orders_and_new_products_arrive(lake: Lake) -> None:
    """One that stays on its day only where the contract's columns say so."""
    lake.table("changed_orders", "order_id, order_date, status", "(1, 30, 'a')", "(2, 31, 'a')", "(3, 30, 'b')")
    lake.table("prior_orders", "order_id, order_date, status", "(2, 30, 'a')", "(3, 30, 'a')", "(4, 30, 'a')")
    lake.table("changed_products", "id, category", "(1, 'Books')", "(2, 'Toys')")
    lake.table("prior_products", "id, category", "(2, 'Games')", "(3, 'Hats')")
    orders, products = "from arriving_orders order by order_id", "from arriving_products order by id"
    lake.run(sql("arriving", of_order="", of_product=""))
    assert lake.run(orders) == [(1, 30, None), (2, 31, 30)]
    assert lake.run(products) == [(1, "Books", None)]
    lake.run(sql("arriving", of_order=" or c.status <> p.status", of_product=" or c.category <> p.category"))
    assert lake.run(orders) == [(1, 30, None), (2, 31, 30), (3, 30, 30)]
    assert lake.run(products) == [(1, "Books", None), (2, "Toys", "Games")]


def test_items_are_touched_before_and_after_the_merge(lake: Lake) -> None:
    """Those that are replaced, that follow an order or a product, and new ones; each once."""
    items = "id, order_id, product_id, order_date"
    lake.table("prior_order_items", items, "(1, 1, 1, 30)", "(2, 2, 2, 30)")
    lake.table("changed_order_items", "id, order_id, product_id", "(1, 1, 3)", "(6, 6, 6)")
    rows = ("(1, 1, 1, 30)", "(2, 2, 2, 30)", "(3, 1, 2, 30)", "(4, 2, 4, 30)", "(5, 5, 5, 30)")
    lake.table("lake_order_items", items, *rows)
    lake.table("arriving_orders", "order_id", "(1)")
    lake.table("arriving_products", "id", "(4)")
    lake.run(sql("touched", unit="id"))
    assert sorted(lake.run("from items_before")) == [(1, 1, 1, 30), (3, 1, 2, 30), (4, 2, 4, 30)]
    assert sorted(lake.run("from items_after")) == [(1, 1, 3), (3, 1, 2), (4, 2, 4), (6, 6, 6)]
    assert sorted(lake.run("from touched_items")) == [(1, 1), (1, 2), (1, 2), (1, 3), (2, 4), (2, 4), (6, 6)]


def test_a_touched_item_affects_its_category_and_day_before_and_after(lake: Lake) -> None:
    """After: with the batch's order and product where it has them, or else the lake's; a waiting item affects nothing."""
    lake.table("items_before", "id, order_id, product_id, order_date", "(1, 1, 1, 30)", "(2, 9, 2, null)")
    after = ("(1, 1, 1)", "(2, 2, 2)", "(5, 4, 3)", "(6, 3, 4)", "(7, 99, 1)", "(8, 1, 99)")
    lake.table("items_after", "id, order_id, product_id", *after)
    lake.table("changed_orders", "order_id, order_date", "(2, 32)", "(4, 34)", "(7, 41)")
    lake.table("lake_orders", "order_id, order_date", "(1, 30)", "(2, 31)", "(3, 33)", "(8, 40)")
    lake.table("changed_products", "id, category", "(2, 'Games')", "(8, 'Pens')")
    lake.table("lake_products", "id, category", "(1, 'Books')", "(2, 'Toys')", "(3, 'Hats')", "(4, 'Caps')")
    assert sorted(lake.run(sql("affected_categories"))) == [("Books", 30), ("Caps", 33), ("Games", 32), ("Hats", 34)]


def test_an_item_of_the_lake_follows_its_order_or_stops_waiting(lake: Lake) -> None:
    """Not one that the batch replaces, that stays on its day, or whose product is still missing."""
    lake.table(
        "lake_order_items",
        "id, order_id, product_id, order_date, filename",
        *("(1, 1, 1, 30, 'f1')", "(2, 2, 1, 32, 'f2')", "(3, 3, 3, null, 'f3')", "(4, 1, 99, null, 'f4')"),
        *("(5, 1, 1, 30, 'f5')", "(6, 4, 1, 30, 'f6')", "(7, 1, 98, 30, 'f7')", "(8, 77, 3, null, 'f8')"),
    )
    lake.table("lake_orders", "order_id, order_date", "(1, 31)", "(2, 32)", "(3, 33)", "(4, 34)")
    lake.table("lake_products", "id", "(1)", "(3)")
    lake.table("staged_orders", "order_id", "(1)", "(2)")
    lake.table("staged_products", "id", "(3)")
    lake.table("changed_order_items", "id", "(5)")
    lake.run(sql("moving_items", order="i.order_id, ", unit="id"))
    assert lake.run("from moving_items order by id") == [(1, 1, "f1", 31), (3, 3, "f3", 33), (1, 7, "f7", 31)]


def test_a_day_lacks_waiting_items_and_items_of_orders(lake: Lake) -> None:
    """An order whose item waits has one; an item whose order is unknown belongs to no day."""
    lake.table("waiting", "order_id, sale_price", "(1, 2.00)", "(1, 3.00)", "(2, 4.00)", "(9, 1.00)")
    lake.table("parents", "order_id, order_date", "(1, 30)", "(2, 31)", "(7, 30)")
    lake.table("orders", "order_id, order_date", "(1, 30)", "(2, 31)", "(3, 30)", "(4, 32)", "(5, 32)")
    lake.table("order_items", "order_id", "(5)")
    assert lake.run(sql("gaps", amount="w.sale_price")) == [
        (None, 1, Decimal(1), 0),
        (30, 2, Decimal(5), 1),
        (31, 1, Decimal(4), 0),
        (32, 0, Decimal(0), 1),
    ]


@pytest.mark.parametrize(
    ("orphans", "first"),
    [
        (["('b', 1, 1, 9)", "('a', 5, 2, 9)", "('a', 3, 2, 9)"], [("a", 3, "product_id")]),
        (["('b', 1, 9, 1)"], [("b", 1, "order_id")]),
        (["('b', 1, 9, 9)"], [("b", 1, "order_id")]),
        ([], []),
    ],
)
def test_the_first_orphan_of_a_batch_is_found(
    lake: Lake, orphans: list[str], first: list[tuple[str, int, str]]
) -> None:
    """By file and line; a parent is in the batch or in the lake."""
    lake.table("staged_orders", "order_id", "(1)")
    lake.table("lake_orders", "order_id", "(2)")
    lake.table("staged_products", "id", "(1)")
    lake.table("lake_products", "id", "(2)")
    sound = ("('a', 1, 1, 1)", "('a', 2, 1, 2)", "('b', 3, 2, 1)", "('b', 4, 2, 2)")
    lake.table("staged_order_items", "_source, _line, order_id, product_id", *orphans, *sound)
    assert lake.run(sql("orphans")) == first


def test_waiting_items_say_which_parent_they_lack(lake: Lake) -> None:
    """Those that have waited longest come first."""
    lake.table(
        "waiting",
        "id, order_id, product_id, _version, _source, _line",
        "(4, 1, 9, timestamptz '1970-01-01 00:00:00.000003Z', 'b', 2)",
        "(3, 9, 1, timestamptz '1970-01-01 00:00:00.000003Z', 'b', 1)",
        "(5, 9, 9, timestamptz '1970-01-01 00:00:00.000001Z', 'a', 7)",
    )
    lake.table("orders", "order_id", "(1)", "(2)")
    lake.table("products", "id", "(1)", "(2)")
    assert lake.run(sql("waiting_items")) == [
        (5, 9, 9, True, True, 1, "a", 7),
        (3, 9, 1, True, False, 3, "b", 1),
        (4, 1, 9, False, True, 3, "b", 2),
    ]
