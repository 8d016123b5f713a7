"""What a batch's rows change in the lake is counted once, before its first merge, and suspicious changes are reported."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from takings.adapters.duckdb.lake_files import LakeRows
from takings.archive.outcome import BatchOutcome
from takings.batch.merge import read_changes
from takings.contracts.model import Dataset
from takings.errors import CorruptState, StoreError
from takings.lake import BatchChanges, RowChanges, TableChange, TableSnapshot
from takings.layout import BatchId
from takings.ports import LakeTables
from takings.runs import pipeline
from takings.runs.replay import replay_batch
from tests.mapped_contracts import write_contracts
from tests.shop import NOON, csv_of, drop, drop_all, item, new_store, opened, order, product, published, run

MINUTE = timedelta(minutes=1)


def only(root: Path, **options: Any) -> BatchOutcome:
    """Run what is pending as one batch."""
    (batch,) = run(root, **options).batches
    return batch


def changes_of(batch: BatchOutcome) -> BatchChanges:
    """Return a batch's counts."""
    assert batch.changes is not None
    return batch.changes


def warnings_of(batch: BatchOutcome) -> list[tuple[str, int, list[tuple[object, str, int]]]]:
    """Return the warnings of a batch with their examples."""
    return [
        (
            warning.doubt.value,
            warning.count,
            [(each.id, each.key.removeprefix("raw-data/"), each.line) for each in warning.examples],
        )
        for warning in changes_of(batch).warnings
    ]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a store with the three standard rows of each dataset, written at noon."""
    root = new_store(tmp_path / "shop")
    drop(root, "products/p.csv", csv_of(product(1), product(2, "Toys")), written_at=NOON)
    drop(root, "orders/o.csv", csv_of(order(1, num_of_item=2), order(2)), written_at=NOON)
    drop(root, "order-items/i.csv", csv_of(item(1, 1), item(2, 1, 2, "12.00"), item(3, 2)), written_at=NOON)
    run(root)
    return root


@pytest.mark.parametrize("engine", ["duckdb", "pandas"])
class TestCounts:
    def test_each_row_is_new_changed_unchanged_or_older(self, store: Path, engine: str) -> None:
        """By key and content, compared with the earlier lake; NULLs and decimals are compared as values."""
        late = csv_of(item(1, 1, sale_price="10.0"), item(2, 1, 2, "11.00"), item(9, 2, 2, "1.00"))
        drop(store, "order-items/late.csv", late, written_at=NOON + MINUTE)
        drop(store, "orders/early.csv", csv_of(order(1, status="processing")), written_at=NOON - MINUTE)
        batch = only(store, validation_engine=engine)
        assert changes_of(batch).files == {
            "raw-data/order-items/late.csv": RowChanges(new=1, changed=1, unchanged=1),
            "raw-data/orders/early.csv": RowChanges(older=1),
        }

    def test_a_row_that_loses_within_the_batch_is_older(self, store: Path, engine: str) -> None:
        """So a file's four counts add up to its accepted rows."""
        for minute, price in ((1, "3.00"), (2, "4.00"), (3, "5.00")):
            rows = csv_of(item(1, 1, sale_price=price), item(100 + minute, 2))
            drop(store, f"order-items/{minute}.csv", rows, written_at=NOON + minute * MINUTE)
        batch = only(store, validation_engine=engine)
        assert list(changes_of(batch).files.values()) == [
            RowChanges(new=1, older=1),
            RowChanges(new=1, older=1),
            RowChanges(new=1, changed=1),
        ]
        assert changes_of(batch).in_all.rows == sum(report.records.accepted for report in batch.reports)


def test_a_replay_changes_nothing(store: Path) -> None:
    """The rows of a replayed batch are already in the lake, with their versions."""
    with opened(store) as shop:
        (first,) = {record.batch_id for record in shop.ports.ledger.lineage()}
        (again,) = replay_batch(shop.ports, first)
    assert changes_of(again).in_all == RowChanges(unchanged=7)


def test_a_file_without_rows_has_no_changes(store: Path) -> None:
    """It is accepted without rows; a refused file is not counted."""
    drop(store, "orders/none.csv", b"order_id,user_id,status,created_at,num_of_item\n")
    drop(store, "orders/bad.csv", csv_of(order(5, status="lost")))
    assert changes_of(only(store)).files == {"raw-data/orders/none.csv": RowChanges()}


class Failing:
    """Tables that fail at the first merge of a dataset."""

    def __init__(self, tables: LakeTables, dataset: Dataset, meanwhile: Callable[[], None] = lambda: None) -> None:
        self._tables = tables
        self._meanwhile = meanwhile
        self._fails = {dataset}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tables, name)

    def apply(self, dataset: Dataset, change: TableChange, base: TableSnapshot, batch_id: BatchId) -> None:
        """Fail once."""
        if dataset in self._fails:
            self._fails.remove(dataset)
            self._meanwhile()
            raise StoreError("the disk is full.")
        self._tables.apply(dataset, change, base, batch_id)


@pytest.mark.parametrize("dataset", list(Dataset))
def test_a_resumed_batch_says_the_same(store: Path, dataset: Dataset) -> None:
    """Whatever is already merged: the counts are kept before the first merge."""
    drop(store, "products/q.csv", csv_of(product(2, "Games"), product(3)), written_at=NOON + MINUTE)
    drop(store, "orders/q.csv", csv_of(order(2, status="complete"), order(3)), written_at=NOON + MINUTE)
    drop(store, "order-items/q.csv", csv_of(item(3, 2, 3, "9.00"), item(4, 3)), written_at=NOON + MINUTE)
    with opened(store) as shop:
        ports = replace(shop.ports, tables=Failing(shop.ports.tables, dataset))
        (batch,) = pipeline.run(ports, at_once=True).batches
    assert batch.attempt == 2
    assert set(changes_of(batch).files.values()) == {RowChanges(new=1, changed=1)}


def test_a_merge_that_an_older_version_began_is_not_counted(store: Path) -> None:
    """Rows of the batch may already be in the lake, so any count would be wrong."""
    drop(store, "orders/q.csv", csv_of(order(3)))

    def forget_the_counts() -> None:
        (path,) = (path for path in store.glob("batches/*/changes.json") if not path.with_name("outcome.json").exists())
        path.unlink()

    with opened(store) as shop:
        tables = Failing(shop.ports.tables, Dataset.ORDER_ITEMS, forget_the_counts)
        ports = replace(shop.ports, tables=tables)
        (batch,) = pipeline.run(ports, at_once=True).batches
    assert (batch.attempt, batch.changes) == (2, None)


def test_damaged_counts_are_corrupt_state(store: Path) -> None:
    """The error names the file and the remedy."""
    (path,) = store.glob("batches/*/changes.json")
    path.write_bytes(b"{")
    with (
        opened(store) as shop,
        pytest.raises(CorruptState, match=r"changes\.json is damaged.* back-up, or remove it"),
    ):
        read_changes(shop.ports.store, BatchId(path.parent.name))


class TestWarnings:
    def test_another_order_under_the_same_number(self, store: Path) -> None:
        """Two shops use the same order numbers: the last one counts, with a warning."""
        drop(store, "orders/b.csv", csv_of(order(1, "2025-04-05T11:00:00", user_id=77, num_of_item=2)))
        batch = only(store)
        assert warnings_of(batch) == [("another_order", 1, [(1, "orders/b.csv", 2)])]
        assert published(store)[0].splitlines()[2].startswith("2025-04-05,1,22.00,2")

    @pytest.mark.parametrize("changed", [{"user_id": 77}, {"created_at": "2025-04-05T11:00:00"}])
    def test_a_corrected_order_is_no_other(self, store: Path, changed: dict[str, Any]) -> None:
        """Of customer and time, only one changes."""
        drop(store, "orders/b.csv", csv_of(order(2, **changed)))
        assert warnings_of(only(store)) == []

    def test_an_older_order_is_told_of_by_nobody(self, store: Path) -> None:
        """It replaces nothing, so nothing is reported."""
        rows = csv_of(order(1, "2025-04-05T11:00:00", user_id=77))
        drop(store, "orders/b.csv", rows, written_at=NOON - MINUTE)
        assert warnings_of(only(store)) == []

    def test_an_item_of_another_order(self, store: Path) -> None:
        """The item leaves its former order."""
        drop(store, "order-items/b.csv", csv_of(item(9, 2), item(1, 1), item(2, 77)))
        assert warnings_of(only(store))[0] == ("item_of_another_order", 1, [(2, "order-items/b.csv", 4)])

    @pytest.mark.parametrize("type_of_orders", ["integer", "string"])
    def test_the_items_of_many_orders_are_counted_part_by_part(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type_of_orders: str
    ) -> None:
        """Each order is in one part, whatever its key; the first part's examples stand for all."""
        monkeypatch.setattr(LakeRows, "counted_at_once", 2)
        physical = {"integer": "BIGINT", "string": "VARCHAR"}[type_of_orders]
        key = {"logicalType": type_of_orders, "physicalType": physical}
        contracts = write_contracts(
            tmp_path / "contracts",
            {Dataset.ORDERS: ({"order_id": key}, None), Dataset.ORDER_ITEMS: ({"order_id": key}, None)},
        )
        root = new_store(tmp_path / "parts")
        orders = range(1, 7)
        drop(root, "products/p.csv", csv_of(product(1)))
        drop(root, "orders/o.csv", csv_of(*(order(each, num_of_item=1) for each in orders)))
        items = (item(2 * at + second, each) for at, each in enumerate(orders, start=1) for second in (0, 1))
        drop(root, "order-items/i.csv", csv_of(*items))
        (found,) = warnings_of(only(root, contracts=str(contracts)))
        assert found[:2] == ("more_items_than_stated", 6)

    def test_an_order_with_more_items_than_it_says(self, store: Path) -> None:
        """An edited order came without the removed item, which stays in the lake."""
        drop(store, "orders/o2.csv", csv_of(order(1, num_of_item=1)))
        drop(store, "order-items/i2.csv", csv_of(item(1, 1)))
        batch = only(store)
        assert warnings_of(batch) == [("more_items_than_stated", 1, [(1, "orders/o2.csv", 2)])]
        (warning,) = changes_of(batch).warnings
        assert warning.sentence == (
            "1 order has more items than num_of_item says: a file without an item does not remove it; cancel it by its status,"
            " or write takingsReplaces into the contract of order_items"
            " (1 says 1 and has 2: orders/o2.csv line 2)"
        )
        assert published(store)[0].splitlines()[1].startswith("2025-03-30,2,32.00,3")

    def test_items_that_come_to_a_full_order(self, store: Path) -> None:
        """Even if they wait for their product: the order is not in the batch, and its line is the lake's."""
        drop(store, "order-items/more.csv", csv_of(item(8, 2, 404), item(9, 404, 1)))
        assert warnings_of(only(store)) == [("more_items_than_stated", 1, [(2, "orders/o.csv", 3)])]

    def test_items_that_are_still_to_come_are_no_warning(self, store: Path) -> None:
        """An order often arrives before its items."""
        drop(store, "orders/more.csv", csv_of(order(3, num_of_item=5)))
        drop(store, "order-items/more.csv", csv_of(item(9, 3)))
        assert warnings_of(only(store)) == []

    def test_several_contents_of_one_key_at_the_same_time(self, store: Path) -> None:
        """A bulk copy has reset their times, so chance decides which one counts."""
        for seconds, price in ((10, "3.00"), (11, "4.00"), (60, "5.00")):
            rows = csv_of(item(1, 1, sale_price=price), item(3, 2))
            drop(store, f"order-items/{seconds}.csv", rows, written_at=NOON + timedelta(seconds=seconds))
        assert warnings_of(only(store)) == [("same_time", 1, [(1, "order-items/11.csv", 2)])]

    def test_corrections_of_their_own_time_are_no_warning(self, store: Path) -> None:
        """Nor is the same content, however close in time."""
        for seconds, price in ((10, "3.00"), (13, "4.00"), (13.5, "4.0")):
            rows = csv_of(item(1, 1, sale_price=price))
            drop(store, f"order-items/{seconds}.csv", rows, written_at=NOON + timedelta(seconds=seconds))
        assert warnings_of(only(store)) == []

    def test_three_examples_are_shown(self, tmp_path: Path) -> None:
        """With the number of all rows."""
        root = drop_all(new_store(tmp_path / "shop"))
        run(root)
        drop(root, "order-items/b.csv", csv_of(*(item(id_, 4) for id_ in (1, 2, 3)), item(5, 4)))
        drop(root, "orders/b.csv", csv_of(order(4, num_of_item=4)))
        drop(root, "products/b.csv", csv_of(product(1)))
        batch = only(root)
        assert [warning for warning in warnings_of(batch) if warning[0] == "item_of_another_order"] == [
            ("item_of_another_order", 3, [(n, "order-items/b.csv", n + 1) for n in (1, 2, 3)])
        ]


def test_orders_whose_contract_has_no_num_of_item_say_nothing(store: Path) -> None:
    """Their items are not counted."""
    folder = store.parent / "contracts"
    folder.mkdir()
    for contract in resources.files("takings.contracts").iterdir():
        if contract.name.endswith(".yaml"):
            (folder / contract.name).write_text(without(contract.read_text(), "num_of_item"), encoding="utf-8")
    root = new_store(store.parent / "other")
    drop(root, "products/p.csv", csv_of(product(1)))
    drop(root, "orders/o.csv", csv_of(order(1)))
    drop(root, "order-items/i.csv", csv_of(item(1, 1), item(2, 1)))
    assert warnings_of(only(root, contracts=str(folder))) == []


def without(contract: str, column: str) -> str:
    """Take a column out of a contract."""
    columns = re.split(r"(?m)^(?=      - name: )", contract)
    return "".join(each for each in columns if not each.startswith(f"      - name: {column}\n"))


def test_what_is_kept_is_what_is_shown(store: Path) -> None:
    """changes.json and the outcome agree."""
    (path,) = store.glob("batches/*/changes.json")
    kept = json.loads(path.read_bytes())
    outcome = json.loads(path.with_name("outcome.json").read_bytes())
    assert outcome["changes"] == {name: kept[name] for name in ("files", "warnings")}
