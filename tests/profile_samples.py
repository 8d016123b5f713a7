"""Compute what the profiles' samples are worth, in whole cents, from the generator's plain shop and its random draws.

It does not read the exports, and shares nothing with the profiles' SQL.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from takings.adapters.shop_generator import ShopFormat, ShopPlan, draws, generate_shop
from tests.oracle.kpis import Item, Lake, Order, Product

Record = Mapping[str, str]
_NEVER = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One piece in an order."""

    #: the product, and which of its two variants, if it has any
    article: tuple[int, int]
    cents: int
    is_kept: bool


@dataclass(frozen=True, kw_only=True)
class Bought:
    """One order as the exports show it."""

    number: int
    user: str
    is_guest: bool
    status: str
    created_at: datetime
    #: the pieces of one article are one line
    lines: Sequence[Sequence[Piece]]
    #: the discount on the whole order, in cents
    discount: int

    @property
    def worths(self) -> list[int]:
        """Return the price of each line before the discount."""
        return [sum(piece.cents for piece in line) for line in self.lines]

    @property
    def amounts(self) -> list[int]:
        """Return the price of each line."""
        off = spread(self.discount, self.worths)
        return [worth - less for worth, less in zip(self.worths, off, strict=True)]

    @property
    def lost(self) -> list[int]:
        """Return, for each line, the price before the discount of the pieces that were returned or cancelled."""
        return [sum(piece.cents for piece in line if not piece.is_kept) for line in self.lines]


def spread(cents: int, weights: Sequence[int]) -> list[int]:
    """Split cents by weight: each line gets the share of all lines so far, rounded down, minus what earlier lines got."""
    whole, reached, given, shares = sum(weights), 0, 0, []
    for weight in weights:
        reached += weight
        shares.append(cents * reached // whole - given)
        given += shares[-1]
    return shares


class PlainShop:
    """The shop of a plan in the plain format."""

    def __init__(self, folder: Path, plan: ShopPlan) -> None:
        files = generate_shop(folder, replace(plan, format=ShopFormat.PLAIN)).files
        records: dict[str, list[Record]] = {}
        for path in files:
            with path.open(encoding="utf-8", newline="") as text:
                records[path.parent.name] = list(csv.DictReader(text))
        self.products = {int(row["id"]): row for row in records["products"]}
        self._orders = records["orders"]
        self._items: dict[int, list[Record]] = {}
        for row in records["order-items"]:
            self._items.setdefault(int(row["order_id"]), []).append(row)
        self._word = draws.seed_word_of(plan.seed)

    def pick(self, stream: int, record: int, among: int) -> int:
        """Return the generator's random draw."""
        return draws.pick(self._word, stream, record, among)

    def pieces(self) -> Iterator[tuple[Record, Record]]:
        """Yield each item of the plain shop, with its order."""
        for order in self._orders:
            for item in self._items[int(order["order_id"])]:
                yield item, order

    def bought(self) -> Iterator[Bought]:
        """Yield the orders with their lines."""
        for row in self._orders:
            number = int(row["order_id"])
            pieces = [self._piece(item) for item in self._items[number]]
            lines: dict[tuple[int, int], list[Piece]] = {}
            for piece in pieces:
                lines.setdefault(piece.article, []).append(piece)
            goods = sum(piece.cents for piece in pieces)
            yield Bought(
                number=number,
                user=row["user_id"],
                is_guest=self.pick(53, number, 20) == 0,
                status=row["status"],
                created_at=datetime.fromisoformat(row["created_at"]).replace(tzinfo=UTC),
                lines=list(lines.values()),
                discount=goods // 10 if self.pick(50, number, 6) == 0 else 0,
            )

    def _piece(self, row: Record) -> Piece:
        product = int(row["product_id"])
        return Piece(
            article=(product, self.pick(52, int(row["id"]), 2) if product % 4 == 0 else 0),
            cents=int(Decimal(row["sale_price"]) * 100),
            is_kept=row["status"] not in ("returned", "cancelled"),
        )


def shopify(shop: PlainShop, *, has_products: bool = True) -> Lake:
    """Return what the samples of Shopify hold: refunds are known only for the order."""
    categories = {number: row["category"] for number, row in shop.products.items()}
    vendors = {number: row["brand"] or "Uncategorized" for number, row in shop.products.items()}

    def refunds(order: Bought) -> list[int | None]:
        if order.status == "cancelled":
            return [None] * len(order.lines)
        back = sum(order.amounts) * sum(order.lost) // sum(order.worths)
        return [*spread(back, order.amounts)]

    def status(order: Bought) -> str:
        if order.status in ("cancelled", "processing"):
            return order.status
        # A partly returned order was shipped like any other.
        return "returned" if sum(order.lost) == sum(order.worths) else "shipped"

    def user(order: Bought) -> str:
        return f"order {order.number}" if order.is_guest else order.user

    return _lake(shop, categories if has_products else vendors, refunds, status, user)


def woocommerce(shop: PlainShop, *, has_products: bool = True) -> Lake:
    """Return what the samples of WooCommerce hold: refunds are known for each line."""
    categories = {
        number: f"{row['department']} > {row['category']}" if has_products else "Uncategorized"
        for number, row in shop.products.items()
    }

    def refunds(order: Bought) -> list[int | None]:
        if order.status == "cancelled":
            return [None] * len(order.lines)
        lines = zip(order.lost, order.worths, order.amounts, strict=True)
        return [lost * amount // worth for lost, worth, amount in lines]

    def status(order: Bought) -> str:
        if order.status in ("cancelled", "processing"):
            return order.status
        return "returned" if sum(order.lost) == sum(order.worths) else "complete"

    def user(order: Bought) -> str:
        return f"guest {order.user}" if order.is_guest else order.user

    return _lake(shop, categories, refunds, status, user)


def olist(shop: PlainShop) -> Lake:
    """Return what the samples of Olist hold: an item has its order's status, and a customer orders once."""
    products, orders, items = {}, {}, {}
    for number, row in shop.products.items():
        words = row["category"].replace(" & ", "_").replace(", ", "_").replace(" ", "_").lower()
        category = "Uncategorized" if number % 60 == 0 else words
        products[str(number)] = Product(id=str(number), category=category, version=_NEVER, source="", line=0)
    for item, row in shop.pieces():
        order_id = row["order_id"]
        status = "delivered" if row["status"] == "returned" else row["status"]
        created_at = datetime.fromisoformat(row["created_at"]).replace(tzinfo=UTC)
        orders[order_id] = Order(
            id=order_id, user_id=order_id, status=status, created_at=created_at, version=_NEVER, source="", line=0
        )
        items[item["id"]] = Item(
            id=item["id"],
            order_id=order_id,
            product_id=item["product_id"],
            status=None,
            has_returned_at=False,
            sale_price=Decimal(item["sale_price"]),
            version=_NEVER,
            source="",
            line=0,
        )
    return Lake(products=products, orders=orders, items=items, time_zone="UTC")


def _lake(
    shop: PlainShop,
    categories: Mapping[int, str],
    refunds: Callable[[Bought], Sequence[int | None]],
    status: Callable[[Bought], str],
    user: Callable[[Bought], str],
) -> Lake:
    orders, items = {}, {}
    for order in shop.bought():
        number = str(order.number)
        orders[number] = Order(
            id=number,
            user_id=user(order),
            status=status(order),
            created_at=order.created_at,
            version=_NEVER,
            source="",
            line=0,
        )
        lines = zip(order.lines, order.amounts, refunds(order), strict=True)
        for place, (line, amount, refund) in enumerate(lines):
            items[f"{number}-{place}"] = Item(
                id=f"{number}-{place}",
                order_id=number,
                product_id=str(line[0].article[0]),
                status=None,
                has_returned_at=False,
                sale_price=Decimal(amount) / 100,
                quantity=len(line),
                discount=Decimal(amount * (len(line) - 1)) / 100,
                refund=None if refund is None else Decimal(refund) / 100,
                version=_NEVER,
                source="",
                line=0,
            )
    products = {
        str(number): Product(id=str(number), category=category, version=_NEVER, source="", line=0)
        for number, category in categories.items()
    }
    return Lake(products=products, orders=orders, items=items, time_zone="UTC")
