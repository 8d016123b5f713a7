"""Whatever order files come in, however they are split, corrected, damaged and interrupted: the KPIs are the same.

A number makes a store (shops.py) whose lanes are separate histories; living.py compares everything published with the
oracle after every run. A failure names its number; `python -m tests.histories corrections 17` replays it.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from takings.adapters.duckdb import rewriting, slices
from tests.depth import DEPTH, examples
from tests.histories.living import at_once, live
from tests.histories.shops import (
    History,
    arrivals_in_any_order,
    corrections_in_any_order,
    deliveries_in_any_order,
    instants_in_any_order,
    superseded_copies_in_any_order,
    worth_in_any_order,
)

# Tracing every line makes these half as fast; other tests cover what they run.
pytestmark = pytest.mark.no_cover

#: histories in one store
LANES = examples(24, 60)
#: stores of each kind, one for each number of mishaps
STORES = 3 * DEPTH
#: from three stores on, they try everything they are meant to
SEEDS = range(6, 6 + STORES)

#: whose result does not depend on the order of processing …
ORDERLESS = {
    "arrivals": arrivals_in_any_order,
    "corrections": corrections_in_any_order,
    "worth": worth_in_any_order,
    "instants": instants_in_any_order,
    "deliveries": deliveries_in_any_order,
}
#: … and the one exception
MAKERS = ORDERLESS | {"superseded": superseded_copies_in_any_order}


def live_and_compare(make: Callable[[int, int], History], seed: int, lanes: int, *, mishaps: int) -> None:
    """Run a history, and drop its final rows as three files at once.

    Every other store rewrites day by day, and cuts items into slices.
    """
    fewest = 0 if seed % 2 else rewriting.FEWEST_PER_DAY
    most = 1 if seed % 2 else slices.SLICE
    try:
        with patch.object(rewriting, "FEWEST_PER_DAY", fewest), patch.object(slices, "SLICE", most):
            published, counted = live(make(seed, lanes), lanes, mishaps=mishaps)
        assert published == at_once(make(seed, lanes), counted)
    except Exception as failed:
        failed.add_note(f"{make.__name__}({seed}, lanes={lanes}), {mishaps} mishaps")
        raise


@pytest.mark.parametrize("seed", SEEDS)
def test_valid_rows_in_any_order_and_any_split_give_the_same_kpis(seed: int) -> None:
    """With identical duplicates of rows and files, bad files, another time zone; two of three stores suffer mishaps."""
    live_and_compare(arrivals_in_any_order, seed, LANES, mishaps=seed % 3)


@pytest.mark.parametrize("seed", SEEDS)
def test_corrections_processed_in_any_order_give_the_same_kpis(seed: int) -> None:
    """Orders move, items change order and product, products change category or come late; some days become empty."""
    live_and_compare(corrections_in_any_order, seed, LANES, mishaps=seed % 3)


@pytest.mark.parametrize("seed", SEEDS)
def test_quantities_discounts_refunds_and_statuses_of_orders_do_as_well(seed: int) -> None:
    """Items change worth and status with any write; an item without a status takes its order's."""
    live_and_compare(worth_in_any_order, seed, LANES, mishaps=seed % 3)


@pytest.mark.parametrize("seed", range(1, 1 + 2 * DEPTH))
def test_the_shops_instants_decide_in_any_order(seed: int) -> None:
    """With several instants of a row in one file, equal ones in several files, and copies of superseded bytes."""
    live_and_compare(instants_in_any_order, seed, LANES // 3, mishaps=seed % 3)


@pytest.mark.parametrize("seed", range(1, 1 + 2 * DEPTH))
def test_the_newest_delivery_of_each_order_counts_in_any_order(seed: int) -> None:
    """Lines come, go, wait and change their order; with the shop's instants or without."""
    live_and_compare(deliveries_in_any_order, seed, LANES // 3, mishaps=seed % 3)


@pytest.mark.parametrize("seed", range(2, 2 + DEPTH))
def test_a_copy_of_superseded_bytes_counts_only_where_its_original_never_did(seed: int) -> None:
    """The first of several equal contents to be processed fixes the version, whatever its key."""
    live_and_compare(superseded_copies_in_any_order, seed, LANES, mishaps=1)


@pytest.mark.parametrize("kind", ORDERLESS)
def test_no_history_that_hypothesis_thinks_of_gives_other_kpis(kind: str) -> None:
    """A store with a single history, drawn by Hypothesis and reduced if it fails."""

    @settings(max_examples=examples(2, 4), deadline=None, suppress_health_check=list(HealthCheck))
    @given(chance=st.randoms(use_true_random=False), mishaps=st.integers(0, 1))
    def lived_through(chance: Random, mishaps: int) -> None:
        history = MAKERS[kind](0, 1, chance)
        if any(write.damage == "none" for write in history.writes):
            published, counted = live(history, 1, mishaps=mishaps)
            assert published == at_once(history, counted)

    lived_through()


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("seed", range(1000, 1000 + DEPTH))
def test_every_number_of_a_store_is_explained(kind: str, seed: int) -> None:
    """A store with a single history: the rows behind each of its numbers are checked."""
    live_and_compare(MAKERS[kind], seed, 1, mishaps=1)


def test_the_histories_are_worth_their_time() -> None:
    """They try everything they are meant to."""
    made = [make(seed, LANES) for make in ORDERLESS.values() for seed in SEEDS]
    writes = [write for history in made for write in history.writes]
    assert {write.damage for write in writes} == {"none", "copy", "dirty"}
    assert {history.time_zone for history in made} == {"UTC", "Europe/Berlin", "America/New_York"}
    assert {len(history.drops) for history in made} >= {2, 3, 5, 6}
    assert {history.batch_max_files for history in made} == {4, 1000}
    late = [write for seed in range(2, 2 + DEPTH) for write in superseded_copies_in_any_order(seed, LANES).writes]
    assert "late copy" in {write.damage for write in late}
