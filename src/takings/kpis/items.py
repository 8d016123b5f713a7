"""Write the SQL that says what an item is worth to the KPIs, whatever its contract calls the columns."""

from __future__ import annotations

from importlib import resources
from string import Template

from takings.contracts.worth import AMOUNT, USUAL_WORTH, Worth


def fill_in_items(sql: str, worth: Worth = USUAL_WORTH) -> str:
    """Return a KPI's SQL with the query of its items in the place of `$items`."""
    return Template(sql).substitute(items=items_query(worth))


def items_query(worth: Worth, *, place: str = "", quote: str = "") -> str:
    """Return the query of items with status, pieces, amount, returned_value and cancelled_value, for every engine.

    `place` stands before the names of tables, `quote` around the names of columns that the contract chose: not every
    engine knows quotes, nor needs them behind a dot.
    """
    text = (resources.files(__package__) / "items.sql").read_text(encoding="utf-8")
    return Template(text).substitute(
        item_values(worth, quote=quote),
        order_items=f"{place}order_items",
        join=f"\n            join {place}orders o on o.order_id = i.order_id" if worth.may_lack_status else "",
    )


def item_values(worth: Worth, *, quote: str = "") -> dict[str, str]:
    """Return how the values of an item are read, of `i`, the item, and `o`, its order."""

    def column(name: str) -> str:
        return f"i.{quote}{name}{quote}"

    status = (
        ("coalesce(i.status, o.status)" if worth.has_status else "o.status") if worth.may_lack_status else "i.status"
    )
    return {
        "status": status,
        "returned_at": "i.returned_at" if worth.has_returned_at else "cast(null as timestamp)",
        "pieces": f"coalesce({column(worth.quantity)}, 1)" if worth.quantity else "cast(1 as bigint)",
        "amount": f"coalesce({column(AMOUNT)}, i.sale_price)" if worth.has_roles else "i.sale_price",
        "refund": column(worth.refund) if worth.refund else "cast(null as decimal(28, 16))",
    }
