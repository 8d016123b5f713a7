"""docs/costs.md shows what tools/costs.py computes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from takings.adapters.aws.alarms import alarm_names
from takings.adapters.aws.state_machine import definition
from takings.entrypoints.metrics import UNITS
from takings.settings import Settings
from tools.costs import ALARMS, FILES_A_DAY, METRICS, TRANSITIONS, load, monthly, page
from tools.lint_state_machine import PIPELINE

ROOT = Path(__file__).resolve().parent.parent
POLICY = Settings().batch_policy


def test_the_page_has_the_tables_as_they_are_computed() -> None:
    """Generate the page again after changing a price or an assumption."""
    assert (ROOT / "docs" / "costs.md").read_text().split("## The tables\n\n")[1] == "\n".join(page()) + "\n"


def test_a_batch_enters_as_many_states_as_the_model_says() -> None:
    """From start to end, when nothing fails; every state is paid for, including the start."""
    machine = definition(PIPELINE, subnets=["subnet-1"], security_groups=["sg-1"], has_public_ip=True)
    state, entered = machine["StartAt"], 1
    while state != "Done":
        entered += 1
        state = machine["States"][state].get("Next") or machine["States"][state]["Default"]
    assert (entered + 1, len(UNITS)) == (TRANSITIONS, METRICS)


def test_every_alarm_is_paid_for() -> None:
    """As many as a pipeline has."""
    assert len(alarm_names(PIPELINE)) == ALARMS


@pytest.mark.parametrize("files", FILES_A_DAY)
def test_a_file_of_a_larger_batch_is_cheaper(files: int) -> None:
    """Waiting for more files never costs more; this is why `batch_files` exists."""
    patient = replace(POLICY, batch_files=100, batch_wait=POLICY.batch_wait * 10)
    at_once, later = load(files, POLICY), load(files, patient)
    assert later.batches_a_day <= at_once.batches_a_day
    assert sum(monthly(later).values()) <= sum(monthly(at_once).values())


def test_a_shop_that_sends_faster_than_a_batch_takes_files_is_not_kept_up_with() -> None:
    """A batch of 1,000 files is mostly the start of two tasks; one of more files keeps up with a million a day."""
    assert [load(files, POLICY).keeps_up for files in (100, 10_000, 300_000, 1_000_000)] == [True, True, True, False]
    assert load(1_000_000, replace(POLICY, batch_max_files=10_000)).keeps_up
    assert not load(10_000_000, replace(POLICY, batch_max_files=10**9)).keeps_up
