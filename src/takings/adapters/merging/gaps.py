"""Find what days lack, and which days staged rows are about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date

from takings.adapters.merging.rows import LakeSql, StagedSql, sql
from takings.contracts.model import Dataset
from takings.contracts.worth import AMOUNT
from takings.lake import NO_GAP, Gap, Gaps, LakeSnapshot


def find_gaps(rows: LakeSql, snapshot: LakeSnapshot, days: Collection[date] | None) -> Gaps:
    """Return all waiting items, and the orders without items on `days` (None: all days) and on days with waiting items."""
    items, orders = snapshot[Dataset.ORDER_ITEMS], snapshot[Dataset.ORDERS]
    waiting = replace(items, files=tuple(file for file in items.files if file.order_date is None))
    rows.execute(f"create or replace temp view waiting as {rows.of_lake(Dataset.ORDER_ITEMS, waiting)}")
    low, high = rows.execute("select min(order_id), max(order_id) from waiting").fetchone() or (None, None)
    near = orders.near({"order_id": [] if low is None else [(low, high)]})
    rows.execute(f"create or replace temp view parents as {rows.of_lake(Dataset.ORDERS, near)}")
    if days is not None:
        found = rows.execute(
            "select distinct order_date from parents where order_id in (select order_id from waiting)"
        ).fetchall()
        days = {*days, *(day for (day,) in found)}
    for dataset in (Dataset.ORDERS, Dataset.ORDER_ITEMS):
        source = rows.of_lake(dataset, snapshot[dataset].on(days))
        rows.execute(f"create or replace temp view {dataset} as {source}")
    has_roles = rows.contracts[Dataset.ORDER_ITEMS].worth.has_roles
    amount = f"coalesce(w.{AMOUNT}, w.sale_price)" if has_roles else "w.sale_price"
    gaps = {
        day: Gap(waiting_items=items, waiting_worth=worth, orders_without_items=bare)
        for day, items, worth, bare in rows.execute(sql("gaps", amount=amount)).fetchall()
    }
    undated = gaps.pop(None, NO_GAP)
    return Gaps(days=gaps, undated=undated)


def days_of_staged(rows: LakeSql, staged: StagedSql, current: LakeSnapshot) -> Mapping[str, frozenset[date]]:
    """Return, per file of orders or items, the days of its rows; an item has the day of its order, staged or in the lake."""
    found: list[tuple[str, date]] = []
    with staged.views():
        if staged.batch.of(Dataset.ORDERS):
            found += rows.execute("select distinct _source, order_date from every_orders").fetchall()
        if staged.batch.of(Dataset.ORDER_ITEMS):
            orders = current[Dataset.ORDERS].near({"order_id": staged.ranges(Dataset.ORDER_ITEMS, "order_id")})
            rows.execute(f"create or replace temp view lake_orders as {rows.of_lake(Dataset.ORDERS, orders)}")
            found += rows.execute(sql("days_of_items")).fetchall()
    days: dict[str, set[date]] = defaultdict(set)
    for key, day in found:
        days[key].add(day)
    return {key: frozenset(each) for key, each in days.items()}
