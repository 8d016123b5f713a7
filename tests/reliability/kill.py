"""Kill real processes with SIGKILL at every named step and at random moments, and let another one continue.

`python -m tests.reliability.kill --times 20 --random 500 --seed 1`; one round again: `… --seed 1 --only 'random 17'`.
With `--on spark://host:port`, the processes are drivers of that cluster; DuckDB says what is right.

WORKERS processes share the rounds. Exit codes: 0 all went well, 1 a round did not, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

from takings.adapters.clock import SystemClock
from takings.composition.stores import open_store
from takings.runs import pipeline
from tests.reliability.children import Child, command, forget_settings, remember_what_is_read, start
from tests.reliability.judge import Dropped, fingerprint, judge, published
from tests.reliability.victim import run_telling, run_until
from tests.shop import csv_of, drop, drop_all, item, new_store, order, product, run, silent

#: logged only by a process that resumes another one's work; a driver of executors reads no file, so it only resumes
RESUMING: Final = ("batch.resumed", "file.suspected", "batch.given_up")
#: before every dropped file
_EPOCH: Final = datetime(2026, 1, 5, tzinfo=UTC)
#: a process that ended before its kill is tried again, with an earlier one
_MOST_TRIES: Final = 20
_SETTINGS: Final = {"threads": 1, "memory": "200MB"}


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A store with a batch in its lake and another one pending, and the right result."""

    folder: Path
    dropped: tuple[Dropped, ...]
    #: how often each step is logged in an undisturbed run, in order
    steps: dict[str, int]
    #: what that run publishes
    kpis: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Went:
    """How a round went."""

    name: str
    deaths: int
    #: the last step logged before a random death
    died_after: tuple[str, ...]
    lost: tuple[str, ...]
    double: tuple[str, ...]
    different: tuple[str, ...]

    @property
    def is_well(self) -> bool:
        """Return whether everything was right."""
        return not (self.lost or self.double or self.different)


# The shop


def make_shop(base: Path) -> Shop:
    """Make the store that every round copies, and record what an undisturbed run makes of it."""
    forget_settings(**_SETTINGS)
    root = new_store(base / "shop")
    drop_all(root)
    drop(root, "order-items/orphan.csv", csv_of(item(4, 4, 2, "1.50")))
    first = _dropped(root)
    run(root)
    _drop_second_batch(root)
    dropped = (*first, *_dropped(root, refused="raw-data/order-items/bad.csv"))

    undisturbed = shutil.copytree(root, base / "undisturbed")
    heard: Counter[str] = Counter()
    run_telling(undisturbed, lambda step: heard.update([step]))
    with open_store(undisturbed, silent) as shop:
        kpis = published(shop)
        found = judge(shop, dropped)
    if found.lost or found.double or found.different:
        raise AssertionError(f"an undisturbed run goes wrong: {found}")
    return Shop(folder=root, dropped=dropped, steps=dict(heard), kpis=kpis)


def _drop_second_batch(root: Path) -> None:
    """A correction, a moved order, an orphan's order, a product with another category, a bad file, two copies."""
    items = csv_of(item(6, 4, 4, "7.75"), item(7, 1, 1, "0.35", status="cancelled"), item(8, 2, 3, "3.00"))
    for minutes, (file, content) in enumerate(
        {
            "orders/a.csv": csv_of(order(1, status="returned"), order(2, user_id=9), order(5, "2025-04-02T12:00:00")),
            "orders/b.csv": csv_of(order(3, "2025-04-01T08:00:00"), order(4)),
            "products/b.csv": csv_of(product(2, "Games"), product(4, "Maps")),
            "order-items/b.csv": items,
            "order-items/copies/b.csv": items,
            "order-items/copy.csv": csv_of(item(4, 4, 2, "1.50")),
            "order-items/bad.csv": csv_of(item(9, 1, sale_price="0")),
            "order-items/c.csv": csv_of(item(10, 5, 2, "12.00"), item(11, 77, 2, "1.00")),
        }.items()
    ):
        drop(root, file, content, written_at=_EPOCH + timedelta(days=1, minutes=minutes))


def _dropped(root: Path, refused: str = "") -> list[Dropped]:
    paths = sorted(path for path in (root / "raw-data").rglob("*") if path.is_file())
    keys = {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
    return [(key, fingerprint(content), key == refused) for key, content in keys.items()]


# The rounds


def rounds(shop: Shop, times: int, moments: int, resuming: Sequence[str] = RESUMING) -> list[str]:
    """Name the rounds: `times` for each named step, including those of a resuming process, and the random moments."""
    steps = [step for step in shop.steps if step not in RESUMING]
    named = [f"{step} {number}" for step in (*steps, *resuming) for number in range(times)]
    return named + [f"random {number}" for number in range(moments)]


def live(name: str, shop: Shop, seed: int, base: Path) -> Went:
    """Run a round: one or two processes die, the next one ends, and the result is judged."""
    folder = base / name.replace(" ", "-")
    folder.mkdir()
    root = shutil.copytree(shop.folder, folder / "shop")
    chance = Random(f"{seed} {name}")
    after: list[str] = []
    try:
        deaths = _kill(name, shop, root, chance, after)
        found = _go_on(root, shop)
    except AssertionError as failure:
        return Went(name=name, deaths=0, died_after=tuple(after), lost=(), double=(), different=(str(failure),))
    went = Went(
        name=name,
        deaths=deaths,
        died_after=tuple(after),
        lost=tuple(found["lost"]),
        double=tuple(found["double"]),
        different=tuple(found["different"]) if deaths else ("no process was killed",),
    )
    if went.is_well:
        shutil.rmtree(folder)
    return went


def _go_on(root: Path, shop: Shop) -> dict[str, list[str]]:
    """Let another process continue, and return its judgement."""
    resumed = start(partial(go_on, root, shop), root.with_name("resumed"))
    ended = resumed.ended()
    if ended.has_hung:
        raise AssertionError("the process that went on did not come to its end")
    if ended.result is None:
        raise AssertionError(f"the process that went on failed: {resumed.last_words()}")
    judgement: dict[str, list[str]] = ended.result
    return judgement


def _kill(name: str, shop: Shop, root: Path, chance: Random, after: list[str]) -> int:
    """Kill a process, in some rounds also the one that continues; return how many died."""
    step, _, number = name.rpartition(" ")
    if step != "random":
        return _kill_at_steps(shop, root, step, int(number), chance)
    after += _kill_at_random(shop, root, root.with_name("victim"), chance, _MOST_TRIES)
    if int(number) % 3 == 2:
        after += _kill_at_random(shop, root, root.with_name("second"), chance)
    return len(after)


def _kill_at_steps(shop: Shop, root: Path, step: str, number: int, chance: Random) -> int:
    """Let a process die at a step; return how many died, or none if one that should die did not."""
    if step in RESUMING:
        # A batch can only be resumed if it was left, and a file only suspected if it was read.
        told = shop.steps["file.judged"]
        plan = [("file.judged", chance.randint(1, told - 1)), (step, 1)]
    else:
        plan = [(step, number % shop.steps[step] + 1)]
        if number % 3 == 2:
            plan.append((chance.choice([*shop.steps, *RESUMING]), 1))
    deaths = 0
    for place, (where, which) in enumerate(plan):
        victim = start(partial(run_until, root, where, which), root.with_name(f"victim{place}"))
        ended = victim.ended()
        if ended.has_hung or ended.code not in {None, 0}:
            raise AssertionError(f"a victim failed by itself: {victim.last_words()}")
        deaths += ended.code is None
    return deaths if step not in RESUMING or deaths == len(plan) else 0


#: how long `takings run` takes without a death, measured in this process; measured again now and then
_usual_seconds: list[float] = []
_MEASURED_FOR: Final = 25


def _kill_at_random(shop: Shop, root: Path, printed: Path, chance: Random, tries: int = 1) -> list[str]:
    """Kill `takings run` after a random part of its usual time; return its last step, or nothing if it ended before.

    In that case, try again with a new store and an earlier kill. A store where another process has died is not copied again:
    the files of the copy would have other ETags than those that its batch read.
    """
    if len(_usual_seconds) % _MEASURED_FOR == 0:
        measured = shutil.copytree(shop.folder, printed.with_name(f"{printed.name}-measured"))
        begun = time.monotonic()
        _takings_run(measured, printed.with_name(f"{printed.name}-measuring")).ended()
        _usual_seconds[:] = [time.monotonic() - begun]
    else:
        _usual_seconds.append(_usual_seconds[-1])
    part = chance.random()
    while True:
        begun = time.monotonic()
        child = _takings_run(root, printed)
        time.sleep(part * _usual_seconds[-1])
        child.kill()
        if child.ended().code is None:
            return [_last_step(printed)]
        _usual_seconds[-1] = time.monotonic() - begun
        part, tries = part * 0.8, tries - 1
        if not tries:
            return []
        shutil.rmtree(root)
        shutil.copytree(shop.folder, root)
        printed.unlink()


def _takings_run(root: Path, printed: Path) -> Child:
    return start(partial(command, "--verbose", "run", root, "--now"), printed)


def _last_step(printed: Path) -> str:
    """Return the last logged fact; before the first one, the process was still opening the store."""
    lines = printed.read_text(errors="replace").splitlines() if printed.exists() else []
    facts = [
        word for line in lines for word in line.split()[2:3] if "." in word and word.replace(".", "").isidentifier()
    ]
    return facts[-1] if facts else "(nothing told)"


class Impatient(SystemClock):
    """The machine's clock, in a process that never has to wait: a dead process of this host frees the gate at once."""

    def sleep(self, seconds: float) -> None:
        """Fail."""
        raise AssertionError(f"it waits {seconds} s for a process that is dead, or because something failed")


def go_on(root: Path, shop: Shop) -> dict[str, list[str]]:
    """Process what is left, and judge the result."""
    with open_store(root, silent) as opened:
        pipeline.run(replace(opened.ports, clock=Impatient()), at_once=True)
        return judge(opened, shop.dropped, shop.kpis).to_json()


# The command


def main(arguments: list[str]) -> int:
    """Run the rounds, and print what went wrong and how much was tried."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.reliability.kill", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--times", type=int, default=20, help="rounds for each named step")
    parser.add_argument("--random", type=int, default=500, help="rounds with random moments")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="the name of one round")
    parser.add_argument("--on", default="", help="the master of a Spark cluster")
    asked = parser.parse_args(arguments)
    workers = int(os.environ.get("WORKERS", os.cpu_count() or 1))
    base = Path(tempfile.mkdtemp(prefix="takings-kill-"))
    begun = time.monotonic()

    shop = _made_in_a_child(base)
    resuming = RESUMING[:1] if asked.on else RESUMING
    names = [asked.only] if asked.only else rounds(shop, asked.times, asked.random, resuming)
    went: list[Went] = []
    with ProcessPoolExecutor(
        max(1, min(workers, len(names))),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=partial(_begin, asked.on),
    ) as pool:
        for number, one in enumerate(pool.map(partial(live, shop=shop, seed=asked.seed, base=base), names), 1):
            went.append(one)
            if not one.is_well:
                _print_failure(one, asked.seed, base)
            if number % (5 if asked.on else 100) == 0:
                print(f"{number} rounds, {time.monotonic() - begun:.0f} s", flush=True)
    print(_summary(went, asked.seed, time.monotonic() - begun))
    if all(one.is_well for one in went):
        shutil.rmtree(base)
        return 0
    return 1


def _begin(master: str) -> None:
    """Prepare a process for forking: read once what is the same in all of them."""
    forget_settings(**_SETTINGS, **({"engine": "spark", "spark_master": master} if master else {}))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    remember_what_is_read()


def _made_in_a_child(base: Path) -> Shop:
    """Make the shop in a separate process, so that this one has opened nothing when it forks."""
    child = start(lambda: asdict(make_shop(base)) | {"folder": str(base / "shop")}, base / "making")
    made: Any = child.ended().result
    if made is None:
        raise AssertionError(child.last_words())
    dropped = tuple((key, content, is_refused) for key, content, is_refused in made["dropped"])
    return Shop(folder=Path(made["folder"]), dropped=dropped, steps=made["steps"], kpis=tuple(made["kpis"]))


def _print_failure(went: Went, seed: int, base: Path) -> None:
    print(f"{went.name}: {json.dumps(asdict(went), indent=1)}")
    print(f"  its store: {base / went.name.replace(' ', '-')}")
    print(f"  again: python -m tests.reliability.kill --seed {seed} --only '{went.name}'", flush=True)


def _summary(went: list[Went], seed: int, seconds: float) -> str:
    moments = Counter(step for one in went for step in one.died_after)
    after = ", ".join(f"{step} {count}" for step, count in moments.most_common())
    return (
        f"{len(went)} rounds from seed {seed}, {sum(one.deaths for one in went)} processes killed"
        f" ({sum(one.deaths > 1 for one in went)} rounds with two): {sum(len(one.lost) for one in went)} lost,"
        f" {sum(len(one.double) for one in went)} double, {sum(bool(one.different) for one in went)} different,"
        f" {seconds:.0f} s" + (f"\nrandom deaths came after: {after}" if after else "")
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
