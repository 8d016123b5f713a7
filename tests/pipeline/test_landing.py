"""A merge reads only the lake's files that may hold what its batch touches, finds all of it, and leaves few files."""

from __future__ import annotations

from pathlib import Path

import pytest

from takings.contracts.model import Dataset
from takings.queries.verification import verify
from tests.shop import csv_of, drop, expected, item, new_store, opened, order, product, published, run

SUNDAY, MONDAY, TUESDAY = (f"2025-{day}T10:00:00" for day in ("03-30", "03-31", "04-01"))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a store whose batches of low, middle and high ids have their own files, with two waiting items.

    Item 900 waits for product 909, although its order is there, and item 901 waits for order 999.
    """
    root = new_store(tmp_path / "shop")
    for first in (1, 500, 900):
        drop(root, f"products/{first}.csv", csv_of(product(first), product(first + 1, "Toys")))
        drop(root, f"orders/{first}.csv", csv_of(order(first, SUNDAY), order(first + 1, MONDAY)))
        drop(root, f"order-items/{first}.csv", csv_of(item(first + 50, first, first), item(first + 51, first + 1, 1)))
        run(root)
    drop(root, "order-items/waiting.csv", csv_of(item(900, 501, 909), item(901, 999, 1)))
    assert [batch.orphans for batch in run(root).batches] == [2]
    return root


def landed(root: Path) -> int:
    """Run what is pending, compare the published KPIs with the oracle and the lake, and count the waiting items."""
    (batch,) = run(root).batches
    assert published(root) == expected(root)
    with opened(root) as shop:
        assert verify(shop.ports).differences == ()
    return batch.orphans


def files(root: Path, dataset: Dataset) -> int:
    """Count a table's files."""
    with opened(root) as shop:
        return len(shop.ports.tables.snapshot()[dataset].files)


class TestFinding:
    def test_a_product_finds_the_items_that_wait_for_it(self, store: Path) -> None:
        """Whatever numbers their orders have."""
        drop(store, "products/late.csv", csv_of(product(909, "Games")))
        assert landed(store) == 1

    def test_an_order_finds_the_items_that_wait_for_it(self, store: Path) -> None:
        """Whatever numbers their products have."""
        drop(store, "orders/late.csv", csv_of(order(999, TUESDAY)))
        assert landed(store) == 1

    def test_an_order_that_moves_takes_its_items_along(self, store: Path) -> None:
        """Even if the batch brings no product, no item, and nothing for those that wait."""
        drop(store, "orders/moved.csv", csv_of(order(1, TUESDAY), order(501, SUNDAY)))
        assert landed(store) == 2

    def test_a_product_that_changes_its_category_counts_anew_everywhere(self, store: Path) -> None:
        """On every day with one of its items, in both categories."""
        drop(store, "products/moved.csv", csv_of(product(1, "Games")))
        assert landed(store) == 2

    def test_an_item_replaces_the_one_of_its_number(self, store: Path) -> None:
        """Even if it now belongs to another order and product, with numbers far from the old ones."""
        drop(store, "order-items/other.csv", csv_of(item(51, 901, 901, "7.70"), item(950, 2, 501, "0.30")))
        assert landed(store) == 2

    def test_a_batch_may_touch_all_of_it_at_once(self, store: Path) -> None:
        """Low and high numbers in one file, with every kind of change."""
        drop(store, "products/all.csv", csv_of(product(1, "Games"), product(909), product(2000)))
        drop(store, "orders/all.csv", csv_of(order(2, TUESDAY), order(900, MONDAY), order(999), order(3000)))
        drop(store, "order-items/all.csv", csv_of(item(51, 2, 2, "7.70"), item(4000, 3000, 2000), item(4001, 1, 77)))
        assert landed(store) == 1


def test_batches_that_write_to_a_day_keep_its_files_few(tmp_path: Path) -> None:
    """Without maintenance: a day and table never has more than eight tiny files."""
    root = new_store(tmp_path / "shop")
    most = 0
    for n in range(1, 21):
        drop(root, f"products/{n}.csv", csv_of(product(n)))
        drop(root, f"orders/{n}.csv", csv_of(order(n, SUNDAY), order(n + 100, MONDAY)))
        drop(root, f"order-items/{n}.csv", csv_of(item(n, n, n), item(n + 100, n + 100), item(n + 200, 400 + n)))
        run(root)
        most = max(most, files(root, Dataset.ORDER_ITEMS))
    assert most == 24
    assert [files(root, dataset) for dataset in Dataset] == [4, 8, 12]
    assert published(root) == expected(root)
