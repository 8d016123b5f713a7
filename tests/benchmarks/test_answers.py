"""A contender's KPIs are compared with Takings' to the cent; the bare query's are equal on a generated shop."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import floors
from benchmarks.answers import differences
from benchmarks.drops import drops, new_store, twin, write_changes, write_new_items, write_one_row_files
from benchmarks.kpi_query import CATEGORY_COLUMNS, DAY_COLUMNS
from takings.composition.stores import open_store
from takings.runs import pipeline

DAYS = ",".join(DAY_COLUMNS)
CATEGORIES = ",".join(CATEGORY_COLUMNS)


def answer(
    folder: Path, *, day: str = "2025-01-01,2,10.00,3,50.00,1,5.00,2.00,0.00,8.00", category: str = "Jeans"
) -> Path:
    folder.mkdir()
    (folder / "days.csv").write_text(f"{DAYS}\n{day}\n")
    (folder / "categories.csv").write_text(f"{CATEGORIES}\n{category},2025-01-01,10.00,5.00,,2,3,2.00,0.00,8.00\n")
    return folder


def test_a_quotient_may_differ_by_a_cent(tmp_path: Path) -> None:
    """Scale does not matter either: 10.0 is 10.00."""
    other = answer(tmp_path / "other", day="2025-01-01,2,10.0,3,50.01,1,4.99,2,0,8.0")
    assert differences(answer(tmp_path / "ours"), other) == []


def test_a_sum_may_not(tmp_path: Path) -> None:
    other = answer(tmp_path / "other", day="2025-01-01,2,10.01,3,50.00,2,5.00,2.00,0.00,8.00")
    assert differences(answer(tmp_path / "ours"), other) == [
        "days 2025-01-01: total_revenue is 10.01 instead of 10.00",
        "days 2025-01-01: unique_customers is 2 instead of 1",
    ]


def test_keys_are_compared(tmp_path: Path) -> None:
    assert differences(answer(tmp_path / "ours"), answer(tmp_path / "other", category="Swim")) == [
        "categories Jeans/2025-01-01: missing",
        "categories Swim/2025-01-01: too much",
    ]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with generated drops, a store with their rows, and its published KPIs."""
    folder = tmp_path_factory.mktemp("bench")
    store = new_store(folder / "store", drops(folder, 1500, parts=1))
    (store / "takings.toml").write_text("threads = 1\n")
    run(store)
    (folder / "ours").mkdir()
    for table, by in (("days", "day"), ("categories", "category")):
        command = [sys.executable, "-m", "takings", "kpis", str(store), "--by", by, "--format", "csv"]
        (folder / "ours" / f"{table}.csv").write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
    return folder


def run(store: Path) -> int:
    """Process what is pending, and return how many records were accepted."""
    with open_store(store, lambda *_: None) as opened:
        outcome = pipeline.run(opened.ports, at_once=True)
    assert not outcome.sighting.drops
    return sum(report.rows_accepted for batch in outcome.batches for report in batch.reports)


def test_the_bare_query_gives_the_same_numbers(shop: Path, tmp_path: Path) -> None:
    """So it is a floor of the same work."""
    floors.kpis(drops(shop, 1500, parts=1).folder, tmp_path)
    assert differences(shop / "ours", tmp_path) == []


def test_daily_files_are_accepted(shop: Path) -> None:
    """300 new items with their orders, 50 changed items, and ten files of one row."""
    store = twin(shop / "store", shop / "twin")
    raw = store / "raw-data"
    new = drops(shop, 300, days=3, parts=1, seed=2)
    write_new_items(new, raw)
    assert run(store) == new.items + 100
    write_changes(drops(shop, 1500, parts=1), raw, changes=50, days=60)
    assert run(store) == 50
    write_one_row_files(raw, 10)
    assert run(store) == 10


def test_a_twin_leaves_the_original_alone(shop: Path) -> None:
    """The files of a lake are shared, the database is not."""
    store, copy = shop / "store", shop / "another"
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    raw = twin(store, copy) / "raw-data"
    write_changes(drops(shop, 1500, parts=1), raw, changes=50, days=60)
    run(copy)
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == before
