"""Which rows count if a contract says so: the shop's own instant first, and an order's lines as one delivery."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from takings.archive.outcome import BatchOutcome
from takings.batch.gaps import read_gaps
from takings.composition.stores import Shop
from takings.errors import SettingsError
from takings.lake import RowChanges
from takings.queries import verification
from takings.runs.rebuild import read_archive, rebuild
from takings.runs.replay import replay_batch
from takings.validation.findings import FileReport
from tests.contract_options import write_contracts
from tests.shop import NOON, Fields, csv_of, drop, expected, item, new_store, opened, order, product, published, run

MINUTE = timedelta(minutes=1)
DATASETS = ("products", "orders", "order_items")


class Store:
    """A store with its own contracts."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.root = new_store(folder / "shop")
        self.options: dict[str, Any] = {"contracts": write_contracts(folder / "contracts", **options)}

    def drop(self, file: str, *rows: Fields, minute: int = 0) -> None:
        """Drop a file written this many minutes after noon."""
        drop(self.root, file, csv_of(*rows), written_at=NOON + minute * MINUTE)

    def run(self, **options: Any) -> BatchOutcome:
        """Run what is pending as one batch."""
        (batch,) = run(self.root, **self.options, **options).batches
        return batch

    def reports(self, **options: Any) -> dict[str, FileReport]:
        """Run what is pending and return the reports by file."""
        return {report.file: report for report in self.run(**options).reports}

    @property
    def revenue(self) -> dict[str, str]:
        """Return the revenue by day, after checking what is published against the oracle and the lake."""
        by_day, by_category = published(self.root, **self.options)
        assert (by_day, by_category) == expected(self.root)
        with self.opened() as shop:
            assert verification.verify(shop.ports).differences == ()
        return {line.split(",")[0]: line.split(",")[2] for line in by_day.splitlines()[1:]}

    @contextmanager
    def opened(self) -> Iterator[Shop]:
        """Open the store."""
        with opened(self.root, **self.options) as shop:
            yield shop


def changes_of(batch: BatchOutcome) -> dict[str, RowChanges]:
    """Return how the rows of each file in a batch compared with the lake."""
    assert batch.changes is not None
    return {key.rpartition("/")[2]: changes for key, changes in batch.changes.files.items()}


def warnings_of(batch: BatchOutcome) -> dict[str, list[object]]:
    """Return the ids in a batch's warnings about replacements."""
    assert batch.changes is not None
    return {warning.doubt.value: [example.id for example in warning.examples] for warning in batch.changes.warnings}


def at(hour: int) -> dict[str, Any]:
    """Return when the shop changed a row, on 31 March."""
    return {"updated_at": f"2025-03-31T{hour:02}:00:00"}


class TestDeliveries:
    """takingsReplaces: order_id."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        """Return a store with an order of two items and one of one item; a third item waits for its product."""
        store = Store(tmp_path, replaces=True)
        store.drop("products/p.csv", product(1), product(2, "Toys"))
        store.drop("orders/o.csv", order(1, num_of_item=2), order(2, "2025-03-31T09:00:00"))
        store.drop(
            "order-items/i.csv", item(1, 1), item(2, 1, 2, "12.00"), item(4, 1, 9, "1.00"), item(3, 2, 1, "5.00")
        )
        store.run()
        return store

    def test_lines_of_an_order_that_is_not_in_the_lake_are_new(self, store: Store) -> None:
        """There is no delivery they could be older than."""
        store.drop("orders/o3.csv", order(3, num_of_item=2), minute=1)
        store.drop("order-items/i3.csv", item(5, 3), item(6, 3, 2, "12.00"), minute=1)
        assert changes_of(store.run())["i3.csv"] == RowChanges(new=2)

    def test_a_line_that_was_removed_from_its_order_stops_counting(self, store: Store) -> None:
        """The customer returned the second one before it was shipped: 10.00 remain, and its category has no sale."""
        store.drop("orders/o2.csv", order(1, num_of_item=1), minute=1)
        store.drop("order-items/i2.csv", item(1, 1), minute=1)
        batch = store.run()
        assert store.revenue == {"2025-03-30": "10.00", "2025-03-31": "5.00"}
        assert (changes_of(batch)["i2.csv"], warnings_of(batch)) == (RowChanges(unchanged=1), {})
        with store.opened() as shop:
            assert shop.ports.tables.snapshot().orphans == 0

    def test_without_the_option_it_stays_and_the_batch_warns(self, tmp_path: Path) -> None:
        """A missing row removes nothing: the order says 1 item but has 2."""
        plain = Store(tmp_path)
        plain.drop("products/p.csv", product(1), product(2, "Toys"))
        plain.drop("orders/o.csv", order(1, num_of_item=2))
        plain.drop("order-items/i.csv", item(1, 1), item(2, 1, 2, "12.00"))
        plain.run()
        plain.drop("orders/o2.csv", order(1, num_of_item=1), minute=1)
        plain.drop("order-items/i2.csv", item(1, 1), minute=1)
        assert warnings_of(plain.run()) == {"more_items_than_stated": [1]}
        assert plain.revenue == {"2025-03-30": "22.00"}

    def test_an_older_delivery_brings_nothing_back(self, store: Store) -> None:
        """Not even a line that the newer one lacks: it is older, not new."""
        store.drop("order-items/late.csv", item(1, 1, 1, "1.00"), item(8, 1, 1, "90.00"), minute=-1)
        batch = store.run()
        assert changes_of(batch)["late.csv"] == RowChanges(older=2)
        assert store.revenue == {"2025-03-30": "22.00", "2025-03-31": "5.00"}

    def test_each_line_is_new_changed_unchanged_or_older(self, store: Store) -> None:
        """By order and id; the four counts add up to the accepted rows."""
        rows = item(1, 1), item(2, 1, 2, "11.00"), item(5, 1, 1, "2.00"), item(1, 70)
        store.drop("order-items/new.csv", *rows, minute=3)
        store.drop("order-items/older.csv", item(6, 1), item(6, 2), minute=2)
        batch = store.run()
        assert changes_of(batch) == {
            "new.csv": RowChanges(new=2, changed=1, unchanged=1),
            "older.csv": RowChanges(new=1, older=1),
        }
        assert warnings_of(batch) == {"item_in_two_orders": [1, 1], "order_in_two_files": [1]}
        assert store.revenue == {"2025-03-30": "23.00", "2025-03-31": "10.00"}

    def test_lines_that_wait_leave_with_their_delivery(self, store: Store) -> None:
        """And lines that now wait leave the days where the former ones counted."""
        store.drop("order-items/w.csv", item(1, 1, 9, "10.00"), minute=1)
        store.run()
        assert store.revenue == {"2025-03-30": "0.00", "2025-03-31": "5.00"}
        store.drop("products/late.csv", product(9, "Games"), minute=2)
        store.run()
        assert store.revenue == {"2025-03-30": "10.00", "2025-03-31": "5.00"}

    def test_lines_follow_their_order_and_find_their_product_by_both_their_numbers(self, store: Store) -> None:
        """An id used by two orders names two items; only one of them moves."""
        store.drop("order-items/both.csv", item(7, 1, 1, "3.00"), item(8, 1, 9, "4.00"), minute=1)
        store.drop("order-items/same.csv", item(7, 2, 1, "6.00"), item(8, 2, 2, "7.00"), minute=1)
        assert warnings_of(store.run()) == {"item_in_two_orders": [7, 7, 8]}
        store.drop("products/late.csv", product(9, "Games"), minute=2)
        store.drop("orders/moved.csv", order(2, "2025-04-01T09:00:00"), minute=2)
        store.run()
        assert store.revenue == {"2025-03-30": "7.00", "2025-04-01": "13.00"}

    def test_what_a_day_lacks_is_kept_right(self, store: Store) -> None:
        """Batch by batch, as a look at all days shows: lines wait, go, and find their product."""
        deliveries = [
            [item(1, 1, 9, "3.00"), item(2, 1, 2, "1.00")],
            [item(1, 2, 9, "5.00"), item(1, 50, 1, "2.00")],
            [item(1, 1, 1, "3.00")],
            [item(2, 2, 1, "5.00"), item(1, 50, 9, "4.00")],
        ]
        worth: list[Decimal] = []
        for minute, lines in enumerate(deliveries, start=1):
            store.drop("order-items/i.csv", *lines, minute=minute)
            batch = store.run()
            with store.opened() as shop:
                kept = read_gaps(shop.ports.store, batch.batch_id)
                assert kept is not None
                assert kept == shop.ports.engine.gaps(shop.ports.tables.snapshot(), None)
            worth.append(kept.undated.waiting_worth)
        assert worth == [Decimal(each) for each in ("0", "2.00", "2.00", "4.00")]

    def test_an_item_that_changes_its_order_is_no_item_of_two(self, store: Store) -> None:
        """If both orders arrive again."""
        store.drop("order-items/moved.csv", item(1, 1), item(2, 2, 2, "12.00"), minute=1)
        assert warnings_of(store.run()) == {}
        assert store.revenue == {"2025-03-30": "10.00", "2025-03-31": "12.00"}

    def test_the_time_of_a_copy_is_no_time_of_a_change(self, store: Store) -> None:
        """Two deliveries in one batch within two seconds are reported if their lines differ."""
        for name, price in (("a", "1.00"), ("b", "2.00")):
            store.drop(f"order-items/{name}.csv", item(1, 1, 1, price), item(3, 2, 1, "5.00"), minute=1)
        assert warnings_of(store.run()) == {"order_in_two_files": [1, 2], "same_time": [1]}
        assert store.revenue == {"2025-03-30": "2.00", "2025-03-31": "5.00"}

    @pytest.mark.parametrize("engine", ["duckdb", "pandas"])
    def test_a_file_of_items_is_judged_as_a_whole(self, store: Store, engine: str) -> None:
        """Even with policy "row": a delivery without its bad line would replace a complete one."""
        store.drop("order-items/bad items.csv", item(1, 1), item(2, 1, 2, "-1.00"), minute=1)
        store.drop("orders/bad orders.csv", order(1), order(3, num_of_item=0), minute=1)
        store.options |= {"policy": "row", "max_rejected": "50"}
        reports = store.reports(validation_engine=engine)
        assert {file: (report.verdict.value, report.records.rejected) for file, report in reports.items()} == {
            "bad items.csv": ("rejected", 2),
            "bad orders.csv": ("accepted", 1),
        }
        assert store.revenue == {"2025-03-30": "22.00", "2025-03-31": "5.00"}

    def test_mended_rows_are_refused(self, store: Store) -> None:
        """The advice is to drop whole orders."""
        origin: dict[str, Any] = {
            "_takings_source": "raw-data/order-items/i.csv",
            "_takings_line": 2,
            "_takings_reasons": "none",
        }
        store.drop("order-items/m.csv", item(1, 1, **origin, _takings_version="2025-03-30T12:00:00Z"), minute=1)
        store.drop("orders/more.csv", order(3), minute=1)
        store.options |= {"policy": "row"}
        report = store.reports()["m.csv"]
        assert (report.verdict.value, dict(report.errors)) == ("rejected", {"file|part_of_orders": 1})
        assert "Drop a file with all lines of these orders instead" in str(report.reason)
        assert store.revenue == {"2025-03-30": "22.00", "2025-03-31": "5.00"}

    def test_a_replay_and_a_rebuild_keep_the_versions(self, store: Store, tmp_path: Path) -> None:
        """The older delivery brings nothing back, however it returns."""
        store.drop("order-items/i2.csv", item(1, 1), minute=1)
        newer = store.run()
        with store.opened() as shop:
            (first,) = {record.batch_id for record in shop.ports.ledger.lineage()} - {newer.batch_id}
            (again,) = replay_batch(shop.ports, first)
        assert changes_of(again)["i.csv"] == RowChanges(older=3, unchanged=1)
        assert store.revenue == {"2025-03-30": "10.00", "2025-03-31": "5.00"}
        assert rebuilt(store, tmp_path / "rebuilt", store.options["contracts"]) == published(
            store.root, **store.options
        )


class TestInstants:
    """takingsVersion: updated_at."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        """Return a store where the shop's instants decide."""
        store = Store(tmp_path, versioned=DATASETS)
        store.drop("products/p.csv", product(1, **at(8)), product(2, "Toys", **at(8)))
        store.drop(
            "orders/o.csv", order(1, num_of_item=2, **at(9)), order(2, "2025-03-31T09:00:00", num_of_item=2, **at(9))
        )
        store.drop("order-items/i.csv", item(1, 1, **at(9)), item(2, 2, 2, "5.00", **at(9)))
        store.run()
        return store

    def test_the_newer_instant_counts_whenever_its_file_was_written(self, store: Store) -> None:
        """Writing an old export again reverts nothing; a newer change in an older file counts."""
        store.drop("order-items/old.csv", item(1, 1, 1, "1.00", **at(8)), minute=5)
        store.drop("order-items/new.csv", item(2, 2, 2, "7.00", **at(10)), minute=-5)
        batch = store.run()
        assert changes_of(batch) == {"old.csv": RowChanges(older=1), "new.csv": RowChanges(changed=1)}
        assert store.revenue == {"2025-03-30": "10.00", "2025-03-31": "7.00"}

    def test_between_equal_instants_the_arrival_decides(self, store: Store) -> None:
        """As it does without instants."""
        store.drop("order-items/a.csv", item(1, 1, 1, "1.00", **at(9)), minute=1)
        store.drop("order-items/b.csv", item(2, 2, 2, "1.00", **at(9)), minute=-1)
        store.run()
        assert store.revenue == {"2025-03-30": "1.00", "2025-03-31": "5.00"}

    @pytest.mark.parametrize("engine", ["duckdb", "pandas"])
    def test_a_file_may_hold_several_instants_of_a_row(self, store: Store, engine: str) -> None:
        """The newest counts, an older one is accepted but superseded; rows with equal instants are identical or a violation."""
        store.drop(
            "order-items/log.csv", *(item(1, 1, 1, f"{hour}.00", **at(hour)) for hour in (10, 12, 11, 12)), minute=1
        )
        store.drop("order-items/torn.csv", *(item(3, 1, 1, price, **at(10)) for price in ("1.00", "2.00")), minute=1)
        batch = store.run(validation_engine=engine)
        reports = {report.file: report for report in batch.reports}
        records = reports["log.csv"].records
        assert (records.read, records.accepted, records.identical_duplicates) == (4, 3, 1)
        assert dict(reports["torn.csv"].errors) == {"id|unique": 2}
        assert changes_of(batch) == {"log.csv": RowChanges(changed=1, older=2)}
        assert warnings_of(batch) == {}
        assert store.revenue == {"2025-03-30": "12.00", "2025-03-31": "5.00"}

    @pytest.mark.parametrize("engine", ["duckdb", "pandas"])
    def test_an_instant_in_the_future_is_always_an_error(self, store: Store, engine: str) -> None:
        """A wrong clock would win until that time; five minutes are allowed."""
        soon, late = (
            f"{datetime.now(NOON.tzinfo) + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}" for minutes in (4, 9)
        )
        store.drop("orders/soon.csv", order(1, status="returned", updated_at=soon))
        store.drop("orders/late.csv", order(1, status="cancelled", updated_at=late))
        reports = store.reports(validation_engine=engine)
        assert {file: dict(report.errors) for file, report in reports.items()} == {
            "soon.csv": {},
            "late.csv": {"updated_at|version_not_in_future": 1},
        }

    def test_equal_content_takes_the_newer_version(self, store: Store) -> None:
        """So that a row between the two is older, whichever comes first."""
        store.drop("order-items/again.csv", item(1, 1, **at(12)), minute=1)
        store.run()
        store.drop("order-items/between.csv", item(1, 1, 1, "1.00", **at(11)), minute=2)
        assert changes_of(store.run()) == {"between.csv": RowChanges(older=1)}
        assert store.revenue == {"2025-03-30": "10.00", "2025-03-31": "5.00"}

    def test_what_two_files_say_of_one_instant_is_told(self, store: Store) -> None:
        """Only the time of copying decides between them."""
        for name, hour in (("a", 10), ("b", 10), ("c", 11), ("d", 12)):
            rows = item(1, 1, 1, f"{hour}.00", user_id=ord(name), **at(hour)), item(9, 1, 1, "1.00", **at(10))
            store.drop(f"order-items/{name}.csv", *rows, minute=1)
        assert warnings_of(store.run()) == {"same_time": [1]}

    def test_a_copy_of_superseded_bytes_comes_to_the_same_in_any_order(self, tmp_path: Path) -> None:
        """The one exception to "any order" is gone, even for equal instants."""
        first, second = item(1, 1, 1, "1.00", **at(9)), item(1, 1, 1, "2.00", **at(9))
        files = {"a.csv": (first, 0), "b.csv": (second, 1), "copy.csv": (first, 2)}
        for number, names in enumerate(permutations(files)):
            store = Store(tmp_path / str(number), versioned=("order_items",))
            store.drop("products/p.csv", product(1))
            store.drop("orders/o.csv", order(1))
            for name in names:
                row, minute = files[name]
                store.drop(f"order-items/{name}", row, minute=minute)
                assert store.reports()[name].verdict.value == "accepted"
            assert store.revenue == {"2025-03-30": "1.00"}

    def test_the_same_bytes_under_their_own_name_are_a_duplicate(self, store: Store) -> None:
        """They keep the order of their drops, whatever else is processed meanwhile."""
        store.drop("order-items/i.csv", item(1, 1, **at(9)), item(2, 2, 2, "5.00", **at(9)), minute=1)
        assert store.reports()["i.csv"].verdict.value == "duplicate"

    def test_mended_rows_keep_their_instants(self, store: Store) -> None:
        """The quarantine file says which arrival they belong to, the row says when it changed."""
        store.drop("orders/q.csv", order(1, num_of_item=0, status="returned", **at(8)), order(3, **at(8)), minute=1)
        store.options |= {"policy": "row", "max_rejected": "50"}
        assert store.reports()["q.csv"].records.rejected == 1
        (quarantined,) = (store.root / "quarantine").rglob("q.csv")
        drop(store.root, "orders/mended.csv", quarantined.read_bytes().replace(b",0,", b",1,"))
        batch = store.run()
        assert changes_of(batch) == {"mended.csv": RowChanges(older=1)}
        assert store.revenue == {"2025-03-30": "10.00", "2025-03-31": "5.00"}


class TestBoth:
    """An order's lines as one delivery, with the shop's own instant."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        """Return a store with an order of two items."""
        store = Store(tmp_path, versioned=("order_items",), replaces=True)
        store.drop("products/p.csv", product(1), product(2, "Toys"))
        store.drop("orders/o.csv", order(1))
        store.drop("order-items/i.csv", item(1, 1, **at(9)), item(2, 1, 2, "12.00", **at(9)))
        store.run()
        return store

    def test_the_delivery_with_the_newer_instant_counts(self, store: Store) -> None:
        """As a whole, whenever its file was written."""
        store.drop("order-items/new.csv", item(1, 1, **at(10)), minute=-5)
        store.drop("order-items/old.csv", item(3, 1, 1, "90.00", **at(8)), minute=5)
        batch = store.run()
        assert changes_of(batch) == {"new.csv": RowChanges(unchanged=1), "old.csv": RowChanges(older=1)}
        assert store.revenue == {"2025-03-30": "10.00"}

    @pytest.mark.parametrize("engine", ["duckdb", "pandas"])
    def test_lines_of_one_delivery_have_one_instant(self, store: Store, engine: str) -> None:
        """Other instants are violations in every line of the order; a text that is not an instant is its own violation."""
        rows = item(1, 1, **at(10)), item(2, 1, 2, "1.00", **at(11)), item(1, 2, **at(9)), item(5, 1, updated_at="soon")
        store.drop("order-items/torn.csv", *rows, minute=1)
        report = store.reports(validation_engine=engine)["torn.csv"]
        assert dict(report.errors) == {"updated_at|same_within_order_id": 2, "updated_at|type": 1}

    def test_what_two_deliveries_say_of_one_instant_is_told(self, store: Store) -> None:
        """Only the time of copying decides between them; two files of one batch are always reported."""
        for name, hour, price in (("a", 10, "1.00"), ("b", 10, "2.00")):
            store.drop(f"order-items/{name}.csv", item(1, 1, 1, price, **at(hour)), minute=1)
        assert warnings_of(store.run()) == {"order_in_two_files": [1], "same_time": [1]}
        for name, hour, price in (("a", 11, "1.00"), ("b", 12, "2.00")):
            store.drop(f"order-items/{name}.csv", item(1, 1, 1, price, **at(hour)), minute=2)
        assert warnings_of(store.run()) == {"order_in_two_files": [1]}
        assert store.revenue == {"2025-03-30": "2.00"}

    @pytest.mark.parametrize("engine", ["duckdb", "pandas"])
    def test_many_small_files_are_judged_alike(self, store: Store, engine: str) -> None:
        """Read together or alone."""
        for number in range(20):
            hours = (10, 11) if number == 7 else (10, 10)
            rows = (item(place, 100 + number, **at(hour)) for place, hour in enumerate(hours))
            store.drop(f"order-items/{number}.csv", *rows, minute=1)
        reports = store.reports(validation_engine=engine, batch_files=100)
        bad = {file: dict(report.errors) for file, report in reports.items() if report.errors}
        assert bad == {"7.csv": {"updated_at|same_within_order_id": 2}}


def rebuilt(store: Store, folder: Path, contracts: str) -> tuple[str, str]:
    """Rebuild a store under some contracts and return the published KPIs."""
    with opened(store.root, **store.options) as shop:
        source, archive = shop.ports.store, read_archive(shop.ports.store)
        new_store(folder)
        with opened(folder, contracts=contracts) as anew:
            rebuild(source, archive, anew.ports)
            assert verification.verify(anew.ports).differences == ()
    assert published(folder, contracts=contracts) == expected(folder)
    return published(folder, contracts=contracts)


class TestFormat:
    """The rules by which the rows were merged are stored in the lake."""

    def test_a_store_without_either_keeps_its_file(self, tmp_path: Path) -> None:
        """Byte for byte as before."""
        plain = Store(tmp_path)
        plain.drop("products/p.csv", product(1))
        plain.run()
        content = (plain.root / "lake" / "format.json").read_text(encoding="utf-8")
        assert json.loads(content) == {"format": 1, "time_zone": "UTC"}

    def test_it_names_what_is_used(self, tmp_path: Path) -> None:
        """By dataset."""
        store = Store(tmp_path, versioned=("orders",), replaces=True)
        store.drop("products/p.csv", product(1))
        store.run()
        assert json.loads((store.root / "lake" / "format.json").read_text(encoding="utf-8")) == {
            "format": 1,
            "time_zone": "UTC",
            "takingsVersion": {"orders": "updated_at"},
            "takingsReplaces": {"order_items": "order_id"},
        }

    @pytest.mark.parametrize(
        ("before", "after", "message"),
        [
            ({}, {"replaces": True}, "takingsReplaces of order_items is 'order_id' in the contract, but .* without"),
            (
                {"replaces": True},
                {},
                "takingsReplaces of order_items is not in the contract, but .* with takingsReplaces",
            ),
            (
                {},
                {"versioned": ("orders",)},
                "takingsVersion of orders is 'updated_at' in the contract, but .* without",
            ),
            ({"versioned": ("orders",)}, {}, "takingsVersion of orders is not in the contract, but .* 'updated_at'"),
        ],
        ids=["deliveries on", "deliveries off", "instants on", "instants off"],
    )
    def test_a_change_is_refused_until_the_store_is_rebuilt(
        self, tmp_path: Path, before: dict[str, Any], after: dict[str, Any], message: str
    ) -> None:
        """The advice is takings rebuild, which writes what the new contracts say and merges every row again."""
        store = Store(tmp_path, **before)
        # A column that the contract does not name is reported as extra; the rebuild reads it.
        store.drop("products/p.csv", product(1), product(2))
        store.drop("orders/o.csv", order(1, **at(9)))
        store.drop("order-items/i.csv", item(1, 1), item(2, 1, 2, "12.00"))
        store.run()
        store.drop("orders/p.csv", order(1, "2025-04-01T10:00:00", **at(8)), minute=1)
        store.drop("order-items/j.csv", item(1, 1), minute=1)
        store.run()
        contracts = write_contracts(tmp_path / "other contracts", **after)
        store.drop("order-items/k.csv", item(1, 1), minute=2)
        with pytest.raises(SettingsError, match=message) as refused:
            run(store.root, contracts=contracts)
        assert "takings rebuild" in str(refused.value)
        assert (store.root / "raw-data" / "order-items" / "k.csv").exists()
        by_day, _ = rebuilt(store, tmp_path / "rebuilt", contracts)
        day = "2025-03-30" if "versioned" in after else "2025-04-01"
        revenue = "10.00" if "replaces" in after else "22.00"
        assert by_day.splitlines()[1].startswith(f"{day},1,{revenue},")
        assert run(tmp_path / "rebuilt", contracts=contracts).batches == ()
        # Reading a store does not need the contracts.
        assert published(tmp_path / "rebuilt")[0] == by_day
