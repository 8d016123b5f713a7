"""Make a small shop in memory, of any contract: enough rows of each kind to show what a query depends on."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

import duckdb

from takings.adapters.duckdb.sql import SQL_TYPES, name
from takings.contracts.model import Column, ColumnType, Contract, Contracts, Dataset
from takings.contracts.worth import AMOUNT, Role

DAYS: Final = tuple(date(2024, 2, 27) + timedelta(days=place) for place in range(4))
_ORDERS: Final = 24
_ITEMS: Final = 60
_PRODUCTS: Final = 9
_CUSTOMERS: Final = 5
_TEXTS: Final = ("alpha", "Beta", "gamma delta", "é")
#: so few that columns of equal values can be joined by them
_NUMBERS: Final = 12
_ROWS: Final = {Dataset.PRODUCTS: _PRODUCTS, Dataset.ORDERS: _ORDERS, Dataset.ORDER_ITEMS: _ITEMS}
Value = int | str | Decimal | datetime | date | None


def make_sample_shop(connection: duckdb.DuckDBPyConnection, contracts: Contracts, texts: Collection[str] = ()) -> None:
    """Create and fill the tables `sample_<dataset>`, with the columns of the lake that KPIs may read.

    `texts` are what queries compare with: some values of free texts are these.
    """
    for dataset, rows in sample_rows(contracts, texts).items():
        columns = {column: SQL_TYPES[kind] for column, kind in contracts[dataset].stored.items()}
        columns |= {} if dataset is Dataset.PRODUCTS else {"order_date": "date"}
        spelled = ", ".join(f"{name(column)} {kind}" for column, kind in columns.items())
        connection.execute(f"create table sample_{dataset} ({spelled})")
        each = f"({', '.join('?' * len(columns))})"
        connection.execute(
            f"insert into sample_{dataset} values {', '.join([each] * len(rows))}",
            [value for row in rows for value in row],
        )


def sample_rows(contracts: Contracts, texts: Collection[str] = ()) -> Mapping[Dataset, Sequence[Sequence[Value]]]:
    """Return the rows of each dataset: the columns that its contract stores, and the day where it has one."""
    spellings = (*_TEXTS, *sorted(texts))
    return {
        dataset: [_row(contracts[dataset], place, contracts, spellings) for place in range(_ROWS[dataset])]
        for dataset in Dataset
    }


def _row(contract: Contract, place: int, contracts: Contracts, spellings: Sequence[str]) -> Sequence[Value]:
    values: dict[str, Value] = {
        column.name: _value(contract.dataset, column, place, spellings) for column in contract.columns
    }
    values |= _keys(contract.dataset, place, contracts)
    if contract.dataset is Dataset.ORDER_ITEMS and contract.worth.has_roles:
        values[AMOUNT] = None if place % 11 == 0 else _amount("amount", place)
    if contract.dataset is Dataset.ORDERS:
        values["created_at"] = _instant(_day(place))
        return [*values.values(), _day(place)]
    if contract.dataset is Dataset.ORDER_ITEMS:
        return [*values.values(), _day(_order_of(place))]
    return list(values.values())


def _keys(dataset: Dataset, place: int, contracts: Contracts) -> dict[str, Value]:
    """Return what joins rows: each order has items of several products, and customers come again on other days."""
    keys: dict[str, int] = {
        Dataset.PRODUCTS: {"id": place},
        Dataset.ORDERS: {"order_id": place, "user_id": _chance("customer", place) % _CUSTOMERS},
        Dataset.ORDER_ITEMS: {
            "id": place,
            "order_id": _order_of(place),
            "product_id": _chance("product", place) % _PRODUCTS,
            "user_id": _chance("customer", _order_of(place)) % _CUSTOMERS,
        },
    }[dataset]
    known = {column.name: column.type for column in contracts[dataset].columns}
    return {
        column: f"k{number}" if known[column] is ColumnType.TEXT else number
        for column, number in keys.items()
        if column in known
    }


def _order_of(item: int) -> int:
    """Return the order of an item; the last orders have none."""
    return _chance("order", item) % (_ORDERS - 2)


def _day(order: int) -> date:
    return DAYS[order % len(DAYS)]


def _value(dataset: Dataset, column: Column, place: int, spellings: Sequence[str]) -> Value:
    """Return a value of a column, among them empty ones where the contract allows them."""
    dice = _chance(f"{dataset}.{column.name}", place)
    if not column.is_required and dice % 4 == 0:
        return None
    match column.type:
        case ColumnType.IDENTIFIER | ColumnType.INTEGER:
            return dice % 7 if column.role is Role.QUANTITY else dice % _NUMBERS
        case ColumnType.MONEY:
            return _amount(f"{dataset}.{column.name}", place)
        case ColumnType.TIMESTAMP:
            return _instant(DAYS[dice % len(DAYS)])
        case ColumnType.TEXT:
            texts = sorted(set(column.values.values())) if column.values else spellings
            return texts[dice // 4 % len(texts)]


def _amount(what: str, place: int) -> Decimal:
    """Return an amount, most with digits behind the cents."""
    dice = _chance(what, place)
    return Decimal(dice % 100_000) / 1000 + Decimal(dice % 3) / Decimal(10**16)


def _instant(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def _chance(what: str, place: int) -> int:
    """Return a number that looks like chance and is always the same."""
    return int.from_bytes(hashlib.sha256(f"{what} {place}".encode()).digest()[:6])
