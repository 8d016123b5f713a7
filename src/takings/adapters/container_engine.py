"""Build and push images with docker or podman, whichever works here."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from takings.errors import MachineryError, UsageError

ENGINES: Final = ("docker", "podman")
#: what the task definitions run on
_PLATFORM: Final = "linux/amd64"
#: docker would push a second image that says how the first was made, and a repository keeps so many only; podman knows no such
_ONE_IMAGE: Final = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
#: stdout is the caller's own
_STDERR: Final = 2


@dataclass(frozen=True, kw_only=True)
class ContainerEngine:
    """One that answers."""

    command: str

    def build(self, sources: Path, service: str, image: str, base: str | None = None) -> None:
        """Build a service's image from the sources; UsageError where they are not there."""
        dockerfile = f"{service}/Dockerfile"
        if not (sources / dockerfile).is_file():
            raise UsageError(f"{sources / dockerfile} is missing. Run this where the sources are.")
        arguments = ("--build-arg", f"BASE={base}") if base else ()
        self._run(
            "build", "--platform", _PLATFORM, *arguments, "--file", dockerfile, "--tag", image, ".", folder=sources
        )

    @contextmanager
    def logged_in(self, registry: str, user: str, password: str) -> Iterator[None]:
        """Log in at a registry, and out when the block ends; the password is no argument, which others could see."""
        self._run("login", "--username", user, "--password-stdin", registry, given=password)
        try:
            yield
        finally:
            self._run("logout", registry)

    def push(self, image: str, target: str) -> None:
        """Push an image that was built here."""
        self._run("tag", image, target)
        self._run("push", target)

    def _run(self, *arguments: str, folder: Path | None = None, given: str = "") -> None:
        """Run the engine; what it prints goes to stderr."""
        ended = subprocess.run(  # noqa: S603 - docker or podman, or whom the user names
            [self.command, *arguments],
            cwd=folder,
            input=given,
            stdout=_STDERR,
            text=True,
            check=False,
            env={**os.environ, **_ONE_IMAGE},
        )
        if ended.returncode:
            raise MachineryError(
                f"`{Path(self.command).name} {arguments[0]}` ended with code {ended.returncode}; what it said stands above."
                " Mend that and run again."
            )


def find_engine(named: str | None) -> ContainerEngine:
    """Return the engine that is named, or the first that answers; UsageError with what each of them lacks."""
    lacks = []
    for name in [named] if named else ENGINES:
        command = shutil.which(name)
        lack = "is not on PATH" if command is None else _silence([command, "info"])
        if command is not None and lack is None:
            return ContainerEngine(command=command)
        lacks.append(f"{name} {lack}")
    raise UsageError(
        f"no container engine builds images here: {'; '.join(lacks)}. Start or install docker or podman, or name another that"
        " takes their arguments."
    )


def _silence(command: Sequence[str]) -> str | None:
    """Return how an engine does not answer; None where it does. A client alone is no engine."""
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - as above
    if not answer.returncode:
        return None
    said = (answer.stderr.strip() or answer.stdout.strip() or "nothing").splitlines()[-1]
    return f"does not answer ({said.strip().rstrip('.')})"
