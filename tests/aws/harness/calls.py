"""Record the calls to AWS in the end-to-end tests: `make calls` writes calls.json, which the tests read.

python -m tests.aws.harness.calls FOLDER     (collects the tests' recordings there into calls.json)
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from tests.aws.harness.policy_evaluator import Call

RECORD: Final = Path(__file__).with_name("calls.json")
#: the variable that names the folder for the tests' recordings
_FOLDER: Final = "CALLS"
#: what differs between runs
_GENERAL: Final = (
    (
        r"(:shop/|^)(raw-data|processed|failed|staging|validation-reports|quarantine|contracts|lake/commits)/.*",
        r"\1\2/*",
    ),
    (r"(:shop/|^)(lake/\w+/_delta_log)(/.*)?", r"\1\2/*"),
    (r"(:shop/|^)(lake/(?:products|orders|order_items))/.*\.parquet", r"\1\2/*"),
    (r"(:shop/|^)batches/[^/]+/", r"\1batches/*/"),
    (r"/attempt-\d+\.", "/attempt-*."),
    (r"(:execution:[\w-]+):.*", r"\1:*"),
    (r"(:task/[\w-]+)/.*", r"\1/*"),
    (r"(:shop/|^)spark/.*", r"\1spark/*"),
    (r"(:/applications)/[^/]+", r"\1/00fexample"),
    (r"(/jobruns)/.*", r"\1/*"),
    (r"(:task-definition/[\w-]+):.*", r"\1:*"),
)

Recorded = Mapping[str, Sequence[Call]]


def recorded() -> Recorded:
    """Read the recorded calls of each role."""
    found: dict[str, list[list[Any]]] = json.loads(RECORD.read_text())
    return {
        role: [
            Call(action=action, resource=resource, conditions=dict(*conditions))
            for action, resource, *conditions in calls
        ]
        for role, calls in found.items()
    }


def leave(calls: Iterable[Mapping[str, Any]]) -> None:
    """Write a test's calls into the folder that CALLS names, if set."""
    folder = os.environ.get(_FOLDER)
    if folder:
        document = [[call["role"], *_general(call)] for call in calls]
        (Path(folder) / f"{uuid4().hex}.json").write_text(json.dumps(document))


def _general(call: Mapping[str, Any]) -> list[Any]:
    conditions = {
        name: "*" if name == "s3:if-match" else _without_names(value) for name, value in call["conditions"].items()
    }
    return [call["action"], _without_names(call["resource"]), *([conditions] if conditions else [])]


def _without_names(text: str) -> str:
    for pattern, general in _GENERAL:
        text = re.sub(pattern, general, text)
    return text


def gather(folder: Path) -> None:
    """Write calls.json from the tests' recordings in a folder."""
    found: dict[str, list[list[Any]]] = {}
    for file in folder.glob("*.json"):
        for role, *call in json.loads(file.read_text()):
            if call not in found.setdefault(role, []):
                found[role].append(call)
    parts = [
        f"{json.dumps(role)}: [\n"
        + ",\n".join(f"    {json.dumps(call)}" for call in sorted(calls, key=json.dumps))
        + "\n  ]"
        for role, calls in sorted(found.items())
    ]
    RECORD.write_text("{\n  " + ",\n  ".join(parts) + "\n}\n")


if __name__ == "__main__":
    gather(Path(sys.argv[1]))
