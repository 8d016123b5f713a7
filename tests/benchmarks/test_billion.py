"""What would break first is calculated from measured figures alone."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from benchmarks.billion import Measured, at, calculation, limits, reached

MEASURED = Measured(
    items=10_000_000,
    csv_bytes=120.0,
    lake_bytes=30.0,
    report_bytes=0.5,
    first_load=[(1_000_000, 5.0), (10_000_000, 50.0)],
    memory_mb=[(1_000_000, 500.0), (10_000_000, 500.0)],
    new_items=[(1_000_000, 2.0), (10_000_000, 2.0)],
    changes=[(1_000_000, 1.0), (10_000_000, 10.0)],
)


def test_a_power_law_goes_on() -> None:
    assert at(MEASURED.first_load, 1_000_000_000) == pytest.approx(5000)
    assert at(MEASURED.new_items, 1_000_000_000) == pytest.approx(2.0)
    assert reached(MEASURED.changes, 3600) == pytest.approx(3.6e9)
    assert reached(MEASURED.new_items, 60) == math.inf


def test_the_fixed_cost_of_small_sizes_does_not_flatten_the_law() -> None:
    """A second of start-up is most of the smallest size."""
    assert at([(10, 1.01), (1_000_000, 11.0), (10_000_000, 110.0)], 100_000_000) == pytest.approx(1100)


def test_what_lies_too_far_away_has_no_figure() -> None:
    far = replace(MEASURED, changes=[(1_000_000, 1.0), (10_000_000, 1.2)])
    assert "| above 100,000 M |" in calculation(far)


def test_the_first_limit_stands_first() -> None:
    """The changes take an hour before the first load takes a night, unless that is slower."""
    first, second = limits(MEASURED)[:2]
    assert first.what == "50,000 changed items spread over 60 days take longer than an hour"
    assert first.items == pytest.approx(3.6e9)
    assert second.what == "the first load takes longer than a night of 8 hours"
    assert second.items == pytest.approx(5.76e9)
    slower = replace(MEASURED, first_load=[(1_000_000, 50.0), (10_000_000, 500.0)])
    assert limits(slower)[0].what == "the first load takes longer than a night of 8 hours"


def test_the_text_has_the_figures_in_it() -> None:
    text = calculation(MEASURED)
    assert "120 GB of CSV (120 bytes an item, orders and products included): 6 batches of at most 20 GB" in text
    assert "| 10 M x (3,600 s / 10.0 s)^(1 / 1.00) |" in text
    assert "2.0 s at 10 M; k = 0.00: it does not grow" in text
