"""Maintenance makes a store small and fast; it changes no number, whatever runs at the same time."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import cast

import pytest

from takings import layout
from takings.batch.commits import newest_commit, read_commit
from takings.contracts.model import Dataset
from takings.intake.gate import GateState
from takings.intake.manifest import to_json
from takings.lake import AddedFile, Commit, LakeFile, TableChange, TableSnapshot
from takings.layout import BatchId
from takings.ports import LakeTables
from takings.queries.verification import Verification, verify
from takings.runs import pipeline
from takings.runs.maintenance import MAINTENANCE, Maintenance, files_to_compact, maintain
from tests.shop import csv_of, drop, drop_all, expected, item, new_store, opened, order, product, published, run

SUNDAY, MONDAY, TUESDAY = date(2025, 3, 30), date(2025, 3, 31), date(2025, 4, 1)
LONG = timedelta(days=90)
NOTHING = Maintenance(compacted={}, commit=None, vacuumed=0, expired=0)
#: the files of the crowded store after maintenance
COMPACTED = {"products": (5, 1), "orders": (10, 2), "order_items": (14, 3)}


@pytest.fixture(scope="module")
def crowded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of six batches, with 29 lake files on two days and a replaced one; no test changes it."""
    root = drop_all(new_store(tmp_path_factory.mktemp("crowded") / "shop"))
    run(root)
    for n in range(4, 8):
        drop(root, f"products/{n}.csv", csv_of(product(n)))
        drop(root, f"orders/{n}.csv", csv_of(order(n), order(n + 10, "2025-03-31T09:00:00", user_id=n)))
        drop(
            root,
            f"order-items/{n}.csv",
            csv_of(item(n, n, n), item(n + 10, n + 10, 2, "1.25"), item(n + 100, 404, n, "0.05")),
        )
        run(root)
    drop(root, "order-items/4.csv", csv_of(item(4, 4, 4, "12.00")))
    run(root)
    return root


@pytest.fixture
def crowded(crowded_once: Path, tmp_path: Path) -> Path:
    """Return such a store for this test alone."""
    return shutil.copytree(crowded_once, tmp_path / "shop")


def tended(root: Path, *, keep_reports: timedelta = LONG, is_dry_run: bool = False) -> Maintenance:
    """Maintain a store."""
    with opened(root) as shop:
        return maintain(shop.ports, keep_reports=keep_reports, is_dry_run=is_dry_run)


def verified(root: Path) -> Verification:
    """Compare the published KPIs with the lake."""
    with opened(root) as shop:
        return verify(shop.ports)


def last_commit(root: Path) -> Commit:
    """Return the newest commit."""
    with opened(root) as shop:
        commit = newest_commit(shop.ports.store)
    assert commit is not None
    return commit


def days(root: Path) -> dict[str, list[date | None]]:
    """Return the day of each lake file of the newest commit."""
    with opened(root) as shop:
        tables = shop.ports.tables.snapshot(last_commit(root).versions).tables
    return {dataset.value: [file.order_date for file in tables[dataset].files] for dataset in Dataset}


def named(root: Path, number: int) -> set[str]:
    """Return the lake files that a commit names."""
    with opened(root) as shop:
        commit = read_commit(shop.ports.store, number)
        assert commit is not None
        snapshot = shop.ports.tables.snapshot(commit.versions)
        return {f"{layout.table(dataset)}/{file.path}" for dataset in Dataset for file in snapshot[dataset].files}


def on_disk(root: Path) -> set[str]:
    """Return the lake's Parquet files."""
    paths = (path.relative_to(root) for path in (root / "lake").rglob("*.parquet"))
    return {path.as_posix() for path in paths if "_delta_log" not in path.parts}


def grow_old(folder: Path, age: timedelta) -> None:
    """Make every file under a folder this much older; drops stay the same arrivals."""
    for path in folder.rglob("*"):
        if path.is_file() and "raw-data" not in path.parts:
            written_at = path.stat().st_mtime - age.total_seconds()
            os.utime(path, (written_at, written_at))


def content(root: Path) -> dict[str, bytes | None]:
    """Return a store's files with their bytes, and its folders."""
    return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in root.rglob("*")}


def stop_at(fact: str, **known_then: object) -> Callable[[str, Mapping[str, object]], None]:
    """Return what stops a batch when it logs this."""

    def tell(told: str, known: Mapping[str, object]) -> None:
        if told == fact and known_then.items() <= known.items():
            raise KeyboardInterrupt

    return tell


def leave_unfinished(root: Path, fact: str, **known_then: object) -> BatchId:
    """Run what is pending until something is logged; the batch stays in flight."""
    with opened(root) as shop:
        with pytest.raises(KeyboardInterrupt):
            pipeline.run(replace(shop.ports, tell=stop_at(fact, **known_then)), at_once=True)
        left = shop.ports.ledger.gate()
    assert left.state is GateState.RUNNING
    assert left.batch_id is not None
    return left.batch_id


def drop_corrections(root: Path) -> None:
    """Drop a batch that moves, changes and completes rows in many files, and adds new ones."""
    drop(root, "products/late.csv", csv_of(product(6, "Games"), product(50)))
    drop(root, "orders/late.csv", csv_of(order(5, "2025-04-01T08:00:00"), order(14), order(404), order(50)))
    drop(
        root,
        "order-items/late.csv",
        csv_of(item(6, 6, 6, "7.77"), item(15, 7, 1, "0.10", status="returned"), item(50, 50, 50), item(104, 405)),
    )


class TestCompaction:
    def test_many_small_files_of_a_day_become_one(self, crowded: Path) -> None:
        """A new commit shows them; the files that an older commit names are still there."""
        before = on_disk(crowded)
        assert tended(crowded) == Maintenance(compacted=COMPACTED, commit=7, vacuumed=0, expired=0)
        assert days(crowded) == {
            "products": [None],
            "orders": [SUNDAY, MONDAY],
            "order_items": [SUNDAY, MONDAY, None],
        }
        assert last_commit(crowded).number == 7
        assert before < on_disk(crowded)

    def test_no_number_changes(self, crowded: Path) -> None:
        """Not the published ones, and not what the lake yields."""
        before = published(crowded)
        tended(crowded)
        assert published(crowded) == before == expected(crowded)
        assert verified(crowded) == Verification(commit=7, rows=5, differences=())

    def test_a_batch_replaces_compacted_rows(self, crowded: Path) -> None:
        """It moves orders, changes items and categories, and gives orphans their order; commit follows commit."""
        tended(crowded)
        drop_corrections(crowded)
        (batch,) = run(crowded).batches
        assert (batch.commit, batch.orphans) == (8, 1)
        assert published(crowded) == expected(crowded)
        assert verified(crowded).differences == ()

    def test_a_late_file_restates_only_its_days(self, crowded: Path) -> None:
        """A commit without a batch is not mistaken for a changed contract."""
        tended(crowded)
        drop(crowded, "order-items/late.csv", csv_of(item(60, 3, 3, "1.00")))
        (batch,) = run(crowded).batches
        assert batch.published == {"OrderKPIs": 1, "CategoryKPIs": 1}
        assert published(crowded) == expected(crowded)

    def test_a_second_maintenance_does_nothing(self, crowded: Path) -> None:
        """No table has a newer version, and there is no new commit."""
        tended(crowded)
        before = last_commit(crowded)
        assert tended(crowded) == NOTHING
        assert last_commit(crowded) == before
        with opened(crowded) as shop:
            newest = shop.ports.tables.snapshot()
        assert {dataset: newest[dataset].version for dataset in Dataset} == before.versions

    def test_a_store_without_a_lake_has_nothing_to_do(self, tmp_path: Path) -> None:
        """It does not create a lake."""
        root = drop_all(new_store(tmp_path / "new"))
        assert tended(root) == NOTHING
        assert not (root / "lake").exists()

    def test_only_days_with_many_small_files_are_compacted(self) -> None:
        """Four small files are enough; large ones stay as they are."""

        def lake_file(name: str, day: date, rows: int = 3) -> LakeFile:
            return LakeFile(path=name, rows=rows, order_date=day)

        many = tuple(lake_file(f"many-{number}", SUNDAY) for number in range(4))
        few = tuple(lake_file(f"few-{number}", MONDAY) for number in range(3))
        large = tuple(lake_file(f"large-{number}", day, 200_000) for number in range(4) for day in (MONDAY, TUESDAY))
        assert files_to_compact(TableSnapshot(version=1, files=few + many + large)) == many


@dataclass
class Interrupted:
    """Lake tables where something happens once, between reading and writing a dataset's change."""

    tables: LakeTables
    dataset: Dataset
    happening: Callable[[], object]
    #: the table version that each attempt to write started from
    bases: list[int] = field(default_factory=list)

    def __getattr__(self, method: str) -> object:
        return getattr(self.tables, method)

    def apply(self, dataset: Dataset, change: TableChange, base: TableSnapshot, batch_id: BatchId) -> None:
        """Let it happen, then try the change."""
        if dataset is self.dataset:
            self.bases.append(base.version)
            if len(self.bases) == 1:
                self.happening()
        self.tables.apply(dataset, change, base, batch_id)


class TestBesideABatch:
    @pytest.mark.parametrize(
        ("fact", "known"),
        [
            ("lake.merging", {"dataset": "products"}),
            ("lake.merging", {"dataset": "order_items"}),
            ("kpis.computing", {}),
        ],
        ids=["before the first merge", "half merged", "committed"],
    )
    def test_no_commit_shows_a_batch_in_flight(self, crowded: Path, fact: str, known: dict[str, object]) -> None:
        """Tables are compacted, readers see what they saw before, and the batch completes on top."""
        drop_corrections(crowded)
        before = published(crowded)
        unfinished = leave_unfinished(crowded, fact, **known)
        commit = last_commit(crowded)

        done = tended(crowded)
        assert (set(done.compacted), done.commit) == (set(COMPACTED), None)
        assert (last_commit(crowded), published(crowded)) == (commit, before)
        if commit.batch_id != unfinished:
            assert verified(crowded) == Verification(commit=6, rows=5, differences=())

        (batch,) = run(crowded).batches
        assert (batch.batch_id, batch.attempt, batch.commit) == (unfinished, 2, 7)
        assert published(crowded) == expected(crowded)
        assert verified(crowded).differences == ()

    def test_nor_does_one_show_a_blocked_batch(self, crowded: Path) -> None:
        """It is in flight until it is unblocked."""
        drop_corrections(crowded)
        leave_unfinished(crowded, "lake.merging", dataset="orders")
        with opened(crowded) as shop:
            shop.ports.ledger.change_gate(shop.ports.ledger.gate().blocked("a breach."))
        assert tended(crowded).commit is None
        assert verified(crowded) == Verification(commit=6, rows=5, differences=())

    @pytest.mark.parametrize(
        ("dataset", "compacted"),
        [
            (Dataset.PRODUCTS, {}),
            (Dataset.ORDERS, {"products"}),
            (Dataset.ORDER_ITEMS, {"products", "orders"}),
        ],
    )
    def test_a_batch_that_lands_while_files_are_rewritten_wins(
        self, crowded: Path, dataset: Dataset, compacted: set[str]
    ) -> None:
        """Its changes are left alone and compacted the next time; none is lost."""
        drop_corrections(crowded)
        with opened(crowded) as shop:
            tables = Interrupted(shop.ports.tables, dataset, lambda: run(crowded))
            ports = replace(shop.ports, tables=cast("LakeTables", tables))
            done = maintain(ports, keep_reports=LONG, is_dry_run=False)
        assert (set(done.compacted), done.commit, len(tables.bases)) == (set(compacted), None, 1)
        assert last_commit(crowded).number == 7
        assert published(crowded) == expected(crowded)
        assert verified(crowded).differences == ()

        again = tended(crowded)
        assert (set(again.compacted), again.commit) == (set(COMPACTED) - set(compacted), 8)
        assert published(crowded) == expected(crowded)
        assert verified(crowded).differences == ()

    @pytest.mark.parametrize("dataset", list(Dataset))
    def test_a_merge_that_loses_to_a_compaction_reads_again(self, crowded: Path, dataset: Dataset) -> None:
        """Its rows replace those of the compacted files; meanwhile, maintenance commits nothing."""
        drop_corrections(crowded)
        beside: list[Maintenance] = []
        with opened(crowded) as shop:
            tables = Interrupted(shop.ports.tables, dataset, lambda: beside.append(tended(crowded)))
            (batch,) = pipeline.run(replace(shop.ports, tables=cast("LakeTables", tables)), at_once=True).batches
        assert [(dataset.value in done.compacted, done.commit) for done in beside] == [(True, None)]
        assert tables.bases == [6, 7] if dataset is Dataset.ORDER_ITEMS else [5, 6]
        assert (batch.commit, batch.attempt) == (7, 1)
        assert published(crowded) == expected(crowded)
        assert verified(crowded).differences == ()

    def test_a_batch_that_begins_and_ends_meanwhile_is_the_one_that_commits(self, crowded: Path) -> None:
        """The commit number is taken, so maintenance writes none."""
        drop_corrections(crowded)
        with opened(crowded) as shop:

            class Slow:
                """A store where a batch runs just before the commit is written."""

                def __getattr__(self, method: str) -> object:
                    return getattr(shop.ports.store, method)

                def create(self, key: str, content: bytes) -> bool:
                    run(crowded)
                    return shop.ports.store.create(key, content)

            ports = replace(shop.ports, store=Slow())  # type: ignore[arg-type]
            done = maintain(ports, keep_reports=LONG, is_dry_run=False)
        assert (done.compacted, done.commit) == (COMPACTED, None)
        assert (last_commit(crowded).number, last_commit(crowded).batch_id != MAINTENANCE) == (7, True)
        assert published(crowded) == expected(crowded)
        assert verified(crowded).differences == ()


class TestVacuum:
    def test_files_of_the_last_7_days_stay(self, crowded: Path) -> None:
        """Even if nothing names them: a merge may be about to."""
        tended(crowded)
        stray = crowded / "lake/orders/order_date=2025-03-30/stray.parquet"
        stray.write_bytes(b"written, not yet committed")
        before = on_disk(crowded)
        grow_old(crowded, timedelta(days=6, hours=23))
        assert tended(crowded) == NOTHING
        assert on_disk(crowded) == before

    def test_what_the_newest_commit_of_7_days_ago_names_stays(self, crowded: Path) -> None:
        """Until a moment ago, everybody read it; what only older commits name is removed."""
        replaced = on_disk(crowded) - named(crowded, 6)
        assert len(replaced) == 1
        assert replaced < named(crowded, 5)
        grow_old(crowded, timedelta(days=8))
        assert tended(crowded) == Maintenance(compacted=COMPACTED, commit=7, vacuumed=1, expired=0)
        assert on_disk(crowded) == named(crowded, 6) | named(crowded, 7)
        assert published(crowded) == expected(crowded)

    def test_a_commit_that_was_the_newest_within_7_days_keeps_its_files(self, crowded: Path) -> None:
        """However old it and its files are; they go a week after it was replaced."""
        grow_old(crowded, timedelta(days=300))
        tended(crowded)
        grow_old(crowded, timedelta(days=6, hours=23))
        assert tended(crowded) == NOTHING
        grow_old(crowded, timedelta(hours=2))
        assert tended(crowded) == replace(NOTHING, vacuumed=29)
        assert on_disk(crowded) == named(crowded, 7)

    def test_the_newest_commit_can_be_read_however_old_it_is(self, crowded: Path) -> None:
        """And a batch can merge on top of it."""
        tended(crowded)
        grow_old(crowded, timedelta(days=400))
        assert tended(crowded, keep_reports=timedelta(days=1000)) == replace(NOTHING, vacuumed=30)
        assert on_disk(crowded) == named(crowded, 7)
        assert verified(crowded) == Verification(commit=7, rows=5, differences=())
        drop_corrections(crowded)
        run(crowded)
        assert published(crowded) == expected(crowded)
        assert verified(crowded).differences == ()

    def test_a_batch_in_flight_keeps_what_it_and_readers_need(self, crowded: Path) -> None:
        """A batch blocked for a month between merge and commit: its files stay, and so do the commit's."""
        drop_corrections(crowded)
        leave_unfinished(crowded, "lake.merging", dataset="order_items")
        grow_old(crowded, timedelta(days=29))
        tended(crowded)
        assert named(crowded, 6) < on_disk(crowded)
        assert verified(crowded) == Verification(commit=6, rows=5, differences=())
        run(crowded)
        assert published(crowded) == expected(crowded)

    def test_what_a_lost_merge_left_behind_goes(self, crowded: Path) -> None:
        """After 7 days, if nothing names it."""
        stray = crowded / "lake/orders/order_date=2025-03-30/stray.parquet"
        stray.write_bytes(b"written, never committed")
        grow_old(stray.parent, timedelta(days=8))
        tended(crowded)
        assert not stray.exists()
        assert published(crowded) == expected(crowded)


class TestLogs:
    def test_every_commit_of_the_last_7_days_can_be_read(self, crowded: Path) -> None:
        """With exactly its files."""
        before = {number: named(crowded, number) for number in range(1, 7)}
        tended(crowded)
        assert {number: named(crowded, number) for number in range(1, 7)} == before
        assert set().union(*before.values()) < on_disk(crowded)

    def test_a_commit_that_was_the_newest_until_now_can_be_read(self, crowded: Path) -> None:
        """Even if its tables' log entries are older than the log's retention."""
        grow_old(crowded, timedelta(days=40))
        before = named(crowded, 6)
        assert tended(crowded).commit == 7
        assert named(crowded, 6) == before
        assert before < on_disk(crowded)

    @pytest.mark.parametrize("version", [18, 19])
    def test_so_can_one_at_the_eve_of_a_checkpoint(self, crowded: Path, version: int) -> None:
        """A table writes a checkpoint every 20 versions, and then drops old log entries; a needed version stays."""
        bring_to(crowded, version)
        before = named(crowded, 7)
        grow_old(crowded, timedelta(days=40))
        assert tended(crowded).commit == 8
        assert named(crowded, 7) == before
        assert before < on_disk(crowded)

    def test_the_newest_commit_can_be_read_while_a_batch_lands(self, crowded: Path) -> None:
        """The first merge after a quiet month writes a checkpoint; until the batch commits, the old version is needed."""
        bring_to(crowded, 18)
        drop_corrections(crowded)
        grow_old(crowded / "lake", timedelta(days=40))
        leave_unfinished(crowded, "lake.merging", dataset="order_items")
        assert verified(crowded) == Verification(commit=7, rows=5, differences=())

    def test_old_entries_go_where_only_the_newest_version_is_needed(self, crowded: Path) -> None:
        """Then tables are read from a checkpoint, and a batch can merge on top."""
        tended(crowded)
        grow_old(crowded, timedelta(days=40))
        tended(crowded)
        log = crowded / "lake/orders/_delta_log"
        assert sorted(path.name for path in log.glob("*.json")) == [f"{6:020}.json"]
        assert published(crowded) == expected(crowded)
        assert verified(crowded) == Verification(commit=7, rows=5, differences=())
        drop_corrections(crowded)
        run(crowded)
        assert published(crowded) == expected(crowded)
        assert verified(crowded).differences == ()


def bring_to(root: Path, version: int) -> None:
    """Bring the table of orders to a version, as many batches would, and write the commit that names it."""
    with opened(root) as shop:
        while (table := shop.ports.tables.snapshot()[Dataset.ORDERS]).version < version:
            first = table.files[0]
            entered_again = AddedFile(
                path=first.path,
                size=1000,
                rows=first.rows,
                order_date=first.order_date,
                minimum={},
                maximum={},
                null_count={},
            )
            change = TableChange(added=(entered_again,), removed=())
            shop.ports.tables.apply(Dataset.ORDERS, change, table, BatchId("b"))
        versions = {dataset: table.version for dataset, table in shop.ports.tables.snapshot().tables.items()}
        commit = Commit(number=7, batch_id=BatchId("b"), versions=versions)
        shop.ports.store.create(layout.commit(7), to_json(commit.to_json()))


class TestOldDocuments:
    def test_reports_are_kept_as_long_as_the_setting_says(self, crowded: Path) -> None:
        """Those of younger batches stay, and so does every batch's own record."""
        records = {path for path in content(crowded) if path.startswith("batches/")}
        reports = crowded / "validation-reports"
        old, *younger = sorted(path.name for path in reports.iterdir())
        count = sum(path.is_file() for path in (reports / old).rglob("*"))
        grow_old(reports / old, timedelta(days=3))
        grow_old(crowded / "batches", timedelta(days=300))
        assert tended(crowded, keep_reports=timedelta(days=4)).expired == 0
        assert tended(crowded, keep_reports=timedelta(days=2)).expired == count == 6
        assert sorted(path.name for path in reports.iterdir()) == younger
        assert {path for path in content(crowded) if path.startswith("batches/")} == records

    def test_manifests_of_batches_that_never_began_go(self, crowded: Path) -> None:
        """After 7 days; until then, their batch may be about to begin."""
        with opened(crowded) as shop:
            for name in ("20250101T000000000000Z-aaaa", "20250101T000000000000Z-bbbb"):
                shop.ports.store.create(layout.manifest(BatchId(name)), b"{}")
        old, young = sorted((crowded / "batches").glob("20250101T*"))
        grow_old(old, timedelta(days=8))
        assert tended(crowded).expired == 1
        assert (old.exists(), young.exists()) == (False, True)

    def test_what_a_finished_batch_left_in_staging_goes(self, crowded: Path) -> None:
        """After 7 days."""
        left = crowded / "staging/20250101T000000000000Z-aaaa/orders/00000.parquet"
        left.parent.mkdir(parents=True)
        left.write_bytes(b"rows")
        assert tended(crowded).expired == 0
        grow_old(left.parent, timedelta(days=8))
        assert tended(crowded).expired == 1
        assert not left.exists()

    def test_those_of_a_batch_in_flight_stay(self, crowded: Path) -> None:
        """However old they are: the batch is completed from manifest, verdicts and staged rows."""
        drop_corrections(crowded)
        unfinished = leave_unfinished(crowded, "lake.merging", dataset="orders")
        places = (f"batches/{unfinished}/", f"staging/{unfinished}/", f".takings/fetched/{unfinished}/")
        before = {path for path in content(crowded) if path.startswith(places)}
        assert {path.split("/")[0] for path in before} == {"batches", "staging", ".takings"}
        grow_old(crowded, timedelta(days=100))
        tended(crowded, keep_reports=timedelta(days=1000))
        assert before <= set(content(crowded))
        (batch,) = run(crowded).batches
        assert (batch.batch_id, batch.attempt) == (unfinished, 2)
        assert published(crowded) == expected(crowded)

    def test_a_manifest_whose_batch_has_just_been_claimed_stays(self, crowded: Path) -> None:
        """It has no lineage yet."""
        with opened(crowded) as shop:
            forming = BatchId("20250101T000000000000Z-aaaa")
            shop.ports.store.create(layout.manifest(forming), b"{}")
            gate = shop.ports.ledger.gate()
            shop.ports.ledger.change_gate(gate.claimed(forming, "somebody", shop.ports.clock.now()))
        grow_old(crowded / "batches" / forming, timedelta(days=100))
        assert tended(crowded) == Maintenance(compacted=COMPACTED, commit=None, vacuumed=0, expired=0)
        assert (crowded / layout.manifest(forming)).exists()

    def test_reports_of_a_batch_in_flight_stay(self, crowded: Path) -> None:
        """Its verdicts are written, so nobody would write the reports again."""
        drop_corrections(crowded)
        unfinished = leave_unfinished(crowded, "lake.merging", dataset="orders")
        reports = crowded / "validation-reports" / unfinished
        before = content(reports)
        assert before
        grow_old(reports, timedelta(days=100))
        tended(crowded)
        assert content(reports) == before


class TestDryRun:
    @pytest.fixture
    def neglected(self, crowded: Path) -> Path:
        """Return a store where every kind of work is due."""
        with opened(crowded) as shop:
            shop.ports.store.create(layout.manifest(BatchId("20250101T000000000000Z-aaaa")), b"{}")
        grow_old(crowded, timedelta(days=100))
        return crowded

    def test_nothing_is_changed(self, neglected: Path) -> None:
        """Not a byte of the store."""
        before = content(neglected)
        tended(neglected, is_dry_run=True)
        assert content(neglected) == before

    def test_it_says_what_would_be_done(self, neglected: Path) -> None:
        """And then exactly that is done."""
        would = tended(neglected, is_dry_run=True)
        assert (would.compacted, would.commit, would.vacuumed, would.expired) == (COMPACTED, None, 1, 33)
        assert tended(neglected) == replace(would, commit=7)
