"""What the SQL of the profiles does with an order's money, tried on records alone."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from random import Random

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from takings.adapters.duckdb.source_sql import checked
from takings.adapters.duckdb.sql import name
from takings.contracts import load_contracts
from takings.contracts.datasets import SourceName
from takings.contracts.model import Contracts, Dataset
from takings.profiles import PREFIX, PROFILES, contracts_folder
from tests.depth import examples

Record = Mapping[str, str]
Made = list[dict[str, str | None]]


@cache
def contracts_of(profile: str) -> Contracts:
    return checked(load_contracts(contracts_folder(PREFIX + profile)))


def made(profile: str, source: str, dataset: Dataset, records: Sequence[Record], places: Iterable[int] = ()) -> Made:
    """Return what a source makes of records; `places` is the order in which the database receives them."""
    its = contracts_of(profile).sources.by_name[SourceName(source)]
    (query,) = [query for query in its.queries if query.dataset is dataset]
    columns = ", ".join(f"{name(column)} varchar" for column in its.columns)
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(f"create table rows (_record bigint, _line bigint, {columns})")
        for place in places or range(len(records)):
            values = [records[place].get(column) or None for column in its.columns]
            marks = ", ".join("?" * (len(values) + 2))
            connection.execute(f"insert into rows values ({marks})", [place + 1, place + 2, *values])
        result = connection.sql(query.sql)
        return [dict(zip(result.columns, row, strict=True)) for row in result.order("_record").fetchall()]


def money(cents: int) -> str:
    return str(Decimal(cents) / 100)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_can_be_loaded(profile: str) -> None:
    """Its contracts are sound, and its SQL yields what they ask for."""
    assert set(contracts_of(profile).by_dataset) == set(Dataset)


LINES = st.lists(st.tuples(st.integers(0, 9_999), st.integers(1, 9)), min_size=1, max_size=7)
Lines = list[tuple[int, int]]
ORDERS = st.lists(st.tuples(LINES, st.integers(0, 100), st.integers(0, 120)), min_size=1, max_size=3)


def shopify_order(number: int, lines: Lines, off: int, back: int) -> list[Record]:
    """Write an order with a discount in percent, and a refund of part of the rest."""
    goods = sum(cents * quantity for cents, quantity in lines)
    subtotal = goods - goods * off // 100
    first = {
        "Financial Status": "partially_refunded",
        "Subtotal": money(subtotal),
        "Discount Amount": money(goods - subtotal),
        "Refunded Amount": money(subtotal * back // 100),
    }
    rows = [
        {
            "Name": f"#{number}",
            "Lineitem quantity": str(quantity),
            "Lineitem price": money(cents),
            "Lineitem name": f"A {cents}",
        }
        for cents, quantity in lines
    ]
    return [{**rows[0], **first}, *rows[1:]]


@pytest.mark.no_cover
@given(ORDERS)
@settings(max_examples=examples(10, 30))
def test_shopify_loses_no_cent_of_discounts_and_refunds(orders: list[tuple[Lines, int, int]]) -> None:
    """For any order: shares are whole cents, never negative and never more than their line, and add up to the order's."""
    records = [
        record for number, (lines, off, back) in enumerate(orders) for record in shopify_order(number, lines, off, back)
    ]
    items = made("shopify", "shopify-orders", Dataset.ORDER_ITEMS, records)
    shares: dict[str, list[tuple[Decimal, Decimal, Decimal]]] = defaultdict(list)
    for item in items:
        price, discount, refund = (Decimal(str(item[column])) for column in ("sale_price", "discount", "refund"))
        amount = price * int(str(item["quantity"])) - discount
        assert discount >= 0, item
        assert 0 <= refund <= amount, item
        assert discount * 100 % 1 == refund * 100 % 1 == 0, item
        shares[str(item["order_id"])].append((discount, refund, amount))
    for number, (lines, off, back) in enumerate(orders):
        goods = sum(cents * quantity for cents, quantity in lines)
        subtotal = goods - goods * off // 100
        discounts, refunds, amounts = zip(*shares[f"#{number}"], strict=True)
        assert sum(amounts) * 100 == subtotal
        assert sum(discounts) * 100 == goods - subtotal
        assert sum(refunds) * 100 == min(subtotal * back // 100, subtotal)


@pytest.mark.no_cover
@given(ORDERS, st.randoms(use_true_random=False))
@settings(max_examples=examples(4, 10))
def test_the_order_in_which_a_database_gets_records_changes_nothing(
    orders: list[tuple[Lines, int, int]], chance: Random
) -> None:
    """The result depends on the records' numbers, not on where the database stores them."""
    records = [
        record for number, (lines, off, back) in enumerate(orders) for record in shopify_order(number, lines, off, back)
    ]
    places = list(range(len(records)))
    chance.shuffle(places)
    for query in contracts_of("shopify").sources.by_name[SourceName("shopify-orders")].queries:
        one = made("shopify", "shopify-orders", query.dataset, records)
        assert made("shopify", "shopify-orders", query.dataset, records, places) == one


@pytest.mark.no_cover
@given(st.lists(st.tuples(st.integers(1, 99_999), st.integers(0, 100), st.integers(1, 9)), min_size=1, max_size=5))
@settings(max_examples=examples(8, 20))
def test_woocommerce_items_are_worth_their_totals(lines: list[tuple[int, int, int]]) -> None:
    """A line's total is not always a whole number of cents per piece; the amount is the total all the same."""
    records = [
        {
            "order_id": "7",
            "status": "completed",
            "item_name": f"A {subtotal}",
            "item_quantity": str(quantity),
            "item_subtotal": money(subtotal),
            "item_total": str(Decimal(subtotal * share) / 10_000),
        }
        for subtotal, share, quantity in lines
    ]
    items = made("woocommerce", "woocommerce-orders", Dataset.ORDER_ITEMS, records)
    amounts = [Decimal(str(i["sale_price"])) * int(str(i["quantity"])) - Decimal(str(i["discount"])) for i in items]
    assert amounts == [Decimal(record["item_total"]) for record in records]
    assert all(Decimal(str(item["discount"])) >= 0 for item in items)


SHOPIFY = {"Name": "#1", "Lineitem quantity": "1", "Lineitem price": "40.00", "Lineitem name": "Bowl"}


@pytest.mark.parametrize(
    ("fields", "discount"),
    [
        pytest.param(
            {"Subtotal": "40.00", "Discount Amount": "4.95"}, "0", id="what comes off the shipping is not the goods'"
        ),
        pytest.param(
            {"Subtotal": "30.00", "Discount Amount": "0.00", "Lineitem discount": "10.00"}, "10", id="a line's own"
        ),
        pytest.param({"Discount Amount": "6.00"}, "6", id="without a subtotal, the discount"),
        pytest.param({"Discount Amount": "60.00"}, "40", id="and no more than all"),
        pytest.param({"Lineitem discount": "3.50"}, "3.5", id="or the line's own alone"),
        pytest.param({}, "0", id="nothing is said"),
        pytest.param({"Subtotal": "44.00"}, "0", id="a subtotal beyond the lines is of something else"),
    ],
)
def test_what_comes_off_a_shopify_line(fields: Record, discount: str) -> None:
    (item,) = made("shopify", "shopify-orders", Dataset.ORDER_ITEMS, [{**SHOPIFY, **fields}])
    assert Decimal(str(item["discount"])) == Decimal(discount)


@pytest.mark.parametrize(
    ("fields", "status", "refund"),
    [
        ({"Financial Status": "paid", "Fulfillment Status": "fulfilled", "Refunded Amount": "0.00"}, "shipped", "0"),
        ({"Financial Status": "paid", "Fulfillment Status": "partial"}, "processing", None),
        ({"Financial Status": "pending"}, "processing", None),
        ({"Financial Status": "partially_refunded", "Refunded Amount": "15.00"}, "processing", "15"),
        ({"Financial Status": "refunded", "Refunded Amount": "44.95"}, "returned", "40"),
        ({"Financial Status": "refunded"}, "returned", None),
        ({"Financial Status": "refunded", "Refunded Amount": "0.00"}, "returned", None),
        ({"Financial Status": "voided"}, "cancelled", None),
        ({"Financial Status": "expired"}, "cancelled", None),
        ({"Financial Status": "refunded", "Cancelled at": "2026-04-06", "Refunded Amount": "40.00"}, "cancelled", None),
        ({"Financial Status": "Bezahlt"}, "bezahlt", None),
        ({}, "processing", None),
    ],
)
def test_status_and_refund_of_a_shopify_order(fields: Record, status: str, refund: str | None) -> None:
    records = [{**SHOPIFY, "Subtotal": "40.00", **fields}]
    (order,) = made("shopify", "shopify-orders", Dataset.ORDERS, records)
    (item,) = made("shopify", "shopify-orders", Dataset.ORDER_ITEMS, records)
    assert (order["status"], item["refund"] and Decimal(item["refund"])) == (status, refund and Decimal(refund))


def test_a_tip_is_no_goods() -> None:
    """It is a line of the export, but not part of the order's subtotal; a product with that name has a vendor or an SKU."""
    tip = {**SHOPIFY, "Lineitem name": "Tip", "Lineitem price": "6.00"}
    records = [
        {**SHOPIFY, "Subtotal": "36.00", "Discount Amount": "4.00"},
        tip,
        {**tip, "Name": "#2", "Vendor": "Fern"},
    ]
    items = made("shopify", "shopify-orders", Dataset.ORDER_ITEMS, records)
    assert [(item["id"], Decimal(str(item["discount"]))) for item in items] == [
        ("#1-1", Decimal(4)),
        ("#2-1", Decimal(0)),
    ]
    products = made("shopify", "shopify-orders", Dataset.PRODUCTS, records)
    assert [row["id"] for row in products] == ["Bowl", "Tip"]


def test_customers_of_shopify() -> None:
    """A mail address is one customer, however it is spelt, and is not kept; an order without one is its own customer."""
    emails = ["Ann@Example.com", "ann@example.com", "", ""]
    records = [{**SHOPIFY, "Name": f"#{number}", "Email": email} for number, email in enumerate(emails)]
    customers = [order["user_id"] for order in made("shopify", "shopify-orders", Dataset.ORDERS, records)]
    assert customers == [customers[0], customers[0], "guest of #2", "guest of #3"]
    assert "ann" not in str(customers[0])


def test_articles_of_shopify_are_known_by_sku_or_by_name() -> None:
    """The products export spells a product as the orders export does, with either of its two headers."""
    old = [
        {"Handle": "bowl", "Title": "Bowl", "Type": "Kitchen", "Vendor": "Fern", "Option1 Value": "Default Title"}
        | {"Variant Price": "40.00"},
        {"Handle": "bowl", "Image Src": "https://example.com/2.jpg"},
        {"Handle": "cup", "Title": "Cup", "Product Category": "Home > Cups", "Option1 Value": "S", "Variant SKU": "C-S"}
        | {"Variant Price": "9.00"},
        {"Handle": "cup", "Option1 Value": "L", "Option2 Value": "Blue", "Variant Price": "10.00"},
        {"Handle": "other", "Title": "Other", "Variant SKU": "C-S", "Variant Price": "1.00"},
    ]
    new = [
        {
            {"Handle": "URL handle", "Variant SKU": "SKU", "Variant Price": "Price"}.get(key, key): value
            for key, value in row.items()
        }
        for row in old
    ]
    read = made("shopify", "shopify-products", Dataset.PRODUCTS, old)
    assert [(row["id"], row["name"], row["category"], row["brand"]) for row in read] == [
        ("Bowl", "Bowl", "Kitchen", "Fern"),
        ("C-S", "Cup - S", "Home > Cups", None),
        ("Cup - L / Blue", "Cup - L / Blue", "Home > Cups", None),
    ]
    assert made("shopify", "shopify-products", Dataset.PRODUCTS, new) == read


def test_categories_of_woocommerce_are_the_first_listed() -> None:
    listed = ["Home > Cups", "Home > Cups, Sale", "Bags\\, Belts > All, Sale", ""]
    records = [{"ID": str(n), "Type": "simple", "Name": "A", "Categories": text} for n, text in enumerate(listed)]
    records.append({"ID": "9", "Type": "variation, virtual", "Name": "A", "Categories": "none"})
    products = made("woocommerce", "woocommerce-products", Dataset.PRODUCTS, records)
    assert [row["category"] for row in products] == ["Home > Cups", "Home > Cups", "Bags, Belts > All", "Uncategorized"]


PAGE = Path(__file__).resolve().parent.parent / "docs" / "profiles.md"


@pytest.mark.parametrize("profile", ["shopify", "woocommerce", "olist"])
def test_the_page_names_every_column_that_a_profile_reads(profile: str) -> None:
    """A reader can look up what becomes of each column of an export."""
    _, _, behind = PAGE.read_text(encoding="utf-8").partition(f"\n## {profile}\n")
    section, _, _ = behind.partition("\n## ")
    folder = contracts_folder(PREFIX + profile)
    assert folder is not None
    named = {column for source in contracts_of(profile).sources.by_name.values() for column in source.columns}
    for contract in folder.glob("*.odcs.yaml"):
        named |= set(re.findall(r"physicalName: (\S+)", contract.read_text(encoding="utf-8")))
    assert named
    assert [column for column in sorted(named) if f"`{column}`" not in section] == []
