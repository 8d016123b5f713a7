"""A Docker client whose containers are child processes: what MiniStack's ECS calls of Docker, and nothing else.

An image is a command; a container gets its own environment and nothing of the emulator's, an empty working folder, and one
log file. Only its own process group may outlive it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from tests.aws_emulator.leash import Leash

_LOG_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class Image:
    """What runs in place of an image."""

    entrypoint: list[str]
    #: the container's command, unless it brings its own
    command: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)


class Container:
    """A child process that acts like a container."""

    def __init__(
        self,
        image: str,
        found: Image,
        folder: Path,
        leash: Leash,
        options: Mapping[str, Any],
        credentials: Mapping[str, str],
    ) -> None:
        self.id = uuid.uuid4().hex * 2
        self.image = image
        self.labels: dict[str, str] = dict(options.get("labels") or {})
        self.attrs: dict[str, Any] = {"NetworkSettings": {"Networks": {}}, "Labels": self.labels}
        entrypoint = found.entrypoint
        if options.get("entrypoint"):
            # The same Python as the image's, with this source.
            entrypoint = [found.entrypoint[0], *options["entrypoint"][1:]]
        self.command = [*entrypoint, *(options.get("command") or found.command)]
        self.work = folder / self.id[:12]
        self.work.mkdir(parents=True)
        self.log = folder / f"{self.id[:12]}.log"
        self.environment = {
            **found.environment,
            **_given(options),
            **credentials,
            "HOME": str(self.work),
            "TMPDIR": str(self.work),
        }
        #: while it is being stopped it counts as running, so that the caller of stop reports the end
        self.being_stopped = False
        self.removed = False
        self._leash = leash
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.work,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        leash.hold(self.process.pid)

    @property
    def exit_code(self) -> int | None:
        """Return the exit code as in a shell, 137 for SIGKILL; None while it runs."""
        code = self.process.poll()
        return code if code is None or code >= 0 else 128 - code

    @property
    def status(self) -> str:
        """Return the status that Docker would report."""
        return "running" if self.exit_code is None or self.being_stopped else "exited"

    def reload(self) -> None:
        """Do nothing: the status is always fresh."""

    def wait(self) -> dict[str, int]:
        """Wait for the end."""
        self.process.wait()
        assert self.exit_code is not None
        return {"StatusCode": self.exit_code}

    def logs(self, *, stream: bool = False, **_how: object) -> bytes | Iterator[bytes]:
        """Return the output, or its lines as they come until the end."""
        return self._lines() if stream else self.log.read_bytes()

    def stop(self, timeout: float = 5) -> None:
        """Ask it to end, and kill it after the timeout, even if it is paused."""
        if self.process.poll() is None:
            self._signal(signal.SIGTERM)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                self.process.wait()

    def kill(self) -> None:
        """Kill it at once."""
        self._signal(signal.SIGKILL)
        self.process.wait()

    def remove(self, **_how: object) -> None:
        """Kill it with every process it started, and remove its folder; the log stays."""
        if not self.removed:
            self.removed = True
            self.kill()
            self._leash.release(self.process.pid)
            shutil.rmtree(self.work, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def _lines(self) -> Iterator[bytes]:
        with self.log.open("rb") as log:
            while True:
                ended = self.process.poll() is not None
                if printed := log.read():
                    # Wait for the rest of a line that is being written.
                    while not ended and not printed.endswith(b"\n"):
                        time.sleep(_LOG_POLL_SECONDS)
                        ended = self.process.poll() is not None
                        printed += log.read()
                    yield printed
                elif ended:
                    return
                else:
                    time.sleep(_LOG_POLL_SECONDS)


def _given(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment that the task asks for; without Docker, its host's name means this machine."""
    given: Mapping[str, str] = options.get("environment") or {}
    local = {name: value.replace("host.docker.internal", "127.0.0.1") for name, value in given.items()}
    # MiniStack names an address for credentials that it does not serve.
    return {name: value for name, value in local.items() if not name.startswith("AWS_CONTAINER_")}


class Docker:
    """The client for MiniStack's ECS."""

    def __init__(
        self,
        folder: Path,
        refusal: Callable[[str], Exception],
        credentials: Callable[[Mapping[str, str]], Mapping[str, str]],
        entry_point: Callable[[Mapping[str, str]], list[str]],
    ) -> None:
        self.known: dict[str, Image] = {}
        self.all: list[Container] = []
        self.containers = SimpleNamespace(run=self._run, get=self._get, list=self._list)
        self._folder = folder
        self._refusal = refusal
        #: what a container with these labels gets from its role
        self._credentials = credentials
        #: what a container of these labels runs instead of what its image says; MiniStack does not pass it on
        self._entry_point = entry_point
        self._leash = Leash()

    def run_job(
        self, image: str, command: Sequence[str], credentials: Mapping[str, str], labels: Mapping[str, str]
    ) -> Container:
        """Run a command of an image that no task definition names."""
        if image not in self.known:
            raise self._refusal(f"{image} is not among the images {sorted(self.known)}")
        options = {"command": list(command), "labels": dict(labels)}
        container = Container(image, self.known[image], self._folder, self._leash, options, credentials)
        self.all.append(container)
        return container

    def end_all(self) -> None:
        """Kill every container, and forget all."""
        for container in self.all:
            container.remove()
        self.all = []

    def _run(self, image: str, **options: Any) -> Container:
        repository = image.rsplit("/", 1)[-1].split("@", 1)[0].split(":", 1)[0]
        if repository not in self.known:
            raise self._refusal(f"{image} is not among the images {sorted(self.known)}")
        labels = options.get("labels") or {}
        credentials, options["entrypoint"] = self._credentials(labels), self._entry_point(labels)
        container = Container(image, self.known[repository], self._folder, self._leash, options, credentials)
        self.all.append(container)
        return container

    def _get(self, identity: str) -> Container:
        for container in self.all:
            if container.id == identity and not container.removed:
                return container
        raise KeyError(identity)

    def _list(self, **_filters: object) -> list[Container]:
        return [container for container in self.all if not container.removed]
