"""Name a change of a decision, whatever language it is written in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change of one file."""

    file: str
    #: the changed lines, as they were and as they are now
    before: str
    after: str
    #: the function that is changed, as mutmut names it; None in SQL
    function: str | None
    #: makes the change in the process that calls it; undone by the process that forked it
    make: Callable[[], object]
    undo: Callable[[], object]
