"""Do the least that any program would have to do with the same files: the floors that Takings is compared with.

    python -m benchmarks.floors read|parse|kpis FOLDER ANSWER

`read` reads every byte, `parse` types every field with DuckDB, `kpis` computes both KPI tables with DuckDB straight
from the CSV.
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import duckdb

from benchmarks.kpi_query import load, typed_csv, write

_BLOCK = 4 << 20


def read(folder: Path, _: Path) -> None:
    """Read every byte of every file."""
    for file in sorted(folder.rglob("*.csv")):
        with file.open("rb", buffering=0) as stream:
            while stream.read(_BLOCK):
                pass


def parse(folder: Path, _: Path) -> None:
    """Type every field of every file, and keep nothing."""
    with closing(duckdb.connect()) as connection:
        for prefix in ("products", "orders", "order-items"):
            connection.execute(f"select count(columns(*)) from {typed_csv(folder, prefix)}").fetchall()


def kpis(folder: Path, answer: Path) -> None:
    """Compute both KPI tables."""
    with closing(duckdb.connect()) as connection:
        products, orders, items = (typed_csv(folder, prefix) for prefix in ("products", "orders", "order-items"))
        load(connection, products=products, orders=orders, items=items)
        write(connection, answer)


if __name__ == "__main__":
    {"read": read, "parse": parse, "kpis": kpis}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
