"""Every guard is needed: without any one of them, the simulation finds something wrong."""

from __future__ import annotations

from typing import Final

import pytest

from tests.simulation.variants import VARIANTS, VARIANTS_OF_PARTS, without
from tests.simulation.world import simulate

# Tracing every line makes these half as fast; other tests cover what they run.
pytestmark = pytest.mark.no_cover

#: seeds to try; so far a quarter of them was enough
TRIES: Final = 200
#: where to begin with guards that few seeds notice; once the core takes other steps, one of the next seeds finds it as well
FIRST: Final = {
    "a changed meaning changes no number": 37,
    "a copy is a duplicate whatever decides": 7,
    "a replay is a copy of its original": 36,
    "a replay is a new write": 2,
    "additive KPIs": 3,
    "affected computed after the merge": 3,
    "affected computed anew by each attempt": 106,
    "any share of rows may be set aside": 37,
    "batch-only KPIs": 16,
    "bytes are not compared when they are read": 34,
    "bytes are read again by each attempt": 75,
    "claim before the manifest": 15,
    "duplicate by name": 13,
    "duplicate of a rejected file": 2,
    "duplicate of any older version": 60,
    "each line replaces its own number only": 65,
    "files are taken while they are written": 7,
    "items do not follow their orders": 25,
    "lines of two deliveries mix": 29,
    "merges do not notice each other": 17,
    "no lease": 4,
    "no publication guard": 56,
    "no zero rows": 13,
    "strict batches may hold orphans": 2,
    "the arrival alone decides in a batch": 29,
    "the arrival alone decides": 13,
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_missing_guard_is_noticed(variant: str) -> None:
    """Within the first seeds; the same seed passes with every guard in place."""
    notice(variant, is_plain=True)


@pytest.mark.parametrize("variant", VARIANTS_OF_PARTS)
def test_a_missing_guard_of_some_runs_is_noticed(variant: str) -> None:
    """Runs with a replay, another policy, changed contracts, another order of versions, or a late copy."""
    notice(variant, is_plain=False)


def notice(variant: str, *, is_plain: bool) -> None:
    """Try seeds until one goes wrong."""
    first = FIRST.get(variant, 1)
    for seed in range(first, first + TRIES):
        try:
            with without(variant):
                simulate(seed, is_plain=is_plain)
        except AssertionError:
            simulate(seed, is_plain=is_plain)
            return
    pytest.fail(f"{variant}: {TRIES} seeds came right all the same")
