"""Take a store's pending files through one batch, and write what each step of it cost.

    python -m benchmarks.steps STORE ANSWER.json

The steps are told apart by the events that a run logs: validation ends with the last judged file, the merge with the
first computed KPI, the KPIs with the last published table.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.meter import processor_seconds
from takings.composition.stores import open_store
from takings.runs import pipeline

STEPS: Final = ("validate", "merge", "kpis", "archive")
#: the events at which a step may end; the last of its kind counts
_ENDS: Final = {"file.judged": "validate", "kpis.computing": "merge", "kpis.published": "kpis", "batch.done": "archive"}
_BEGINS: Final = "batch.dispatched"


@dataclass(frozen=True, kw_only=True)
class Mark:
    """An event, with the clock and the processor seconds of this process and its children at that moment."""

    fact: str
    wall: float
    processor: float


def costs(marks: Sequence[Mark]) -> dict[str, tuple[float, float]]:
    """Return each step's wall and processor seconds; ValueError where the events are not those of one batch."""
    last = {mark.fact: mark for mark in marks}
    missing = sorted({_BEGINS, *_ENDS} - last.keys())
    if missing or sum(mark.fact == _BEGINS for mark in marks) != 1:
        raise ValueError(f"these are not the events of one batch: {', '.join(missing) or 'there are several'}")
    found: dict[str, tuple[float, float]] = {}
    before = last[_BEGINS]
    for fact, step in _ENDS.items():
        found[step] = last[fact].wall - before.wall, last[fact].processor - before.processor
        before = last[fact]
    return found


def main(store: Path, answer: Path) -> None:
    """Run, and write the costs."""
    marks: list[Mark] = []

    def tell(fact: str, _: Mapping[str, object]) -> None:
        if fact == _BEGINS or fact in _ENDS:
            marks.append(Mark(fact=fact, wall=time.perf_counter(), processor=processor_seconds(os.getpid())))

    with open_store(store, tell) as shop:
        pipeline.run(shop.ports, at_once=True)
    answer.write_text(json.dumps(costs(marks)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
