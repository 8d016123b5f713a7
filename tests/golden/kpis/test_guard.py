"""Whoever writes late, twice or at the same time as others: the newest commit's numbers stay, and they are right."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, cast

import pytest
from deltalake import DeltaTable

from takings.batch.publish import publish
from takings.contracts.model import Dataset
from takings.errors import MachineryError, Superseded
from takings.kpis import KpiRow, KpiTable
from takings.lake import Commit, TableChange, TableSnapshot, everything
from takings.layout import BatchId
from takings.ports import KpiStore, LakeTables
from takings.queries import verification
from takings.runs import pipeline
from takings.runs.pipeline import Ports
from tests.shop import (
    csv_of,
    drop,
    drop_all,
    expected,
    item,
    new_store,
    opened,
    order,
    product,
    published,
    run,
)

#: by then, any lease has ended
LATER: Final = timedelta(minutes=2)
MONDAY: Final = date(2025, 3, 31)


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with two batches of the same days in its lake, so there is something to compact."""
    root = drop_all(new_store(tmp_path_factory.mktemp("landed") / "shop"))
    run(root)
    drop(root, "products/more.csv", csv_of(product(4)))
    drop(root, "orders/more.csv", csv_of(order(5), order(6, "2025-03-31T09:00:00")))
    drop(root, "order-items/more.csv", csv_of(item(11, 5, 4, "2.50"), item(12, 6, 9), item(13, 7, 2)))
    run(root)
    return root


@pytest.fixture
def root(landed: Path, tmp_path: Path) -> Path:
    """Return such a store with a pending batch that changes everything that can change."""
    root = shutil.copytree(landed, tmp_path / "shop")
    drop(root, "products/b.csv", csv_of(product(1, "Toys"), product(9, "Games")))
    drop(root, "orders/b.csv", csv_of(order(3, "2025-04-01T08:00:00"), order(6), order(7)))
    drop(root, "order-items/b.csv", csv_of(item(2, 1, 1, "7.77"), item(11, 5, 404), item(14, 3, 3)))
    return root


def is_right(root: Path) -> bool:
    """Return whether the published numbers agree with the oracle and the lake."""
    with opened(root) as shop:
        differences = verification.verify(shop.ports).differences
    return published(root) == expected(root) and not differences


# The guard


def commit_of(ports: Ports, number: int) -> Commit:
    """Return a commit record."""
    content = ports.store.read(f"lake/commits/{number}.json")
    assert content is not None
    return Commit.from_json(json.loads(content))


def test_an_older_commit_undoes_nothing(root: Path) -> None:
    """Not changed numbers, not removed days, and not days that it does not know; and each refusal is counted."""
    run(root)
    right = published(root)
    with opened(root) as shop:
        before = {table.name: list(shop.ports.kpis.rows(table)) for table in shop.ports.kpi_tables}
        newer = [row.key for rows in before.values() for row in rows if row.commit == 3]
        late = publish(shop.ports, commit_of(shop.ports, 1), everything(), lambda: None)
        after = {table.name: list(shop.ports.kpis.rows(table)) for table in shop.ports.kpi_tables}
    assert {(MONDAY,), ("Books", date(2025, 3, 30)), ("Games", date(2025, 3, 30))} <= set(newer)
    assert late.overtaken >= len(newer)
    assert sum(late.keys.values()) == sum(row.commit == 1 for rows in before.values() for row in rows)
    assert [row.values for row in after["OrderKPIs"]] == [row.values for row in before["OrderKPIs"]]
    assert [row.commit for row in after["CategoryKPIs"]] == [row.commit for row in before["CategoryKPIs"]]
    assert published(root) == right
    assert is_right(root)


@dataclass
class Paused:
    """A KPI store whose writer falls asleep right before its n-th write, after every check."""

    kpis: KpiStore
    at: int
    meanwhile: Callable[[], object]
    #: rows that the guard refused when it woke up
    refused: Sequence[KpiRow] = ()

    def __getattr__(self, method: str) -> object:
        return getattr(self.kpis, method)

    def publish(self, table: KpiTable, rows: Sequence[KpiRow]) -> Sequence[KpiRow]:
        """Let others run before the write."""
        self.at -= 1
        if self.at:
            return self.kpis.publish(table, rows)
        self.meanwhile()
        self.refused = self.kpis.publish(table, rows)
        return self.refused


@pytest.mark.parametrize("at", [1, 2], ids=["OrderKPIs", "CategoryKPIs"])
def test_a_writer_that_wakes_up_late_undoes_nothing(root: Path, at: int) -> None:
    """Another run completed its batch, and the next batch after it, while it slept."""
    with opened(root) as shop, opened(root, later=LATER) as other:

        def meanwhile() -> None:
            drop(root, "orders/c.csv", csv_of(order(3, status="returned"), order(7, "2025-04-02T00:00:00")))
            drop(root, "products/c.csv", csv_of(product(1, "Books"), product(3, "Games")))
            finished, further = pipeline.run(other.ports, at_once=True).batches
            assert (finished.attempt, finished.commit, further.attempt, further.commit) == (2, 3, 1, 4)

        paused = Paused(shop.ports.kpis, at, meanwhile)
        with pytest.raises(Superseded):
            pipeline.run(replace(shop.ports, kpis=cast("KpiStore", paused)), at_once=True)
    assert paused.refused
    assert {row.commit for row in paused.refused} == {3}
    assert is_right(root)


# Merges that lose


def compact(root: Path, dataset: Dataset) -> None:
    """Merge a table's small files, as maintenance does: the same rows in another version."""
    table = DeltaTable(str(root / "lake" / dataset.value))
    table.optimize.compact()


@dataclass
class Compacted:
    """Lake tables that are compacted once each, between a merge's reading and writing."""

    tables: LakeTables
    root: Path
    datasets: set[Dataset]

    def __getattr__(self, method: str) -> object:
        return getattr(self.tables, method)

    def apply(self, dataset: Dataset, change: TableChange, base: TableSnapshot, batch_id: BatchId) -> None:
        """Compact, then try the change."""
        if dataset in self.datasets:
            self.datasets.remove(dataset)
            compact(self.root, dataset)
            assert self.tables.snapshot()[dataset].version > base.version
        self.tables.apply(dataset, change, base, batch_id)


@pytest.mark.parametrize("datasets", [*([dataset] for dataset in Dataset), list(Dataset)], ids=str)
def test_a_merge_that_loses_to_a_compaction_reads_again(root: Path, datasets: list[Dataset]) -> None:
    """No row is lost with the removed files, and no replaced row stays."""
    with opened(root) as shop:
        compacted = Compacted(shop.ports.tables, root, set(datasets))
        (batch,) = pipeline.run(replace(shop.ports, tables=cast("LakeTables", compacted)), at_once=True).batches
    assert (batch.attempt, compacted.datasets) == (1, set())
    assert is_right(root)


def test_a_merge_that_always_loses_gives_up_and_is_completed_later(root: Path) -> None:
    """Something is wrong then; the batch stays, and the next run completes it."""

    class Lost:
        def __init__(self, tables: LakeTables) -> None:
            self.tables = tables

        def __getattr__(self, method: str) -> object:
            return getattr(self.tables, method)

        def apply(self, dataset: Dataset, change: TableChange, base: TableSnapshot, batch_id: BatchId) -> None:
            older = replace(base, version=base.version - 1) if dataset is Dataset.ORDERS else base
            self.tables.apply(dataset, change, older, batch_id)

    with opened(root) as shop, pytest.raises(MachineryError, match="merges in a row lost to another writer"):
        pipeline.run(replace(shop.ports, tables=cast("LakeTables", Lost(shop.ports.tables))), at_once=True)
    (batch,) = run(root).batches
    assert batch.attempt == 4
    assert is_right(root)


# Crashes around publication


class Killed(BaseException):
    """The process died."""


@dataclass
class Fatal:
    """A port that kills the process at the n-th call of a method, before or after the call took effect."""

    port: object
    method: str
    left: int
    is_done: bool
    fault: type[BaseException]

    def __getattr__(self, method: str) -> object:
        call = cast("Callable[..., object]", getattr(self.port, method))
        if method != self.method:
            return call

        def fatal(*values: Any, **named: Any) -> object:
            self.left -= 1
            if self.left:
                return call(*values, **named)
            if self.is_done:
                call(*values, **named)
            raise self.fault("no space left on device.")

        return fatal


#: what a batch does from its point of no return to its archive, as the n-th call of a port's method
MOMENTS: Final = {
    "the merge of products": ("tables", "apply", 1),
    "the merge of orders": ("tables", "apply", 2),
    "the merge of order items": ("tables", "apply", 3),
    "publishing days": ("kpis", "publish", 1),
    "publishing categories": ("kpis", "publish", 2),
    "archiving the first file": ("store", "archive_each", 1),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
def test_a_crash_between_merges_and_around_publication(root: Path, moment: str, is_done: bool) -> None:
    """Resumed after a compaction and with newer files pending, it reaches the same numbers."""
    fault = KeyboardInterrupt if is_done else Killed
    port, method, number = MOMENTS[moment]
    with opened(root) as shop:
        fatal = Fatal(getattr(shop.ports, port), method, number, is_done, fault)
        ports = replace(shop.ports, **cast("Any", {port: fatal}))
        with pytest.raises(fault):
            pipeline.run(ports, at_once=True)
    compact(root, Dataset.ORDER_ITEMS)
    drop(root, "orders/c.csv", csv_of(order(3, "2025-04-02T00:00:00"), order(1, "2025-04-01T08:00:00")))
    run(root, later=LATER)
    assert is_right(root)
    assert not list((root / "raw-data").rglob("*.csv"))
