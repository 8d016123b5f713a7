"""Spark computes the KPI tables of a shop's own as DuckDB does, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from takings.queries.verification import verify
from takings.runs.restate import restate
from tests.own_kpis import contracts_with_kpis, csv_of_table
from tests.shop import csv_of, drop, item, new_store, opened, order, product, run

pytestmark = [
    pytest.mark.xdist_group("spark"),
    # PySpark lets go of the socket of each result without closing it.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.usefixtures("spark"),
]

#: everything that own SQL may do, in one table
EVERY_WORD = """\
with placed as (
    select order_date, user_id, count(*) as orders, max(case when status = 'returned' then 1 else 0 end) as has_return
    from orders
    where status in ('shipped', 'returned') or status like 'c%' or not status between 'p' and 'q'
    group by 1, 2
),
ranked as (
    select i.*, rank() over (partition by i.order_date order by i.amount desc) as place,
        sum(i.amount) over (partition by i.order_date) as of_day
    from items i
    join placed p on p.order_date = i.order_date and p.user_id = i.order_user_id
)
select
    category || ' ' || coalesce(brand, '?') as category,
    year(order_date) as num_of_item,
    order_date,
    count(*) as items,
    count(distinct order_id) as orders,
    count_if(place = 1) as best,
    cast(sum(case when is_returned = 1 then amount else 0 end) as decimal(38, 16)) as returned,
    sum(greatest(amount, cost) * pieces - abs(least(cost, 0.5))) as worth,
    coalesce(sum(nullif(of_day, amount)) filter (where shipped_at is null), 0) as others
from ranked
group by category || ' ' || coalesce(brand, '?'), year(order_date), order_date
having count(*) > 0
"""
EVERY_COLUMN = """\
table: EveryWord
key: [order_date, category, num_of_item]
columns:
  items: {count: items}
  orders: {count: orders}
  best: {count: best}
  returned: {money: returned}
  worth: {money: worth, less: [returned]}
  others: {average: others, per: items}
"""


def a_shop(root: Path) -> Path:
    """Drop a hundred items of prices that do not divide evenly."""
    drop(
        root,
        "products/a.csv",
        csv_of(
            *(
                product(
                    n, ("Books", "Toys")[n % 2], cost=f"{n}.3333333333333333", retail_price="99", brand=("A", "")[n % 2]
                )
                for n in range(1, 8)
            )
        ),
    )
    drop(
        root,
        "orders/a.csv",
        csv_of(
            *(
                order(
                    n,
                    f"2025-03-{1 + n % 9:02}T10:00:00",
                    user_id=n % 5,
                    status=("shipped", "returned", "cancelled")[n % 3],
                    country=("DE", "", "FR")[n % 3],
                )
                for n in range(40)
            )
        ),
    )
    drop(
        root,
        "order-items/a.csv",
        csv_of(
            *(
                item(n, n % 38, 1 + n % 7, f"{n}.0{n}5", status=("shipped", "returned", "cancelled")[n % 3])
                for n in range(1, 100)
            )
        ),
    )
    return root


def test_every_table_is_the_same(tmp_path: Path) -> None:
    """The examples, and one table that uses every word that is allowed."""
    contracts = contracts_with_kpis(tmp_path / "contracts")
    for name, text in (
        ("every.sql", EVERY_WORD),
        ("every.yaml", EVERY_COLUMN),
    ):
        Path(contracts, "kpis", name).write_text(text)
    root = a_shop(new_store(tmp_path / "shop"))
    run(root, contracts=contracts)
    with opened(root, contracts=contracts) as shop:
        tables = [table.name for table in shop.ports.kpi_tables if table.own is not None]
        by_duckdb = {name: csv_of_table(shop, name) for name in tables}
    assert all(len(text.splitlines()) > 5 for text in by_duckdb.values()), by_duckdb
    with opened(root, contracts=contracts, engine="spark") as shop:
        assert verify(shop.ports).differences == ()
        restate(shop.ports)
        assert {name: csv_of_table(shop, name) for name in tables} == by_duckdb
