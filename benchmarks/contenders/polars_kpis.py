"""Polars computes both KPI tables straight from the CSV files, with its streaming engine."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

_MONEY = pl.Decimal(38, 2)
_STATUS = pl.col("status").str.to_lowercase()
_IS_RETURNED = (_STATUS == "returned") | pl.col("returned_at").is_not_null()
_IS_CANCELLED = _STATUS.is_in(["cancelled", "canceled"]) & pl.col("returned_at").is_null()


def main(folder: Path, answer: Path) -> None:
    """Compute and write both tables."""
    products = pl.scan_csv(folder / "products" / "*.csv", schema_overrides={"id": pl.Int64}).select("id", "category")
    orders = pl.scan_csv(folder / "orders" / "*.csv", schema_overrides={"created_at": pl.String}).select(
        "order_id", "user_id", _STATUS, pl.col("created_at").str.slice(0, 10).str.to_date().alias("order_date")
    )
    items = pl.scan_csv(
        folder / "order-items" / "*.csv", schema_overrides={"sale_price": _MONEY, "returned_at": pl.String}
    )
    dated = items.select(
        "order_id", "product_id", "sale_price", is_returned=_IS_RETURNED, is_cancelled=_IS_CANCELLED
    ).join(orders.select("order_id", "order_date"), on="order_id")
    tables = pl.collect_all(
        [_days(orders, dated), _categories(dated.join(products, left_on="product_id", right_on="id"))],
        engine="streaming",
    )
    for name, table in zip(("days", "categories"), tables, strict=True):
        table.write_csv(answer / f"{name}.csv")


def _days(orders: pl.LazyFrame, items: pl.LazyFrame) -> pl.LazyFrame:
    worth = items.group_by("order_date").agg(*_sums(), pl.len().alias("total_items_sold"))
    counted = orders.group_by("order_date").agg(
        pl.len().alias("total_orders"),
        pl.col("user_id").n_unique().alias("unique_customers"),
        (pl.col("status") == "returned").sum().alias("returned_orders"),
    )
    return (
        counted.join(worth, on="order_date", how="left")
        .with_columns(pl.col("revenue", "returned_value", "cancelled_value", "total_items_sold").fill_null(0))
        .sort("order_date")
        .select(
            "order_date",
            "total_orders",
            pl.col("revenue").alias("total_revenue"),
            "total_items_sold",
            _ratio(100 * pl.col("returned_orders")).alias("return_rate"),
            "unique_customers",
            _ratio(pl.col("revenue")).alias("avg_order_value"),
            "returned_value",
            "cancelled_value",
            _net(),
        )
    )


def _categories(items: pl.LazyFrame) -> pl.LazyFrame:
    returned_orders = pl.col("order_id").filter(pl.col("is_returned")).n_unique().alias("returned_orders")
    worth = items.group_by("category", "order_date").agg(
        *_sums(), pl.len().alias("items_sold"), pl.col("order_id").n_unique().alias("total_orders"), returned_orders
    )
    return worth.sort("category", "order_date").select(
        "category",
        "order_date",
        pl.col("revenue").alias("daily_revenue"),
        _ratio(pl.col("revenue")).alias("avg_order_value"),
        _ratio(100 * pl.col("returned_orders")).alias("avg_return_rate"),
        "total_orders",
        "items_sold",
        "returned_value",
        "cancelled_value",
        _net(),
    )


def _sums() -> list[pl.Expr]:
    price = pl.col("sale_price")
    return [
        price.sum().alias("revenue"),
        price.filter(pl.col("is_returned")).sum().alias("returned_value"),
        price.filter(pl.col("is_cancelled")).sum().alias("cancelled_value"),
    ]


def _ratio(upper: pl.Expr) -> pl.Expr:
    return (upper.cast(pl.Float64) / pl.col("total_orders")).round(2)


def _net() -> pl.Expr:
    return (pl.col("revenue") - pl.col("returned_value") - pl.col("cancelled_value")).alias("net_revenue")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
