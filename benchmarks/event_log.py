"""Read what Spark's tasks moved from the event log of an application."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

_MB: Final = 1e6


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What tasks read and wrote, in MB, and how many they were."""

    tasks: int = 0
    read: float = 0.0
    written: float = 0.0
    shuffle_written: float = 0.0
    shuffle_read: float = 0.0
    spilled: float = 0.0

    def __add__(self, other: Moved) -> Moved:
        return Moved(**{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(Moved)})


def moved(lines: Iterable[str], ends: Sequence[tuple[str, float]]) -> dict[str, Moved]:
    """Return what the tasks of each step moved; a step's tasks were launched before its end, in Unix seconds."""
    found = {step: Moved() for step, _ in ends}
    for line in lines:
        event = json.loads(line)
        if event["Event"] != "SparkListenerTaskEnd":
            continue
        launched = event["Task Info"]["Launch Time"] / 1000
        step = next((step for step, end in ends if launched < end), ends[-1][0])
        found[step] += _of_task(event.get("Task Metrics") or {})
    return found


def _of_task(metrics: Mapping[str, Any]) -> Moved:
    def bytes_of(part: str, *names: str) -> float:
        return float(sum(metrics.get(part, {}).get(name, 0) for name in names)) / _MB

    return Moved(
        tasks=1,
        read=bytes_of("Input Metrics", "Bytes Read"),
        written=bytes_of("Output Metrics", "Bytes Written"),
        shuffle_written=bytes_of("Shuffle Write Metrics", "Shuffle Bytes Written"),
        shuffle_read=bytes_of("Shuffle Read Metrics", "Remote Bytes Read", "Local Bytes Read"),
        spilled=metrics.get("Disk Bytes Spilled", 0) / _MB,
    )
