"""What tasks moved is added up by step, from the lines of an event log."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.event_log import Moved, moved


def task(launched: float, **metrics: Any) -> str:
    return json.dumps(
        {"Event": "SparkListenerTaskEnd", "Task Info": {"Launch Time": int(launched * 1000)}, "Task Metrics": metrics}
    )


LINES = [
    json.dumps({"Event": "SparkListenerJobStart", "Job ID": 0}),
    task(9.0, **{"Input Metrics": {"Bytes Read": 1_000_000}}),
    task(
        11.0,
        **{
            "Shuffle Write Metrics": {"Shuffle Bytes Written": 2_000_000},
            "Shuffle Read Metrics": {"Remote Bytes Read": 500_000, "Local Bytes Read": 1_500_000},
            "Disk Bytes Spilled": 3_000_000,
        },
    ),
    task(12.0, **{"Output Metrics": {"Bytes Written": 4_000_000}}),
    json.dumps({"Event": "SparkListenerTaskEnd", "Task Info": {"Launch Time": 31_000}, "Task Metrics": None}),
]


def test_a_step_has_the_tasks_that_were_launched_before_its_end() -> None:
    assert moved(LINES, [("validate", 10.0), ("merge", 20.0), ("kpis", 30.0)]) == {
        "validate": Moved(tasks=1, read=1.0),
        "merge": Moved(tasks=2, written=4.0, shuffle_written=2.0, shuffle_read=2.0, spilled=3.0),
        "kpis": Moved(tasks=1),
    }
