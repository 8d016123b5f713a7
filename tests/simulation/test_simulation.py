"""Whatever comes, dies, waits and fails beside each other: nothing is lost, nothing counts twice, the numbers are right.

A seed makes a run (world.py), of which every call is watched and the end is judged (judge.py). A failure carries its story;
`python -m tests.simulation 1 17 --trace` tells it again, `make simulate N=10000` tries more seeds.
"""

from __future__ import annotations

import pytest

from takings.contracts.model import Dataset
from tests.shop import PRODUCTS
from tests.simulation.workshop import opened_shop
from tests.simulation.world import BEGIN, simulate

# Tracing every line makes these half as fast again; what they run is covered by tests of its own.
pytestmark = pytest.mark.no_cover

#: runs of `make test`; `make simulate` tries more …
SEEDS = 150
#: … so many in one test
TOGETHER = 10


@pytest.mark.parametrize("first", range(1, SEEDS + 1, TOGETHER))
def test_everything_comes_right_in_the_end(first: int) -> None:
    """Published KPIs, archive, ledger and gate, whoever was killed, paused or late."""
    for seed in range(first, first + TOGETHER):
        simulate(seed)


def test_a_seed_replays() -> None:
    """The same number makes the same story, step by step, but for what the operating system numbers."""
    first, second = (simulate(17) for _ in range(2))
    assert [line[:55] for line in first.story] == [line[:55] for line in second.story]


def test_what_is_remembered_of_bytes_is_not_found_without_them() -> None:
    """A seed takes the same way whatever was simulated before it, also where a file vanishes while it is validated."""
    with opened_shop({}) as shop:
        path, workspace, staged = (shop.root / name for name in ("a.csv", "work", "staged.parquet"))
        path.write_bytes(PRODUCTS)
        validation, contract = shop.ports.validation, shop.ports.contracts[Dataset.PRODUCTS]
        structure = validation.inspect(path, workspace)
        validation.check(path, structure, contract, now=BEGIN, workspace=workspace, staged=staged)
        path.unlink()
        with pytest.raises(FileNotFoundError):
            validation.check(path, structure, contract, now=BEGIN, workspace=workspace, staged=staged)
        workspace.rmdir()
        with pytest.raises(FileNotFoundError):
            validation.broken_records(workspace)
