"""Measure what a small compiled kernel would save: a prototype in C beside Takings' own validation (ADR 0024).

python -m benchmarks.kernel [ORDERS]

All in processor seconds for a million order items, medians of interleaved rounds: the prototype's typed pass over the
bytes; the rows written as Parquet from memory; and what both would replace, the scan and the typed validation to
Parquet. Needs a C compiler (`CC`, by default cc).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from takings.adapters.duckdb.session import open_duckdb
from takings.adapters.duckdb.validation import DuckDbValidation
from takings.adapters.shop_generator import ShopPlan, generate_shop
from takings.contracts import Dataset, load_contracts
from takings.time_zones import business_time

_ROUNDS: Final = 5
_LIKE_THE_LAKE: Final = (
    "format parquet, parquet_version v2, dictionary_size_limit 1000, compression zstd, compression_level 1"
)


def main() -> None:
    """Print the medians."""
    orders = int(sys.argv[1]) if len(sys.argv) > 1 else 333_334
    with TemporaryDirectory() as name, closing(open_duckdb("2GB", 2, Path(name) / "spill")) as connection:
        folder = Path(name)
        generate_shop(folder / "drops", ShopPlan(orders=orders, seed=1))
        file = folder / "drops" / "order-items" / "order_items_part1.csv"
        kernel = _compiled(folder)
        engine = DuckDbValidation(connection, business_time("UTC"))
        contract = load_contracts()[Dataset.ORDER_ITEMS]
        staged = folder / "staged.parquet"

        def validate() -> None:
            structure = engine.read_structure(file, folder / "work")
            engine.validate(file, structure, contract, now=datetime.now(UTC), workspace=folder / "work", staged=staged)

        validate()
        connection.execute(f"create table typed as select * from '{staged}'")
        rows = int(connection.execute("select count(*) from typed").fetchall()[0][0])

        def write() -> None:
            connection.execute(f"copy typed to '{folder}/written.parquet' ({_LIKE_THE_LAKE})")

        passes, writes, wholes = [], [], []
        for _ in range(_ROUNDS):
            passes.append(_pass(kernel, file, rows))
            writes.append(_processor_seconds(write) / rows * 1e6)
            wholes.append(_processor_seconds(validate) / rows * 1e6)
    for what, seconds in (
        ("typed pass of the prototype", passes),
        ("rows in memory to Parquet", writes),
        ("scan and validation of today", wholes),
    ):
        print(f"{what:30} {statistics.median(seconds):.2f} processor seconds for a million items")


def _compiled(folder: Path) -> Path:
    made = folder / "kernel"
    command = [os.environ.get("CC", "cc"), "-O2", "-std=c11", "-o", str(made), str(Path(__file__).with_suffix(".c"))]
    subprocess.run(command, check=True)
    return made


def _pass(kernel: Path, file: Path, rows: int) -> float:
    """Return the prototype's seconds; it has to read every row."""
    said = subprocess.run([kernel, file], check=True, stdout=subprocess.PIPE, text=True).stdout
    found, left, seconds = said.split()
    if (int(found), int(left)) != (rows, 0):
        sys.exit(f"{file}: the prototype read {found} rows and left {left}; Takings accepted {rows}.")
    return float(seconds)


def _processor_seconds(work: Callable[[], None]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


if __name__ == "__main__":
    main()
