"""Corrections rewrite the files of their days, each day by a query of its own where days are large: the lake is the same."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import pytest

from takings.adapters.duckdb import rewriting
from takings.adapters.duckdb.rewriting import FEWEST_PER_DAY, MOST_INCOMING, is_by_day
from takings.contracts.model import Dataset
from takings.lake import LakeFile
from tests.shop import csv_of, drop, expected, item, new_store, opened, order, product, published, run


def day(number: int) -> date:
    """Return a day of January."""
    return date(2025, 1, number)


def live(root: Path) -> Path:
    """Load three days, correct two of them, add one, let items wait and be found, and move an order."""
    drop(root, "products/p.csv", csv_of(product(1), product(2, "Music")))
    orders = [order(number, f"2025-01-0{number % 3 + 1}T10:00:00") for number in range(1, 31)]
    items = [item(number, number % 30 + 1, number % 2 + 1) for number in range(1, 91)]
    drop(root, "orders/o.csv", csv_of(*orders))
    drop(root, "order-items/i.csv", csv_of(*items, item(91, 99), item(92, 1, 7)))
    run(root, threads=2)
    drop(root, "orders/moved.csv", csv_of(order(1, "2025-01-03T10:00:00"), order(31, "2025-01-04T10:00:00")))
    drop(root, "order-items/new.csv", csv_of(item(2, 3, sale_price="12.50"), item(93, 31), item(94, 5), item(95, 98)))
    run(root, threads=2)
    drop(root, "orders/late.csv", csv_of(order(99, "2025-01-01T10:00:00"), order(2, "2025-01-05T10:00:00")))
    drop(root, "products/late.csv", csv_of(product(7), product(2, "Books")))
    run(root, threads=2)
    return root


def rows_of(root: Path, **options: Any) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of every table of the lake, with their days, but not the batch that brought them."""
    found: dict[str, list[tuple[object, ...]]] = {}
    with opened(root, threads=1, **options) as shop:
        snapshot = shop.ports.tables.snapshot()
        for dataset in Dataset:
            folder = root / "lake" / dataset
            paths = [str(folder / file.path) for file in snapshot[dataset].files]
            found[dataset] = duckdb.execute(
                "select * exclude (_batch, _version) from read_parquet($1, hive_partitioning = true, union_by_name = true)"
                " order by all",
                [paths],
            ).fetchall()
    return found


def test_both_ways_come_to_the_same_lake_and_numbers(tmp_path: Path) -> None:
    """Rows, days and waiting items; also of days that had no file before."""
    as_partitions = live(new_store(tmp_path / "partitions"))
    with patch.object(rewriting, "FEWEST_PER_DAY", 0):
        by_day = live(new_store(tmp_path / "days"))
    assert rows_of(by_day) == rows_of(as_partitions)
    assert published(by_day) == published(as_partitions) == expected(by_day)


def test_a_day_without_rows_keeps_no_file(tmp_path: Path) -> None:
    """An empty file would be read by every query."""
    root = new_store(tmp_path / "shop")
    drop(root, "products/p.csv", csv_of(product(1)))
    drop(root, "orders/o.csv", csv_of(order(1, "2025-01-01T10:00:00")))
    drop(root, "order-items/i.csv", csv_of(item(1, 1)))
    run(root)
    drop(root, "orders/o.csv", csv_of(order(1, "2025-01-02T10:00:00")))
    with patch.object(rewriting, "FEWEST_PER_DAY", 0):
        run(root)
    with opened(root) as shop:
        snapshot = shop.ports.tables.snapshot()
    assert [file.order_date for file in snapshot[Dataset.ORDERS].files] == [day(2)]
    assert [file.order_date for file in snapshot[Dataset.ORDER_ITEMS].files] == [day(2)]
    assert published(root) == expected(root)


@pytest.mark.parametrize(
    ("incoming", "rows", "is_it"),
    [
        (1, [FEWEST_PER_DAY], True),
        (MOST_INCOMING, [FEWEST_PER_DAY, FEWEST_PER_DAY], True),
        (MOST_INCOMING + 1, [FEWEST_PER_DAY], False),
        (1, [FEWEST_PER_DAY, FEWEST_PER_DAY - 1], False),
        (1, [], False),
    ],
)
def test_small_days_and_large_batches_are_written_as_partitions(incoming: int, rows: list[int], is_it: bool) -> None:
    """A query costs more than few rows do, and incoming rows are held in memory."""
    removed = [LakeFile(path=f"{place}", rows=count, order_date=day(place + 1)) for place, count in enumerate(rows)]
    assert is_by_day(incoming, removed) is is_it
