"""Find the rows behind a key of a KPI table of the shop's own, by columns of its views `orders` and `items`."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from takings.adapters.duckdb.sql import literal, name
from takings.contracts.model import Contracts, Dataset
from takings.errors import UnknownThing
from takings.kpis.own_views import ITEMS, ORDERS, own_views

_PREFIX = "own_"


def lay_own_views(cursor: duckdb.DuckDBPyConnection, contracts: Contracts) -> None:
    """Create the views own_orders and own_items over the views orders, order_items and products."""
    for view, text in own_views(contracts).over({dataset: str(dataset) for dataset in Dataset}).items():
        cursor.execute(f"create temp view {_PREFIX}{view} as {text}")


def rows_of(contracts: Contracts, of: Mapping[str, str]) -> str:
    """Return the condition under which a row is of an item, or of an order without items, with these values.

    UnknownThing where neither view has a column.
    """
    known = own_views(contracts).columns
    for column in of:
        if column.lower() not in known[ITEMS] | known[ORDERS]:
            raise UnknownThing(f"items have no column '{column}'. They have {', '.join(sorted(known[ITEMS]))}.")
    conditions = " and ".join(
        f"coalesce(cast({name(column)} as varchar), '') = {literal(value)}" for column, value in of.items()
    )
    parts = []
    if {column.lower() for column in of} <= known[ITEMS]:
        parts.append(f"(order_id, item_id) in (select (order_id, id) from {_PREFIX}{ITEMS} where {conditions})")
    if {column.lower() for column in of} <= known[ORDERS]:
        parts.append(f"(item_id is null and order_id in (select order_id from {_PREFIX}{ORDERS} where {conditions}))")
    return f"({' or '.join(parts)})"
