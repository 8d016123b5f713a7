"""Run measurements one after the other within a time budget; skip what was measured, keep each figure at once."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import Book, Figure
from benchmarks.machine import beside
from benchmarks.meter import LIMIT_SECONDS, CommandFailed, Cost, measured, output_of


@dataclass(kw_only=True)
class Workbench:
    """Where measurements run."""

    #: holds drops, stores and answers
    folder: Path
    book: Book
    rounds: int
    #: seconds; a measurement that would probably end later is not begun
    budget: float
    #: what takes longer than this many seconds is measured once
    long: float
    #: a measurement is ended after this many seconds
    limit: float = LIMIT_SECONDS
    began: float = field(default_factory=time.monotonic)

    def is_wanted(self, part: str, size: str, what: str, round_: int) -> bool:
        """Say whether to measure this now; say why not, unless it was measured."""
        name = f"{part} {size} {what}"
        if self.book.has(part, size, what, round_) or f"failed {name}" in self.book.notes:
            return False
        before = self.book.median(part, size, what)
        if before is not None and before.wall > self.long:
            return False
        left = self.budget - (time.monotonic() - self.began)
        if left < (before.wall if before else 0.0):
            self.say(f"{name}: no time left for round {round_}; the same command continues")
            return False
        return True

    def measure(self, part: str, size: str, what: str, round_: int, command: Sequence[str]) -> bool:
        """Measure a command and keep its cost; False where it failed, which is noted."""
        try:
            cost = measured(command, log=self.folder / f"{what}.log", limit=self.limit)
        except CommandFailed as failure:
            self.book.note(f"failed {part} {size} {what}", failure.how)
            self.say(f"{part} {size} {what}: {failure}")
            return False
        self.keep(part, size, what, round_, cost)
        return True

    def measure_steps(self, part: str, size: str, round_: int, store: Path) -> None:
        """Take a store's pending files through a batch, and keep the cost of each step."""
        answer = self.folder / "steps.json"
        answer.unlink(missing_ok=True)
        output_of([sys.executable, "-m", "benchmarks.steps", str(store), str(answer)])
        for step, (wall, processor) in json.loads(answer.read_text()).items():
            self.keep(part, size, step, round_, Cost(wall=wall, processor=processor, peak_mb=0.0))

    def keep(self, part: str, size: str, what: str, round_: int, cost: Cost) -> None:
        """Keep a cost, and say it."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        figure = Figure(
            part=part,
            size=size,
            what=what,
            round=round_,
            wall=round(cost.wall, 3),
            processor=round(cost.processor, 3),
            peak_mb=round(cost.peak_mb, 1),
            at=at,
        )
        self.book.add(figure)
        self.say(
            f"{part} {size} {what}, round {round_}: {cost.wall:.2f} s, {cost.processor:.2f} processor seconds,"
            f" {cost.peak_mb:.0f} MB"
        )

    def empty(self, name: str) -> Path:
        """Return an empty folder."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def say(self, what: str) -> None:
        """Say on stderr what happens, after how long, and how busy the machine is."""
        sys.stderr.write(f"{time.monotonic() - self.began:7.0f} s  load {beside()}  {what}\n")
