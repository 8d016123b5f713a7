"""Describe the shop to generate, refuse impossible plans, and report what was generated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from takings.errors import UsageError

#: ids of items stay below 2^32, the width of a draw
MOST_ORDERS = 1_000_000_000
#: ten years
MOST_DAYS = 3_653
FEWEST_PRODUCTS, MOST_PRODUCTS = 50, 30_000
#: from this number on, another file of products pays off
PRODUCTS_A_FILE = 10_000


class ShopFormat(StrEnum):
    """The shapes of CSV that real shops drop."""

    PLAIN = "plain"
    THELOOK = "thelook"
    SHOPIFY = "shopify"
    WOOCOMMERCE = "woocommerce"
    OLIST = "olist"


#: those whose records can be damaged: the ways to be wrong name their columns
DAMAGEABLE = (ShopFormat.PLAIN, ShopFormat.THELOOK)


@dataclass(frozen=True, kw_only=True)
class ShopPlan:
    """What to generate; raises UsageError for an impossible plan."""

    #: 1 to 10^9, of three items on average
    orders: int
    #: any integer; another seed is another shop
    seed: int
    #: the number of days with orders
    days: int = 90
    #: files of orders, and of items; items are cut by position, so an order may end in the next file
    parts: int = 1
    #: columns, statuses, times and money as this shop writes them
    format: ShopFormat = ShopFormat.PLAIN
    #: percent of each file's records to make invalid
    dirty: Decimal = Decimal(0)
    #: orders are created in [first_day, first_day + days); plain: items up to 1 h later; thelook: up to 4 h earlier
    first_day: date = date(2025, 1, 1)
    #: whether a later order has a higher number; otherwise every file holds orders of all days
    number_by_time: bool = True

    def __post_init__(self) -> None:
        _refuse_outside("orders", self.orders, 1, MOST_ORDERS)
        _refuse_outside("days", self.days, 1, MOST_DAYS)
        _refuse_outside("parts", self.parts, 1, self.orders)
        if not self.dirty.is_finite() or not 0 <= self.dirty <= 100:
            raise UsageError(f"dirty is {self.dirty} percent: choose 0 to 100.")
        if self.dirty and self.format not in DAMAGEABLE:
            raise UsageError(
                f"dirty is {self.dirty} percent, and '{self.format}' can only be written clean: leave it out."
            )
        _refuse_outside("the first day's year", self.first_day.year, 1970, 2100)

    @property
    def end(self) -> date:
        """The day after the last order."""
        return self.first_day + timedelta(days=self.days)

    @property
    def products(self) -> int:
        """One product for every twenty orders, within bounds."""
        return min(max(self.orders // 20, FEWEST_PRODUCTS), MOST_PRODUCTS)

    @property
    def product_parts(self) -> int:
        """One file, unless there are many products and several parts."""
        return min(self.parts, -(-self.products // PRODUCTS_A_FILE))

    @property
    def users(self) -> int:
        """Customers, a few of whom order often."""
        return max(self.orders * 2 // 5, 10)


@dataclass(frozen=True, kw_only=True)
class Generated:
    """What was written; counts include damaged records.

    An item whose order or product lost its key to a fault is itself valid: it waits for its parent and does not count.
    """

    #: products, orders, items, as far as they have files of their own; each by part
    files: tuple[Path, ...]
    products: int
    orders: int
    items: int
    #: records that violate an error rule or the structure of a CSV record: the sum of `faults`
    damaged: int
    #: fault (see `faults.py`) -> records that violate because of it; `duplicate_key` counts both that share a key
    faults: Mapping[str, int] = field(default_factory=dict)


def _refuse_outside(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise UsageError(f"{name} is {value}: choose {least} to {most}.")
