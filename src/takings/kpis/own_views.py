"""Say what the SQL of a shop's own KPI tables may read: the views `orders` and `items`, and what each column is made of.

An item carries its order's and its product's columns. Of columns of one name, the item's own keeps the name; its order's is
then `order_<name>`, its product's `product_<name>`. What an item is worth (`pieces`, `amount`, …) comes before both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from string import Template
from typing import Final

from takings.contracts.model import Contract, Contracts, Dataset
from takings.contracts.worth import AMOUNT, Worth
from takings.kpis.items import item_values

ORDERS: Final = "orders"
ITEMS: Final = "items"
DAY: Final = "order_date"
#: columns of a dataset
Source = tuple[Dataset, str]
#: what an item is worth, each with a name that no contract's column keeps
WORTH: Final = ("status", "pieces", "amount", "is_returned", "returned_value", "cancelled_value")
_PREFIXES: Final = {Dataset.ORDER_ITEMS: "item", Dataset.ORDERS: "order", Dataset.PRODUCTS: "product"}
_ALIASES: Final = {Dataset.ORDER_ITEMS: "i", Dataset.ORDERS: "o", Dataset.PRODUCTS: "p"}


@dataclass(frozen=True, kw_only=True)
class OwnViews:
    """The views that own SQL reads."""

    #: the columns of orders that the view shows
    orders: tuple[str, ...]
    #: the columns that an item carries, with what each is
    carried: Mapping[str, Source]
    #: how what an item is worth is read; a part of the definition of each own table
    values: Mapping[str, str]
    #: view -> column in lower case -> the datasets' columns that it is made of
    made_of: Mapping[str, Mapping[str, frozenset[Source]]]

    @cached_property
    def columns(self) -> Mapping[str, frozenset[str]]:
        """Return view -> its columns, in lower case."""
        return {view: frozenset(each) for view, each in self.made_of.items()}

    def over(self, lake: Mapping[Dataset, str]) -> Mapping[str, str]:
        """Return view -> its SQL for every engine, over tables of the lake: counted items only."""
        carried = (
            f"{_ALIASES[dataset]}.{_quoted(column)} as {_quoted(name)}"
            for name, (dataset, column) in self.carried.items()
        )
        items = Template(_text()).substitute(
            self.values,
            names=", ".join(map(_quoted, self.carried)),
            carried=",\n            ".join(carried),
            order_items=lake[Dataset.ORDER_ITEMS],
            orders=lake[Dataset.ORDERS],
            products=lake[Dataset.PRODUCTS],
        )
        orders = f"select {', '.join([DAY, *map(_quoted, self.orders)])} from {lake[Dataset.ORDERS]}"
        return {ORDERS: orders, ITEMS: items}

    @property
    def meaning(self) -> list[object]:
        """Return what the views' numbers depend on beside the contracts' columns."""
        return [_text(), sorted(self.values.items())]


def own_views(contracts: Contracts) -> OwnViews:
    """Return the views over the lake of these contracts."""
    orders, items = contracts[Dataset.ORDERS], contracts[Dataset.ORDER_ITEMS]
    carried = dict(_carried(contracts))
    made_of = {name.lower(): frozenset([source]) for name, source in carried.items()}
    return OwnViews(
        orders=tuple(column.name for column in orders.columns),
        carried=carried,
        values=item_values(items.worth, quote='"'),
        made_of={ORDERS: _of_orders(orders), ITEMS: made_of | _of_worth(items.worth) | {DAY: _DAY_OF_ORDER}},
    )


def _text() -> str:
    return (resources.files(__package__) / "own_items.sql").read_text(encoding="utf-8")


_DAY_OF_ORDER: Final = frozenset([(Dataset.ORDERS, "created_at")])


def _of_orders(contract: Contract) -> dict[str, frozenset[Source]]:
    made_of = {column.name.lower(): frozenset([(Dataset.ORDERS, column.name)]) for column in contract.columns}
    return made_of | {DAY: _DAY_OF_ORDER}


def _carried(contracts: Contracts) -> Iterator[tuple[str, Source]]:
    """Yield the name and the source of each column that an item carries; one whose names are all taken is left out."""
    taken = {DAY, *WORTH}
    for dataset in (Dataset.ORDER_ITEMS, Dataset.ORDERS, Dataset.PRODUCTS):
        for column in contracts[dataset].columns:
            for name in (column.name, f"{_PREFIXES[dataset]}_{column.name}"):
                if name.lower() not in taken:
                    taken.add(name.lower())
                    yield name, (dataset, column.name)
                    break


def _of_worth(worth: Worth) -> dict[str, frozenset[Source]]:
    """Return what the values of an item are made of."""
    item = Dataset.ORDER_ITEMS
    status = {(Dataset.ORDERS, "status")} if worth.may_lack_status else set()
    status |= {(item, "status")} if worth.has_status else set()
    amount = {(item, "sale_price"), *([(item, AMOUNT)] if worth.has_roles else [])}
    refund = {(item, worth.refund)} if worth.refund else set()
    returned = status | refund | ({(item, "returned_at")} if worth.has_returned_at else set())
    made_of: dict[str, set[Source]] = {
        "status": status,
        "pieces": {(item, worth.quantity)} if worth.quantity else set(),
        "amount": amount,
        "is_returned": returned,
        "returned_value": returned | amount,
        "cancelled_value": returned | amount,
    }
    return {name: frozenset(each) for name, each in made_of.items()}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
