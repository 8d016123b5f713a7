"""Let each life meet its mishaps: killed, paused, failed before or after a call of a port, or between two parts of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Final, Literal, Protocol

from takings.errors import InvariantBreach, StoreError
from tests.simulation.parts import Rules
from tests.simulation.scheduler import Killed, Process, Scheduler, is_main_task, take_step

MishapKind = Literal["killed", "killed after it", "paused", "a fault", "done, but not told", "a breach", "interrupted"]

#: calls that change something outside the process, and the parts of such calls
EFFECTS: Final = (
    "store.create",
    "store.create_from",
    "store.copy",
    "store.fetch",
    "store.archive",
    "store.forget",
    "ledger.change_gate",
    "ledger.record",
    "tables.apply",
    "kpis.publish",
    "kpi_engine.measures",
    "folder.link",
    "folder.rename",
    "folder.unlink",
)
#: where an attempt that slept through its lease, or died, meets its successor's work
_CONTESTED: Final[tuple[tuple[MishapKind, str], ...]] = (
    ("paused", "tables.apply"),
    ("paused", "tables.apply"),
    ("paused", "kpis.publish"),
    ("paused", "kpis.publish"),
    ("paused", "kpis.publish"),
    ("paused", "kpis.publish"),
    ("paused", "ledger.record"),
    ("paused", "store.archive"),
    ("killed after it", "tables.apply"),
    ("killed after it", "tables.apply"),
    ("killed after it", "store.forget"),
    ("killed after it", "store.fetch"),
)
_MAINTENANCE: Final = ("tables.apply", "tables.vacuum", "tables.clean_logs", "store.create", "store.discard")
#: they only return a folder's name
_NO_STEPS: Final = frozenset({"tables.folder", "store.staging", "store.path"})


class Interrupted(KeyboardInterrupt):
    """The process was asked to end at once, as by SIGTERM: it releases what it holds on the way out."""


@dataclass(frozen=True, kw_only=True)
class Mishap:
    """Something that goes wrong once, in a life that works on a batch."""

    kind: MishapKind
    #: the steps that count, and before which of them it happens
    among: frozenset[str] | None
    at: int
    #: how long a pause takes
    seconds: float = 0

    def concerns(self, step: str) -> bool:
        """Return whether a step counts."""
        return self.among is None or step in self.among


def draw_mishaps(chance: Random, *, is_maintenance: bool) -> list[Mishap]:
    """Draw what goes wrong in a life: a batch takes about 120 steps, 50 of them with an effect; maintenance takes 15."""
    mishaps = []
    for _ in range(chance.choice((0, 0, 1, 1, 1, 2))):
        kinds: tuple[MishapKind, ...] = ("killed", "paused", "a fault", "done, but not told", "a breach")
        kind = chance.choices(kinds, (10, 8, 4, 2, 1))[0]
        step = chance.choice(_MAINTENANCE if is_maintenance else EFFECTS)
        among, most = chance.choice(
            ((None, 15 if is_maintenance else 120), (frozenset(EFFECTS), 50), (frozenset({step}), 3))
        )
        if kind == "a breach":
            among, most = frozenset({"kpi_engine.measures"}), 1
        # Early steps are more likely, because many attempts are short.
        at, seconds = 1 + int(most * chance.random() ** 2), chance.choice((10, 50, 90, 200, 400, 800))
        mishaps.append(Mishap(kind=kind, among=among, at=at, seconds=seconds))
    return mishaps


def draw_ambush(chance: Random) -> list[Mishap]:
    """Draw what happens to the first, second … process to reach a step of a run that matters most."""
    if chance.random() < 0.3:
        return []
    kind, step = chance.choice(_CONTESTED)
    # It sleeps until long after the others have moved on.
    return [
        Mishap(kind=kind, among=frozenset({step}), at=chance.randint(1, 4), seconds=chance.choice((400, 3000, 3000)))
    ]


@dataclass(kw_only=True)
class Life:
    """One process, and what happens to it."""

    process: Process
    scheduler: Scheduler
    skew: timedelta
    chance: Random
    mishaps: list[Mishap]
    #: sees every call and its result
    witness: Witness
    #: it maintains the store instead of running batches
    is_maintenance: bool
    #: something may go wrong before it has claimed a batch
    is_eventful: bool
    #: the settings at its start
    rules: Rules = field(default_factory=Rules)
    #: the batch and attempt that it claimed
    claim: tuple[str | None, int] | None = None
    #: what it did after losing that batch
    late_effects: int = 0
    #: an error was injected
    has_failed: bool = False
    #: how often each step was taken since the claim
    steps: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        """Return the owner's name."""
        return self.process.name

    def take(self, port: str, method: str, call: Callable[[], object], values: tuple[object, ...]) -> object:
        """Make a call of a port, or suffer a mishap instead."""
        step = f"{port}.{method}"
        if step in _NO_STEPS and not self.process.is_dead:
            return call()
        take_step(step)
        mishap = self._meet(f"{step} of nothing" if _is_nothing(values) else step)
        result = call()
        self.witness.saw(self, step, values, result)
        if mishap == "killed after it":
            self.process.is_dead = True
            raise Killed
        if mishap == "done, but not told":
            raise StoreError(f"{step}: a fault after it was done.")
        return result

    def step_within(self, step: str) -> None:
        """Take a step that is part of a call."""
        take_step(step)
        self._meet(step)

    def _meet(self, step: str) -> MishapKind | None:
        if self.witness.is_calm or (self.claim is None and not self.is_eventful):
            return None
        for mishaps, steps in ((self.mishaps, self.steps), (self.witness.ambush, self.witness.steps_of_all)):
            steps[step] += 1
            for mishap in mishaps:
                counted = [count for taken, count in steps.items() if mishap.concerns(taken)]
                if mishap.concerns(step) and sum(counted) == mishap.at:
                    mishaps.remove(mishap)
                    return self._befall(mishap, step)
        return None

    def _befall(self, mishap: Mishap, step: str) -> MishapKind | None:
        self.witness.tell(self.name, f"{mishap.kind}: {step}")
        if mishap.kind == "killed":
            self.process.is_dead = True
            raise Killed
        if mishap.kind == "paused":
            self.process.paused_until = self.scheduler.now + timedelta(seconds=mishap.seconds)
            take_step(step)
            self.process.paused_until = None
            return None
        if mishap.kind == "killed after it":
            return mishap.kind
        if mishap.kind == "interrupted" and not is_main_task():
            return None
        self.has_failed = True
        if mishap.kind == "interrupted":
            raise Interrupted
        if mishap.kind == "a breach":
            raise InvariantBreach("a made up contradiction.")
        if mishap.kind == "a fault":
            raise StoreError(f"{step}: a fault.")
        return mishap.kind


class Witness(Protocol):
    """It sees everything that processes do."""

    #: nothing goes wrong any more
    is_calm: bool
    #: what happens to whoever reaches it, and how often each step was taken by anybody
    ambush: list[Mishap]
    steps_of_all: Counter[str]

    def saw(self, life: Life, step: str, values: tuple[object, ...], result: object) -> None:
        """Check a call that was made."""

    def tell(self, who: str, what: str) -> None:
        """Record what happened."""

    def is_under_other_contracts(self, life: Life) -> bool:
        """Return whether the batch in flight began under contracts other than the life's; then those are put back."""

    def lacks_a_column(self, life: Life) -> bool:
        """Return whether a life's contracts lack a column of the lake; then it is added to them again."""

    def accuse(self, violation: AssertionError, cause: Exception | None) -> None:
        """Record that something was wrong, which ends the run."""


def _is_nothing(values: tuple[object, ...]) -> bool:
    """Return whether a call applies or publishes nothing, so that nothing can go wrong."""
    return len(values) > 1 and (values[1] == () or getattr(values[1], "is_empty", False) is True)


def told(values: tuple[object, ...]) -> str:
    """Write values in short form, for the story."""
    return " ".join(str(value).replace("\n", " ")[:60] for value in values)
