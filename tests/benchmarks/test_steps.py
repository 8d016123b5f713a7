"""The steps of a batch are told apart by its events."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.drops import drops, new_store
from benchmarks.steps import STEPS, Mark, costs, main


def mark(fact: str, wall: float, processor: float) -> Mark:
    return Mark(fact=fact, wall=wall, processor=processor)


BATCH = [
    mark("batch.dispatched", 10.0, 1.0),
    mark("file.judged", 11.0, 2.0),
    mark("file.judged", 13.0, 5.0),
    mark("kpis.computing", 14.0, 6.5),
    mark("kpis.published", 14.5, 7.0),
    mark("kpis.published", 15.0, 8.0),
    mark("batch.done", 15.5, 8.25),
]


def test_a_step_ends_with_its_last_event() -> None:
    assert costs(BATCH) == {"validate": (3.0, 4.0), "merge": (1.0, 1.5), "kpis": (1.0, 1.5), "archive": (0.5, 0.25)}


@pytest.mark.parametrize(
    ("marks", "cause"),
    [(BATCH[:3], "batch.done, kpis.computing, kpis.published"), (BATCH + BATCH, "there are several")],
)
def test_events_of_anything_but_one_batch_are_refused(marks: list[Mark], cause: str) -> None:
    with pytest.raises(ValueError, match=cause):
        costs(marks)


@pytest.mark.usefixtures("plain_settings")
def test_a_run_logs_these_events(tmp_path: Path) -> None:
    """A real batch has every step."""
    store = new_store(tmp_path / "store", drops(tmp_path, 300, days=3, parts=1))
    main(store, tmp_path / "steps.json")
    assert tuple(json.loads((tmp_path / "steps.json").read_text())) == STEPS


@pytest.fixture
def plain_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of the working folder."""
    monkeypatch.chdir(tmp_path)
