"""A watch takes what is due, waits for the rest, and survives failures; time passes as fast as the test likes."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from takings.archive.outcome import BatchOutcome
from takings.composition.stores import Shop
from takings.contracts.model import Dataset
from takings.errors import CorruptState, InvariantBreach, SettingsError, StoreError
from takings.intake.gate import Gate, GateState
from takings.ports import Ports, Wake
from takings.runs import pipeline
from takings.runs.pipeline import Blocked, Hold, NothingPending, WaitUntil
from takings.runs.watch import BEAT, Failed, Happening, LeftAlone, Waiting, watch
from tests.file_systems import refusing_to_open
from tests.shop import ORDERS, PRODUCTS, csv_of, drop, drop_all, expected, item, opened, order, published

START = datetime.now(UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)

Act = Callable[[], object]


@dataclass
class World:
    """A clock, with what happens at which second; also the source of hints."""

    until: timedelta
    #: second -> what happens then; what is in `silently` gives no hint
    acts: dict[int, Act] = field(default_factory=dict)
    silently: dict[int, Act] = field(default_factory=dict)
    ahead: timedelta = timedelta(0)

    def now(self) -> datetime:
        """Return the instant, in UTC."""
        return START + self.ahead

    def sleep(self, seconds: float) -> None:
        """Jump ahead."""
        self.ahead += timedelta(seconds=seconds)

    def wait(self, seconds: float) -> Wake:
        """Let time pass, and run what is due."""
        self.sleep(seconds)
        for plan in (self.acts, self.silently):
            for second in sorted(second for second in plan if second * SECOND <= self.ahead):
                plan.pop(second)()
                if plan is self.acts:
                    return Wake.CHANGED
        return Wake.STOP if self.ahead >= self.until else Wake.QUIET

    def stop(self) -> None:
        """Stop now."""
        self.until = timedelta(0)


def happenings(
    root: Path,
    world: World,
    *,
    with_: Callable[[Ports], Ports] = lambda ports: ports,
    **options: Any,
) -> Iterator[Happening]:
    """Watch a store until the world ends."""
    with opened(root, **options) as shop:
        ports = with_(replace(shop.ports, clock=world))
        yield from watch(ports, world, sweep=shop.settings.sweep)


def watched(root: Path, world: World, **options: Any) -> list[object]:
    """Return what a watch reports; a batch by its number of files and its attempt."""
    return [
        (len(found.reports), found.attempt) if isinstance(found, BatchOutcome) else found
        for found in happenings(root, world, **options)
    ]


def nothing() -> Waiting:
    """Return what is reported when nothing is pending any more."""
    return Waiting(decision=NothingPending(), files=0)


def state_of(root: Path) -> Gate:
    """Return the store's gate."""
    with opened(root) as shop:
        return shop.ports.ledger.gate()


def stop_at(fact: str, error: BaseException, times: int = 1) -> Callable[[Ports], Ports]:
    """Return what makes a pipeline fail several times, whenever it logs something."""
    left = [error] * times

    def tell(told: str, _: object) -> None:
        if told == fact and left:
            raise left.pop()

    return lambda ports: replace(ports, tell=tell)


def in_flight(root: Path, change: Callable[[Shop, Gate], Gate]) -> Path:
    """Leave a batch of the three standard files half done, with its gate changed by `change`."""
    drop_all(root)
    with opened(root) as shop, pytest.raises(KeyboardInterrupt):
        pipeline.run(stop_at("lake.merging", KeyboardInterrupt())(shop.ports), at_once=True)
    with opened(root) as shop:
        shop.ports.ledger.change_gate(change(shop, shop.ports.ledger.gate()))
    return root


def owned_by(owner: str, until: timedelta = MINUTE) -> Callable[[Shop, Gate], Gate]:
    """Return a change that gives a batch to an owner."""
    return lambda _, gate: replace(gate, generation=gate.generation + 1, owner=owner, lease_expires_at=START + until)


class TestWaiting:
    def test_a_hold_says_what_is_missing_once_per_change(self, root: Path) -> None:
        """Not at every file, and not at every look."""
        world = World(
            until=60 * MINUTE,
            acts={
                1: lambda: drop(root, "orders/a.csv", ORDERS),
                2: lambda: drop(root, "orders/b.csv", csv_of(order(9))),
                3: lambda: drop(root, "products/a.csv", PRODUCTS),
            },
        )
        assert watched(root, world) == [
            nothing(),
            Waiting(decision=Hold(missing=(Dataset.PRODUCTS, Dataset.ORDER_ITEMS)), files=1),
            Waiting(decision=Hold(missing=(Dataset.ORDER_ITEMS,)), files=3),
        ]

    def test_ten_files_go_at_once(self, done: Path) -> None:
        """Whether they come together or one by one."""

        def drop_more(*names: str) -> Act:
            return lambda: [drop(done, f"orders/{name}.csv", csv_of(order(10 + ord(name)))) for name in names]

        world = World(until=MINUTE, acts={1: drop_more(*"abcdefghij"), 5: drop_more(*"klmnopqrs"), 9: drop_more("t")})
        first, *_, last = told = watched(done, world)
        assert (first, last) == (nothing(), nothing())
        assert [found for found in told if isinstance(found, tuple)] == [(10, 1), (10, 1)]
        assert published(done) == expected(done)

    def test_fewer_files_go_at_the_deadline(self, root: Path) -> None:
        """On time, without any hint."""
        world = World(until=20 * MINUTE + 2 * BEAT, acts={0: lambda: drop_all(root)})
        assert watched(root, world) == [
            Waiting(decision=WaitUntil(deadline=START + 20 * MINUTE), files=3),
            (3, 1),
            nothing(),
        ]

    def test_later_files_do_not_push_the_deadline_back(self, done: Path) -> None:
        """They go together with the first one."""
        world = World(
            until=21 * MINUTE,
            acts={
                0: lambda: drop(done, "orders/b.csv", csv_of(order(8))),
                1190: lambda: drop(done, "orders/c.csv", csv_of(order(9))),
            },
        )
        assert watched(done, world) == [
            Waiting(decision=WaitUntil(deadline=START + 20 * MINUTE), files=1),
            (2, 1),
            nothing(),
        ]

    def test_a_restarted_watch_keeps_the_deadline(self, root: Path) -> None:
        """The gate keeps it."""
        drop_all(root)
        assert len(watched(root, World(until=19 * MINUTE))) == 1
        again = World(until=21 * MINUTE, ahead=19 * MINUTE)
        assert watched(root, again) == [
            Waiting(decision=WaitUntil(deadline=START + 20 * MINUTE), files=3),
            (3, 1),
            nothing(),
        ]

    def test_files_that_come_while_a_batch_runs_make_the_next_one(self, done: Path) -> None:
        """Without any hint."""

        def meanwhile(ports: Ports) -> Ports:
            def tell(fact: str, _: object) -> None:
                if fact == "lake.committed" and not (done / "lake" / "commits" / "3.json").exists():
                    drop(done, "orders/c.csv", csv_of(order(9)))

            return replace(ports, tell=tell)

        world = World(until=SECOND, acts={0: lambda: drop(done, "orders/b.csv", csv_of(order(8)))})
        assert [
            found for found in watched(done, world, with_=meanwhile, batch_files=1) if isinstance(found, tuple)
        ] == [(1, 1), (1, 1)]

    def test_a_file_without_any_hint_is_found_by_the_sweep(self, done: Path) -> None:
        """Not earlier."""

        def drop_one() -> object:
            return drop(done, "orders/b.csv", csv_of(order(8)))

        world = World(until=5 * MINUTE - SECOND, silently={1: drop_one})
        assert watched(done, world) == [nothing()]
        (done / "raw-data" / "orders" / "b.csv").unlink()
        world = World(until=5 * MINUTE + SECOND, silently={1: drop_one})
        assert watched(done, world, batch_files=1) == [nothing(), (1, 1)]

    def test_what_is_no_drop_is_told_once(self, root: Path) -> None:
        """With the reason."""
        world = World(until=20 * MINUTE, acts={1: lambda: drop(root, "orders/notes.txt", b"")})
        assert watched(root, world) == [
            nothing(),
            LeftAlone(key="raw-data/orders/notes.txt", reason="its name ends in neither .csv nor .csv.gz"),
        ]


class TestTroubled:
    def test_a_file_that_may_not_be_read_is_told_once_and_taken_when_it_may(self, done: Path) -> None:
        """Without a hint: changed permissions are not an event."""
        path = drop(done, "orders/b.csv", csv_of(order(8)))
        with ExitStack() as trouble:
            trouble.enter_context(refusing_to_open(path))
            world = World(until=MINUTE, silently={20: trouble.close})
            told = watched(done, world, batch_files=1)
        denied = "it cannot be read: Permission denied. Let the user that runs Takings read it (chmod, chown)."
        assert told == [LeftAlone(key="raw-data/orders/b.csv", reason=denied), nothing(), (1, 1)]


class TestUnsettled:
    def test_a_file_that_is_being_written_is_looked_at_again_soon(self, done: Path) -> None:
        """Its end may give no hint; meanwhile, nothing is reported."""

        class Store:
            def __init__(self, ports: Ports) -> None:
                self._store = ports.store

            def __getattr__(self, method: str) -> Any:
                return getattr(self._store, method)

            def list(self, prefix: str) -> Iterator[Any]:
                is_settled = world.ahead > 10 * SECOND
                return (replace(info, is_settled=is_settled) for info in self._store.list(prefix))

        def with_(ports: Ports) -> Ports:
            return replace(ports, store=Store(ports))

        drop(done, "orders/b.csv", csv_of(order(8)))
        world = World(until=20 * SECOND)
        assert watched(done, world, with_=with_, batch_files=1) == [nothing(), (1, 1)]


class TestOwners:
    def test_a_batch_of_a_dead_process_is_resumed_at_once(self, root: Path) -> None:
        """Without waiting for its lease or a hint."""
        with subprocess.Popen([sys.executable, "-c", ""]) as process:
            pass
        in_flight(root, owned_by(f"{platform.node()}:{process.pid}:1:aaaa"))
        assert watched(root, World(until=SECOND)) == [(3, 2), nothing()]
        assert published(root) == expected(root)

    def test_a_batch_of_another_machine_is_resumed_when_its_lease_ends(self, root: Path) -> None:
        """Until then, a watch waits."""
        in_flight(root, owned_by("elsewhere:1:1:aaaa", until=MINUTE))
        assert watched(root, World(until=MINUTE - SECOND)) == []
        assert watched(root, World(until=MINUTE + SECOND)) == [(3, 2), nothing()]

    def test_a_batch_that_starts_and_dies_elsewhere_needs_no_hint(self, root: Path) -> None:
        """The gate is read regularly."""
        world = World(
            until=2 * MINUTE, silently={10: lambda: in_flight(root, owned_by("elsewhere:1:1:aaaa", until=MINUTE))}
        )
        assert watched(root, world) == [nothing(), (3, 2)]

    def test_beside_a_living_owner_a_watch_waits(self, root: Path) -> None:
        """What comes meanwhile makes the next batch."""

        def end() -> None:
            with opened(root) as shop:
                gate = shop.ports.ledger.gate()
                shop.ports.ledger.change_gate(gate.let_go(START))

        in_flight(root, owned_by("elsewhere:1:1:aaaa", until=60 * MINUTE))
        world = World(
            until=20 * SECOND,
            acts={2: lambda: drop(root, "order-items/b.csv", csv_of(item(9, 1)))},
            silently={10: end},
        )
        assert watched(root, world, batch_files=1) == [(3, 2), (1, 1), nothing()]
        assert published(root) == expected(root)


class TestFailures:
    def test_a_failure_is_told_and_tried_again_later_and_later(self, done: Path) -> None:
        """At intervals of up to a minute, with some jitter; nothing shortens them."""
        failures = 12

        class Store:
            def __init__(self, ports: Ports) -> None:
                self._store = ports.store

            def __getattr__(self, method: str) -> Any:
                return getattr(self._store, method)

            def list(self, prefix: str) -> Iterator[Any]:
                nonlocal failures
                failures -= 1
                if failures >= 0:
                    raise OSError(5, "Input/output error", "raw-data")
                return iter(self._store.list(prefix))

        world = World(until=20 * MINUTE, acts={0: lambda: drop(done, "orders/b.csv", csv_of(order(8)))})
        told = watched(
            done,
            world,
            with_=lambda ports: replace(ports, store=Store(ports)),
            batch_files=1,
        )
        delays = [found.retry_in for found in told if isinstance(found, Failed)]
        assert told[12:] == [(1, 1), nothing()]
        assert all(
            longest / 2 <= delay <= longest
            for delay, longest in zip(delays, [SECOND * 2**n for n in range(6)] + [MINUTE] * 6, strict=True)
        )

    def test_a_batch_that_fails_on_its_way_is_taken_up_again(self, root: Path) -> None:
        """The numbers are right in the end."""
        drop_all(root)
        told = watched(
            root, World(until=10 * MINUTE), with_=stop_at("lake.committed", StoreError("no space.")), batch_files=1
        )
        assert [found[0] for found in told if isinstance(found, tuple)] == [3]
        assert published(root) == expected(root)

    @pytest.mark.parametrize("error", [CorruptState("damaged."), SettingsError("no sense.")])
    def test_what_no_retry_mends_ends_the_watch(self, root: Path, error: Exception) -> None:
        """Its error is raised."""
        drop_all(root)
        with pytest.raises(type(error)):
            watched(root, World(until=MINUTE), with_=stop_at("batch.dispatched", error), batch_files=1)

    def test_a_blocked_batch_is_told_once_and_goes_on_when_unblocked(self, root: Path) -> None:
        """The watch stays alive."""

        def unblock() -> None:
            with opened(root) as shop:
                gate = shop.ports.ledger.gate()
                shop.ports.ledger.change_gate(gate.unblocked(START))

        in_flight(root, lambda _, gate: gate.blocked("numbers contradict."))
        batch_id = state_of(root).batch_id
        told = watched(root, World(until=20 * MINUTE, silently={600: unblock}))
        assert told == [Blocked(batch_id=batch_id, reason="numbers contradict."), (3, 2), nothing()]

    def test_a_batch_that_becomes_blocked_is_told_as_blocked(self, root: Path) -> None:
        """It is not reported as a failure, and not retried."""
        drop_all(root)
        breach = InvariantBreach("numbers contradict.")
        told = watched(root, World(until=10 * MINUTE), with_=stop_at("kpis.computing", breach), batch_files=1)
        gate = state_of(root)
        assert told == [Blocked(batch_id=gate.batch_id, reason="numbers contradict.")]
        assert gate.state is GateState.BLOCKED


def test_asked_to_stop_a_watch_ends_after_the_running_batch(root: Path) -> None:
    """Remaining files stay pending."""
    drop_all(root)
    drop(root, "order-items/b.csv", csv_of(item(9, 1)))
    world = World(until=MINUTE)

    def stop(fact: str, _: object) -> None:
        if fact == "batch.dispatched":
            world.stop()

    told = watched(root, world, with_=lambda ports: replace(ports, tell=stop), batch_files=1, batch_max_files=3)
    assert told == [(3, 1)]
    assert state_of(root).state is GateState.IDLE
