"""What the generator writes as other systems' exports: the same shop, in their columns and habits."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest

from takings.adapters.shop_generator import ShopFormat, ShopPlan, generate_shop

EXPORTS = (ShopFormat.SHOPIFY, ShopFormat.WOOCOMMERCE, ShopFormat.OLIST)
ORDERS = 2_000

FILES = {
    ShopFormat.SHOPIFY: [
        "shopify-products/products_export_part1.csv",
        "shopify-orders/orders_export_part1.csv",
        "shopify-orders/orders_export_part2.csv",
    ],
    ShopFormat.WOOCOMMERCE: [
        "woocommerce-products/wc-product-export_part1.csv",
        "woocommerce-orders/orders-export_part1.csv",
        "woocommerce-orders/orders-export_part2.csv",
    ],
    ShopFormat.OLIST: [
        "products/olist_products_dataset_part1.csv",
        "orders/olist_orders_dataset_part1.csv",
        "orders/olist_orders_dataset_part2.csv",
        "order-items/olist_order_items_dataset_part1.csv",
        "order-items/olist_order_items_dataset_part2.csv",
    ],
}
DIGESTS = {
    ShopFormat.SHOPIFY: "264038da605d322b9dec1c88869922f3237b0fa8657e77c5a5ba232002e1da14",
    ShopFormat.WOOCOMMERCE: "d7263e95b01f6f63917bcce8b9f8b67a4c721e3f7edf88fdd31e43fdd9e75f45",
    ShopFormat.OLIST: "28c74ec9d8e30a7dcfa43ba2468c352c1fe1f65565fc1e5c0b3f10794e985418",
}

Records = dict[str, list[dict[str, str]]]


def made(folder: Path, shop_format: ShopFormat, *, parts: int = 1, threads: int | None = None) -> list[Path]:
    plan = ShopPlan(orders=ORDERS, seed=11, days=30, parts=parts, format=shop_format)
    return list(generate_shop(folder, plan, threads=threads).files)


def records_of(files: list[Path]) -> Records:
    """Return the records by folder."""
    records: Records = defaultdict(list)
    for path in files:
        with path.open(encoding="utf-8", newline="") as text:
            records[path.parent.name] += csv.DictReader(text, strict=True)
    return records


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Records:
    return records_of(made(tmp_path_factory.mktemp("plain"), ShopFormat.PLAIN))


@pytest.fixture(scope="module")
def shopify(tmp_path_factory: pytest.TempPathFactory) -> Records:
    return records_of(made(tmp_path_factory.mktemp("shopify"), ShopFormat.SHOPIFY))


@pytest.fixture(scope="module")
def woocommerce(tmp_path_factory: pytest.TempPathFactory) -> Records:
    return records_of(made(tmp_path_factory.mktemp("woocommerce"), ShopFormat.WOOCOMMERCE))


@pytest.fixture(scope="module")
def olist(tmp_path_factory: pytest.TempPathFactory) -> Records:
    return records_of(made(tmp_path_factory.mktemp("olist"), ShopFormat.OLIST))


def pieces_and_cents(plain: Records) -> dict[str, tuple[int, Decimal]]:
    """Return what the orders hold in the plain format: pieces, and the sum of their prices."""
    held: dict[str, tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal()))
    for item in plain["order-items"]:
        pieces, money = held[item["order_id"]]
        held[item["order_id"]] = (pieces + 1, money + Decimal(item["sale_price"]))
    return dict(held)


@pytest.mark.parametrize("shop_format", EXPORTS)
def test_parts_and_threads_change_nothing_but_the_files(tmp_path: Path, shop_format: ShopFormat) -> None:
    whole = made(tmp_path / "whole", shop_format, threads=1)
    cut = made(tmp_path / "cut", shop_format, parts=2, threads=3)
    assert records_of(cut) == records_of(whole)
    assert [str(path.relative_to(tmp_path / "cut")) for path in cut] == FILES[shop_format]


@pytest.mark.parametrize("shop_format", EXPORTS)
def test_every_byte_stays_what_it_was(tmp_path: Path, shop_format: ShopFormat) -> None:
    files = made(tmp_path, shop_format)
    assert sha256(b"".join(path.read_bytes() for path in files)).hexdigest() == DIGESTS[shop_format]


def test_shopify_lines_hold_the_plain_shops_items(plain: Records, shopify: Records) -> None:
    """Prices minus the lines' own discounts are the plain prices, to the cent; the order's discount adds a code's to these."""
    held: dict[str, tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal()))
    listed: dict[str, Decimal] = defaultdict(Decimal)
    for line in shopify["shopify-orders"]:
        number = str(int(line["Name"].removeprefix("#")) - 1000)
        pieces, money = held[number]
        quantity = int(line["Lineitem quantity"])
        worth = quantity * Decimal(line["Lineitem price"]) - Decimal(line["Lineitem discount"])
        held[number] = (pieces + quantity, money + worth)
        listed[number] += quantity * Decimal(line["Lineitem price"])
    assert held == pieces_and_cents(plain)
    for line in shopify["shopify-orders"]:
        if line["Subtotal"]:
            number = str(int(line["Name"].removeprefix("#")) - 1000)
            assert Decimal(line["Subtotal"]) == listed[number] - Decimal(line["Discount Amount"]), line
            assert line["Discount Code"] or Decimal(line["Subtotal"]) == held[number][1], line


def test_habits_of_shopify_are_there(shopify: Records) -> None:
    lines, variants = shopify["shopify-orders"], shopify["shopify-products"]
    firsts = [line for line in lines if line["Id"]]
    by_status = Counter(line["Financial Status"] for line in firsts)
    habits = {
        "all ways to be paid or not": set(by_status) == {"paid", "pending", "partially_refunded", "refunded", "voided"},
        "order fields in the first line alone": all(
            not (line["Financial Status"] or line["Subtotal"] or line["Cancelled at"] or line["Refunded Amount"])
            for line in lines
            if not line["Id"]
        ),
        "a cancelled order that was refunded": any(
            line["Cancelled at"] and line["Financial Status"] == "refunded" for line in firsts
        ),
        "a refund with the shipping": any(
            Decimal(line["Refunded Amount"]) > Decimal(line["Subtotal"]) for line in firsts
        ),
        "more than one piece": max(int(line["Lineitem quantity"]) for line in lines) > 1,
        "a discount of a line": any(Decimal(line["Lineitem discount"]) > 0 for line in lines),
        "a discount of an order": any(
            line["Discount Code"] and Decimal(line["Discount Amount"]) > 0 for line in firsts
        ),
        "a guest": any(not line["Email"] for line in firsts),
        "one address in two spellings": any(line["Email"][:1] == "C" for line in firsts)
        and any(line["Email"][:1] == "c" for line in firsts),
        "an offset without colon": all(line["Created at"].endswith(" -0500") for line in lines),
        "an article without a number": any(not line["Lineitem sku"] for line in lines),
        "a picture's row": any(not row["Variant Price"] for row in variants),
        "a variant's row without a type": any(row["Variant Price"] and not row["Type"] for row in variants),
    }
    assert [habit for habit, is_there in habits.items() if not is_there] == []


def test_woocommerce_lines_hold_the_plain_shops_items(plain: Records, woocommerce: Records) -> None:
    held: dict[str, tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal()))
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for line in woocommerce["woocommerce-orders"]:
        pieces, money = held[line["order_id"]]
        held[line["order_id"]] = (pieces + int(line["item_quantity"]), money + Decimal(line["item_subtotal"]))
        totals[line["order_id"]] += Decimal(line["item_total"])
    assert held == pieces_and_cents(plain)
    assert totals == {line["order_id"]: Decimal(line["order_total"]) for line in woocommerce["woocommerce-orders"]}


def test_habits_of_woocommerce_are_there(woocommerce: Records) -> None:
    lines, products = woocommerce["woocommerce-orders"], woocommerce["woocommerce-products"]
    habits = {
        "all statuses": {line["status"] for line in lines}
        == {"completed", "processing", "on-hold", "refunded", "cancelled", "failed"},
        "a guest": any(line["customer_id"] == "0" for line in lines),
        "a line refunded in part": any(
            0 < Decimal(line["item_refunded"]) < Decimal(line["item_total"]) for line in lines
        ),
        "a price that no piece has exactly": any(
            Decimal(line["item_subtotal"]) * 100 % int(line["item_quantity"]) != 0 for line in lines
        ),
        "a line with a discount": any(Decimal(line["item_total"]) < Decimal(line["item_subtotal"]) for line in lines),
        "each line has a number of its own": len({line["item_id"] for line in lines}) == len(lines),
        "variations without categories": any(row["Type"] == "variation" and not row["Categories"] for row in products),
        "a category with a comma": any("\\," in row["Categories"] for row in products),
        "two categories": any(", " in row["Categories"].replace("\\,", "") for row in products),
    }
    assert [habit for habit, is_there in habits.items() if not is_there] == []


def test_olist_items_are_the_plain_shops(plain: Records, olist: Records) -> None:
    assert [Decimal(item["price"]) for item in olist["order-items"]] == [
        Decimal(item["sale_price"]) for item in plain["order-items"]
    ]
    numbers = defaultdict(list)
    for item in olist["order-items"]:
        numbers[item["order_id"]].append(int(item["order_item_id"]))
    assert all(held == list(range(1, len(held) + 1)) for held in numbers.values())
    assert list(numbers) == [order["order_id"] for order in olist["orders"]]


def test_habits_of_olist_are_there(olist: Records) -> None:
    orders = olist["orders"]
    assert {order["order_status"] for order in orders} == {
        *("delivered", "shipped", "processing", "created", "approved", "invoiced", "canceled", "unavailable"),
    }
    assert len({order["customer_id"] for order in orders}) == len(orders)
    assert any(not product["product_category_name"] for product in olist["products"])
