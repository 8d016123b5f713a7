"""Figures are kept at once; medians and slopes are what they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.figures import Book, Figure, median_cost, open_book, read_book, slope
from benchmarks.meter import Cost


def figure(round_: int, wall: float, processor: float, peak_mb: float) -> Figure:
    return Figure(
        part="whole",
        size="S",
        what="takings",
        round=round_,
        wall=wall,
        processor=processor,
        peak_mb=peak_mb,
        at="2026-01-01",
    )


def test_each_figure_has_a_median_of_its_own() -> None:
    """The fastest round need not be the one with the least memory."""
    rounds = [figure(1, 3.0, 10.0, 200), figure(2, 1.0, 30.0, 300), figure(3, 2.0, 20.0, 100)]
    assert median_cost(rounds) == Cost(wall=2.0, processor=20.0, peak_mb=200)


def test_two_rounds_meet_in_the_middle() -> None:
    assert median_cost([figure(1, 1.0, 2.0, 100), figure(2, 2.0, 4.0, 300)]) == Cost(
        wall=1.5, processor=3.0, peak_mb=200
    )


def test_nothing_has_no_median() -> None:
    assert median_cost([]) is None


def test_a_run_continues_with_what_was_measured(tmp_path: Path) -> None:
    """A book is complete after every figure."""
    book = Book(file=tmp_path / "bench.json", about={"processors": 2})
    book.add(figure(1, 1.0, 2.0, 100))
    book.note("drops S", {"items": 3})

    again = open_book(tmp_path / "bench.json", {"processors": 2})
    assert again == read_book(tmp_path / "bench.json") == book
    assert again.has("whole", "S", "takings", 1)
    assert not again.has("whole", "S", "takings", 2)


def test_figures_of_another_machine_are_not_mixed_in(tmp_path: Path) -> None:
    Book(file=tmp_path / "bench.json", about={"processors": 2, "python": "3.11"}).save()
    with pytest.raises(ValueError, match="begun with other processors"):
        open_book(tmp_path / "bench.json", {"processors": 4, "python": "3.11"})


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(1, 5), (10, 50), (100, 500)], 1.0),
        ([(1, 5), (10, 5), (100, 5)], 0.0),
        ([(2, 4), (4, 16), (8, 64)], 2.0),
        ([(1, 10), (100, 1)], -0.5),
    ],
)
def test_the_slope_is_the_exponent(points: list[tuple[float, float]], expected: float) -> None:
    """Proportional, constant, quadratic, falling."""
    assert slope(points) == pytest.approx(expected)


@pytest.mark.parametrize("points", [[(1, 5)], [(1, 5), (1, 6)], [(1, 0), (2, 3)]])
def test_no_slope_fits_too_little(points: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="no slope fits"):
        slope(points)
