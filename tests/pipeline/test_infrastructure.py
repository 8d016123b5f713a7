"""What breaks around a batch is no file's fault: it is retried or given back, and only a file that kills is set aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from takings.archive.lineage import RETURNED_TO_PENDING, LineageStatus
from takings.errors import StoreError
from takings.intake.gate import LEASE, GateState
from takings.ports import ObjectStore
from takings.runs import pipeline
from takings.runs.pipeline import Ports
from takings.validation.findings import Verdict
from tests.shop import csv_of, drop, drop_all, expected, files, item, lineage, new_store, opened, published, run


class Killed(BaseException):
    """The process died: it does nothing more, not even cleaning up."""


@dataclass
class Failing:
    """A store with a method that fails several times."""

    store: ObjectStore
    method: str
    times: int

    def __getattr__(self, name: str) -> Any:
        if name == self.method and self.times:
            self.times -= 1
            raise StoreError("no space left on device.")
        return getattr(self.store, name)


def failing(ports: Ports, method: str, times: int) -> Ports:
    """Return ports whose store fails."""
    return replace(ports, store=cast("ObjectStore", Failing(ports.store, method, times)))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a store with one file of each dataset pending."""
    return drop_all(new_store(tmp_path / "shop"))


def test_what_passes_is_tried_again_as_the_next_attempt(root: Path) -> None:
    """Two failures, a pause after each, and the batch succeeds."""
    told: list[tuple[str, Mapping[str, object]]] = []
    with opened(root) as shop:
        ports = replace(failing(shop.ports, "fetch", 2), tell=lambda fact, known: told.append((fact, known)))
        began = shop.ports.clock.now()
        (batch,) = pipeline.run(ports, at_once=True).batches
        waited = (shop.ports.clock.now() - began).total_seconds()
    assert batch.attempt == 3
    assert [known["in_seconds"] for fact, known in told if fact == "batch.retrying"] == [1.0, 4.0]
    assert waited > 5
    assert published(root) == expected(root)


def test_what_does_not_pass_gives_the_files_back(root: Path) -> None:
    """Before the point of no return: no file is refused, all are pending again, and the gate is free."""
    with opened(root) as shop:
        with pytest.raises(StoreError, match="no space left"):
            pipeline.run(failing(shop.ports, "fetch", 3), at_once=True)
        assert shop.ports.ledger.gate().state is GateState.IDLE
    assert {(record.status, record.reason) for record in lineage(root)} == {(LineageStatus.FAILED, RETURNED_TO_PENDING)}
    assert len(files(root, "raw-data")) == 3
    assert files(root, "failed", "processed", "staging", ".takings/fetched") == []
    run(root)
    assert published(root) == expected(root)


def test_from_the_point_of_no_return_on_the_files_stay_with_the_batch(root: Path) -> None:
    """It stays to be resumed, however often it fails."""
    with opened(root) as shop:
        with pytest.raises(StoreError):
            pipeline.run(failing(shop.ports, "archive_each", 3), at_once=True)
        left = shop.ports.ledger.gate()
    assert (left.state, left.owner, left.attempt) == (GateState.RUNNING, None, 3)
    (batch,) = run(root).batches
    assert (batch.batch_id, batch.attempt) == (left.batch_id, 4)
    assert published(root) == expected(root)


def test_the_first_fault_is_told_where_the_gate_cannot_be_written_either(root: Path) -> None:
    """The second one is in its notes."""
    with opened(root) as shop:

        class FullLedger:
            is_full = False

            def __getattr__(self, name: str) -> Any:
                if name == "change_gate" and self.is_full:
                    raise StoreError("takings.db: the disk is full.")
                return getattr(shop.ports.ledger, name)

        full = FullLedger()

        class FullStore:
            def __getattr__(self, name: str) -> Any:
                if name in {"create", "create_each"}:
                    full.is_full = shop.ports.ledger.gate().state is GateState.RUNNING
                if name in {"create", "create_each"} and full.is_full:
                    raise StoreError("lake/: the disk is full.")
                return getattr(shop.ports.store, name)

        ports = replace(shop.ports, store=cast("ObjectStore", FullStore()), ledger=cast("Any", full))
        with pytest.raises(StoreError, match="lake/: the disk is full") as found:
            pipeline.run(ports, at_once=True)
    assert found.value.__notes__ == ["The batch could not be released either: takings.db: the disk is full."]
    run(root)
    assert published(root) == expected(root)


KEY = "raw-data/order-items/poison.csv"


class Mortal:
    """A port of a process that may die."""

    def __init__(self, port: object, deaths: list[str]) -> None:
        self._port = port
        self._deaths = deaths

    def __getattr__(self, name: str) -> Any:
        if self._deaths:
            raise Killed
        return getattr(self._port, name)


class Reader(Mortal):
    """A validation engine that a file kills."""

    def read_structure(self, path: Path, *arguments: Any) -> Any:
        """Die of the deadly file."""
        if path.name == Path(KEY).name:
            self._deaths.append(path.name)
            raise Killed
        return self._port.read_structure(path, *arguments)  # type: ignore[attr-defined]


def die_reading(root: Path, *, leases: int) -> None:
    """Run until the process dies of the deadly file, this many leases from now."""
    deaths: list[str] = []
    with opened(root, later=leases * LEASE) as shop:
        mortal = {name: Mortal(getattr(shop.ports, name), deaths) for name in ("store", "ledger", "tables", "kpis")}
        ports = replace(shop.ports, validation=Reader(shop.ports.validation, deaths), **mortal)  # type: ignore[arg-type]
        with pytest.raises(Killed):
            pipeline.run(ports, at_once=True)


def suspects(root: Path) -> list[tuple[str, int]]:
    """Return the suspected files and how many deaths each is blamed for."""
    with opened(root) as shop:
        return [(suspect.key, suspect.deaths) for suspect in shop.ports.ledger.gate().suspects]


@pytest.fixture
def poisonous(root: Path) -> Path:
    """Return a store with a fourth file, which has killed its reader once."""
    drop(root, "order-items/poison.csv", csv_of(item(7, 1)))
    die_reading(root, leases=0)
    return root


def test_a_file_that_killed_its_reader_is_tried_alone_and_may_be_sound(poisonous: Path) -> None:
    """Something else may have killed the process; the other files do not wait for it."""
    others, alone = run(poisonous, later=2 * LEASE).batches
    assert [len(batch.reports) for batch in (others, alone)] == [3, 1]
    assert (alone.reports[0].key, alone.reports[0].verdict) == (KEY, Verdict.ACCEPTED)
    assert suspects(poisonous) == []
    assert published(poisonous) == expected(poisonous)


def test_a_file_that_kills_its_reader_is_refused_unread_after_three_deaths(poisonous: Path) -> None:
    """First with others, then twice alone; it goes to failed/ with that reason."""
    die_reading(poisonous, leases=2)
    assert suspects(poisonous) == [(KEY, 1)]
    die_reading(poisonous, leases=4)
    assert suspects(poisonous) == [(KEY, 2)]
    (batch,) = run(poisonous, later=6 * LEASE).batches
    (report,) = batch.reports
    assert (report.key, report.verdict, dict(report.errors)) == (KEY, Verdict.REJECTED, {"file|kills_reader": 1})
    assert report.reason == "reading it killed the process 3 times, the last time alone. It was not read again."
    assert files(poisonous, "failed") == [
        "failed/order_items/poison.csv",
        "failed/order_items/poison.csv.reason.json",
    ]
    assert suspects(poisonous) == []
    assert published(poisonous) == expected(poisonous)


def test_bytes_that_were_overwritten_stay_with_their_batch(poisonous: Path) -> None:
    """The batch holds the only copy, so it is not given up for the suspect; the next batch takes the new bytes, unsuspected."""
    drop(poisonous, "order-items/poison.csv", csv_of(item(7, 2)))
    resumed, new = run(poisonous, later=2 * LEASE).batches
    assert (resumed.attempt, len(resumed.reports)) == (2, 4)
    assert [report.file for report in new.reports] == ["poison.csv"]
    assert suspects(poisonous) == []
    assert published(poisonous) == expected(poisonous)
