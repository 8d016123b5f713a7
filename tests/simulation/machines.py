"""Run Takings on several machines at once; their processes end, fail, die and start again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Final

from takings.composition.stores import Shop
from takings.errors import ContractError, InvariantBreach, MachineryError, SettingsError, Superseded
from takings.intake.gate import GateState
from takings.runs import maintenance, pipeline
from takings.runs.pipeline import Ports
from takings.runs.watch import Failed, watch
from tests.simulation.errands import errand
from tests.simulation.judge import Judge, Violated
from tests.simulation.mishaps import Interrupted, Life, Mishap, Witness, draw_mishaps
from tests.simulation.parts import Parts, Rules, shop_under
from tests.simulation.ports import ScheduledChanges, ports_of
from tests.simulation.rebuilt import Rebuilding
from tests.simulation.scheduler import Process, Scheduler

#: how often a watch looks without an announcement
_SWEEP: Final = timedelta(minutes=5)


@dataclass(eq=False, kw_only=True)
class Machine:
    """One machine; it runs one process at a time."""

    name: str
    host: str
    skew: timedelta
    #: it looks regularly, not only when an event tells it to
    sweeps: bool
    next_look: datetime | None
    life: Life | None = None
    #: what tells its watch about changes; None if it does not watch
    changes: ScheduledChanges | None = None


@dataclass(kw_only=True)
class Machines:
    """All of them."""

    shop: Shop
    chance: Random
    scheduler: Scheduler
    judge: Judge
    witness: Witness
    all: list[Machine]
    parts: Parts
    #: the settings of processes started now
    rules: Rules
    processes: dict[str, Process] = field(default_factory=dict)

    @property
    def are_idle(self) -> bool:
        """Return whether nobody runs, and every watch is waiting without an announced change."""
        at_work = [
            machine for machine in self.all if machine.life and not (machine.changes and machine.changes.is_resting)
        ]
        resting = {task for machine in self.all if machine.life for task in machine.life.process.tasks}
        return not at_work and resting.issuperset(self.scheduler.tasks)

    @property
    def is_alone(self) -> bool:
        """Return whether no process is left."""
        return not any(machine.life for machine in self.all) and not self.scheduler.tasks

    def stop_watches(self) -> None:
        """Ask every watch to stop."""
        for machine in self.all:
            if machine.changes is not None and not machine.changes.is_stopped:
                self.witness.tell(machine.name, "is asked to stop")
                machine.changes.stop()

    def __post_init__(self) -> None:
        for machine in self.all:
            machine.skew *= self.parts.skew

    def next_look(self) -> datetime | None:
        """Return when the next free machine looks by itself; None if none does."""
        looks = [machine.next_look for machine in self.all if machine.life is None and machine.next_look is not None]
        return min(looks, default=None)

    def announce(self) -> None:
        """Tell some machine, sooner or later, that there may be something to see."""
        told = self.chance.choice(self.all)
        moment = self.scheduler.now + timedelta(seconds=self.chance.choice((0, 1, self.chance.uniform(0, 60))))
        if told.changes is not None:
            told.changes.hint(moment)
        else:
            told.next_look = min(told.next_look or moment, moment)

    def begin_lives(self) -> None:
        """Start a life on each machine whose time has come."""
        for machine in self.all:
            if machine.life is None and machine.next_look is not None and machine.next_look <= self.scheduler.now:
                machine.next_look = None
                self._begin_life(machine)

    def _begin_life(self, machine: Machine) -> None:
        process = Process(name=f"{machine.name}:{len(self.processes)}", host=machine.host)
        is_maintenance = not self.witness.is_calm and self.chance.random() < 0.08
        life = machine.life = self.new_life(process, skew=machine.skew, is_maintenance=is_maintenance)
        ports = ports_of(life, shop_under(self.shop, life.rules), self.processes)
        at_once = self.witness.is_calm or self.chance.random() < 0.5
        body = self._errand(life, ports) if not (self.witness.is_calm or is_maintenance) else None
        if body is None and not is_maintenance and self._watches(machine):
            machine.changes = ScheduledChanges(life=life)
        self.scheduler.begin(process, lambda: self._live(machine, life, ports, body, at_once))

    def _errand(self, life: Life, ports: Ports) -> Callable[[], object] | None:
        """Draw whether a life runs an errand, and which."""
        if self.parts.chance.random() >= self.parts.errands:
            return None
        kind = self.parts.chance.choice(self.parts.kinds)
        body = errand(kind, self.parts.chance, ports, self.shop.ports, self.rebuilding(life.rules))
        if body is not None:
            self.witness.tell(life.name, f"is to {kind}")
        return body

    def rebuilding(self, rules: Rules) -> Rebuilding:
        """Return what a rebuild under these rules is made from."""
        return Rebuilding(shop=self.shop, contents=self.judge.contents, batches=self.judge.batches, rules=rules)

    def _watches(self, machine: Machine) -> bool:
        """Draw whether a life watches; at the end, the first machine runs at once what no policy would dispatch."""
        is_needed = self.witness.is_calm and machine is self.all[0]
        return not is_needed and self.parts.chance.random() < self.parts.watches

    def new_life(self, process: Process, *, skew: timedelta, is_maintenance: bool) -> Life:
        """Start the life of a process."""
        mishaps = [] if self.witness.is_calm else draw_mishaps(self.chance, is_maintenance=is_maintenance)
        life = Life(
            process=process,
            scheduler=self.scheduler,
            skew=skew,
            chance=self.chance,
            mishaps=[self._maybe_another(mishap) for mishap in mishaps],
            witness=self.witness,
            is_maintenance=is_maintenance,
            is_eventful=is_maintenance or self.chance.random() < 0.15,
            rules=self.rules,
        )
        process.step_within = life.step_within
        self.processes[process.name] = process
        return life

    def _maybe_another(self, mishap: Mishap) -> Mishap:
        """Draw whether a process is asked to end instead of being killed, and whether a fault is an invariant's breach."""
        match mishap.kind:
            case "killed" if self.parts.chance.random() < self.parts.interrupts:
                return replace(mishap, kind="interrupted")
            case "a fault" if self.parts.chance.random() < self.parts.breaches:
                return replace(mishap, kind="a breach", among=frozenset({"kpi_engine.measures"}), at=1)
        return mishap

    def _live(
        self, machine: Machine, life: Life, ports: Ports, body: Callable[[], object] | None, at_once: bool
    ) -> None:
        """Run, watch, maintain or run an errand; an error is right only if something went wrong before."""
        doing = " to maintain" if life.is_maintenance else " to watch" if machine.changes else ""
        self.witness.tell(life.name, "begins" + doing)
        try:
            if life.is_maintenance:
                maintenance.maintain(ports, keep_reports=timedelta(days=90), is_dry_run=False)
            elif body is not None:
                body()
            elif machine.changes is not None:
                self._watch(life, ports, machine.changes)
            else:
                outcome = pipeline.run(ports, at_once=at_once)
                if isinstance(outcome.decision, pipeline.WaitUntil) and machine.next_look is None:
                    machine.next_look = outcome.decision.deadline
        except Interrupted:
            self.witness.tell(life.name, "ends as it was asked to")
        except AssertionError as violation:
            self.witness.accuse(violation, None)
        except Exception as error:  # noqa: BLE001 - it is judged
            self.witness.tell(life.name, f"ends with {type(error).__name__}: {error}")
            if not self._is_allowed(life, error):
                self.witness.accuse(Violated(f"{life.name} failed: {error!r}"), error)
        else:
            self.witness.tell(life.name, "ends")

    def _watch(self, life: Life, ports: Ports, changes: ScheduledChanges) -> None:
        for happening in watch(ports, changes, sweep=_SWEEP):
            self.witness.tell(life.name, f"sees {type(happening).__name__}")
            if isinstance(happening, Failed) and not self._is_allowed(life, happening.error):
                self.witness.accuse(Violated(f"{life.name} failed: {happening.error!r}"), happening.error)

    def _is_allowed(self, life: Life, error: Exception) -> bool:
        """Return whether a run may end like this: after a fault, with a blocked batch, or after losing its batch."""
        if life.has_failed or isinstance(error, Superseded):
            return True
        gate = self.judge.gate
        if isinstance(error, ContractError):
            return self.witness.lacks_a_column(life)
        if isinstance(error, SettingsError) and self.witness.is_under_other_contracts(life):
            return True
        if gate.state is GateState.BLOCKED:
            return isinstance(error, MachineryError)
        has_lost_it = life.claim is not None and life.claim != (gate.batch_id, gate.attempt)
        return has_lost_it and not isinstance(error, InvariantBreach)

    def bury(self) -> None:
        """Let machines whose process is over, or dead, start another one."""
        for machine in list(self.all):
            life = machine.life
            if life is None:
                continue
            if life.process.is_dead and not life.process.is_over:
                self.scheduler.kill(life.process)
            if life.process.tasks[0].is_finished and (life.process.is_over or not life.process.is_dead):
                machine.life = machine.changes = None
                if life.process.is_dead and self._may_go(machine):
                    self.witness.tell(machine.name, "never comes back")
                    self.all.remove(machine)
                self.plan_sweep(machine)

    def _may_go(self, machine: Machine) -> bool:
        """Draw whether a machine is lost permanently; one that sweeps always remains."""
        is_needed = not any(other.sweeps for other in self.all if other is not machine)
        return not is_needed and self.chance.random() < 0.5

    def plan_sweep(self, machine: Machine) -> None:
        """Let a machine look again by itself; at the end all do, because the one that was told may have died."""
        if machine.sweeps or self.witness.is_calm:
            soon = self.scheduler.now + timedelta(seconds=self.chance.uniform(1, 120))
            machine.next_look = min(machine.next_look or soon, soon)


def draw_machines(chance: Random, begin: datetime, *, all_sweep: bool) -> list[Machine]:
    """Draw two or three machines, at least one of which sweeps."""
    return [
        Machine(
            name="ABC"[number],
            host=chance.choice(("here", f"host {number}")),
            skew=timedelta(seconds=chance.uniform(-3, 3)),
            sweeps=all_sweep or number == 0 or chance.random() < 0.6,
            next_look=begin + timedelta(seconds=chance.uniform(0, 30)),
        )
        for number in range(chance.choice((2, 2, 3)))
    ]
