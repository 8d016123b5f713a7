"""Whatever arrives, dies, waits and fails at the same time: nothing is lost, nothing counts twice, the numbers are right.

A seed makes a run (world.py); every call is watched, and the result is judged (judge.py). A failure includes its story;
`python -m tests.simulation 1 17 --trace` prints it again, `make simulate N=10000` tries more seeds.
"""

from __future__ import annotations

import pytest

from takings.contracts.model import Dataset
from tests.depth import examples
from tests.shop import PRODUCTS
from tests.simulation.workshop import opened_shop
from tests.simulation.world import BEGIN, simulate

# Tracing every line makes these half as fast; other tests cover what they run.
pytestmark = pytest.mark.no_cover

#: runs of `make test`; `make simulate` tries more …
SEEDS = examples(20, 60)
#: … this many per test
TOGETHER = 5


@pytest.mark.parametrize("first", range(1, SEEDS + 1, TOGETHER))
def test_everything_comes_right_in_the_end(first: int) -> None:
    """Published KPIs, archive, ledger and gate, whoever was killed, paused or late."""
    for seed in range(first, first + TOGETHER):
        simulate(seed)


#: this many runs from here on try everything they are meant to; usually a fourth of them is enough
FIRST = 61
MOST = 150
#: how a story shows what happened
SIGHTS = {
    "a watch": "begins to watch",
    "a watch that is asked to stop": "is asked to stop",
    "a process that is killed": " killed: ",
    "a process that is interrupted": " interrupted: ",
    "a blocked batch": "unblocks the batch",
    "a replay": "is to replay",
    "a restatement": "is to restate",
    "a rebuild": "is to rebuild",
    "a maintenance": "begins to maintain",
    "changed rules": " sets Rules(",
    "contracts that are put back": "puts the contracts back",
    "a column that is put back": "puts the column back",
    "mended rows": "/mended/",
    "a batch that is given up": "batch.given_up",
    "a strict batch that is looked at for orphans": "engine.merging.first_orphan",
    "rows in quarantine": "store.create_from quarantine/",
    "the shop's instants": "versions='instants'",
    "an order's lines as one": "versions='deliveries'",
    "both": "versions='both'",
}


def test_the_runs_hold_what_they_are_meant_to_try() -> None:
    """So that nothing is silently left out, such as a mishap at a renamed step."""
    missing = {*SIGHTS, "a batch that lost the gate", "a copy that is ignored", "a copy that counts"}
    for seed in range(FIRST, FIRST + MOST):
        world = simulate(seed)
        story = "\n".join(world.story)
        missing -= {sight for sight, text in SIGHTS.items() if text in story}
        missing -= {"a batch that lost the gate"} if world.judge.losers else set()
        missing -= {"a copy that is ignored"} if world.judge.truth.ignored_copies else set()
        missing -= {"a copy that counts"} if world.judge.truth.counted_copies else set()
        if not missing:
            return
    pytest.fail(f"not in {MOST} runs: {missing}")


def test_a_seed_replays() -> None:
    """The same number makes the same story, step by step, except for numbers from the operating system."""
    for seed in (17, 33):
        first, second = (simulate(seed) for _ in range(2))
        assert [line[:55] for line in first.story] == [line[:55] for line in second.story]


def test_what_is_remembered_of_bytes_is_not_found_without_them() -> None:
    """A seed's run does not depend on earlier simulations, even if a file vanishes while it is validated."""
    with opened_shop({}) as shop:
        path, workspace, staged = (shop.root / name for name in ("a.csv", "work", "staged.parquet"))
        path.write_bytes(PRODUCTS)
        validation, contract = shop.ports.validation, shop.ports.contracts[Dataset.PRODUCTS]
        structure = validation.read_structure(path, workspace)
        validation.validate(path, structure, contract, now=BEGIN, workspace=workspace, staged=staged)
        path.unlink()
        with pytest.raises(FileNotFoundError):
            validation.validate(path, structure, contract, now=BEGIN, workspace=workspace, staged=staged)
        workspace.rmdir()
        with pytest.raises(FileNotFoundError):
            validation.broken_records(workspace)
