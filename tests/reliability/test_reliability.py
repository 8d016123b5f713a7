"""Real processes die, crowd together and meet strange names: the short forms of `make kill`, `make crowd` and `make keys`.

A failure prints how to try it again by itself; docs/reliability.md has the long forms' figures.
"""

from __future__ import annotations

from tests.reliability.trying import tried


def test_a_death_at_any_named_step_changes_nothing_in_the_end() -> None:
    """Each step once: another process goes on, nothing is lost, nothing counts twice, the numbers are right."""
    printed = tried("kill", "--times", 1, "--random", 0)
    assert ": 0 lost, 0 double, 0 different" in printed


def test_a_death_at_any_moment_changes_nothing_in_the_end() -> None:
    """Ten moments by chance; in a third of the cases the process that goes on dies as well."""
    printed = tried("kill", "--times", 0, "--random", 10)
    assert ": 0 lost, 0 double, 0 different" in printed


def test_a_crowd_takes_each_file_once() -> None:
    """Four processes and forty files; each file is in one batch, and the numbers are right."""
    printed = tried("crowd", "--processes", 4, "--files", 40)
    assert "; 0 lost, 0 double, 0 in several batches, 0 different, 0 hung, 0 failed" in printed


def test_no_name_leads_out_of_the_store() -> None:
    """Two thousand keys, sixty files, and links, pipes and sockets; a refusal is one of Takings or of the system."""
    printed = tried("keys", "--number", 2000, "--files", 60)
    assert ": 0 wrote outside the store, 0 went wrong; " in printed
