"""Keep what was measured in a file that is complete after every measurement, so that a run that was cut off can go on."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from benchmarks.meter import Cost


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measurement."""

    #: the table it belongs to, e.g. "whole", "daily", "steps", or what grows
    part: str
    #: how large the input is, as the part's table says it: "S", or a number
    size: str
    what: str
    #: counts from 1; medians are over rounds
    round: int
    wall: float
    processor: float
    peak_mb: float
    #: when it ended, UTC
    at: str

    @property
    def place(self) -> tuple[str, str, str, int]:
        """What it measures, and how often before."""
        return self.part, self.size, self.what, self.round


@dataclass(kw_only=True)
class Book:
    """The measurements of a run, where they were made, and what else was noticed."""

    file: Path
    #: machine and versions; a book of another machine or of other versions is not continued
    about: dict[str, Any] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    #: rows, bytes, files of an input, how a contender's numbers compare with Takings', what failed; by name
    notes: dict[str, Any] = field(default_factory=dict)

    def add(self, figure: Figure) -> None:
        """Keep a measurement."""
        self.figures.append(figure)
        self.save()

    def note(self, name: str, value: object) -> None:
        """Keep something that is no measurement."""
        self.notes[name] = value
        self.save()

    def has(self, part: str, size: str, what: str, round_: int) -> bool:
        """Say whether a measurement was made."""
        return (part, size, what, round_) in {figure.place for figure in self.figures}

    def median(self, part: str, size: str, what: str) -> Cost | None:
        """Return the median of each figure over the rounds; None where there is none."""
        return median_cost(figure for figure in self.figures if figure.place[:3] == (part, size, what))

    def save(self) -> None:
        """Write the file so that it is never half written."""
        draft = self.file.with_name(f".{self.file.name}")
        document = {"about": self.about, "notes": self.notes, "figures": [asdict(figure) for figure in self.figures]}
        draft.write_text(json.dumps(document, indent=1) + "\n")
        draft.replace(self.file)


def open_book(file: Path, about: dict[str, Any]) -> Book:
    """Continue a book, or begin one; what failed is tried again.

    ValueError where it was begun on another machine or with other versions.
    """
    if not file.exists():
        return Book(file=file, about=about)
    book = read_book(file)
    if differing := sorted(key for key in book.about.keys() | about.keys() if book.about.get(key) != about.get(key)):
        raise ValueError(f"{file}: begun with other {', '.join(differing)}. Remove it to begin again.")
    book.notes = {name: note for name, note in book.notes.items() if not name.startswith("failed ")}
    return book


def read_book(file: Path) -> Book:
    """Read a book as it is."""
    document = json.loads(file.read_text())
    known = {each.name for each in fields(Figure)}
    figures = [Figure(**{name: value for name, value in row.items() if name in known}) for row in document["figures"]]
    return Book(file=file, about=document["about"], figures=figures, notes=document["notes"])


def median_cost(costs: Iterable[Figure | Cost]) -> Cost | None:
    """Return the median of each figure by itself; None where there is none."""
    found = list(costs)
    if not found:
        return None
    return Cost(
        wall=statistics.median(cost.wall for cost in found),
        processor=statistics.median(cost.processor for cost in found),
        peak_mb=statistics.median(cost.peak_mb for cost in found),
    )


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the exponent k of the power law y = c * x^k that fits best: least squares on logarithms.

    1 is proportional, 0 is constant. ValueError where there are fewer than two sizes, or where one is not above 0.
    """
    if len({x for x, _ in points}) < 2 or min(min(point) for point in points) <= 0:
        raise ValueError(f"no slope fits {list(points)}: give two sizes or more, and figures above 0.")
    logs = [(math.log(x), math.log(y)) for x, y in points]
    middle_x, middle_y = (statistics.fmean(values) for values in zip(*logs, strict=True))
    spread = sum((x - middle_x) ** 2 for x, _ in logs)
    return sum((x - middle_x) * (y - middle_y) for x, y in logs) / spread
