"""Days whose numbers are known to be incomplete say so until the rest arrives; the numbers stay."""

from __future__ import annotations

import json
import re
import shutil
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from takings.queries.incomplete import Incomplete, find_incomplete
from takings.runs.maintenance import maintain
from tests.shop import NOON, csv_of, drop, drop_all, item, new_store, opened, order, product, published, run

SUNDAY, MONDAY, TUESDAY = date(2025, 3, 30), date(2025, 3, 31), date(2025, 4, 1)
BAD: Any = {"status": "lost"}


def incomplete(root: Path) -> Incomplete:
    """Return what is known to be missing."""
    with opened(root) as shop:
        return find_incomplete(shop.ports)


def said(root: Path) -> tuple[dict[date, str], tuple[str, ...]]:
    """Return what is reported about days, and what about no day."""
    found = incomplete(root)
    return {day: each.sentence for day, each in found.days.items()}, found.notes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a new store."""
    return new_store(tmp_path / "shop")


def test_a_whole_store_lacks_nothing(root: Path) -> None:
    """Neither does a store without a batch."""
    assert said(root) == ({}, ())
    run(drop_all(root))
    assert said(root) == ({}, ())
    assert not incomplete(root)


class TestWaitingItems:
    def test_items_whose_products_never_came_mark_their_days(self, root: Path) -> None:
        """With their number and worth, until the products arrive."""
        drop(root, "orders/o.csv", csv_of(order(1), order(2), order(3, "2025-03-31T09:00:00")))
        drop(root, "order-items/i.csv", csv_of(item(1, 1), item(2, 2, 2, "12.50"), item(3, 3, 2, "0.01")))
        run(root)
        assert published(root)[0].splitlines()[1:] == [
            "2025-03-30,2,0.00,0,0.00,1,0.00,0.00,0.00,0.00",
            "2025-03-31,1,0.00,0,0.00,1,0.00,0.00,0.00,0.00",
        ]
        assert said(root) == (
            {
                SUNDAY: "2 items worth 22.50 wait for their product",
                MONDAY: "1 item worth 0.01 waits for its product",
            },
            (),
        )
        drop(root, "products/p.csv", csv_of(product(1)))
        run(root)
        assert said(root)[0] == {
            SUNDAY: "1 item worth 12.50 waits for its product",
            MONDAY: "1 item worth 0.01 waits for its product",
        }
        drop(root, "products/q.csv", csv_of(product(2)))
        run(root)
        assert said(root) == ({}, ())

    def test_items_without_an_order_have_no_day(self, root: Path) -> None:
        """They are reported separately until their order arrives."""
        run(drop_all(root))
        drop(root, "order-items/i.csv", csv_of(item(8, 404), item(9, 404, 405, "2.25")))
        run(root)
        assert said(root) == ({}, ("2 items worth 12.25 wait for their order",))
        drop(root, "orders/o.csv", csv_of(order(404, "2025-04-01T00:00:00")))
        run(root)
        assert said(root) == ({TUESDAY: "1 item worth 2.25 waits for its product"}, ())

    def test_waiting_items_follow_their_order_to_another_day(self, root: Path) -> None:
        """The day that it left is complete again."""
        run(drop_all(root))
        drop(root, "order-items/i.csv", csv_of(item(9, 3, 404)))
        run(root)
        assert said(root)[0] == {MONDAY: "1 item worth 10.00 waits for its product"}
        drop(root, "orders/o.csv", csv_of(order(3, "2025-04-01T09:00:00")))
        run(root)
        assert said(root)[0] == {TUESDAY: "1 item worth 10.00 waits for its product"}

    def test_a_waiting_item_that_changes_its_order_changes_its_day(self, root: Path) -> None:
        """Even if no number of either day changes."""
        run(drop_all(root))
        drop(root, "order-items/i.csv", csv_of(item(9, 3, 404)), written_at=NOON)
        run(root)
        drop(root, "order-items/j.csv", csv_of(item(9, 1, 404)), written_at=NOON + timedelta(minutes=1))
        run(root)
        assert said(root)[0] == {SUNDAY: "1 item worth 10.00 waits for its product"}


class TestOrdersWithoutItems:
    def test_orders_of_which_no_item_has_come_mark_their_day(self, root: Path) -> None:
        """Every order says it has at least one; waiting items are reported as waiting."""
        run(drop_all(root))
        late = [order(n, "2025-04-01T09:00:00") for n in (7, 8, 9)]
        drop(root, "orders/o.csv", csv_of(*late))
        drop(root, "order-items/i.csv", csv_of(item(7, 7, 404)))
        run(root)
        assert said(root)[0] == {
            TUESDAY: "1 item worth 10.00 waits for its product; 2 orders have no item",
        }
        drop(root, "order-items/j.csv", csv_of(item(8, 8)))
        run(root)
        assert said(root)[0] == {TUESDAY: "1 item worth 10.00 waits for its product; 1 order has no item"}

    def test_other_days_stay_as_they_were(self, root: Path) -> None:
        """A batch looks only at days that it may change."""
        run(drop_all(root))
        drop(root, "orders/o.csv", csv_of(order(7, "2025-04-01T09:00:00")))
        run(root)
        drop(root, "orders/p.csv", csv_of(order(8, "2025-04-02T09:00:00")))
        drop(root, "order-items/p.csv", csv_of(item(8, 8)))
        run(root)
        assert said(root) == ({TUESDAY: "1 order has no item"}, ())

    def test_an_order_that_loses_its_only_item(self, root: Path) -> None:
        """The item now belongs to another order."""
        drop(root, "products/p.csv", csv_of(product(1)), written_at=NOON)
        drop(root, "orders/o.csv", csv_of(order(1), order(2, "2025-03-31T09:00:00")), written_at=NOON)
        drop(root, "order-items/i.csv", csv_of(item(1, 1), item(2, 2)), written_at=NOON)
        run(root)
        drop(root, "order-items/j.csv", csv_of(item(2, 1)), written_at=NOON + timedelta(minutes=1))
        run(root)
        assert said(root)[0] == {MONDAY: "1 order has no item"}


@pytest.mark.parametrize("engine", ["duckdb", "pandas"])
class TestRefusedFiles:
    def test_a_refused_file_of_items_marks_the_days_of_its_orders(self, root: Path, engine: str) -> None:
        """Even if the orders come with the same batch: a gift at 0.00 refuses the whole file."""
        drop(root, "products/p.csv", csv_of(product(1), product(2)))
        drop(root, "orders/o.csv", csv_of(order(1), order(2, "2025-03-31T09:00:00")))
        drop(root, "order-items/i.csv", csv_of(item(1, 1), item(2, 2, 2, "12.50"), item(3, 1, 2, "0.00")))
        run(root, validation_engine=engine)
        assert said(root) == (
            {
                SUNDAY: "1 order has no item; order-items/i.csv of this day was refused",
                MONDAY: "1 order has no item; order-items/i.csv of this day was refused",
            },
            (),
        )
        drop(root, "order-items/i.csv", csv_of(item(1, 1), item(2, 2, 2, "12.50")))
        run(root, validation_engine=engine)
        assert said(root) == ({}, ())

    def test_a_refused_correction_marks_the_days_of_its_good_rows(self, root: Path, engine: str) -> None:
        """The days of orders are known from the file; a batch that accepts nothing reports them, too."""
        run(drop_all(root), validation_engine=engine)
        drop(root, "orders/b.csv", csv_of(order(1), order(5, "2025-04-01T09:00:00"), order(6, **BAD)))
        drop(root, "order-items/b.csv", csv_of(item(1, 3), item(2, 404), item(3, 3, **BAD)))
        run(root, validation_engine=engine)
        assert said(root) == (
            {
                SUNDAY: "orders/b.csv of this day was refused",
                MONDAY: "order-items/b.csv of this day was refused",
                TUESDAY: "orders/b.csv of this day was refused",
            },
            (),
        )

    def test_a_refused_file_whose_days_are_not_known_is_told_beside_the_days(self, root: Path, engine: str) -> None:
        """Products, files without a good row, unreadable files, and items of orders that never came."""
        run(drop_all(root), validation_engine=engine)
        drop(root, "products/p.csv", csv_of(product(9, cost="-1")))
        drop(root, "orders/all-bad.csv", csv_of(order(9, **BAD)))
        run(root, validation_engine=engine)
        assert said(root) == ({}, ("orders/all-bad.csv and products/p.csv were refused, and their days are not known",))
        drop(root, "orders/empty.csv", b"")
        drop(root, "order-items/i.csv", csv_of(item(8, 404), item(9, 404, **BAD)))
        run(root, validation_engine=engine)
        assert said(root) == (
            {},
            (
                "orders/all-bad.csv, products/p.csv, order-items/i.csv and 1 more were refused, and their days are not known",
            ),
        )

    def test_under_strict_items_have_the_days_of_orders_refused_with_them(self, root: Path, engine: str) -> None:
        """One bad file refuses the batch."""
        run(drop_all(root), validation_engine=engine)
        drop(root, "orders/b.csv", csv_of(order(5, "2025-04-01T09:00:00")))
        drop(root, "order-items/b.csv", csv_of(item(5, 5)))
        drop(root, "products/b.csv", csv_of(product(9, cost="-1")))
        run(root, validation_engine=engine, policy="strict")
        assert said(root) == (
            {TUESDAY: "order-items/b.csv and orders/b.csv of this day were refused"},
            ("products/b.csv was refused, and its days are not known",),
        )


class TestReplacedFiles:
    def test_a_file_that_is_accepted_at_last_marks_nothing(self, root: Path) -> None:
        """Whatever was refused under its name before; another key with the same rows does not count."""
        run(drop_all(root))
        for content in (csv_of(order(5, **BAD)), csv_of(order(5, **BAD), order(6, **BAD))):
            drop(root, "orders/b.csv", content)
            run(root)
        assert said(root)[1] == ("orders/b.csv was refused, and its days are not known",)
        drop(root, "orders/b.csv", csv_of(order(1)))
        run(root)
        assert said(root) == ({}, ())

    def test_both_names_of_the_items_folder_are_found(self, root: Path) -> None:
        """In the archive, order_items/ and order-items/ look alike."""
        run(drop_all(root))
        drop(root, "order_items/b.csv", csv_of(item(1, 3), item(2, 1, **BAD)))
        run(root)
        assert said(root)[0] == {MONDAY: "order_items/b.csv of this day was refused"}

    def test_a_newer_file_that_waits_changes_nothing(self, root: Path) -> None:
        """Until it is taken."""
        run(drop_all(root))
        drop(root, "orders/b.csv", csv_of(order(1), order(6, **BAD)))
        run(root)
        drop(root, "orders/b.csv", csv_of(order(1)))
        assert said(root)[0] == {SUNDAY: "orders/b.csv of this day was refused"}


class TestReading:
    def test_a_store_of_an_older_version_tells_what_waits(self, root: Path) -> None:
        """Its next batch finds everything that is missing."""
        run(drop_all(root))
        drop(root, "orders/o.csv", csv_of(order(7, "2025-04-01T09:00:00"), order(8, "2025-04-01T09:00:00")))
        drop(root, "order-items/i.csv", csv_of(item(7, 7, 404)))
        drop(root, "products/bad.csv", csv_of(product(9, cost="-1")))
        run(root)
        for path in [*root.glob("batches/*/gaps.json"), *root.glob("batches/*/refused.json")]:
            path.unlink()
        refused = ("products/bad.csv was refused, and its days are not known",)
        assert said(root)[0] == {TUESDAY: "1 item worth 10.00 waits for its product; 1 order has no item"}
        assert said(root)[1] == refused
        drop(root, "orders/p.csv", csv_of(order(9, "2025-04-02T09:00:00")))
        drop(root, "order-items/p.csv", csv_of(item(9, 9)))
        run(root)
        assert said(root) == ({TUESDAY: "1 item worth 10.00 waits for its product; 1 order has no item"}, refused)

    def test_a_damaged_lake_hides_no_number(self, root: Path) -> None:
        """Not in a store of an older version either, which asks the lake what waits."""
        drop(root, "orders/o.csv", csv_of(order(1)))
        run(root)
        (path,) = root.glob("batches/*/gaps.json")
        path.unlink()
        shutil.rmtree(root / "lake" / "order_items")
        days, (note,) = said(root)
        assert days == {}
        assert note.startswith("it is not known what is missing: ")

    def test_while_a_batch_goes_on_the_one_before_is_told(self, root: Path) -> None:
        """It is a commit whose gaps are not kept yet."""
        run(drop_all(root))
        drop(root, "orders/o.csv", csv_of(order(7, "2025-04-01T09:00:00")))
        run(root)
        *_, newest = sorted(root.glob("batches/*/gaps.json"))
        newest.unlink()
        assert said(root) == ({}, ())

    @pytest.mark.parametrize("name", ["gaps", "refused"])
    @pytest.mark.parametrize("content", [b"{", b"{}", b'{"days": [1], "files": [1]}'])
    def test_damage_is_told_and_hides_no_number(self, root: Path, name: str, content: bytes) -> None:
        """The error names file and remedy; the next batch finds out again what the lake lacks."""
        drop_all(root)
        drop(root, "orders/bad.csv", csv_of(order(9, **BAD)))
        run(root)
        (path,) = root.glob(f"batches/*/{name}.json")
        path.write_bytes(content)
        days, (note,) = said(root)
        assert days == {}
        assert re.fullmatch(
            rf"it is not known what is missing: batches/.*/{name}\.json is damaged: .* back-up, or remove it: .*", note
        )
        drop(root, "orders/b.csv", csv_of(order(9, "2025-04-01T09:00:00")))
        drop(root, "orders/bad.csv", csv_of(order(9, "2025-04-01T09:00:00")))
        run(root)
        assert said(root) == ({TUESDAY: "1 order has no item"}, ())

    def test_maintenance_changes_nothing_of_it(self, root: Path) -> None:
        """Its commit has the same rows."""
        for n in range(1, 6):
            drop(root, f"orders/{n}.csv", csv_of(order(n)))
            drop(root, f"order-items/{n}.csv", csv_of(item(n, n, 404)))
            run(root)
        before = said(root)
        with opened(root) as shop:
            done = maintain(shop.ports, keep_reports=timedelta(days=90), is_dry_run=False)
        assert done.commit is not None
        assert said(root) == before == ({SUNDAY: "5 items worth 50.00 wait for their product"}, ())
        drop(root, "products/p.csv", csv_of(product(404)))
        run(root)
        assert said(root) == ({}, ())

    def test_what_is_kept_is_what_a_fresh_look_finds(self, root: Path) -> None:
        """After batches of every kind, looking at changed days only has missed nothing."""
        drops: list[dict[str, bytes]] = [
            {"orders/1.csv": csv_of(order(1), order(2, "2025-03-31T09:00:00"), order(3, "2025-04-01T09:00:00"))},
            {"order-items/1.csv": csv_of(item(1, 1), item(2, 2, 2), item(9, 99))},
            {"products/1.csv": csv_of(product(1))},
            {"orders/2.csv": csv_of(order(2, "2025-04-01T09:00:00"), order(99, "2025-03-31T09:00:00"))},
            {"order-items/2.csv": csv_of(item(1, 3), item(2, 2, 1))},
            {"products/2.csv": csv_of(product(1, "Toys"), product(2))},
        ]
        for minute, batch in enumerate(drops):
            for file, content in batch.items():
                drop(root, file, content, written_at=NOON + timedelta(minutes=minute))
            run(root)
            with opened(root) as shop:
                fresh = shop.ports.engine.gaps(shop.ports.tables.snapshot(), None)
                found = find_incomplete(shop.ports)
            assert {day: each.gap for day, each in found.days.items()} == fresh.days
            assert found.undated == fresh.undated


def test_a_look_costs_a_moment(root: Path) -> None:
    """A complete store reads only two documents and one empty folder, whatever is in its lake."""
    run(drop_all(root))
    with opened(root) as shop:

        class Untouchable:
            def __getattr__(self, name: str) -> Any:
                raise AssertionError(f"{name} was called")

        ports = replace(shop.ports, engine=Untouchable(), tables=Untouchable())
        began = time.monotonic()
        assert not find_incomplete(ports)
        assert time.monotonic() - began < 1
    assert json.loads(next(root.glob("batches/*/gaps.json")).read_bytes())["days"] == []
