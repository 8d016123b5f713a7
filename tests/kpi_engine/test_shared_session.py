"""A command's engines share one Spark session, and whoever loses it loses it for all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from takings.adapters.spark.shared_session import SharedSession


class Openings:
    """Opens sessions, and notes when they begin and how they end."""

    def __init__(self) -> None:
        self.story: list[object] = []

    @contextmanager
    def __call__(self) -> Iterator[Any]:
        """Open a session, named by its number."""
        number = self.story.count("begins")
        self.story.append("begins")
        try:
            yield f"session {number}"
        except BaseException as failed:
            self.story.append(type(failed))
            raise
        self.story.append("ends")


def test_the_session_begins_with_its_first_user_and_ends_once() -> None:
    """A command that uses none starts no JVM."""
    openings = Openings()
    shared = SharedSession(openings)
    shared.close()
    assert openings.story == []
    assert [shared.session(), shared.session()] == cast("Any", ["session 0", "session 0"])
    with shared.lent() as session:
        assert session == cast("Any", "session 0")
    shared.close()
    assert openings.story == ["begins", "ends"]


def test_an_interruption_of_one_user_ends_it_at_once() -> None:
    """A call to the JVM was broken off, so nobody can use it any more; the next user gets another."""
    openings = Openings()
    shared = SharedSession(openings)
    with pytest.raises(KeyboardInterrupt), shared.lent():
        raise KeyboardInterrupt
    assert openings.story == ["begins", KeyboardInterrupt]
    assert shared.session() == cast("Any", "session 1")


def test_the_end_of_an_earlier_session_is_not_the_end_of_a_later_one() -> None:
    """A user that still has the earlier one ends nothing."""
    openings = Openings()
    shared = SharedSession(openings)
    with shared.lent():
        shared.close()
        shared.session()
    assert openings.story == ["begins", "ends", "begins"]
