"""Figures become tables and bars; what was not measured is not made up."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks.chart import Bar, Panel, drawn
from benchmarks.contenders.cast import BARE_QUERY, CONTENDERS, TAKINGS
from benchmarks.figures import Book
from benchmarks.growth_page import points, section
from benchmarks.meter import Cost
from benchmarks.page import bench_section, page_with, table
from benchmarks.workbench import Workbench


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """An empty bench of a made-up machine."""
    machine = {
        "processor": "Abacus",
        "processors": 2,
        "memory_gb": 24,
        "system": "Linux 6",
        "python": "3.11",
        "source": "abc",
    }
    versions = {each.name: dict.fromkeys(each.packages, "1.0") for each in CONTENDERS}
    book = Book(file=tmp_path / "bench.json", about={**machine, "versions": versions})
    return Workbench(folder=tmp_path, book=book, rounds=1, budget=60, long=10)


def test_columns_of_words_end_with_a_space() -> None:
    """So that numbers stand to the right."""
    assert table(["", "s", "leaves out "], [["Takings", "1.0", "–"]]) == (
        "|  | s | leaves out |\n| --- | ---: | --- |\n| Takings | 1.0 | – |\n"
    )


def test_a_section_stands_between_its_markers() -> None:
    text = "before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n"
    assert page_with(text, "bench", "new\n") == "before\n<!-- bench -->\nnew\n<!-- /bench -->\nafter\n"
    with pytest.raises(ValueError, match="Put it where the section belongs"):
        page_with("nothing", "bench", "new\n")


def test_the_whole_batch_is_compared_with_the_bare_query(bench: Workbench) -> None:
    """Medians, ratios, and whether the numbers are equal; a contender that was not measured has no row."""
    bench.book.note("drops S", {"items": 100_000, "bytes": 12_000_000, "files": 21})
    for round_, wall in enumerate((2.0, 1.0, 3.0), start=1):
        bench.keep("whole", "S", TAKINGS, round_, Cost(wall=wall, processor=6.0, peak_mb=300))
    bench.keep("whole", "S", BARE_QUERY, 1, Cost(wall=1.0, processor=2.0, peak_mb=150))
    bench.book.note(f"kpis S {BARE_QUERY}", "equal")
    text = bench_section(bench.book)
    assert "| **Takings**, into an empty store | 2.00 | 6.00 | 300 |\n" in text
    assert "* S: Takings takes 2.0 x the bare query's wall clock and 3.0 x its processor time.\n" in text
    assert f"Equal: {BARE_QUERY}.\n" in text
    assert "PySpark" not in text


def test_other_numbers_are_shown(bench: Workbench) -> None:
    bench.book.note("drops S", {"items": 100_000, "bytes": 12_000_000, "files": 21})
    for name in (TAKINGS, "polars"):
        bench.keep("whole", "S", name, 1, Cost(wall=1.0, processor=1.0, peak_mb=100))
    bench.book.note("kpis S polars", ["days 2025-01-01: missing"])
    assert "Not equal:\n\n* polars, S: ['days 2025-01-01: missing']\n" in bench_section(bench.book)


def test_a_round_is_measured_once(bench: Workbench) -> None:
    """Neither again, nor after a failure, nor when it takes long, nor when the time is over."""
    assert bench.is_wanted("whole", "S", "polars", 1)
    bench.keep("whole", "S", "polars", 1, Cost(wall=5.0, processor=1.0, peak_mb=100))
    assert not bench.is_wanted("whole", "S", "polars", 1)
    assert bench.is_wanted("whole", "S", "polars", 2)
    bench.book.note("failed whole S dlt", "no room")
    assert not bench.is_wanted("whole", "S", "dlt", 1)
    bench.keep("whole", "S", "brief", 1, Cost(wall=11.0, processor=1.0, peak_mb=100))
    assert not bench.is_wanted("whole", "S", "brief", 2)
    bench.budget = 4.0
    assert not bench.is_wanted("whole", "S", "polars", 2)


def test_growth_is_a_row_for_each_axis(bench: Workbench, tmp_path: Path) -> None:
    for items in (100, 1000):
        bench.keep("rows", f"{items}", TAKINGS, 1, Cost(wall=items / 50, processor=items / 10, peak_mb=200))
    assert points(bench.book, "rows") == [(100, 2.0, 10.0, 200), (1000, 20.0, 100.0, 200)]
    row = "| rows: items into an empty store | 100, 1,000 | 10.0, 100 | 200, 200 | 1.00 | 1.00 | 0.00 |\n"
    assert row in section(bench.book, tmp_path / "no-bench.json")


def test_bars_are_as_long_as_what_they_show() -> None:
    """The longest takes all the room; names cannot break the file."""
    panel = Panel(
        title="S & M", bars=[Bar(label="<ours>", wall=1.0, processor=2.0), Bar(label="theirs", wall=4.0, processor=0.5)]
    )
    root = ET.fromstring(drawn([panel]))
    tag = "{http://www.w3.org/2000/svg}"
    bars = [(each.get("class"), float(each.get("width", "0"))) for each in root.iter(f"{tag}rect")][3:]
    assert bars == [("wall", 125.0), ("processor", 250.0), ("wall", 500.0), ("processor", 62.5)]
    assert "<ours>" in [each.text for each in root.iter(f"{tag}text")]
