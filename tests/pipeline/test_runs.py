"""Whole runs on a small store: the result is what the oracle computes from the originals, byte for byte."""

from __future__ import annotations

import json
import os
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from takings.archive.lineage import LineageStatus
from takings.contracts.model import Dataset
from takings.errors import SettingsError
from takings.intake.batching import Hold, NothingPending, WaitUntil
from takings.intake.gate import GateState
from takings.runs.pipeline import RunOutcome
from takings.validation.findings import RecordCounts, Verdict
from tests.shop import (
    ITEMS,
    NOON,
    ORDERS,
    PRODUCTS,
    csv_of,
    drop,
    drop_all,
    expected,
    files,
    item,
    kpi_rows,
    lineage,
    new_store,
    opened,
    order,
    product,
    published,
    run,
)

SUNDAY, MONDAY, TUESDAY = date(2025, 3, 30), date(2025, 3, 31), date(2025, 4, 1)
BY_DAY = (
    "order_date,total_orders,total_revenue,total_items_sold,return_rate,unique_customers,avg_order_value,"
    "returned_value,cancelled_value,net_revenue\n"
)
BY_CATEGORY = (
    "category,order_date,daily_revenue,avg_order_value,avg_return_rate,total_orders,items_sold,returned_value,"
    "cancelled_value,net_revenue\n"
)


def verdicts(outcome: RunOutcome) -> dict[str, str]:
    """Return the verdict on each file of a run, by its key without the common prefix."""
    reports = [report for batch in outcome.batches for report in batch.reports]
    return {report.key.removeprefix("raw-data/"): report.verdict.value for report in reports}


def commits(root: Path) -> dict[tuple[Any, ...], int]:
    """Return the commit of every published row."""
    with opened(root) as shop:
        return {row.key: row.commit for rows in kpi_rows(shop.ports).values() for row in rows}


def gate_state(root: Path) -> GateState:
    """Return the state of the store's batch."""
    with opened(root) as shop:
        return shop.ports.ledger.gate().state


class TestBatches:
    def test_the_first_batch(self, root: Path) -> None:
        """Three files become days and categories, and are in processed/ afterwards."""
        drop_all(root)
        outcome = run(root)
        (batch,) = outcome.batches
        assert verdicts(outcome) == dict.fromkeys(("products/a.csv", "orders/a.csv", "order-items/a.csv"), "accepted")
        assert (batch.commit, batch.attempt, batch.published, batch.orphans, batch.returned) == (
            1,
            1,
            {"OrderKPIs": 2, "CategoryKPIs": 3},
            0,
            (),
        )
        assert published(root) == (
            BY_DAY
            + "2025-03-30,2,30.25,2,50.00,2,15.13,20.25,0.00,10.00\n"
            + "2025-03-31,1,4.25,1,0.00,1,4.25,0.00,4.25,0.00\n",
            BY_CATEGORY
            + "Books,2025-03-30,10.00,10.00,0.00,1,1,0.00,0.00,10.00\n"
            + "Toys,2025-03-30,20.25,20.25,100.00,1,1,20.25,0.00,0.00\n"
            + "Toys,2025-03-31,4.25,4.25,0.00,1,1,0.00,4.25,0.00\n",
        )
        assert published(root) == expected(root)
        assert files(root, "raw-data", "processed", "failed", "staging", ".takings/fetched") == [
            "processed/order_items/a.csv",
            "processed/orders/a.csv",
            "processed/products/a.csv",
        ]

    def test_a_second_run_does_nothing(self, done: Path) -> None:
        """Nothing is pending, and nothing is published again."""
        with opened(done) as shop:
            before = kpi_rows(shop.ports)
        again = run(done)
        assert (again.batches, again.decision) == ((), NothingPending())
        with opened(done) as shop:
            assert kpi_rows(shop.ports) == before

    def test_every_file_has_a_story(self, root: Path) -> None:
        """What it was, what was read from it, and where its original is now."""
        drop(root, "products/a.csv", PRODUCTS)
        (batch,) = run(root).batches
        (record,) = lineage(root)
        assert (record.file_key, record.status, record.batch_id, record.dataset, record.verdict, record.reason) == (
            "raw-data/products/a.csv",
            LineageStatus.SUCCESS,
            batch.batch_id,
            Dataset.PRODUCTS,
            Verdict.ACCEPTED,
            None,
        )
        assert record.records == RecordCounts(read=3, accepted=3)
        assert record.archived_at is not None
        assert (root / record.archived_at).read_bytes() == PRODUCTS

    def test_a_batch_leaves_its_documents(self, root: Path) -> None:
        """Manifest, verdicts, affected keys, outcome and commit; one report per chunk and per file."""
        drop_all(root)
        (batch,) = run(root).batches
        folder = root / "batches" / batch.batch_id
        assert sorted(path.name for path in folder.iterdir()) == [
            "affected.json",
            "attempt-1.json",
            "changes.json",
            "gaps.json",
            "manifest.json",
            "outcome.json",
            "verdicts.json",
        ]
        assert json.loads((folder / "affected.json").read_text()) == {
            "schema_version": 1,
            "batch_id": batch.batch_id,
            "everything": True,
            "days": [],
            "category_days": [],
        }
        commit = json.loads((root / "lake" / "commits" / "1.json").read_text())
        assert (commit["commit"], commit["batch_id"]) == (1, batch.batch_id)
        reports = root / "validation-reports" / batch.batch_id
        assert sorted(path.relative_to(reports).as_posix() for path in reports.rglob("*.json")) == [
            f"{dataset}/a.csv/{report}.json"
            for dataset in ("order_items", "orders", "products")
            for report in ("chunk-00000", "summary")
        ]

    def test_the_order_of_arrival_means_nothing(self, root: Path, tmp_path: Path) -> None:
        """Items first and products last, one batch each; a correction is processed before what it corrects."""
        run(drop_all(root))
        drop(root, "orders/b.csv", csv_of(order(2, "2025-04-01T08:00:00", user_id=8)))
        run(root)

        backwards = new_store(tmp_path / "backwards")
        for minute, (file, content) in reversed(
            list(
                enumerate(
                    [
                        ("products/a.csv", PRODUCTS),
                        ("orders/a.csv", ORDERS),
                        ("order-items/a.csv", ITEMS),
                        ("orders/b.csv", csv_of(order(2, "2025-04-01T08:00:00", user_id=8))),
                    ]
                )
            )
        ):
            drop(backwards, file, content, written_at=NOON + timedelta(minutes=minute))
            run(backwards)
        assert published(backwards) == published(root) == expected(root) == expected(backwards)


class TestDuplicatesAndCorrections:
    def test_the_same_bytes_under_another_key_are_a_duplicate(self, done: Path) -> None:
        """It is archived and never counts again; it makes no commit."""
        before = published(done)
        drop(done, "order-items/again.csv", ITEMS)
        outcome = run(done)
        (report,) = outcome.batches[0].reports
        assert (report.verdict, report.duplicate_of, report.records) == (
            Verdict.DUPLICATE,
            "raw-data/order-items/a.csv",
            RecordCounts(),
        )
        assert outcome.batches[0].commit is None
        assert not outcome.batches[0].has_rejections
        assert published(done) == before == expected(done)
        assert "processed/order_items/again.csv" in files(done, "processed")
        assert [record.status for record in lineage(done)] == [LineageStatus.SUCCESS] * 4

    def test_two_copies_in_one_batch_count_once(self, root: Path) -> None:
        """The older one is the original."""
        drop_all(root)
        drop(root, "order-items/b.csv", ITEMS)
        assert verdicts(run(root)) == {
            "products/a.csv": "accepted",
            "orders/a.csv": "accepted",
            "order-items/a.csv": "accepted",
            "order-items/b.csv": "duplicate",
        }
        assert published(root) == expected(root)

    def test_two_links_to_one_file_are_copies_of_each_other(self, root: Path) -> None:
        """One batch archives both."""
        drop_all(root)
        (root / "raw-data" / "orders" / "b.csv").hardlink_to(root / "raw-data" / "orders" / "a.csv")
        outcome = run(root)
        assert [verdicts(outcome)[f"orders/{file}"] for file in ("a.csv", "b.csv")] == ["accepted", "duplicate"]
        assert (len(outcome.batches), files(root, "raw-data")) == (1, [])
        assert published(root) == expected(root)

    def test_the_same_bytes_under_the_same_key_are_a_duplicate(self, done: Path) -> None:
        """Repeating a drop changes nothing."""
        before = published(done)
        drop(done, "orders/a.csv", ORDERS)
        assert verdicts(run(done)) == {"orders/a.csv": "duplicate"}
        assert published(done) == before == expected(done)

    def test_older_bytes_under_the_same_key_are_a_correction(self, done: Path) -> None:
        """The shop reverts its correction."""
        before = published(done)
        drop(done, "orders/a.csv", csv_of(order(1), order(2, user_id=7), order(3)))
        run(done)
        assert published(done) != before
        drop(done, "orders/a.csv", ORDERS)
        assert verdicts(run(done)) == {"orders/a.csv": "accepted"}
        assert published(done) == before == expected(done)

    def test_a_correction_wins_even_if_its_file_is_older(self, done: Path) -> None:
        """Its version comes after the key's previous one, whatever its time."""
        drop(done, "orders/a.csv", csv_of(order(1, status="returned")), written_at=NOON)
        run(done)
        assert published(done)[0] == (
            BY_DAY
            + "2025-03-30,2,30.25,2,100.00,2,15.13,20.25,0.00,10.00\n"
            + "2025-03-31,1,4.25,1,0.00,1,4.25,0.00,4.25,0.00\n"
        )
        assert published(done) == expected(done)

    def test_an_older_file_under_another_key_loses(self, done: Path) -> None:
        """Its rows are accepted, but older than those in the lake."""
        before = published(done)
        drop(
            done,
            "orders/old.csv",
            csv_of(order(1, status="returned"), order(3, "2025-04-01T08:00:00")),
            written_at=NOON,
        )
        assert verdicts(run(done)) == {"orders/old.csv": "accepted"}
        assert published(done) == before == expected(done)

    def test_a_correction_moves_an_order_with_its_items(self, done: Path) -> None:
        """The old day loses them, the new day gains them; a day that becomes empty is hidden."""
        drop(done, "orders/b.csv", csv_of(order(3, "2025-04-01T08:00:00")))
        run(done)
        assert published(done)[0] == (
            BY_DAY
            + "2025-03-30,2,30.25,2,50.00,2,15.13,20.25,0.00,10.00\n"
            + "2025-04-01,1,4.25,1,0.00,1,4.25,0.00,4.25,0.00\n"
        )
        assert published(done) == expected(done)
        with opened(done) as shop:
            hidden = {
                row.key: row.commit
                for table in shop.ports.kpi_tables
                for row in shop.ports.kpis.rows(table)
                if row.is_gone
            }
        assert hidden == {(MONDAY,): 2, ("Toys", MONDAY): 2}

    def test_a_correction_replaces_only_the_rows_it_holds(self, done: Path) -> None:
        """A row that it no longer contains stays."""
        drop(done, "order-items/a.csv", csv_of(item(1, 1, 1, "99.99")))
        run(done)
        assert published(done)[0] == (
            BY_DAY
            + "2025-03-30,2,120.24,2,50.00,2,60.12,20.25,0.00,99.99\n"
            + "2025-03-31,1,4.25,1,0.00,1,4.25,0.00,4.25,0.00\n"
        )
        assert published(done) == expected(done)

    def test_everything_may_move_at_once(self, done: Path) -> None:
        """Categories, days, an item's order and product, and an item without an order, in one batch."""
        drop(done, "products/b.csv", csv_of(product(1, "Toys"), product(2, "Books")))
        drop(done, "orders/b.csv", csv_of(order(1, "2025-04-02T00:00:00"), order(3)))
        drop(done, "order-items/b.csv", csv_of(item(2, 1, 1, "7.77"), item(9, 3, 2), item(10, 404)))
        run(done)
        assert published(done)[0] == (
            BY_DAY
            + "2025-03-30,2,14.25,2,50.00,2,7.13,0.00,4.25,10.00\n"
            + "2025-04-02,1,17.77,2,0.00,1,17.77,0.00,0.00,17.77\n"
        )
        assert published(done) == expected(done)

    def test_an_item_may_change_its_order_and_its_product(self, done: Path) -> None:
        """Both days and both categories are restated."""
        drop(done, "order-items/b.csv", csv_of(item(1, 3, 2)))
        run(done)
        assert published(done)[1] == (
            BY_CATEGORY
            + "Toys,2025-03-30,20.25,20.25,100.00,1,1,20.25,0.00,0.00\n"
            + "Toys,2025-03-31,14.25,14.25,0.00,1,2,0.00,4.25,10.00\n"
        )
        assert published(done) == expected(done)

    def test_a_product_changes_its_category_on_every_day(self, done: Path) -> None:
        """The days of the old category are restated together with the new one's."""
        drop(done, "products/b.csv", csv_of(product(3, "Games")))
        run(done)
        assert published(done)[1] == (
            BY_CATEGORY
            + "Books,2025-03-30,10.00,10.00,0.00,1,1,0.00,0.00,10.00\n"
            + "Games,2025-03-31,4.25,4.25,0.00,1,1,0.00,4.25,0.00\n"
            + "Toys,2025-03-30,20.25,20.25,100.00,1,1,20.25,0.00,0.00\n"
        )
        assert published(done) == expected(done)

    def test_a_late_file_restates_exactly_its_days(self, done: Path) -> None:
        """Rows of other days and categories keep their commit."""
        drop(done, "order-items/late.csv", csv_of(item(4, 3, 3, "1.00")))
        (batch,) = run(done).batches
        assert batch.published == {"OrderKPIs": 1, "CategoryKPIs": 1}
        assert commits(done) == {
            (SUNDAY,): 1,
            (MONDAY,): 2,
            ("Books", SUNDAY): 1,
            ("Toys", SUNDAY): 1,
            ("Toys", MONDAY): 2,
        }
        assert published(done) == expected(done)


class TestOrphans:
    def test_items_wait_for_their_order_and_their_product(self, root: Path) -> None:
        """They count as soon as both are in the lake, whichever comes first."""
        drop(root, "order-items/a.csv", ITEMS)
        (batch,) = run(root).batches
        assert (batch.orphans, published(root)) == (3, (BY_DAY, BY_CATEGORY))
        drop(root, "orders/a.csv", ORDERS)
        (batch,) = run(root).batches
        assert batch.orphans == 3
        assert published(root) == (
            BY_DAY
            + "2025-03-30,2,0.00,0,50.00,2,0.00,0.00,0.00,0.00\n"
            + "2025-03-31,1,0.00,0,0.00,1,0.00,0.00,0.00,0.00\n",
            BY_CATEGORY,
        )
        drop(root, "products/a.csv", csv_of(product(1), product(2, "Toys")))
        (batch,) = run(root).batches
        assert batch.orphans == 1
        assert published(root) == expected(root)
        drop(root, "products/b.csv", csv_of(product(3, "Toys")))
        (batch,) = run(root).batches
        assert batch.orphans == 0
        assert published(root) == expected(root)

    def test_an_item_may_become_an_orphan_again(self, done: Path) -> None:
        """A correction names a missing order; the item leaves its day."""
        drop(done, "order-items/b.csv", csv_of(item(1, 404)))
        (batch,) = run(done).batches
        assert batch.orphans == 1
        assert published(done) == expected(done)


class TestRejections:
    BAD = csv_of(item(4, 1, sale_price="-1"), item(5, 1, status="lost"), item(6, 1))

    def test_a_bad_file_goes_to_failed_with_every_line_and_the_others_go_on(self, root: Path) -> None:
        """The reasons name rule and line; nothing in the file counts."""
        drop_all(root)
        drop(root, "order-items/bad.csv", self.BAD)
        outcome = run(root)
        (batch,) = outcome.batches
        assert verdicts(outcome)["order-items/bad.csv"] == "rejected"
        assert (batch.has_rejections, batch.commit) == (True, 1)
        assert published(root) == expected(root)
        assert files(root, "raw-data", "failed") == [
            "failed/order_items/bad.csv",
            "failed/order_items/bad.csv.reason.json",
        ]
        (reason_file,) = (root / "failed").rglob("*.reason.json")
        reason = json.loads(reason_file.read_text())
        assert (reason["key"], reason["verdict"], reason["reason"]) == (
            "raw-data/order-items/bad.csv",
            "rejected",
            "2 of 3 records break sale_price|greater_than (1), status|one_of (1)",
        )
        assert reason["records"] == {"read": 3, "accepted": 0, "rejected": 3, "identical_duplicates": 0}
        assert [(violation["rule"], violation["line"]) for violation in reason["violations"]] == [
            ("sale_price|greater_than", 2),
            ("status|one_of", 3),
        ]
        (record,) = (record for record in lineage(root) if record.file_key.endswith("bad.csv"))
        assert (record.status, record.verdict, record.reason) == (
            LineageStatus.FAILED,
            Verdict.REJECTED,
            reason["reason"],
        )

    def test_a_rejected_file_may_be_dropped_again(self, done: Path) -> None:
        """Unchanged, it is rejected again and is not a duplicate; corrected, it is taken."""
        for _ in range(2):
            drop(done, "order-items/bad.csv", self.BAD)
            outcome = run(done)
            assert verdicts(outcome) == {"order-items/bad.csv": "rejected"}
            assert outcome.batches[0].commit is None
        drop(done, "order-items/bad.csv", self.BAD.replace(b"-1", b"1").replace(b"lost", b"shipped"))
        assert verdicts(run(done)) == {"order-items/bad.csv": "accepted"}
        assert published(done) == expected(done)
        assert len(files(done, "failed")) == 4

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "file|empty"),
            (b'id,order_id,product_id,user_id,status,sale_price\n1,1,1,7,"shipped,1\n', "file|unterminated_quote"),
            (b"id,id,product_id,user_id,status,sale_price\n", "file|duplicate_header"),
            ("id,order_id\n".encode("utf-16"), "file|encoding"),
        ],
        ids=["no byte", "an open quote", "a column twice", "UTF-16"],
    )
    def test_a_file_whose_records_cannot_be_told_apart_is_rejected(
        self, root: Path, content: bytes, reason: str
    ) -> None:
        """With the rule that the whole file breaks."""
        drop(root, "order-items/bad.csv", content)
        (batch,) = run(root).batches
        assert [(report.verdict, dict(report.errors)) for report in batch.reports] == [(Verdict.REJECTED, {reason: 1})]
        (reason_file,) = (root / "failed").rglob("*.reason.json")
        assert json.loads(reason_file.read_text())["errors"] == {reason: 1}

    def test_a_header_without_records_is_accepted_with_a_warning(self, root: Path) -> None:
        """A shop without sales is not broken."""
        drop(root, "orders/a.csv", ORDERS.splitlines(keepends=True)[0])
        (batch,) = run(root).batches
        assert [(report.verdict, dict(report.warnings)) for report in batch.reports] == [
            (Verdict.ACCEPTED, {"file|no_records": 1})
        ]
        assert published(root) == (BY_DAY, BY_CATEGORY)

    def test_what_is_no_drop_stays_where_it_is(self, root: Path) -> None:
        """A run says why."""
        drop(root, "orders/a.csv.part", ORDERS)
        outcome = run(root)
        assert [(key, ignored.reason) for key, ignored in outcome.sighting.ignored] == [
            ("raw-data/orders/a.csv.part", "its name ends in neither .csv nor .csv.gz")
        ]
        assert files(root, "raw-data") == ["raw-data/orders/a.csv.part"]

    @pytest.mark.skipif(sys.platform == "darwin", reason="macOS has only names in UTF-8")
    def test_a_name_that_is_no_utf_8_stops_nothing(self, root: Path) -> None:
        """The file stays where it is; the others are taken."""
        drop_all(root)
        nameless = root / "raw-data" / "orders" / os.fsdecode(b"\xff.csv")
        nameless.write_bytes(ORDERS)
        outcome = run(root)
        assert [(key, ignored.reason) for key, ignored in outcome.sighting.ignored] == [
            (r"raw-data/orders/\udcff.csv", "its name is not UTF-8. Rename it.")
        ]
        assert (nameless.exists(), published(root)) == (True, expected(root))


class TestWaiting:
    def test_a_missing_dataset_holds(self, root: Path) -> None:
        """Nothing is touched; the gate lists what is pending."""
        drop(root, "orders/a.csv", ORDERS)
        outcome = run(root, at_once=False)
        assert (outcome.batches, outcome.decision) == ((), Hold(missing=(Dataset.PRODUCTS, Dataset.ORDER_ITEMS)))
        with opened(root) as shop:
            gate = shop.ports.ledger.gate()
        assert (gate.state, dict(gate.pending), gate.deadline) == (GateState.IDLE, {Dataset.ORDERS: 1}, None)
        assert files(root, "raw-data") == ["raw-data/orders/a.csv"]

    def test_a_deadline_is_set_once_and_kept(self, root: Path) -> None:
        """Other files and runs do not postpone it; when it has passed, all files go."""
        drop_all(root)
        first = run(root, at_once=False).decision
        assert isinstance(first, WaitUntil)
        drop(root, "orders/b.csv", csv_of(order(4)))
        assert run(root, at_once=False, later=timedelta(minutes=19)).decision == first
        assert gate_state(root) is GateState.WAITING
        outcome = run(root, at_once=False, later=timedelta(minutes=21))
        assert [len(batch.reports) for batch in outcome.batches] == [4]
        assert outcome.decision == NothingPending()
        assert gate_state(root) is GateState.IDLE

    def test_so_many_files_go_at_once(self, root: Path) -> None:
        """Without waiting for the deadline."""
        drop_all(root)
        assert run(root, at_once=False, batch_files=4).batches == ()
        drop(root, "orders/b.csv", csv_of(order(4)))
        outcome = run(root, at_once=False, batch_files=4)
        assert [len(batch.reports) for batch in outcome.batches] == [4]

    def test_what_exceeds_a_batch_makes_the_next(self, root: Path) -> None:
        """In one run; the two spellings of a name go one after the other."""
        drop(root, "order-items/a.csv", ITEMS)
        drop(root, "order_items/a.csv", csv_of(item(4, 1)))
        drop(root, "orders/a.csv", ORDERS)
        outcome = run(root, batch_max_files=2)
        assert [sorted(report.key for report in batch.reports) for batch in outcome.batches] == [
            ["raw-data/order-items/a.csv", "raw-data/orders/a.csv"],
            ["raw-data/order_items/a.csv"],
        ]
        assert published(root) == expected(root)


class TestTimeZones:
    def test_late_evening_belongs_to_the_shops_day(self, root: Path) -> None:
        """22:30 UTC is 00:30 of the next day in Berlin's summer; a time without a zone is Berlin's."""
        drop(root, "products/a.csv", PRODUCTS)
        drop(root, "orders/a.csv", csv_of(order(1, "2025-03-30T22:30:00Z"), order(2, "2025-03-30T23:30:00")))
        drop(root, "order-items/a.csv", csv_of(item(1, 1, 1, "1.00"), item(2, 2, 2, "2.00")))
        run(root, time_zone="Europe/Berlin")
        assert published(root, time_zone="Europe/Berlin")[0] == (
            BY_DAY
            + "2025-03-30,1,2.00,1,0.00,1,2.00,0.00,0.00,2.00\n"
            + "2025-03-31,1,1.00,1,0.00,1,1.00,0.00,0.00,1.00\n"
        )
        assert published(root, time_zone="Europe/Berlin") == expected(root)

    def test_a_correction_across_midnight(self, root: Path) -> None:
        """One hour later is another day only in the shop's time zone."""
        zone = "America/New_York"
        drop_all(root)
        drop(root, "orders/a.csv", csv_of(order(1, "2025-03-31T03:30:00Z"), order(2), order(3)))
        run(root, time_zone=zone)
        drop(root, "orders/b.csv", csv_of(order(1, "2025-03-31T04:30:00Z")))
        run(root, time_zone=zone)
        assert published(root, time_zone=zone) == expected(root)

    def test_another_time_zone_is_refused(self, done: Path) -> None:
        """The lake is already partitioned by days; nothing is changed."""
        with pytest.raises(SettingsError) as refused:
            run(done, time_zone="Europe/Berlin")
        assert str(refused.value) == (
            "time_zone = 'Europe/Berlin': the store's days are those of 'UTC'. Set time_zone = 'UTC' again;"
            " or `takings rebuild` the store into a new folder, with days of the new time zone."
        )
        assert published(done) == expected(done)

    def test_looking_at_an_empty_store_decides_no_time_zone(self, root: Path) -> None:
        """The first batch does."""
        with opened(root, time_zone="UTC"):
            pass
        with opened(root, time_zone="Europe/Berlin") as shop:
            assert shop.ports.time_zone == "Europe/Berlin"
