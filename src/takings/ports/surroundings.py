"""Define what the pipeline needs from its surroundings: the time, hints of changes, other processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from takings.layout import BatchId


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """Return the present instant, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Wake(StrEnum):
    """Why a wait ended."""

    CHANGED = "changed"
    QUIET = "quiet"
    STOP = "stop"


class Changes(Protocol):
    """What hints that something under raw-data/ may have changed, sooner than the next sweep finds it."""

    def wait(self, seconds: float) -> Wake:
        """Wait until something may have changed, for `seconds` at most, or until asked to stop.

        May be repeated. A change between two waits ends the next one at once; after `stop`, every wait returns STOP. Changes
        may go unnoticed: only the listing is reliable.
        """

    def stop(self) -> None:
        """End every present and future wait; a signal handler may call it. May be repeated."""


class Heartbeat(Protocol):
    """What keeps a lease alive while its owner works."""

    def beating(self, beat: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `beat` every 15 seconds until the block ends; an error in it ends the calls, not the block."""


class Owners(Protocol):
    """Who works on a store."""

    def me(self) -> str:
        """Return a name that only this process has."""

    def token(self) -> str:
        """Return four characters that differ from call to call."""

    def is_dead(self, owner: str | None) -> bool:
        """Return whether an owner is known to be dead: a process of this host that is gone."""


class Executions(Protocol):
    """What takes a batch through its steps, each in its own process: a state machine."""

    def start(self, batch_id: BatchId, attempt: int) -> None:
        """Start the steps of an attempt; they run once, however often this is called. May be repeated."""

    def is_running(self, batch_id: BatchId, attempt: int) -> bool:
        """Return whether the steps of an attempt are running."""

    def wake_at(self, deadline: datetime | None) -> None:
        """Have the store looked at again at this instant, once; None cancels it. May be repeated."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """What people are told."""

    title: str
    #: for whatever shows text
    text: str
    #: the same for mail; None: the text is enough
    html: str | None = None
    #: somebody should do something about it
    is_warning: bool = False


class Messenger(Protocol):
    """What hands messages over to people: by mail, to a chat, to a program."""

    @property
    def addresses(self) -> Sequence[str]:
        """Return the names of the addresses, without passwords and tokens."""

    def send(self, address: str, message: Message) -> None:
        """Hand a message over to one address; NotSent where that fails. Repeated, it is sent again."""


#: logs an event: its name, and what is known about it
Tell = Callable[[str, Mapping[str, object]], None]
