"""Compute the KPIs of some rows, so plainly that a reader can check the code against the definitions.

Nothing here is fast, and nothing is shared with Takings. `order_kpis` and `category_kpis` are the definitions, `newest`
says which of several rows with the same primary key counts, `read_rows` turns the text of a valid file into rows.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal
from typing import Literal
from zoneinfo import ZoneInfo

Dataset = Literal["products", "orders", "order_items"]

# Sums of 38 digits are exact with 100. A quotient is cut, not rounded, so that the only rounding is at publication.
EXACT = Context(prec=100, rounding=ROUND_DOWN)
CENT = Decimal("0.01")
#: items have only the brief's columns; otherwise: quantity, discount, refund -> the column
NO_ROLES: Mapping[str, str] = {}
#: before every instant
FIRST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One record of a file, and its place in the order of writes."""

    #: the primary key: id for products and order_items, order_id for orders
    id: str
    #: when the row was written
    version: datetime
    #: key of its file
    source: str
    #: physical line on which it starts; the header is line 1
    line: int
    #: when the shop says the row changed; None if the contract has no takingsVersion
    instant: datetime | None = None

    @property
    def place(self) -> tuple[datetime, datetime, str, int]:
        """Return the row's place in the order of versions: the shop's instant, then the arrival's version."""
        return self.instant or FIRST, self.version, self.source, self.line


@dataclass(frozen=True, kw_only=True)
class Product(Row):
    """The product's columns that the KPIs need."""

    category: str


@dataclass(frozen=True, kw_only=True)
class Order(Row):
    """The order's columns that the KPIs need."""

    user_id: str
    #: as stored: lower case, `complete`, `cancelled`
    status: str
    #: an instant, in UTC
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Item(Row):
    """The item's columns that the KPIs need."""

    order_id: str
    product_id: str
    #: as stored: lower case, `complete`, `cancelled`; None: its order's status
    status: str | None
    #: its returned_at is set
    has_returned_at: bool
    sale_price: Decimal
    #: the values of the columns with these roles; None without such a column, or if it is empty
    quantity: int | None = None
    discount: Decimal | None = None
    refund: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Lake:
    """One row per primary key, by primary key."""

    products: dict[str, Product]
    orders: dict[str, Order]
    #: by order_id and id if the lines of an order replace each other together
    items: dict[str, Item]
    #: IANA name of the business time zone
    time_zone: str


@dataclass(frozen=True, kw_only=True)
class OrderKpis:
    """The site's published numbers of one day."""

    order_date: date
    total_orders: int
    total_revenue: Decimal
    total_items_sold: int
    return_rate: Decimal | None
    unique_customers: int
    avg_order_value: Decimal | None
    returned_value: Decimal
    cancelled_value: Decimal
    net_revenue: Decimal


@dataclass(frozen=True, kw_only=True)
class CategoryKpis:
    """One category's published numbers of one day."""

    category: str
    order_date: date
    daily_revenue: Decimal
    avg_order_value: Decimal | None
    avg_return_rate: Decimal | None
    total_orders: int
    items_sold: int
    returned_value: Decimal
    cancelled_value: Decimal
    net_revenue: Decimal


HEADERS = {
    "day": "order_date,total_orders,total_revenue,total_items_sold,return_rate,unique_customers,avg_order_value,"
    "returned_value,cancelled_value,net_revenue",
    "category": "category,order_date,daily_revenue,avg_order_value,avg_return_rate,total_orders,items_sold,"
    "returned_value,cancelled_value,net_revenue",
}


# The definitions


def order_kpis(lake: Lake) -> list[OrderKpis]:
    """Compute the site's numbers of each day that has an order, by order_date."""
    orders_of_day: dict[date, list[Order]] = defaultdict(list)
    for order in lake.orders.values():
        orders_of_day[day_of(order, lake)].append(order)
    items_of_day: dict[date, list[Item]] = defaultdict(list)
    for item in counted_items(lake):
        items_of_day[day_of(lake.orders[item.order_id], lake)].append(item)

    rows = []
    for day in sorted(orders_of_day):
        orders, items = orders_of_day[day], items_of_day[day]
        returned_orders = [order for order in orders if order.status == "returned"]
        revenue = total(amount(item) for item in items)
        returned = total(returned_value(item, lake) for item in items)
        cancelled = total(cancelled_value(item, lake) for item in items)
        rows.append(
            OrderKpis(
                order_date=day,
                total_orders=len(orders),
                total_revenue=published(revenue),
                total_items_sold=sum(pieces(item) for item in items),
                return_rate=percent(len(returned_orders), len(orders)),
                unique_customers=len({order.user_id for order in orders}),
                avg_order_value=ratio(revenue, len(orders)),
                returned_value=published(returned),
                cancelled_value=published(cancelled),
                net_revenue=published(net(revenue, returned, cancelled)),
            )
        )
    return rows


def category_kpis(lake: Lake) -> list[CategoryKpis]:
    """Compute the numbers of each category and day that has a counted item, by category, then order_date."""
    items_of: dict[tuple[str, date], list[Item]] = defaultdict(list)
    for item in counted_items(lake):
        category = lake.products[item.product_id].category
        items_of[category, day_of(lake.orders[item.order_id], lake)].append(item)

    rows = []
    for (category, day), items in sorted(items_of.items()):
        orders = {item.order_id for item in items}
        orders_with_a_return = {item.order_id for item in items if is_returned(item, lake)}
        revenue = total(amount(item) for item in items)
        returned = total(returned_value(item, lake) for item in items)
        cancelled = total(cancelled_value(item, lake) for item in items)
        rows.append(
            CategoryKpis(
                category=category,
                order_date=day,
                daily_revenue=published(revenue),
                avg_order_value=ratio(revenue, len(orders)),
                avg_return_rate=percent(len(orders_with_a_return), len(orders)),
                total_orders=len(orders),
                items_sold=sum(pieces(item) for item in items),
                returned_value=published(returned),
                cancelled_value=published(cancelled),
                net_revenue=published(net(revenue, returned, cancelled)),
            )
        )
    return rows


def day_of(order: Order, lake: Lake) -> date:
    """Return the date of the order's created_at in the business time zone."""
    return order.created_at.astimezone(ZoneInfo(lake.time_zone)).date()


def counted_items(lake: Lake) -> list[Item]:
    """Return the items whose order and product are both in the lake."""
    return [item for item in lake.items.values() if item.order_id in lake.orders and item.product_id in lake.products]


def waiting_orphans(lake: Lake) -> list[Item]:
    """Return the other items: they wait and count nowhere."""
    return [
        item for item in lake.items.values() if item.order_id not in lake.orders or item.product_id not in lake.products
    ]


def status_of(item: Item, lake: Lake) -> str:
    """Return the item's own status, or its order's if it has none."""
    return lake.orders[item.order_id].status if item.status is None else item.status


def pieces(item: Item) -> int:
    """Return how many pieces the item is: one unless it says so."""
    return 1 if item.quantity is None else item.quantity


def amount(item: Item) -> Decimal:
    """Return what the item adds to revenue: sale_price x pieces, less its discount."""
    return EXACT.subtract(EXACT.multiply(item.sale_price, Decimal(pieces(item))), item.discount or Decimal(0))


def is_returned(item: Item, lake: Lake) -> bool:
    """Return whether the item's status is returned, its returned_at is set, or part of it was refunded."""
    return status_of(item, lake) == "returned" or item.has_returned_at or (item.refund is not None and item.refund > 0)


def returned_value(item: Item, lake: Lake) -> Decimal:
    """Return what was refunded; if that is unknown, the amount of a returned item."""
    if item.refund is not None:
        return item.refund
    return amount(item) if is_returned(item, lake) else Decimal(0)


def cancelled_value(item: Item, lake: Lake) -> Decimal:
    """Return what a cancelled item is worth, less what was returned."""
    if status_of(item, lake) != "cancelled":
        return Decimal(0)
    return EXACT.subtract(amount(item), returned_value(item, lake))


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Sum amounts exactly."""
    result = Decimal(0)
    for each in amounts:
        result = EXACT.add(result, each)
    return result


def net(revenue: Decimal, returned: Decimal, cancelled: Decimal) -> Decimal:
    """Return revenue - returned - cancelled, exactly."""
    return EXACT.subtract(EXACT.subtract(revenue, returned), cancelled)


def ratio(numerator: Decimal, denominator: int) -> Decimal | None:
    """Divide unrounded numbers, then round once; a zero denominator has no value."""
    return None if denominator == 0 else published(EXACT.divide(numerator, Decimal(denominator)))


def percent(part: int, whole: int) -> Decimal | None:
    """Return 100 x part / whole."""
    return ratio(Decimal(100 * part), whole)


def published(value: Decimal) -> Decimal:
    """Round half-up to 2 places; a number that rounds to zero has no sign."""
    return EXACT.add(value.quantize(CENT, rounding=ROUND_HALF_UP, context=EXACT), Decimal("0.00"))


# What is printed


def kpis_csv(rows: Sequence[OrderKpis | CategoryKpis], by: Literal["day", "category"]) -> str:
    """Render rows as `takings kpis STORE --by day|category --format csv` prints them."""
    header = HEADERS[by]
    lines = [header]
    for row in rows:
        lines.append(",".join(field_text(getattr(row, column)) for column in header.split(",")))
    return "".join(line + "\n" for line in lines)


def field_text(value: str | int | date | Decimal | None) -> str:
    """Write a field; quote it only if it could be mistaken for structure (RFC 4180)."""
    text = "" if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)
    return '"' + text.replace('"', '""') + '"' if any(character in text for character in ',"\r\n') else text


# Which row counts


def lake_of(rows: Iterable[Row], time_zone: str, *, replaces_lines: bool = False) -> Lake:
    """Return the lake of these rows, in whatever order they come."""
    known = list(rows)
    kept = newest(known)
    items = {row.id: row for row in kept if isinstance(row, Item)}
    return Lake(
        products={row.id: row for row in kept if isinstance(row, Product)},
        orders={row.id: row for row in kept if isinstance(row, Order)},
        items=newest_deliveries(row for row in known if isinstance(row, Item)) if replaces_lines else items,
        time_zone=time_zone,
    )


def newest(rows: Iterable[Row]) -> list[Row]:
    """Keep the newest version of each primary key in each dataset; of equal versions, the greater source, then line."""
    kept: dict[tuple[type[Row], str], Row] = {}
    for row in rows:
        other = kept.setdefault((type(row), row.id), row)
        if row.place > other.place:
            kept[type(row), row.id] = row
    return list(kept.values())


def newest_deliveries(items: Iterable[Item]) -> dict[str, Item]:
    """Keep the newest delivery of each order, its lines in one file; a line is identified by its order and its id."""
    deliveries: dict[str, dict[tuple[datetime, datetime, str], list[Item]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        deliveries[item.order_id][item.place[:3]].append(item)
    newest_lines = [line for places in deliveries.values() for line in places[max(places)]]
    return {f"{line.order_id}/{line.id}": line for line in sorted(newest_lines, key=lambda line: line.place)}


# How a file is read


def read_rows(
    dataset: Dataset,
    content: str | bytes,
    version: datetime,
    source: str,
    time_zone: str,
    without: Collection[int] = (),
    roles: Mapping[str, str] = NO_ROLES,
    versioned_by: str | None = None,
) -> list[Row]:
    """Read a valid CSV file, except for the records that start on the physical lines `without`.

    Columns are found by name, those of an item's quantity, discount and refund by `roles`; others are ignored. The column
    `versioned_by` says when a row changed. Raise ValueError if a record cannot be read.
    """
    data = content.encode() if isinstance(content, str) else content
    (_, header), *body = records(data)
    columns = fields(header)
    rows: list[Row] = []
    for line, record in body:
        if line not in without:
            try:
                values = dict(zip(columns, fields(record), strict=True))
                row = row_of(dataset, values, version, source, line, time_zone, roles)
                changed_at = None if versioned_by is None else instant(values[versioned_by], time_zone)
                rows.append(replace(row, instant=changed_at))
            except (ArithmeticError, KeyError, ValueError, csv.Error) as problem:
                raise ValueError(f"{source}, line {line} is no valid record: {problem!r}") from problem
    return rows


def records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each record, the header first, with the physical line where it starts; blank lines are not records.

    A record ends with the line that makes its number of quotes even: a line break between quotes belongs to a field.
    """
    lines: list[bytes] = []
    quotes = 0
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        lines.append(line)
        quotes += line.count(b'"')
        if quotes % 2 == 0:
            record = b"\n".join(lines).removesuffix(b"\r")
            if record:
                yield number - len(lines) + 1, record
            lines = []
    if lines:
        raise ValueError("The last record has an unterminated quote; the oracle reads valid files only.")


def fields(record: bytes) -> list[str]:
    """Split one record into its fields."""
    csv.field_size_limit(2**31 - 1)  # an unknown column may hold a text of any length
    return next(csv.reader([record.decode()], strict=True))


def row_of(
    dataset: Dataset,
    values: dict[str, str],
    version: datetime,
    source: str,
    line: int,
    time_zone: str,
    roles: Mapping[str, str] = NO_ROLES,
) -> Product | Order | Item:
    """Read the fields of one record."""
    if not is_empty(values.get("_takings_version", "")):
        # A quarantined row that was corrected and dropped again comes right after its original.
        version = instant(values["_takings_version"], time_zone) + timedelta(microseconds=1)
    match dataset:
        case "products":
            return Product(
                id=values["id"],
                category=values["category"],
                version=version,
                source=source,
                line=line,
            )
        case "orders":
            return Order(
                id=values["order_id"],
                user_id=values["user_id"],
                status=stored_status(values["status"]),
                created_at=instant(values["created_at"], time_zone),
                version=version,
                source=source,
                line=line,
            )
        case "order_items":
            status = values.get("status", "")
            said = {role: values.get(column, "") for role, column in roles.items()}
            numbers = {role: Decimal(text) for role, text in said.items() if not is_empty(text)}
            return Item(
                id=values["id"],
                order_id=values["order_id"],
                product_id=values["product_id"],
                status=None if is_empty(status) else stored_status(status),
                has_returned_at=not is_empty(values.get("returned_at", "")),
                sale_price=Decimal(values["sale_price"]),
                quantity=int(numbers["quantity"]) if "quantity" in numbers else None,
                discount=numbers.get("discount"),
                refund=numbers.get("refund"),
                version=version,
                source=source,
                line=line,
            )


def is_empty(text: str) -> bool:
    """Return whether a field is empty; one with only blanks is."""
    return not text.strip()


def stored_status(text: str) -> str:
    """Return a status as it is stored: lower case and in one spelling."""
    return {"completed": "complete", "canceled": "cancelled"}.get(text.lower(), text.lower())


def instant(text: str, time_zone: str) -> datetime:
    """Read `2025-03-30T16:14:26`, also with a space, 0-9 fractional digits, `Z`, `±hh:mm` or ` UTC`; return UTC.

    Digits beyond microseconds are cut. Without a zone the time is the business time zone's: one in a gap takes the
    offset before it, a repeated one its first occurrence (both are what fold=0, the default, means).
    """
    moment = datetime.fromisoformat(text[: -len(" UTC")] + "Z" if text.endswith(" UTC") else text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(time_zone))
    return moment.astimezone(UTC)
