"""Real processes die, compete and meet strange names: short forms of `make kill`, `make crowd` and `make keys`.

A failure prints how to repeat it alone; docs/reliability.md has the figures of the long forms.
"""

from __future__ import annotations

import pytest

from tests.depth import examples
from tests.reliability.trying import tried

# Tracing every line makes these half as fast again; what they run is covered by tests of its own.
pytestmark = pytest.mark.no_cover


def test_a_death_at_any_named_step_changes_nothing_in_the_end() -> None:
    """Each step once: another process continues, nothing is lost, nothing counts twice, the numbers are right."""
    printed = tried("kill", "--times", 1, "--random", 0)
    assert ": 0 lost, 0 double, 0 different" in printed


def test_a_death_at_any_moment_changes_nothing_in_the_end() -> None:
    """Some random moments; in a third of the cases, the process that continues dies as well."""
    printed = tried("kill", "--times", 0, "--random", examples(4, 10))
    assert ": 0 lost, 0 double, 0 different" in printed


def test_a_crowd_takes_each_file_once() -> None:
    """Four processes and some dozen files; each file is in one batch, and the numbers are right."""
    printed = tried("crowd", "--processes", 4, "--files", examples(24, 40))
    assert "; 0 lost, 0 double, 0 in several batches, 0 different, 0 hung, 0 failed" in printed


def test_no_name_leads_out_of_the_store() -> None:
    """Hundreds of keys, dozens of files, and links, pipes and sockets; only Takings or the system refuses."""
    printed = tried("keys", "--number", examples(600, 2000), "--files", examples(24, 60))
    assert ": 0 wrote outside the store, 0 went wrong; " in printed
