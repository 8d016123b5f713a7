"""Calculate from measured figures what would break first with a billion items, at which size, and what carries on from there.

Nothing here was tried at that size. Each line is a formula with measured figures in it, so that the reader can put in
others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.figures import slope

ITEMS: Final = 1_000_000_000
#: what the sizes are compared with; the page names them, and other limits only move the lines
NIGHT_SECONDS, HOUR_SECONDS, MINUTE_SECONDS = 8 * 3600, 3600, 60
DISK_BYTES: Final = 10**12
#: the settings' defaults: the largest batch, and what its staging takes beside its copy
BATCH_BYTES: Final = 20 * 10**9
STAGED: Final = 1 / 3
#: below this, two points cannot tell a slope from none
_FLAT: Final = 0.05
#: beyond this, a law from a few million items says nothing
_FARTHEST: Final = 100 * ITEMS

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What the calculation begins with; points are (items, seconds) or (items, MB)."""

    #: of the largest store
    items: int
    csv_bytes: float
    lake_bytes: float
    report_bytes: float
    first_load: Points
    memory_mb: Points
    new_items: Points
    changes: Points


@dataclass(frozen=True, kw_only=True)
class Limit:
    """Something that ends at a size."""

    what: str
    formula: str
    #: items at which it is reached; infinity where it does not grow
    items: float
    carries_on: str


def last_slope(points: Points) -> float:
    """Return the slope between the two largest sizes: a run's fixed cost hides how small ones grow."""
    return slope(sorted(points)[-2:])


def at(points: Points, items: float) -> float:
    """Return the figure at a size, by the power law through the two largest points."""
    largest, figure = max(points)
    grown: float = (items / largest) ** max(last_slope(points), 0.0)
    return figure * grown


def reached(points: Points, most: float) -> float:
    """Return the size at which a figure reaches `most`, by the same law; infinity where it does not grow."""
    power = last_slope(points)
    largest, figure = max(points)
    return math.inf if power < _FLAT else largest * (most / figure) ** (1 / power)


def limits(measured: Measured) -> list[Limit]:
    """Return what ends at which size, the smallest first."""
    an_item = measured.csv_bytes + measured.lake_bytes + measured.report_bytes
    beside = BATCH_BYTES * (1 + STAGED)
    found = [
        Limit(
            what="50,000 changed items spread over 60 days take longer than an hour",
            formula=_law(measured.changes, HOUR_SECONDS),
            items=reached(measured.changes, HOUR_SECONDS),
            carries_on="more processors; then deletion vectors, which every reader would have to understand (left out on"
            " purpose)",
        ),
        Limit(
            what="the first load takes longer than a night of 8 hours",
            formula=_law(measured.first_load, NIGHT_SECONDS),
            items=reached(measured.first_load, NIGHT_SECONDS),
            carries_on="a larger machine or task, as batches of at most 20 GB follow one another; or several nights, as any"
            " split gives the same numbers",
        ),
        Limit(
            what="100,000 new items on 3 days take longer than a minute",
            formula=_law(measured.new_items, MINUTE_SECONDS),
            items=reached(measured.new_items, MINUTE_SECONDS),
            carries_on="`takings maintain`, which makes few large files of many small ones",
        ),
        Limit(
            what="a disk of 1 TB is full",
            formula=f"(1 TB - 20 GB x {1 + STAGED:.2f}) / ({measured.csv_bytes:.0f} + {measured.lake_bytes:.0f} +"
            f" {measured.report_bytes:.1f} bytes: originals, lake, reports)",
            items=(DISK_BYTES - beside) / an_item,
            carries_on="a bucket, which has no end; or originals moved away from `processed/` after a backup",
        ),
        Limit(
            what="the process tree needs more than 700 MB",
            formula=_law(measured.memory_mb, 700, "MB"),
            items=reached(measured.memory_mb, 700),
            carries_on="smaller batches (`batch_max_bytes`): memory depends on the batch, not on the lake",
        ),
    ]
    return sorted(found, key=lambda limit: limit.items)


def calculation(measured: Measured) -> str:
    """Return the section's text."""
    batches = math.ceil(ITEMS * measured.csv_bytes / BATCH_BYTES)
    lines = [
        "### One billion items, on paper",
        "",
        (
            f"Calculated, not tried, from figures of up to {max(measured.first_load)[0]:,.0f} items; t(n) = t0 x (n / n0)^k"
            " with the slope k between the two largest sizes, as a run's fixed\ncost hides how small ones grow. Power laws"
            " hold as long as nothing spills that did not spill before, so take them as orders of magnitude."
        ),
        "",
        (
            f"* {ITEMS * measured.csv_bytes / 1e9:,.0f} GB of CSV ({measured.csv_bytes:.0f} bytes an item, orders and products"
            f" included): {batches} batches of at most 20 GB. The lake takes {ITEMS * measured.lake_bytes / 1e9:,.0f} GB"
            f" ({measured.lake_bytes:.0f} bytes an item)."
        ),
        f"* The first load takes {_told(at(measured.first_load, ITEMS))}, with the processors of the machine above.",
        (
            f"* 100,000 new items on 3 days then take {_told(at(measured.new_items, ITEMS))}; 50,000 changed items spread"
            f" over 60 days take {_told(at(measured.changes, ITEMS))}."
        ),
        "",
        "| what ends, the first first | at so many items | by | what carries on from there |",
        "| --- | ---: | --- | --- |",
        *(
            f"| {each.what} | {_millions(each.items)} | {each.formula} | {each.carries_on} |"
            for each in limits(measured)
        ),
    ]
    return "\n".join(lines) + "\n"


def _law(points: Points, most: float, unit: str = "s") -> str:
    power = last_slope(points)
    largest, figure = max(points)
    if power < _FLAT:
        return f"{figure:,.1f} {unit} at {largest / 1e6:g} M; k = {power:.2f}: it does not grow"
    return f"{largest / 1e6:g} M x ({most:,.0f} {unit} / {figure:,.1f} {unit})^(1 / {power:.2f})"


def _millions(items: float) -> str:
    if math.isinf(items):
        return "none"
    return f"{items / 1e6:,.0f} M" if items < _FARTHEST else f"above {_FARTHEST / 1e6:,.0f} M"


def _told(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
