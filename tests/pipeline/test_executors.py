"""Executors validate a batch's files: what is decided does not depend on them, and a file that kills them is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from takings.batch.validate_one import validate_one
from takings.contracts.model import Dataset
from takings.errors import OutOfDisk, ReaderDied
from takings.intake.gate import MOST_DEATHS, GateState, Suspect
from takings.ports import FileToValidate
from takings.runs import pipeline
from takings.runs.pipeline import Ports, RunOutcome
from takings.validation.findings import Verdict
from takings.validation.validated import ValidatedFile
from tests.shop import ITEMS, csv_of, drop, drop_all, expected, files, item, lineage, opened, order, published

KILLER = "raw-data/orders/b.csv"


@dataclass
class Executors:
    """Executors in this process: one at a time works, as many as asked are busy, and some die."""

    ports: Ports
    #: returns whether the executor dies that reads this key for the n-th time
    dies: Callable[[str, int], bool] = lambda _key, _time: False
    #: by key, how often it was asked for
    asked: Counter[str] = field(default_factory=Counter)
    _turn: Lock = field(default_factory=Lock)

    def begin(self) -> int:
        """Return how many may be asked for."""
        return 4

    def validate(self, file: FileToValidate, staged: Mapping[Dataset, Path]) -> Callable[[], ValidatedFile] | None:
        """Validate with this process's engine."""
        ports, arrival = self.ports, file.arrival
        with self._turn:
            self.asked[arrival.key] += 1
            if self.dies(arrival.key, self.asked[arrival.key]):
                raise ReaderDied(arrival.key, "it has died")
            path = ports.store.fetch(arrival.source, arrival.etag, file.batch_id)
            if path is None:
                return None
            work = ports.store.staging(file.batch_id) / f"work {file.place} {self.asked[arrival.key]}"
            found = validate_one(file, ports.validation, ports.sources, path, workspace=work, staged=staged)
        return lambda: found

    def interrupt(self) -> None:
        """Do nothing: all end soon."""


def run_with(root: Path, **how: Any) -> tuple[RunOutcome, Executors]:
    """Process what is pending with executors."""
    with opened(root) as shop:
        executors = Executors(shop.ports, **how)
        outcome = pipeline.run(replace(shop.ports, executors=executors), at_once=True)
        assert shop.ports.ledger.gate().state is GateState.IDLE
        assert shop.ports.ledger.gate().suspects == ()
    return outcome, executors


@pytest.fixture
def root(root: Path) -> Path:
    """Return a store with the three standard files and a second one of orders pending."""
    drop_all(root)
    drop(root, "orders/b.csv", csv_of(order(4), order(5)))
    return root


def test_each_file_is_asked_for_once(root: Path) -> None:
    """And the numbers are those of any run."""
    outcome, executors = run_with(root)
    assert set(executors.asked.values()) == {1}
    assert [report.verdict for report in outcome.batches[0].reports] == [Verdict.ACCEPTED] * 4
    assert published(root) == expected(root)


def test_copies_are_decided_in_the_order_of_the_manifest(root: Path) -> None:
    """Whichever executor is faster."""
    drop(root, "order-items/b.csv", ITEMS)
    outcome, _ = run_with(root)
    copies = {report.key: report.duplicate_of for report in outcome.batches[0].reports if report.duplicate_of}
    assert copies == {"raw-data/order-items/b.csv": "raw-data/order-items/a.csv"}
    assert published(root) == expected(root)


def test_an_executor_that_dies_with_several_files_charges_none(root: Path) -> None:
    """Each is tried again, alone; what killed them together is no file."""
    outcome, executors = run_with(root, dies=lambda _, time: time == 1)
    assert set(executors.asked.values()) == {2}
    assert [report.verdict for report in outcome.batches[0].reports] == [Verdict.ACCEPTED] * 4
    assert outcome.batches[0].attempt == 1
    assert published(root) == expected(root)


def test_a_file_that_kills_every_executor_is_refused_and_holds_up_no_other(root: Path) -> None:
    """The others' batch goes on without it; then it is tried alone, until it has died often enough."""
    outcome, executors = run_with(root, dies=lambda key, _: key == KILLER)
    without, alone = outcome.batches
    assert [report.verdict for report in without.reports] == [Verdict.ACCEPTED] * 3
    assert [(report.key, report.verdict) for report in alone.reports] == [(KILLER, Verdict.REJECTED)]
    # Once with the others, which charges nobody.
    assert executors.asked[KILLER] == 1 + MOST_DEATHS
    assert files(root, "failed") == ["failed/orders/b.csv", "failed/orders/b.csv.reason.json"]
    assert published(root) == expected(root)


def test_a_death_alone_is_remembered_by_the_gate(root: Path) -> None:
    """Another process continues to count."""

    def dies(key: str, time: int) -> bool:
        if key == KILLER and time == 3:
            raise KeyboardInterrupt
        return key == KILLER

    with opened(root) as shop:
        executors = Executors(shop.ports, dies=dies)
        with pytest.raises(KeyboardInterrupt):
            pipeline.run(replace(shop.ports, executors=executors), at_once=True)
        (suspect,) = shop.ports.ledger.gate().suspects
    assert suspect == Suspect(key=KILLER, etag=suspect.etag, deaths=1)
    _, executors = run_with(root, dies=lambda key, _: key == KILLER)
    assert executors.asked[KILLER] == MOST_DEATHS - 1


def test_broken_machinery_condemns_no_file(root: Path) -> None:
    """What an executor lacks is tried again, and then the files are given back."""

    def lacks(key: str, _: int) -> bool:
        if key == KILLER:
            raise OutOfDisk("the executor's disk is full.")
        return False

    with opened(root) as shop, pytest.raises(OutOfDisk):
        pipeline.run(replace(shop.ports, executors=Executors(shop.ports, dies=lacks)), at_once=True)
    assert files(root, "failed", "processed", "staging") == []
    run_with(root)
    assert published(root) == expected(root)


def test_bytes_that_are_overwritten_before_they_are_read_go_back(root: Path) -> None:
    """As in a run without executors."""

    def overwrites(key: str, time: int) -> bool:
        if (key, time) == (KILLER, 1):
            drop(root, "orders/b.csv", csv_of(order(4), order(6)))
        return False

    outcome, _ = run_with(root, dies=overwrites)
    assert [batch.returned for batch in outcome.batches] == [(KILLER,), ()]
    assert published(root) == expected(root)


def test_a_resumed_batch_is_read_at_once_again(root: Path) -> None:
    """The process that died had read no file, so none is suspected and none has to be read alone."""

    class Killed(BaseException):
        """The driver died."""

    def dies(key: str, _: int) -> bool:
        if key == KILLER:
            raise Killed
        return False

    with opened(root) as shop:
        with pytest.raises(Killed):
            pipeline.run(replace(shop.ports, executors=Executors(shop.ports, dies=dies)), at_once=True)
        assert shop.ports.ledger.gate().reading is None
    outcome, _ = run_with(root)
    assert [batch.attempt for batch in outcome.batches] == [2]
    assert {record.verdict for record in lineage(root)} == {Verdict.ACCEPTED}


def test_a_row_that_is_refused_is_set_aside_as_ever(root: Path) -> None:
    """Reasons and quarantine are written from what the executor found."""
    drop(root, "order-items/c.csv", csv_of(*(item(each, 1) for each in range(10, 200)), item(200, 1, status="lost")))
    with opened(root, policy="row") as shop:
        outcome = pipeline.run(replace(shop.ports, executors=Executors(shop.ports)), at_once=True)
    counts = {report.file: report.records.rejected for report in outcome.batches[0].reports}
    assert counts["c.csv"] == 1
    (quarantined,) = (root / "quarantine").rglob("c.csv")
    assert quarantined.read_text().splitlines()[1].startswith("200,1,1,7,lost")
    assert published(root) == expected(root)
