"""Write the bare KPI query as anybody would: both tables in exact decimals, no checks, every row trusted.

It is the floor that the whole batch is compared with. It is written here a second time on purpose: a floor that ran
Takings' own SQL would move whenever that does.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import duckdb

#: the published columns, in the order of `takings kpis --format csv`
DAY_COLUMNS: Final = (
    "order_date",
    "total_orders",
    "total_revenue",
    "total_items_sold",
    "return_rate",
    "unique_customers",
    "avg_order_value",
    "returned_value",
    "cancelled_value",
    "net_revenue",
)
CATEGORY_COLUMNS: Final = (
    "category",
    "order_date",
    "daily_revenue",
    "avg_order_value",
    "avg_return_rate",
    "total_orders",
    "items_sold",
    "returned_value",
    "cancelled_value",
    "net_revenue",
)
_MONEY: Final = "decimal(28, 16)"
_VALUES: Final = """
    sum(sale_price) as revenue,
    coalesce(sum(sale_price) filter (where is_returned), 0) as returned_value,
    coalesce(sum(sale_price) filter (where is_cancelled), 0) as cancelled_value,
    count(*) as items
"""
_DAYS: Final = f"""
    with worth as (select order_date, {_VALUES} from items group by order_date),
    counted as (
        select order_date, count(*) as orders, count(distinct user_id) as customers,
            count(*) filter (where status = 'returned') as returned_orders
        from orders group by order_date
    )
    select order_date, orders, round(coalesce(revenue, 0), 2), coalesce(items, 0),
        round(100 * returned_orders / orders, 2), customers, round(coalesce(revenue, 0) / orders, 2),
        round(coalesce(returned_value, 0), 2), round(coalesce(cancelled_value, 0), 2),
        round(coalesce(revenue - returned_value - cancelled_value, 0), 2)
    from counted left join worth using (order_date) order by order_date
"""
_CATEGORIES: Final = f"""
    with worth as (
        select category, order_date, {_VALUES}, count(distinct order_id) as orders,
            count(distinct order_id) filter (where is_returned) as returned_orders
        from items join products on products.id = items.product_id
        group by category, order_date
    )
    select category, order_date, round(revenue, 2), round(revenue / orders, 2),
        round(100 * returned_orders / orders, 2), orders, items,
        round(returned_value, 2), round(cancelled_value, 2), round(revenue - returned_value - cancelled_value, 2)
    from worth order by category, order_date
"""


def load(connection: duckdb.DuckDBPyConnection, *, products: str, orders: str, items: str) -> None:
    """Read from three relations (SQL) what the tables need: once, so that both tables share it."""
    connection.execute(f"create temp table products as select id, category from {products}")
    connection.execute(
        "create temp table orders as"
        f" select order_id, user_id, lower(status) as status, cast(created_at as date) as order_date from {orders}"
    )
    connection.execute(
        f"""
        create temp table items as
        select i.order_id, i.product_id, i.sale_price, o.order_date,
            lower(i.status) = 'returned' or i.returned_at is not null as is_returned,
            lower(i.status) in ('cancelled', 'canceled') and i.returned_at is null as is_cancelled
        from {items} as i join orders as o using (order_id)
        """
    )


def write(connection: duckdb.DuckDBPyConnection, answer: Path) -> None:
    """Compute both tables and write them as days.csv and categories.csv."""
    answer.mkdir(parents=True, exist_ok=True)
    for name, query, columns in (("days", _DAYS, DAY_COLUMNS), ("categories", _CATEGORIES, CATEGORY_COLUMNS)):
        with (answer / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(connection.execute(query).fetchall())


def typed_csv(folder: Path, prefix: str) -> str:
    """Return a relation of a dataset's CSV files with the types of the contracts."""
    types = {
        "products": {"id": "bigint", "sku": "varchar", "cost": _MONEY, "category": "varchar", "name": "varchar"}
        | {"brand": "varchar", "retail_price": _MONEY, "department": "varchar"},
        "orders": {"order_id": "bigint", "user_id": "bigint", "status": "varchar", "created_at": "timestamp"}
        | {"returned_at": "timestamp", "shipped_at": "timestamp", "delivered_at": "timestamp", "num_of_item": "bigint"},
        "order-items": {"id": "bigint", "order_id": "bigint", "user_id": "bigint", "product_id": "bigint"}
        | {"status": "varchar", "created_at": "timestamp", "shipped_at": "timestamp", "delivered_at": "timestamp"}
        | {"returned_at": "timestamp", "sale_price": _MONEY},
    }[prefix]
    listed = ", ".join(f"'{name}': '{kind}'" for name, kind in types.items())
    return f"read_csv('{folder}/{prefix}/*.csv', header = true, auto_detect = false, columns = {{{listed}}})"
