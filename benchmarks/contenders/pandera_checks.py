"""pandera checks the contracts' rules on every file, read whole with pandas, and reports every failing row."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pandera.pandas as pa

_STATUSES = ["processing", "shipped", "delivered", "complete", "completed", "returned", "cancelled", "canceled"]


def main(folder: Path, answer: Path) -> None:
    """Check every file of every dataset and write what failed."""
    keys: dict[str, pd.Index] = {"products": pd.Index([]), "orders": pd.Index([])}
    for prefix, key in (("products", "id"), ("orders", "order_id"), ("order-items", "id")):
        seen = []
        for file in sorted((folder / prefix).glob("*.csv")):
            rows = _read(file, prefix)
            failed = _failed(_SCHEMAS[prefix](keys), rows)
            (answer / f"{prefix}-{file.stem}.json").write_text(json.dumps(failed))
            seen.append(rows[key])
        if prefix in keys:
            keys[prefix] = pd.Index(pd.concat(seen))


def _read(file: Path, prefix: str) -> pd.DataFrame:
    times = [] if prefix == "products" else ["created_at", "shipped_at", "delivered_at", "returned_at"]
    return pd.read_csv(file, parse_dates=times)


def _failed(schema: pa.DataFrameSchema, rows: pd.DataFrame) -> list[dict[str, object]]:
    try:
        schema.validate(rows, lazy=True)
    except pa.errors.SchemaErrors as found:
        return json.loads(found.failure_cases.to_json(orient="records"))
    return []


def _known(ids: pd.Index) -> pa.Check:
    return pa.Check(lambda values: values.isin(ids), name="parent")


def _products(_: dict[str, pd.Index]) -> pa.DataFrameSchema:
    return pa.DataFrameSchema(
        {
            "id": pa.Column(int, unique=True),
            "sku": pa.Column(str),
            "cost": pa.Column(float, pa.Check.gt(0)),
            "category": pa.Column(str),
            "name": pa.Column(str, nullable=True),
            "brand": pa.Column(str, nullable=True),
            "retail_price": pa.Column(float, pa.Check.gt(0)),
            "department": pa.Column(str),
        },
        checks=pa.Check(lambda rows: rows["cost"] <= rows["retail_price"], name="cost <= retail_price"),
    )


def _orders(_: dict[str, pd.Index]) -> pa.DataFrameSchema:
    return pa.DataFrameSchema(
        {
            "order_id": pa.Column(int, unique=True),
            "user_id": pa.Column(int),
            "status": pa.Column(str, pa.Check(lambda values: values.str.lower().isin(_STATUSES))),
            "created_at": pa.Column("datetime64[ns]", pa.Check.le(pd.Timestamp.now()), coerce=True),
            "num_of_item": pa.Column(int, pa.Check.ge(1)),
        }
    )


def _items(keys: dict[str, pd.Index]) -> pa.DataFrameSchema:
    return pa.DataFrameSchema(
        {
            "id": pa.Column(int, unique=True),
            "order_id": pa.Column(int, _known(keys["orders"])),
            "product_id": pa.Column(int, _known(keys["products"])),
            "user_id": pa.Column(int),
            "status": pa.Column(str, pa.Check(lambda values: values.str.lower().isin(_STATUSES))),
            "sale_price": pa.Column(float, pa.Check.gt(0)),
        }
    )


_SCHEMAS: dict[str, Callable[[dict[str, pd.Index]], pa.DataFrameSchema]] = {
    "products": _products,
    "orders": _orders,
    "order-items": _items,
}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
