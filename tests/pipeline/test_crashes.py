"""Whatever dies, and whenever: another run completes the batch, nothing is lost and nothing counts twice."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

import takings
from takings.archive.lineage import RETURNED_TO_PENDING, LineageStatus
from takings.contracts.model import Dataset
from takings.errors import InvariantBreach, MachineryError, StoreError, Superseded
from takings.intake.gate import GateState
from takings.kpis import load_kpi_tables
from takings.lake import AddedFile, TableChange, TableSnapshot
from takings.layout import BatchId
from takings.ports import LakeTables
from takings.runs import pipeline
from takings.runs.pipeline import Ports, RunOutcome
from tests.shop import (
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
    published,
    run,
)

#: by then, any lease has ended
LATER = timedelta(minutes=2)

#: every call that changes something outside the process
STEPS = {
    "store": {"create", "create_each", "create_from", "copy", "fetch", "archive_each", "forget"},
    "ledger": {"change_gate", "begin", "record"},
    "tables": {"prepare", "apply"},
    "kpis": {"publish"},
}


class Killed(BaseException):
    """The process died: it does nothing more, not even cleaning up."""


@dataclass
class Death:
    """A death at the n-th step of a process."""

    at: int
    steps: list[str] = field(default_factory=list)
    is_dead: bool = False

    def before(self, step: str, *, is_counted: bool) -> None:
        """Die before a step; a dead process takes no more steps."""
        if is_counted and not self.is_dead:
            self.is_dead = len(self.steps) == self.at
            self.steps.append(step)
        if self.is_dead:
            raise Killed


class Mortal:
    """A port of a process that dies: it works until then."""

    def __init__(self, port: object, name: str, death: Death) -> None:
        self._port = port
        self._name = name
        self._death = death

    def __getattr__(self, method: str) -> object:
        call = cast("Callable[..., object]", getattr(self._port, method))

        def until_death(*arguments: Any, **named: Any) -> object:
            self._death.before(f"{self._name}.{method}", is_counted=method in STEPS[self._name])
            return call(*arguments, **named)

        return until_death


def mortal(ports: Ports, death: Death) -> Ports:
    """Return the ports of a process that dies."""
    return replace(ports, **{name: Mortal(getattr(ports, name), name, death) for name in STEPS})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with one batch in its lake; no test changes it."""
    root = drop_all(new_store(tmp_path_factory.mktemp("landed") / "shop"))
    drop(root, "order-items/orphan.csv", csv_of(item(4, 4, 2, "1.50")))
    run(root)
    return root


@pytest.fixture
def root(landed: Path, tmp_path: Path) -> Path:
    """Return such a store with another batch pending: a move, an orphan's order, a bad file."""
    root = shutil.copytree(landed, tmp_path / "shop")
    drop(root, "orders/b.csv", csv_of(order(3, "2025-04-01T08:00:00"), order(4)))
    drop(root, "order-items/bad.csv", csv_of(item(5, 1, sale_price="0")))
    return root


#: so the work is spread over processes; each part tries every third step
PARTS = 3


@pytest.mark.parametrize("part", range(PARTS))
def test_a_death_at_any_step_changes_nothing_in_the_end(root: Path, tmp_path: Path, part: int) -> None:
    """The KPIs are the same, every original is in its place exactly once, and every file's history is complete."""
    undisturbed = shutil.copytree(root, tmp_path / "undisturbed")
    run(undisturbed)
    right = published(undisturbed)
    folders = ("raw-data", "processed", "failed", "staging", ".takings/fetched")
    places = files(undisturbed, *folders)

    for at in range(part, 1000, PARTS):
        store = shutil.copytree(root, tmp_path / f"died at {at}")
        death = Death(at)
        with opened(store) as shop:
            try:
                pipeline.run(mortal(shop.ports, death), at_once=True)
            except Killed:
                pass
            else:
                assert at > 20, death.steps
                return
        died_at = f"step {at}, {death.steps[-1]}"
        run(store, later=LATER)
        assert published(store) == right == expected(store), died_at
        assert files(store, *folders) == places, died_at
        # The file being read at that death is tried again alone, the others first.
        ends = [record for record in lineage(store) if record.reason != RETURNED_TO_PENDING]
        statuses = Counter((record.file_key, record.status) for record in ends)
        assert statuses == {
            ("raw-data/products/a.csv", LineageStatus.SUCCESS): 1,
            ("raw-data/orders/a.csv", LineageStatus.SUCCESS): 1,
            ("raw-data/order-items/a.csv", LineageStatus.SUCCESS): 1,
            ("raw-data/order-items/orphan.csv", LineageStatus.SUCCESS): 1,
            ("raw-data/orders/b.csv", LineageStatus.SUCCESS): 1,
            ("raw-data/order-items/bad.csv", LineageStatus.FAILED): 1,
        }, died_at


def test_an_error_lets_go_of_the_batch(root: Path) -> None:
    """After three attempts; the next run resumes the same batch at once, without waiting for the lease."""

    class FullDisk:
        def __init__(self, port: object) -> None:
            self._port = port

        def __getattr__(self, method: str) -> object:
            if method == "apply":
                raise StoreError("lake/orders: no space left on device.")
            return getattr(self._port, method)

    with opened(root) as shop:
        with pytest.raises(StoreError, match="no space left on device"):
            pipeline.run(replace(shop.ports, tables=cast("Any", FullDisk(shop.ports.tables))), at_once=True)
        left = shop.ports.ledger.gate()
    assert (left.state, left.owner, left.attempt) == (GateState.RUNNING, None, 3)
    (batch,) = run(root).batches
    assert (batch.batch_id, batch.attempt) == (left.batch_id, 4)
    assert published(root) == expected(root)


@dataclass
class Contested:
    """Lake tables to which another writer commits once, between reading and writing."""

    tables: LakeTables
    is_contested: bool = False

    def __getattr__(self, method: str) -> object:
        return getattr(self.tables, method)

    def apply(self, dataset: Dataset, change: TableChange, base: TableSnapshot, batch_id: BatchId) -> None:
        """Remove every file of the table and add it again, in two commits, then try the change."""
        if base.files and not self.is_contested:
            self.is_contested = True
            self.tables.apply(dataset, TableChange(added=(), removed=base.files), base, batch_id)
            files_again = tuple(
                AddedFile(
                    path=file.path,
                    size=1000,
                    rows=file.rows,
                    order_date=file.order_date,
                    minimum={},
                    maximum={},
                    null_count={},
                )
                for file in base.files
            )
            emptied = self.tables.snapshot()[dataset]
            self.tables.apply(dataset, TableChange(added=files_again, removed=()), emptied, batch_id)
        self.tables.apply(dataset, change, base, batch_id)


def test_a_merge_that_loses_to_another_writer_reads_again(root: Path) -> None:
    """It computes its rows from the newer version."""
    with opened(root) as shop:
        contested = Contested(shop.ports.tables)
        pipeline.run(replace(shop.ports, tables=cast("LakeTables", contested)), at_once=True)
    assert contested.is_contested
    assert published(root) == expected(root)


def test_contradicting_measures_block_the_batch_until_it_is_unblocked(root: Path) -> None:
    """Nothing is published and nothing is archived; runs refuse with the reason."""
    before = published(root)
    wrong = tuple(
        replace(table, sql=table.sql.replace("count(distinct user_id)", "count(*) + 1")) for table in load_kpi_tables()
    )
    with opened(root) as shop:
        with pytest.raises(InvariantBreach):
            pipeline.run(replace(shop.ports, kpi_tables=wrong), at_once=True)
        blocked = shop.ports.ledger.gate()
    assert (blocked.state, blocked.owner) == (GateState.BLOCKED, None)
    assert published(root) == before
    assert files(root, "raw-data") == ["raw-data/order-items/bad.csv", "raw-data/orders/b.csv"]
    with pytest.raises(MachineryError, match=r"is blocked: KPIs of day .* Then run `takings unblock STORE`\."):
        run(root)

    assert takings.open(root).unblock() == blocked.batch_id
    (batch,) = run(root).batches
    assert (batch.batch_id, batch.attempt) == (blocked.batch_id, 2)
    assert published(root) == expected(root)


def world(root: Path, ports: Ports) -> object:
    """Return everything that a superseded attempt must not change."""
    return (
        files(root, "raw-data", "processed", "failed", "batches", "lake/commits"),
        {dataset: table.version for dataset, table in ports.tables.snapshot().tables.items()},
        kpi_rows(ports),
        list(ports.ledger.lineage()),
        ports.ledger.gate(),
    )


@pytest.mark.parametrize("fact", ["file.validating", "file.judged", "lake.merging", "kpis.computing", "kpis.published"])
def test_a_superseded_attempt_ends_without_a_side_effect(root: Path, fact: str) -> None:
    """Once another attempt has taken over, the first one changes nothing; the other completes the batch."""
    after: list[object] = []
    with opened(root) as shop, opened(root) as other:

        def take_over(told: str, _: Mapping[str, object]) -> None:
            if told == fact and not after:
                gate = shop.ports.ledger.gate()
                other.ports.ledger.change_gate(gate.resumed("somebody else", shop.ports.clock.now()))
                after.append(world(root, other.ports))

        with pytest.raises(Superseded, match="attempt 1 lost the gate to a newer one"):
            pipeline.run(replace(shop.ports, tell=take_over), at_once=True)
        assert [world(root, other.ports)] == after
    (batch,) = run(root, later=LATER).batches
    assert batch.attempt == 3
    assert published(root) == expected(root)


def test_an_attempt_superseded_before_its_first_step_leaves_no_story(root: Path) -> None:
    """Another run completed the batch while it slept; every file's history is that run's."""
    with opened(root) as shop, opened(root, later=LATER) as other:
        completed: list[RunOutcome] = []

        def sleep(told: str, _: Mapping[str, object]) -> None:
            if told == "batch.dispatched" and not completed:
                completed.append(pipeline.run(other.ports, at_once=True))

        with pytest.raises(Superseded):
            pipeline.run(replace(shop.ports, tell=sleep), at_once=True)
    assert Counter((record.file_key, record.status) for record in lineage(root)) == {
        ("raw-data/products/a.csv", LineageStatus.SUCCESS): 1,
        ("raw-data/orders/a.csv", LineageStatus.SUCCESS): 1,
        ("raw-data/order-items/a.csv", LineageStatus.SUCCESS): 1,
        ("raw-data/order-items/orphan.csv", LineageStatus.SUCCESS): 1,
        ("raw-data/orders/b.csv", LineageStatus.SUCCESS): 1,
        ("raw-data/order-items/bad.csv", LineageStatus.FAILED): 1,
    }
    assert published(root) == expected(root)


def test_of_two_who_find_an_abandoned_batch_one_resumes_it(root: Path) -> None:
    """The other one sees that the batch is done, and has nothing to do."""

    def fail(told: str, _: Mapping[str, object]) -> None:
        if told == "kpis.computing":
            raise KeyboardInterrupt

    with opened(root) as shop, opened(root) as other:
        with pytest.raises(KeyboardInterrupt):
            pipeline.run(replace(shop.ports, tell=fail), at_once=True)
        completed: list[RunOutcome] = []

        class Slow:
            """A clock that lets the other run finish before its first answer."""

            def now(self) -> Any:
                if not completed:
                    completed.append(pipeline.run(other.ports, at_once=True))
                return shop.ports.clock.now()

            def sleep(self, seconds: float) -> None:
                shop.ports.clock.sleep(seconds)

        outcome = pipeline.run(replace(shop.ports, clock=Slow()), at_once=True)
    assert [[batch.attempt for batch in run_.batches] for run_ in (*completed, outcome)] == [[2], []]
    assert published(root) == expected(root)


def test_a_run_beside_a_living_owner_waits_for_it(root: Path) -> None:
    """Then it takes what is pending."""
    with opened(root) as shop, opened(root) as other:
        waited: list[RunOutcome] = []

        class Waiting:
            """A clock whose first sleep lets the owner finish."""

            def now(self) -> Any:
                return shop.ports.clock.now()

            def sleep(self, _: float) -> None:
                assert not waited
                waited.append(owner_finishes())

        gate = shop.ports.ledger.gate()
        claimed = gate.claimed(BatchId("b"), other.ports.owners.me(), shop.ports.clock.now())
        other.ports.ledger.change_gate(claimed)

        def owner_finishes() -> RunOutcome:
            done = claimed.released(last_commit=gate.last_commit, landed=())
            other.ports.ledger.change_gate(done)
            return RunOutcome(batches=(), decision=pipeline.NothingPending(), sighting=cast("Any", None))

        outcome = pipeline.run(replace(shop.ports, clock=Waiting()), at_once=True)
    assert len(waited) == 1
    assert [len(batch.reports) for batch in outcome.batches] == [2]


def test_bytes_that_change_while_they_are_read_go_back_to_pending(root: Path) -> None:
    """The batch continues without the file; its newer bytes are taken next."""
    changed: list[str] = []

    def overwrite(told: str, known: Mapping[str, object]) -> None:
        key = str(known.get("key"))
        if told == "file.validating" and key.endswith("orders/b.csv") and not changed:
            changed.append(key)
            with (root / key).open("ab") as file:
                file.write(csv_of(order(5)).split(b"\n", 1)[1])

    with opened(root) as shop:
        outcome = pipeline.run(replace(shop.ports, tell=overwrite), at_once=True)
    assert [(batch.returned, len(batch.reports)) for batch in outcome.batches] == [
        (("raw-data/orders/b.csv",), 1),
        ((), 1),
    ]
    story = [record for record in lineage(root) if record.file_key == "raw-data/orders/b.csv"]
    assert [(record.status, record.reason) for record in story] == [
        (LineageStatus.FAILED, "returned to pending"),
        (LineageStatus.SUCCESS, None),
    ]
    assert published(root) == expected(root)


def test_a_file_replaced_while_its_batch_runs_is_the_next_batchs(root: Path) -> None:
    """The bytes that were read are archived, the newer ones wait, and both count in order."""
    newer = csv_of(order(4, "2025-04-02T08:00:00"))

    def replace_file(told: str, _: Mapping[str, object]) -> None:
        if told == "lake.committed" and not (root / "raw-data" / "orders" / "newer.csv").exists():
            drop(root, "orders/b.csv", newer)
            (root / "raw-data" / "orders" / "newer.csv").touch()

    with opened(root) as shop:
        outcome = pipeline.run(replace(shop.ports, tell=replace_file), at_once=True)
    keys = [sorted(report.file for report in batch.reports) for batch in outcome.batches]
    assert keys == [["b.csv", "bad.csv"], ["b.csv", "newer.csv"]]
    assert [path for path in files(root, "processed") if path.endswith("b.csv")] == ["processed/orders/b.csv"] * 2
    assert published(root) == expected(root)


def test_a_file_appended_to_while_its_batch_runs_is_the_next_batchs(root: Path) -> None:
    """What was validated is archived, without the new rows; the longer file is another arrival."""
    judged = (root / "raw-data" / "orders" / "b.csv").read_bytes()
    longer = judged + csv_of(order(5)).split(b"\n", 1)[1]

    def append(told: str, _: Mapping[str, object]) -> None:
        path = root / "raw-data" / "orders" / "b.csv"
        if told == "lake.committed" and path.exists() and path.read_bytes() == judged:
            with path.open("ab") as file:
                file.write(longer.removeprefix(judged))

    with opened(root) as shop:
        outcome = pipeline.run(replace(shop.ports, tell=append), at_once=True)
    assert [sorted(report.file for report in batch.reports) for batch in outcome.batches] == [
        ["b.csv", "bad.csv"],
        ["b.csv"],
    ]
    archived = [record.archived_at for record in lineage(root) if record.file_key == "raw-data/orders/b.csv"]
    assert [(root / str(place)).read_bytes() for place in archived] == [judged, longer]
    assert published(root) == expected(root)
