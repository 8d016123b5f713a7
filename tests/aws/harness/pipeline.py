"""AWS for one test of the whole pipeline: an emulator that runs functions, tasks and state machines, under the test's control.

with pipeline(emulator, monkeypatch) as aws:
    aws.client("s3").put_object(...)
    until(lambda: aws.execution(arn)["status"] != "RUNNING")

A failing test prints the output of tasks and functions.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

import boto3
import pytest
from botocore.config import Config

from tests.emulators import Emulator, environment
from tests.jvm import QUICK

#: what runs in place of the pipeline's images: this Python, with this source
IMAGES: Final = {
    "validation-service": [sys.executable, "-m", "takings.entrypoints.tasks"],
    "transformation-service": [sys.executable, "-m", "takings.entrypoints.tasks"],
}
_POLL_SECONDS: Final = 0.05
_Found = TypeVar("_Found")


def until(look: Callable[[], _Found], *, seconds: float = 60) -> _Found:
    """Repeat a check until its result is true, and return the result."""
    end = time.monotonic() + seconds
    while True:
        if found := look():
            return found
        assert time.monotonic() < end, f"nothing was found within {seconds} s"
        time.sleep(_POLL_SECONDS)


@dataclass(frozen=True, kw_only=True)
class Aws:
    """An emulated AWS, and how a test controls it."""

    emulator: Emulator
    images: dict[str, list[str]] = field(default_factory=lambda: dict(IMAGES))

    @property
    def url(self) -> str:
        """Return its address."""
        return self.emulator.url

    def client(self, service: str) -> Any:
        """Return a client of a service."""
        return _client(service, self.url)

    def run_images(self, images: Mapping[str, Sequence[str]], environment: Mapping[str, str] | None = None) -> None:
        """Set which commands run in place of images, named by their repositories, in their own environment."""
        given = {
            name: {"entrypoint": list(command), "environment": dict(environment or environment_of_tasks(self.url))}
            for name, command in images.items()
        }
        self._control("PUT", "images", given)

    def tasks(self) -> list[dict[str, Any]]:
        """Return every container since the test began: pid, command, environment, cpu, memory, exit_code and log."""
        return self._control("GET", "tasks")  # type: ignore[no-any-return]

    def waits(self) -> list[dict[str, Any]]:
        """Return every wait that an execution asked for, unshortened."""
        return self._control("GET", "waits")  # type: ignore[no-any-return]

    def hold_events(self, *, holding: bool = True) -> None:
        """Hold S3's event notifications back from now on, or stop doing so."""
        self._control("PUT", "events", {"holding": holding})

    def held_events(self) -> list[dict[str, str]]:
        """Return the held events, in the order in which they came."""
        return self._control("GET", "events")  # type: ignore[no-any-return]

    def release_events(self, *order: int) -> None:
        """Deliver held events by number, in this order, a number more than once if repeated; the others stay held."""
        self._control("POST", "events", {"order": order})

    def lose_events(self) -> None:
        """Drop every event that is held."""
        self._control("DELETE", "events")

    def hold_to_roles(self) -> None:
        """From now on, let functions, tasks, executions and schedules do only what their roles allow."""
        self._control("PUT", "roles", {"enforcing": True})

    def calls(self) -> list[dict[str, Any]]:
        """Return the calls made in the name of roles: role, action, resource, conditions, and whether it was allowed."""
        return self._control("GET", "calls")  # type: ignore[no-any-return]

    def advance_schedules(self, seconds: float) -> None:
        """Move the clock of EventBridge Scheduler ahead, and no other clock."""
        self._control("PUT", "clock", {"ahead": seconds})

    def refuse_calls(self, function: str, seconds: float) -> None:
        """Let a function have no room for a call of an execution, until that has waited for so many unshortened seconds."""
        self._control("PUT", "refusals", {function: seconds})

    def refuse_jobs(self, *details: str) -> None:
        """Let the next jobs fail before they begin, each with such details of its state."""
        self._control("PUT", "jobs", {"refused": list(details)})

    def execution(self, arn: str) -> dict[str, Any]:
        """Return the answer of DescribeExecution."""
        described: dict[str, Any] = self.client("stepfunctions").describe_execution(executionArn=arn)
        return described

    def ended(self, arn: str, *, seconds: float = 60) -> dict[str, Any]:
        """Wait for an execution to end, and describe it."""
        until(lambda: self.execution(arn)["status"] != "RUNNING", seconds=seconds)
        return self.execution(arn)

    def printed(self) -> str:
        """Return the output of tasks, and every group of logs."""
        parts = [f"--- {task['command']}, exit code {task['exit_code']}\n{_text(task['log'])}" for task in self.tasks()]
        logs = self.client("logs")
        for group in logs.describe_log_groups()["logGroups"]:
            name = group["logGroupName"]
            lines = (event["message"] for event in logs.filter_log_events(logGroupName=name)["events"])
            parts.append(f"--- {name}\n" + "\n".join(lines))
        return "\n".join([*parts, f"--- the emulator's last lines\n{_text(self.emulator.folder / 'log')[-4000:]}"])

    def _control(self, method: str, what: str, body: object = None) -> Any:
        request = urllib.request.Request(f"{self.url}/_takings/{what}", json.dumps(body).encode(), method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


@contextmanager
def pipeline(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """Start with an empty AWS whose images run this source; print the output there if the block fails."""
    emulator.reset(monkeypatch)
    aws = Aws(emulator=emulator)
    aws.run_images(IMAGES)
    try:
        yield aws
    except BaseException:
        print(aws.printed())
        raise


@cache
def _client(service: str, url: str) -> Any:
    """Make a client once for each emulator: it takes longer than most tests."""
    found = environment(url)
    session = boto3.Session(found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"], region_name=found["AWS_REGION"])
    quick = Config(retries={"total_max_attempts": 1}, read_timeout=150)
    return session.client(service, endpoint_url=url, config=quick)  # type: ignore[call-overload]


def environment_of_tasks(url: str) -> dict[str, str]:
    """Return the environment of tasks: AWS, a path, this source, how a JVM runs, and whether their lines are counted."""
    passed = {name: value for name, value in os.environ.items() if name == "PYTHONPATH" or name.startswith("COVERAGE_")}
    return environment(url) | {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"} | QUICK | passed


def _text(file: Path | str) -> str:
    return Path(file).read_text(errors="replace") if Path(file).exists() else ""
