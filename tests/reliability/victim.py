"""Run a process that kills itself at a named step: `python -m tests.reliability.victim STORE FACT N`.

FACT is what the pipeline logs, followed by the dataset or KPI table if there is one: "lake.merging orders".
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from takings.composition.stores import open_store
from takings.runs import pipeline

#: the field that distinguishes logs of the same fact
_NAMED_BY = {"lake.merging": "dataset", "kpis.published": "table"}


def step_of(fact: str, known: Mapping[str, object]) -> str:
    """Return the step that a logged fact stands for."""
    return f"{fact} {known[_NAMED_BY[fact]]}" if fact in _NAMED_BY else fact


def run_telling(root: Path, hear: Callable[[str], None]) -> None:
    """Process what is pending; `hear` gets every step."""
    with open_store(root, lambda fact, known: hear(step_of(fact, known))) as shop:
        pipeline.run(shop.ports, at_once=True)


def run_until(root: Path, step: str, number: int) -> None:
    """Process what is pending, but die when a step is logged for the n-th time; finish if it is logged less often."""
    told: Counter[str] = Counter()

    def hear(heard: str) -> None:
        told[heard] += 1
        if heard == step and told[heard] == number:
            os.kill(os.getpid(), signal.SIGKILL)

    run_telling(root, hear)


if __name__ == "__main__":
    run_until(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
