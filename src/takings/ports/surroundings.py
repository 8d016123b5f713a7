"""Say what the pipeline needs to know of its surroundings: the time, hints of changes, other processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from takings.layout import BatchId


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """Return the instant, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Wake(StrEnum):
    """Why a wait ended."""

    CHANGED = "changed"
    QUIET = "quiet"
    STOP = "stop"


class Changes(Protocol):
    """What hints that something under raw-data/ may have changed, before the next sweep would find it."""

    def wait(self, seconds: float) -> Wake:
        """Wait until something may have changed, or so many seconds at most, or until asked to stop.

        May be repeated. A change between two waits ends the next one at once; once asked to stop, every wait says so. Changes
        may stay unnoticed: the listing is the truth.
        """

    def stop(self) -> None:
        """Ask whoever waits, now or later, to stop; a signal handler may do so too. May be repeated."""


class Heartbeat(Protocol):
    """What keeps a lease alive while its owner works."""

    def beating(self, beat: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `beat` every 15 seconds until the block ends; its errors end the beating, not the block."""


class Owners(Protocol):
    """Who works on a store."""

    def me(self) -> str:
        """Return a name for this process that no other has."""

    def token(self) -> str:
        """Return four characters that differ from call to call."""

    def is_dead(self, owner: str | None) -> bool:
        """Tell whether an owner is known to have died: a process of this host that is gone."""


class Executions(Protocol):
    """What takes a batch through its steps in processes of their own: a state machine."""

    def start(self, batch_id: BatchId, attempt: int) -> None:
        """Start the steps of an attempt, which run once however often they are started. May be repeated."""

    def is_running(self, batch_id: BatchId, attempt: int) -> bool:
        """Tell whether the steps of an attempt are under way."""

    def wake_at(self, deadline: datetime | None) -> None:
        """Have the store looked at again at this instant, once; None: no longer. May be repeated."""


#: tells a fact that happened: its name, and what is known about it
Tell = Callable[[str, Mapping[str, object]], None]
