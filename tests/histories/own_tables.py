"""Say what the tables of sample/kpis are of some rows, so plainly that a reader checks it by eye; and make up such rows.

Nothing is shared with Takings: rows are dictionaries of texts, the newest of each key counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal
from random import Random
from typing import Final, TypeVar

from tests.shop import Fields, item, order, product

_EXACT: Final = Context(prec=100, rounding=ROUND_DOWN)
_CENT: Final = Decimal("0.01")
_KEYS: Final = {"products": "id", "orders": "order_id", "order-items": "id"}
_PRICES: Final = ("0.005", "10.00", "4.25", "1.115", "19.3333333333333333", "7", "0.0000000000000001")
_COSTS: Final = ("0.004", "1.00", "2.5", "3.3333333333333333", "0.0000000000000001")
_STATUSES: Final = ("shipped", "returned", "cancelled", "complete")
_DAYS: Final = ("2025-03-29", "2025-03-30", "2025-03-31")


@dataclass(frozen=True, kw_only=True)
class Write:
    """A file that the shop wrote."""

    #: products, orders or order-items
    folder: str
    written_at: datetime
    rows: Sequence[Fields]


def made_up(seed: int, files: int) -> list[Write]:
    """Return files in the order in which they were written: corrections of cost, category, department, day and status."""
    dice = Random(seed)
    begin = datetime(2026, 1, 5, tzinfo=UTC)
    known: dict[tuple[str, int], Fields] = {}
    return [_write(dice, begin + timedelta(minutes=place), place, known) for place in range(files)]


def _write(dice: Random, written_at: datetime, place: int, known: dict[tuple[str, int], Fields]) -> Write:
    folder = tuple(_KEYS)[place] if place < 3 else dice.choice(tuple(_KEYS))
    make = {"products": _product, "orders": _order, "order-items": _item}[folder]
    most = {"products": 4, "orders": 6, "order-items": 12}[folder]
    # The first file of each kind has most rows; corrections are of one or two, and most of them of one column.
    ids = range(1, most + 1) if place < 3 else dice.sample(range(1, most + 2), dice.choice((1, 1, 2)))
    for id_ in ids:
        before, row = known.get((folder, id_)), make(dice, id_)
        changed = [column for column in row if before is not None and before[column] != row[column]]
        if before is not None and changed and dice.random() < 0.8:
            row = {**before, (column := dice.choice(changed)): row[column]}
        known[folder, id_] = row
    return Write(folder=folder, written_at=written_at, rows=[known[folder, id_] for id_ in ids])


def _product(dice: Random, id_: int) -> Fields:
    return product(
        id_,
        dice.choice(("Books", "Toys")),
        cost=dice.choice(_COSTS),
        department=dice.choice(("Home", "Away")),
        retail_price="99.00",
    )


def _order(dice: Random, id_: int) -> Fields:
    day = dice.choice(_DAYS)
    return order(
        id_,
        f"{day}T10:00:00",
        user_id=dice.randint(1, 3),
        status=dice.choice(_STATUSES),
        country=dice.choice(("DE", "")),
    )


def _item(dice: Random, id_: int) -> Fields:
    return item(id_, dice.randint(1, 7), dice.randint(1, 5), dice.choice(_PRICES), status=dice.choice(_STATUSES))


def tables(writes: Iterable[Write]) -> dict[str, list[str]]:
    """Return each table's rows as CSV, without the header."""
    newest: dict[str, dict[object, Fields]] = {folder: {} for folder in _KEYS}
    for write in sorted(writes, key=lambda write: write.written_at):
        for row in write.rows:
            newest[write.folder][row[_KEYS[write.folder]]] = row
    orders = newest["orders"]
    sold = [
        (str(orders[each["order_id"]]["created_at"])[:10], each, newest["products"][each["product_id"]])
        for each in newest["order-items"].values()
        if each["order_id"] in orders and each["product_id"] in newest["products"]
    ]
    return {
        "CategoryMargins": list(_margins(sold)),
        "ProductSales": list(_sales(sold)),
        "DepartmentReturns": list(_returns(sold)),
        "CountryCustomers": list(_customers(orders)),
    }


Sold = Sequence[tuple[str, Fields, Fields]]
Part = TypeVar("Part")


def _margins(sold: Sold) -> Iterator[str]:
    for (category, day), rows in _grouped((str(p["category"]), day, (i, p)) for day, i, p in sold):
        revenue = _sum(i["sale_price"] for i, _ in rows)
        cost = _sum(p["cost"] for _, p in rows)
        margin = _EXACT.subtract(revenue, cost)
        rate = _ratio(_EXACT.multiply(Decimal(100), margin), revenue)
        yield f"{category},{day},{len(rows)},{_cents(revenue)},{_cents(cost)},{_cents(margin)},{rate}"


def _sales(sold: Sold) -> Iterator[str]:
    of_day: dict[str, list[object]] = defaultdict(list)
    for day, i, _ in sold:
        of_day[day].append(i["sale_price"])
    groups = _grouped((str(i["product_id"]), day, i) for day, i, _ in sold)
    for (number, day), rows in sorted(groups, key=lambda group: (int(group[0][0]), group[0][1])):
        revenue = _sum(i["sale_price"] for i in rows)
        orders = len({i["order_id"] for i in rows})
        share = _ratio(_EXACT.multiply(Decimal(100), revenue), _sum(of_day[day]))
        yield f"{number},{day},{orders},{len(rows)},{_cents(revenue)},{_ratio(revenue, Decimal(orders))},{share}"


def _returns(sold: Sold) -> Iterator[str]:
    for (department, day), rows in _grouped((str(p["department"]), day, i) for day, i, p in sold):
        returned = [i["sale_price"] for i in rows if i["status"] == "returned"]
        rate = _ratio(Decimal(100 * len(returned)), Decimal(len(rows)))
        counts = f"{len(rows)},{len(returned)},{len(rows) - len(returned)}"
        yield f"{department},{day},{counts},{rate},{_cents(_sum(returned))}"


def _customers(orders: Mapping[object, Fields]) -> Iterator[str]:
    placed = ((str(each["country"]), str(each["created_at"])[:10], each["user_id"]) for each in orders.values())
    for (country, day), users in _grouped(placed):
        customers = len(set(users))
        yield f"{country},{day},{len(users)},{customers},{_ratio(Decimal(len(users)), Decimal(customers))}"


def _grouped(rows: Iterable[tuple[str, str, Part]]) -> list[tuple[tuple[str, str], list[Part]]]:
    groups: dict[tuple[str, str], list[Part]] = defaultdict(list)
    for value, day, row in rows:
        groups[value, day].append(row)
    return sorted(groups.items(), key=lambda group: group[0])


def _sum(amounts: Iterable[object]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = _EXACT.add(total, Decimal(str(amount)))
    return total


def _cents(amount: Decimal) -> str:
    return f"{amount.quantize(_CENT, rounding=ROUND_HALF_UP) + 0:.2f}"


def _ratio(numerator: Decimal, denominator: Decimal) -> str:
    return "" if denominator == 0 else _cents(_EXACT.divide(numerator, denominator))
