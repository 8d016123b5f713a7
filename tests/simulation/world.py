"""Run a shop under a seed: files arrive, instances look, die, pause and fail, and at the end everything settles."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import IO, Any, Final

from takings.adapters.local.removing import etag_of as etag_of
from takings.composition.stores import Shop
from takings.contracts.model import Dataset
from takings.intake.gate import GateState
from takings.layout import RAW
from takings.runs import maintenance
from takings.runs.rebuild import read_archive
from tests.simulation import drops
from tests.simulation.drops import Drop, Plan
from tests.simulation.judge import Judge, Violated
from tests.simulation.machines import Machines, draw_machines
from tests.simulation.mishaps import Life, Mishap, draw_ambush, told
from tests.simulation.parts import Parts, Rules, contracts_named, contracts_of_hash, draw_parts, plain, shop_under
from tests.simulation.ports import ports_of
from tests.simulation.scheduler import Process, Scheduler, Stuck, Task
from tests.simulation.workshop import opened_shop

#: all shops begin at this instant
BEGIN: Final = datetime(2026, 1, 5, 8, tzinfo=UTC)
#: more steps than any run needs
_MOST_STEPS: Final = 15_000
_MOMENT: Final = timedelta(milliseconds=7)


@dataclass(kw_only=True)
class World:
    """One run."""

    seed: int
    shop: Shop
    chance: Random
    scheduler: Scheduler
    judge: Judge
    plans: list[Plan]
    parts: Parts
    #: how often a step is the shop's
    pace: float
    #: nothing goes wrong any more
    is_calm: bool = False
    ambush: list[Mishap]
    steps_of_all: Counter[str] = field(default_factory=Counter)
    machines: Machines = field(init=False)
    story: list[str] = field(default_factory=list)
    violation: AssertionError | None = None
    #: files that are still being written
    open_files: list[tuple[IO[bytes], Plan]] = field(default_factory=list)
    steps: int = 0
    last: Task | None = None
    #: contracts were put back for the batch in flight; afterwards, these are restored
    wanted: Rules | None = None
    mended: int = 0

    def __post_init__(self) -> None:
        self.machines = Machines(
            shop=self.shop,
            chance=self.chance,
            scheduler=self.scheduler,
            judge=self.judge,
            witness=self,
            # A process that sleeps in an ambush must find that the others have moved on.
            all=draw_machines(self.chance, BEGIN, all_sweep=bool(self.ambush)),
            parts=self.parts,
            rules=self.parts.rules,
        )

    # The story --------------------------------------------------------------------------------------------------------

    def tell(self, who: str, what: str) -> None:
        """Record what happened."""
        self.story.append(f"{(self.scheduler.now - BEGIN).total_seconds():9.2f} {who:12} {what}")

    def saw(self, life: Life, step: str, values: tuple[object, ...], result: object) -> None:
        """Check a call that was made."""
        self.tell(life.name, f"{step} {told(values)} -> {told((result,))}")
        try:
            self._stamp(step, values, result)
            self.judge.saw(life, step, values, result)
        except Violated as violation:
            self.accuse(violation, None)

    def accuse(self, violation: AssertionError, cause: Exception | None) -> None:
        """Record that something was wrong; the first thing counts."""
        if self.violation is None:
            self.violation = violation
            self.violation.__cause__ = cause

    def _stamp(self, step: str, values: tuple[object, ...], result: object) -> None:
        """Give files the simulation's time, which maintenance uses to tell what is old."""
        if step in {"store.create", "store.create_from"} and result:
            path = self.shop.root / str(values[0])
            if path.exists():
                drops.set_time(path, self.scheduler.now)
        if step == "validation.validate":
            staged = values[-1]
            if isinstance(staged, Path) and staged.is_file():
                drops.set_time(staged, self.scheduler.now)
        if step in {"engine.compact", "engine.merging.merge"}:
            dataset: Any = values[0]
            for added in getattr(result, "added", ()):
                drops.set_time(self.shop.ports.tables.folder(dataset) / added.path, self.scheduler.now)

    # The run ----------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Run everything, and judge the result."""
        try:
            while self.plans or self.open_files:
                self._go_on()
            for _ in range(self.chance.randrange(200)):
                self._go_on()
            while self.parts.changes:
                self._change_rules()
                for _ in range(self.parts.chance.randrange(100)):
                    self._go_on()
            if self.parts.mends:
                self._mend()
            self._settle()
            if self._has_colour():
                self.machines.rules = self.machines.rules.with_colour()
            self.judge.rules = self.machines.rules
            self.judge.ports = shop_under(self.shop, self.machines.rules).ports
            self.judge.judge()
            if self.parts.is_rebuilt:
                self.machines.rebuilding(self.machines.rules).rebuild(read_archive(self.shop.ports.store))
            self._maintain_later()
        finally:
            self.is_calm = True
            self.scheduler.end()
            for file, _ in self.open_files:
                file.close()

    def _settle(self) -> None:
        """Let nothing more go wrong until there is nothing left to do."""
        self.is_calm = True
        self.tell("", "from here on nothing goes wrong")
        self.machines.stop_watches()
        while not self._is_done():
            if self.judge.gate.state is GateState.BLOCKED:
                self._unblock()
            self._go_on()

    def _maintain_later(self) -> None:
        """Let a week pass: what superseded attempts left is removed, and what the numbers need stays."""
        if not self.judge.leftovers() and self.chance.random() < 0.7:
            return
        self.scheduler.now += maintenance.KEEP + timedelta(days=1)
        process = Process(name="maintenance", host="here")
        life = self.machines.new_life(process, skew=timedelta(0), is_maintenance=True)
        ports = ports_of(life, shop_under(self.shop, life.rules), self.machines.processes)
        maintenance.maintain(ports, keep_reports=timedelta(days=90), is_dry_run=False)
        self.judge.judge()
        if self.judge.leftovers():
            raise Violated(f"left behind: {self.judge.leftovers()}")

    def _is_done(self) -> bool:
        is_idle = self.machines.are_idle and self.wanted is None
        if not is_idle or self.judge.gate.has_batch or list(self.shop.ports.store.list(RAW)):
            return False
        self.machines.stop_watches()
        return self.machines.is_alone

    def _go_on(self) -> None:
        """Let one thing happen."""
        self.steps += 1
        if self.steps > _MOST_STEPS:
            raise Stuck(f"nothing has settled after {_MOST_STEPS} steps")
        if self.wanted is not None and not self.judge.gate.has_batch:
            self.tell("", f"sets {self.wanted} again")
            self.machines.rules, self.wanted = self.wanted, None
        self.machines.begin_lives()
        ready = self.scheduler.ready()
        if not self.is_calm and self.chance.random() < (self.pace if ready else 0.3):
            self._happen()
        elif ready:
            self._take_turn(ready)
        else:
            self._pass_time()
        self.machines.bury()
        if self.violation is not None:
            raise self.violation

    def _take_turn(self, ready: list[Task]) -> None:
        task = self.last if self.last in ready and self.chance.random() < 0.6 else self.chance.choice(ready)
        self.last = task
        self.scheduler.now += timedelta(microseconds=self.chance.randrange(1, 400_000))
        task.go_on()
        if task.error is not None:
            self.accuse(Violated(f"{task.process.name} failed at {task.doing}: {task.error!r}"), task.error)

    def _pass_time(self) -> None:
        moments = [moment for moment in (self.machines.next_look(), self.scheduler.next_moment()) if moment is not None]
        if not moments:
            raise Stuck("everybody waits, for nothing")
        self.scheduler.now = max(self.scheduler.now, min(moments))

    # What happens to the shop -----------------------------------------------------------------------------------------

    def _happen(self) -> None:
        if self.parts.changes and self.parts.chance.random() < 0.3:
            self._change_rules()
        if self.parts.mends and self.parts.chance.random() < self.parts.mends:
            self._mend()
        if self.open_files and self.chance.random() < 0.5:
            self._end_to_write(self.open_files[0][1])
        elif self.judge.gate.state is GateState.BLOCKED and self.chance.random() < 0.5:
            self._unblock()
        elif self.plans:
            self._drop(self.plans.pop(0))

    def _change_rules(self) -> None:
        """Give processes started from now on other settings or contracts; running watches may keep theirs for some time."""
        rules = self.parts.changes.pop(0)
        self.tell("", f"sets {rules}")
        if self.wanted is not None:
            self.wanted = rules
        else:
            self.machines.rules = rules
        if self.parts.chance.random() < 0.5:
            self.machines.stop_watches()

    def is_under_other_contracts(self, life: Life) -> bool:
        """Return whether a life cannot finish the batch in flight; then the contracts it began under are put back."""
        batch_id = self.judge.gate.batch_id
        if batch_id is None:
            return life.claim is not None and life.rules != self.machines.rules
        contracts = contracts_of_hash(self.judge.manifest(batch_id).contracts)
        if contracts_named(contracts).hash == contracts_named(life.rules.contracts).hash:
            return False
        if self.machines.rules.contracts != contracts:
            self.tell("", f"puts the contracts back: {contracts}")
            self.wanted = self.wanted or self.machines.rules
            self.machines.rules = replace(self.machines.rules, contracts=contracts)
        return True

    def lacks_a_column(self, life: Life) -> bool:
        """Return whether a life's contracts lack a column of the lake; then it is added to them again."""
        if not self._has_colour() or "colour" in life.rules.contracts:
            return False
        if "colour" not in self.machines.rules.contracts:
            self.tell("", "puts the column back into the contracts")
        self.machines.rules = self.machines.rules.with_colour()
        self.wanted = self.wanted and self.wanted.with_colour()
        self.parts.changes = [rules.with_colour() for rules in self.parts.changes]
        return True

    def _has_colour(self) -> bool:
        return "colour" in (self.shop.ports.tables.snapshot()[Dataset.PRODUCTS].columns or ())

    def _mend(self) -> None:
        """Let rows come back from quarantine, corrected."""
        quarantine = self.shop.root / "quarantine"
        found = [path for path in sorted(quarantine.rglob("*.csv")) if path.is_file()]
        if found and self.mended < 3:
            path = self.parts.chance.choice(found)
            dataset: Any = path.relative_to(quarantine).parts[1]
            self.mended += 1
            self._drop(drops.mended(path.read_bytes(), dataset, self.mended))

    def _drop(self, plan: Plan) -> None:
        for writing in [writing for _, writing in self.open_files if writing.file == plan.file]:
            self._end_to_write(writing)
        # No two files have the same time, because the time tells them apart.
        self.scheduler.now += _MOMENT
        written_at = self.scheduler.now - plan.age
        self.tell("", f"{'begins to write' if plan.is_slow else 'drops'} {plan.file} {plan.content.fingerprint[:8]}")
        self._overwrite(f"{RAW}{plan.file}")
        if plan.is_slow:
            self.open_files.append((drops.begin_to_write(self.shop.root, plan, written_at), plan))
        else:
            self._dropped(plan, drops.place(self.shop.root, plan, written_at), written_at)

    def _end_to_write(self, plan: Plan) -> None:
        self.scheduler.now += _MOMENT
        file = next(file for file, writing in self.open_files if writing is plan)
        self.open_files = [others for others in self.open_files if others[1] is not plan]
        status = drops.end_to_write(file, plan, self.scheduler.now)
        self.tell("", f"has written {plan.file}")
        self._dropped(plan, status, self.scheduler.now)

    def _overwrite(self, key: str) -> None:
        for drop in self.judge.drops:
            drop.is_overwritten |= drop.key == key

    def _dropped(self, plan: Plan, status: os.stat_result, written_at: datetime) -> None:
        self.judge.drops.append(Drop(plan=plan, key=f"{RAW}{plan.file}", written_at=written_at, etag=etag_of(status)))
        # Events come twice, late or not at all.
        for _ in range(self.chance.choice((0, 1, 1, 2))):
            self.machines.announce()

    def _unblock(self) -> None:
        ledger = self.shop.ports.ledger
        self.judge.gate = ledger.change_gate(ledger.gate().unblocked(self.scheduler.now))
        self.tell("", "unblocks the batch")


def simulate(seed: int, *, is_plain: bool = False) -> World:
    """Run a seed; raise AssertionError with its story if anything is wrong."""
    chance, parts = Random(f"simulation {seed}"), plain() if is_plain else draw_parts(seed)
    versions = parts.rules.versions
    options = {
        "batch_files": chance.choice((2, 3, 4)),
        "batch_wait": f"{chance.choice((1, 5, 20))}m",
        "batch_max_files": chance.choice((2, 3, 1000, 1000)),
    }
    with opened_shop(options, versions) as shop:
        scheduler = Scheduler(BEGIN)
        world = World(
            seed=seed,
            shop=shop,
            chance=chance,
            scheduler=scheduler,
            judge=Judge(root=shop.root, ports=shop.ports),
            plans=drops.enrich(
                drops.plan_drops(chance, versions),
                parts.chance,
                is_rich=parts.is_rich,
                copies=parts.copies,
                versions=versions,
            ),
            parts=parts,
            ambush=draw_ambush(chance),
            pace=chance.choice((0.004, 0.012, 0.03)),
        )
        world.tell("", f"seed {seed}, {options}, {parts}")
        try:
            world.run()
        except AssertionError as violation:
            violation.add_note("\n".join(world.story))
            raise
        except Exception as failure:
            unjudged = Violated(f"it cannot be judged: {failure!r}")
            unjudged.add_note("\n".join(world.story))
            raise unjudged from failure
        return world
