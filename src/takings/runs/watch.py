"""Watch a store and react: process what is due, wait for the rest, and survive failures.

A change of raw-data/ is only a hint to look. The gate, read once a second, shows deadlines, what other instances do, and dead
owners. A sweep finds what no hint announced.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from takings.archive.outcome import BatchOutcome
from takings.errors import CorruptState, InvariantBreach, MachineryError, Superseded
from takings.intake.arrivals import Sighting
from takings.intake.batching import Decision
from takings.intake.gate import Gate
from takings.ports import Changes, Ports, Wake
from takings.runs import pipeline
from takings.runs.pipeline import Blocked, Busy, Rest, StepResult, Worked

#: how soon a deadline, a dead owner or an unblocked batch is noticed; reading one row costs next to nothing
BEAT: Final = timedelta(seconds=1)
#: a file that is being written is usually complete a moment later …
_SOONEST_LOOK: Final = timedelta(seconds=1)
#: … and a short failure, such as a busy disk, is over …
_FIRST_RETRY: Final = timedelta(seconds=1)
#: … while the end of a long one, such as a full disk, is noticed within a minute
_LONGEST_RETRY: Final = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Pending files wait, for a new reason."""

    decision: Decision
    #: pending files
    files: int


@dataclass(frozen=True, kw_only=True)
class LeftAlone:
    """Something under raw-data/ is not a drop; reported once."""

    key: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The machinery failed; nothing is lost, and the watch retries."""

    error: Exception
    retry_in: timedelta


Happening = BatchOutcome | Waiting | LeftAlone | Blocked | Failed


def watch(ports: Ports, changes: Changes, *, sweep: timedelta) -> Iterator[Happening]:
    """Yield what happens to a store until `changes` says to stop; finish a batch that has begun first.

    UsageError and CorruptState end the watch: no retry would fix them.
    """
    watcher = _Watcher(ports=ports, sweep=sweep)
    while (wake := changes.wait(watcher.seconds_to_wait())) is not Wake.STOP:
        watcher.has_hint |= wake is Wake.CHANGED
        try:
            with ports.faults():
                happenings = watcher.take_turn()
        except CorruptState:
            raise
        except (InvariantBreach, Superseded):
            # The gate says what to report: the batch is blocked, or another instance has it.
            happenings = []
        except (MachineryError, OSError, MemoryError) as failure:
            happenings = [watcher.back_off(failure)]
        yield from happenings


@dataclass(kw_only=True)
class _Watcher:
    """What a watch remembers from turn to turn."""

    ports: Ports
    sweep: timedelta
    #: something may have changed since the last look
    has_hint: bool = True
    _generation: int = -1
    _next_look: datetime | None = None
    _not_before: datetime | None = None
    _failures: int = 0
    #: files that were being written at the last look, or that somebody has to fix, and how long to wait for them now
    _unsettled: frozenset[str] = frozenset()
    _patience: timedelta = _SOONEST_LOOK
    #: what was reported already
    _last: StepResult | None = None
    _decision: Decision | None = None
    _left_alone: frozenset[LeftAlone] = frozenset()

    def seconds_to_wait(self) -> float:
        """Return how long there is nothing to do, as far as is known."""
        return 0.0 if self.has_hint and self._not_before is None else BEAT.total_seconds()

    def take_turn(self) -> list[Happening]:
        """Do what is due, one batch at most, and return what to report."""
        gate, now = self.ports.ledger.gate(), self.ports.clock.now()
        if self._not_before is not None and now < self._not_before:
            return []
        if not gate.has_batch and not self._is_look_due(gate, now):
            return []
        # Later changes lead to another look: the next wait reports hints, and the gate has another generation.
        self._not_before, self._generation = None, gate.generation
        done = pipeline.step(self.ports, at_once=False)
        self.has_hint = isinstance(done, Worked)
        return self._what_to_tell(done, now)

    def back_off(self, failure: Exception) -> Failed:
        """Retry after a pause that grows each time, and differs between instances."""
        self.has_hint = True
        longest = min(_FIRST_RETRY * 2 ** min(self._failures, 10), _LONGEST_RETRY)
        retry_in = longest * random.uniform(0.5, 1)
        self._failures += 1
        self._not_before = self.ports.clock.now() + retry_in
        return Failed(error=failure, retry_in=retry_in)

    def _is_look_due(self, gate: Gate, now: datetime) -> bool:
        return (
            self.has_hint
            or gate.generation != self._generation
            or (gate.deadline is not None and gate.deadline <= now)
            or self._next_look is None
            or self._next_look <= now
        )

    def _what_to_tell(self, done: StepResult, now: datetime) -> list[Happening]:
        is_news = done != self._last
        self._last = done
        match done:
            case Worked(outcome=outcome):
                self._failures = 0
                return [] if outcome is None else [outcome]
            case Busy(batch_id=batch_id):
                if is_news:
                    self.ports.tell("batch.elsewhere", {"batch_id": batch_id})
                return []
            case Blocked():
                return [done] if is_news else []
            case Rest(decision=decision, sighting=sighting):
                self._failures = 0
                self._plan_next_look(sighting, now)
                return self._news_of(decision, sighting)

    def _plan_next_look(self, sighting: Sighting, now: datetime) -> None:
        """Look again soon if a file is being written, or may be being fixed: no hint may announce the end."""
        unsettled = frozenset(key for key, ignored in sighting.ignored if ignored.is_passing or ignored.has_trouble)
        self._patience = min(self._patience * 2, self.sweep) if unsettled == self._unsettled else _SOONEST_LOOK
        self._unsettled = unsettled
        self._next_look = now + (self._patience if unsettled else self.sweep)

    def _news_of(self, decision: Decision, sighting: Sighting) -> list[Happening]:
        left_alone = [
            LeftAlone(key=key, reason=ignored.reason) for key, ignored in sighting.ignored if not ignored.is_passing
        ]
        news: list[Happening] = [found for found in left_alone if found not in self._left_alone]
        if decision != self._decision:
            news.append(Waiting(decision=decision, files=len(sighting.drops)))
        self._decision, self._left_alone = decision, frozenset(left_alone)
        return news
