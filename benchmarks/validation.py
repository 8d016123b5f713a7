"""Measure scan and typed validation of 1 million order items beside a bare DuckDB typed parse of the same file.

python benchmarks/validation.py [ORDERS]

Both sides use the same threads and memory and write their rows as Parquet; the bare parse trusts every byte. The two alternate,
so that a change of the machine's speed affects both; the ratio of the medians counts.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from takings.adapters.duckdb.session import open_duckdb
from takings.adapters.duckdb.validation import DuckDbValidation
from takings.adapters.shop_generator import ShopFormat, ShopPlan, generate_shop
from takings.contracts import Dataset, load_contracts
from takings.time_zones import business_time

_ROUNDS = 7
_PLAIN_TYPES = {"id": "bigint", "order_id": "bigint", "user_id": "bigint", "product_id": "bigint"}


def main() -> None:
    """Print wall and processor seconds of both, and their ratios, for each format."""
    orders = int(sys.argv[1]) if len(sys.argv) > 1 else 333_334
    for kind in (ShopFormat.PLAIN, ShopFormat.THELOOK):
        with TemporaryDirectory() as name:
            folder = Path(name)
            generate_shop(folder / "drops", ShopPlan(orders=orders, seed=1, format=kind))
            file = folder / "drops" / "order-items" / "order_items_part1.csv"
            compare(kind.value, file, folder)


def compare(kind: str, file: Path, folder: Path) -> None:
    """Run both in turn and print their times."""
    with closing(open_duckdb("400MB", 2, folder / "spill")) as connection:
        engine = DuckDbValidation(connection, business_time("UTC"))
        contract = load_contracts()[Dataset.ORDER_ITEMS]
        header = file.open().readline().strip().split(",")
        types = ", ".join(f"'{name}': '{_type(name)}'" for name in header)
        source = f"read_csv('{file}', header = true, auto_detect = false, columns = {{{types}}})"

        def parse() -> None:
            connection.execute(f"copy (select * from {source}) to '{folder}/bare.parquet' (format parquet)")

        def validate() -> None:
            workspace = folder / "work"
            structure = engine.read_structure(file, workspace)
            staged = folder / "staged.parquet"
            engine.validate(file, structure, contract, now=datetime.now(UTC), workspace=workspace, staged=staged)

        bare, ours = [], []
        for _ in range(_ROUNDS):
            bare.append(_timed(parse))
            ours.append(_timed(validate))
    for place, what in enumerate(("wall", "cpu")):
        one, other = (statistics.median(run[place] for run in runs) for runs in (bare, ours))
        print(f"{kind:8} {what:5} bare parse {one:.2f} s, scan and validation {other:.2f} s, ratio {other / one:.2f}")


def _type(column: str) -> str:
    if column.endswith("_at"):
        return "timestamptz"
    return "decimal(28,16)" if column == "sale_price" else _PLAIN_TYPES.get(column, "varchar")


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    main()
