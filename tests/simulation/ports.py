"""Give each process its own ports on the shared store: every call is a step where anything may happen.

Methods of the ports are wrapped on demand, so a new method of a port is simulated, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from pathlib import Path, PosixPath
from typing import Any, Final

from takings.adapters.delta.lake_tables import DeltaLake
from takings.adapters.duckdb.lake_engine import DuckDbEngine
from takings.adapters.local.lake_files import FolderLakeFiles
from takings.adapters.local.object_store import FolderStore
from takings.composition.stores import Shop
from takings.errors import MachineryError
from takings.intake.gate import RENEWAL
from takings.ports import Wake
from takings.runs.pipeline import Ports
from takings.time_zones import business_time
from tests.simulation.mishaps import Life, told
from tests.simulation.scheduler import Killed, Process, Task, current_process, current_task, take_step

#: ports that the simulation has to provide itself
_OWN: Final = {"clock", "heartbeat", "owners", "tell"}


def ports_of(life: Life, shop: Shop, processes: Mapping[str, Process]) -> Ports:
    """Return the ports of a process on a shop's store."""
    shared = shop.ports
    tables = DeltaLake(FolderLakeFiles(shop.root))
    connection = shared.engine._connection  # type: ignore[attr-defined] # one DuckDB serves all
    engine = DuckDbEngine(connection, tables, shared.contracts, business_time(shared.time_zone))
    own: dict[str, Any] = {
        "store": SteppingFolder(SteppingPath(shop.root)),
        "tables": tables,
        "engine": engine,
        "kpi_engine": engine,
    }
    wrapped: dict[str, Any] = {}
    for port in fields(shared):
        value = own.get(port.name, getattr(shared, port.name))
        if port.name not in _OWN and type(value).__module__.startswith(("takings.adapters", "tests.")):
            wrapped[port.name] = Port(life, port.name, value)
    return replace(
        shared,
        **wrapped,
        clock=SkewedClock(life),
        heartbeat=ScheduledHeartbeat(life),
        owners=SimulatedOwners(life, processes),
        tell=lambda what, known: life.witness.tell(life.name, f"* {what} {told(tuple(known.values()))}"),
    )


class Port:
    """A port of one process."""

    def __init__(self, life: Life, name: str, port: object) -> None:
        self._life = life
        self._name = name
        self._port = port

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._port, method)
        if not callable(found):
            return found

        def call(*values: Any, **named: Any) -> Any:
            def make() -> object:
                result = found(*values, **named)
                # What is read bit by bit is read as a whole, so that every step belongs to the scheduler.
                return iter(list(result)) if isinstance(result, Iterator) else result

            result = self._life.take(self._name, method, make, (*values, *named.values()))
            if isinstance(result, AbstractContextManager) and not isinstance(result, Path):
                return _entered(self._life, f"{self._name}.{method}", result)
            return result

        return call


@contextmanager
def _entered(life: Life, name: str, block: AbstractContextManager[object]) -> Iterator[Port]:
    with block as entered:
        yield Port(life, name, entered)


# Ports that the simulation has to provide itself


@dataclass(frozen=True)
class SkewedClock:
    """The simulation's time, as one machine's clock shows it."""

    life: Life

    def now(self) -> datetime:
        """Return the instant, in UTC."""
        if self.life.process.is_dead:
            raise Killed
        return self.life.scheduler.now + self.life.skew

    def sleep(self, seconds: float) -> None:
        """Let the others continue; a short sleep is prolonged, because a look every 0.2 s would find nothing new."""
        take_step("clock.sleep", seconds=seconds + self.life.chance.uniform(0, 5))


@dataclass(frozen=True)
class ScheduledHeartbeat:
    """A heartbeat whose beats are the scheduler's steps."""

    life: Life

    @contextmanager
    def beating(self, beat: Callable[[], None]) -> Iterator[None]:
        """Call `beat` every 15 seconds until the block ends."""
        is_done = is_at_it = False

        def keep_beating() -> None:
            nonlocal is_at_it
            while True:
                take_step("heartbeat.wait", seconds=RENEWAL.total_seconds())
                if is_done:
                    return
                is_at_it = True
                try:
                    beat()
                except MachineryError:
                    return
                finally:
                    is_at_it = False

        task = self.life.scheduler.begin(self.life.process, keep_beating)
        try:
            yield
        finally:
            is_done = True
            while is_at_it:
                take_step("heartbeat.join", seconds=0.1)
            task.wakes_at = self.life.scheduler.now


@dataclass(frozen=True)
class SimulatedOwners:
    """Who works on the store; a host knows only about its own processes."""

    life: Life
    processes: Mapping[str, Process]

    def me(self) -> str:
        """Return the process's name."""
        return self.life.name

    def token(self) -> str:
        """Return four hexadecimal digits."""
        return f"{self.life.chance.randrange(16**4):04x}"

    def is_dead(self, owner: str | None) -> bool:
        """Return whether an owner was a process of this host that is gone."""
        if owner is None or owner == self.life.name:
            return owner is None
        process = self.processes.get(owner)
        return process is not None and process.host == self.life.process.host and (process.is_dead or process.is_over)


@dataclass(kw_only=True)
class ScheduledChanges:
    """What hints to a watch that something may have changed, or asks it to stop."""

    life: Life
    #: when the watch will be told that something changed
    hint_at: datetime | None = None
    is_stopped: bool = False
    _waiting: Task | None = field(default=None, init=False)

    @property
    def is_resting(self) -> bool:
        """Return whether the watch waits without an announced change."""
        return self._waiting is not None and self.hint_at is None

    def wait(self, seconds: float) -> Wake:
        """Wait for a hint; a short wait is prolonged, because a look at the gate every second would find nothing new."""
        if not self.is_stopped:
            self._rest(seconds)
        if self.is_stopped:
            return Wake.STOP
        if self.hint_at is not None and self.hint_at <= self.life.scheduler.now:
            self.hint_at = None
            return Wake.CHANGED
        return Wake.QUIET

    def _rest(self, seconds: float) -> None:
        self._waiting = current_task()
        stretched = seconds + (self.life.chance.uniform(0, 20) if seconds else 0)
        if self.hint_at is not None:
            until_hint = (self.hint_at - self.life.scheduler.now).total_seconds()
            stretched = max(0.0, min(stretched, until_hint))
        try:
            take_step("changes.wait", seconds=stretched)
        finally:
            self._waiting = None

    def hint(self, moment: datetime) -> None:
        """Tell the watch about a change, some time later."""
        self.hint_at = min(self.hint_at or moment, moment)
        self._wake(self.hint_at)

    def stop(self) -> None:
        """Ask the watch to end."""
        self.is_stopped = True
        self._wake(self.life.scheduler.now)

    def _wake(self, moment: datetime) -> None:
        if self._waiting is not None:
            self._waiting.wakes_at = min(self._waiting.wakes_at, moment + timedelta(microseconds=1))


# The folder, in smaller steps


class SteppingPath(PosixPath):
    """A path whose renames and removals are separate steps; only its writer knows a draft."""

    __slots__ = ()

    def rename(self, target: Any) -> Any:
        """Rename, and let the others see the result."""
        step_within("folder.rename")
        renamed = super().rename(target)
        step_within("folder.renamed")
        return renamed

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove."""
        if "drafts" not in self.parts:
            step_within("folder.unlink")
        super().unlink(missing_ok)


class SteppingFolder(FolderStore):
    """A store in a folder whose processes may stop between any two changes of a file."""

    def _link(self, source: Path, target: Path, *, is_draft: bool = False) -> bool:
        step_within("folder.link")
        return super()._link(source, target, is_draft=is_draft)


def step_within(step: str) -> None:
    process = current_process()
    if process is not None:
        process.step_within(step)
