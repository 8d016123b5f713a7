"""The guard fails when a step has become slower beside its floor, and only then."""

from __future__ import annotations

import json

from benchmarks.guard import RECORDED, Beside, grown, medians
from benchmarks.steps import STEPS

EARLIER = {"start": 2.5, "validate": 2.0, "merge": 3.0, "kpis": 4.0, "archive": 10.0}
NOW = {
    "start": Beside(step=0.5, floor=0.2),
    "validate": Beside(step=2.0, floor=1.0),
    "merge": Beside(step=1.5, floor=0.5),
    "kpis": Beside(step=1.0, floor=0.25),
    "archive": Beside(step=0.1, floor=0.01),
}


def test_nothing_has_changed() -> None:
    assert grown(EARLIER, NOW) == []


def test_a_slower_step_is_found() -> None:
    """The merge takes 2.4 processor seconds instead of 1.5, and its floor what it took."""
    assert grown(EARLIER, {**NOW, "merge": Beside(step=2.4, floor=0.5)}) == [
        "merge takes 4.80 x its floor, 1.60 times the recorded 3.00; at most 1.5 times is allowed."
    ]


def test_half_as_much_again_is_allowed() -> None:
    """A busy machine changes as much."""
    assert grown(EARLIER, {**NOW, "merge": Beside(step=2.25, floor=0.5), "kpis": Beside(step=0.2, floor=0.25)}) == []


def test_a_slower_machine_changes_both() -> None:
    assert grown(EARLIER, {step: Beside(step=3 * each.step, floor=3 * each.floor) for step, each in NOW.items()}) == []


def test_a_short_step_may_differ_by_a_tenth_of_a_second() -> None:
    """Archiving takes 0.1 s, with a floor of 0.01 s; twice as much is noise, three times as much is not."""
    assert grown(EARLIER, {**NOW, "archive": Beside(step=0.2, floor=0.01)}) == []
    assert len(grown(EARLIER, {**NOW, "archive": Beside(step=0.3, floor=0.01)})) == 1


def test_a_step_cannot_be_left_out() -> None:
    """A renamed step would never be compared again."""
    found = {"publish" if step == "kpis" else step: beside for step, beside in NOW.items()}
    assert grown(EARLIER, found) == ["publish has no recorded ratio.", "kpis was not measured."]


def test_medians_are_compared() -> None:
    """One slow round changes nothing; a step that is slow in every round does."""
    steps = [{"merge": 2.0}, {"merge": 2.0}, {"merge": 9.0}]
    floors = [{"merge": 0.5}, {"merge": 1.0}, {"merge": 1.0}]
    assert medians(steps, floors) == {"merge": Beside(step=2.0, floor=1.0)}
    slowed = [{"merge": costs["merge"] + 2.5} for costs in steps]
    assert grown({"merge": 2.0}, medians(slowed, floors)) == [
        "merge takes 4.50 x its floor, 2.25 times the recorded 2.00; at most 1.5 times is allowed."
    ]


def test_every_step_was_recorded() -> None:
    assert set(json.loads(RECORDED.read_text())["ratios"]) == {"start", *STEPS}
