"""Very many items are written in slices by their order, each item once: the lake and its numbers are the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takings.adapters.duckdb import slices
from takings.adapters.duckdb.slices import RowGroup, ranges_of
from takings.contracts.model import Dataset
from tests.mapped_contracts import write_contracts
from tests.pipeline.test_rewriting import live, rows_of
from tests.shop import csv_of, drop, expected, item, new_store, opened, order, product, published, run

groups = st.lists(
    st.builds(
        lambda rows, low, width: RowGroup(rows=rows, low=low, high=low + width),
        st.integers(1, 9),
        st.integers(0, 99),
        st.integers(0, 30),
    ),
    max_size=12,
)


def of_days(root: Path) -> Path:
    """Load files of items whose orders follow each other, and of items that wait."""
    drop(root, "products/p.csv", csv_of(product(1)))
    drop(
        root,
        "orders/o.csv",
        csv_of(*(order(number, f"2025-01-0{number // 10 + 1}T10:00:00") for number in range(1, 61))),
    )
    for part in range(6):
        items = [item(10 * part + number, 10 * part + number) for number in range(1, 11)]
        drop(
            root,
            f"order-items/{part}.csv",
            csv_of(*items, item(100 + part, 100 + part), item(200 + part, 10 * part + 1, 9)),
        )
    run(root, threads=2)
    drop(root, "products/late.csv", csv_of(product(9)))
    drop(root, "orders/late.csv", csv_of(order(101, "2025-01-02T10:00:00"), order(5, "2025-01-07T10:00:00")))
    drop(root, "order-items/new.csv", csv_of(item(300, 60), item(301, 2)))
    drop(root, "order-items/newer.csv", csv_of(item(302, 61)))
    run(root, threads=2)
    return root


@pytest.mark.parametrize("load", [of_days, live])
def test_slices_come_to_the_same_lake_and_numbers(tmp_path: Path, load: Callable[[Path], Path]) -> None:
    """With days, waiting items, and items that find their order later or move with it."""
    whole = load(new_store(tmp_path / "whole"))
    with patch.object(slices, "SLICE", 1):
        sliced = load(new_store(tmp_path / "sliced"))
    assert rows_of(sliced) == rows_of(whole)
    assert published(sliced) == published(whole) == expected(sliced)


def test_each_slice_writes_files_of_its_own(tmp_path: Path) -> None:
    """The patched size takes effect: the days at the ends of slices have more files."""
    whole = of_days(new_store(tmp_path / "whole"))
    with patch.object(slices, "SLICE", 1):
        sliced = of_days(new_store(tmp_path / "sliced"))
    assert files_of_items(sliced) > files_of_items(whole)


def test_orders_with_names_are_cut_into_slices_as_well(tmp_path: Path) -> None:
    """Their names may have quotes and letters of any alphabet."""
    text = {"logicalType": "string", "physicalType": "VARCHAR"}
    contracts = write_contracts(
        tmp_path / "contracts",
        {Dataset.ORDERS: ({"order_id": text}, None), Dataset.ORDER_ITEMS: ({"order_id": text}, None)},
    )
    keys = [f"{name}-{number}" for name in ("#'", "A", "é", "\u4e00", "\U0001f6d2") for number in range(4)]
    stores = [new_store(tmp_path / name) for name in ("whole", "sliced")]
    for root in stores:
        drop(root, "products/p.csv", csv_of(product(1)))
        # A day begins in the middle of each file.
        orders = ({**order(1, f"2025-01-{at // 3 + 1:02}T10:00:00"), "order_id": key} for at, key in enumerate(keys))
        drop(root, "orders/o.csv", csv_of(*orders))
        for part in range(0, len(keys), 4):
            items = ({**item(at, 1), "order_id": keys[at]} for at in range(part, part + 4))
            drop(root, f"order-items/{part}.csv", csv_of(*items))
        with patch.object(slices, "SLICE", 1 if root.name == "sliced" else slices.SLICE):
            run(root, contracts=str(contracts), threads=2)
    whole, sliced = (rows_of(root, contracts=str(contracts)) for root in stores)
    assert len(whole[Dataset.ORDER_ITEMS]) == len(keys)
    assert sliced == whole
    assert files_of_items(stores[1]) > files_of_items(stores[0])


def files_of_items(root: Path) -> int:
    """Return how many files the table of items has."""
    with opened(root) as shop:
        return len(shop.ports.tables.snapshot()[Dataset.ORDER_ITEMS].files)


@given(groups, st.integers(1, 20))
def test_ranges_share_every_order_out_once(found: list[RowGroup[int]], size: int) -> None:
    """Ends follow each other without a gap, the first and the last are open."""
    ranges = ranges_of(found, size)
    assert ranges[0][0] is None
    assert ranges[-1][1] is None
    ends = [high for _, high in ranges[:-1] if high is not None]
    assert ends == [low for low, _ in ranges[1:]] == sorted(set(ends))


def test_rows_in_order_are_cut_into_ranges_of_that_size() -> None:
    """A range ends with the row group that fills it."""
    rising = [RowGroup(rows=10, low=start, high=start + 9) for start in range(0, 100, 10)]
    assert ranges_of(rising, 30) == [(None, 29), (29, 59), (59, 89), (89, None)]


def test_rows_in_no_order_stay_together() -> None:
    """Each range would read every row group."""
    assert ranges_of([RowGroup(rows=10, low=0, high=100 + number) for number in range(10)], 30) == [(None, None)]
