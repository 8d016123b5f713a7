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
#: the platform of the task definitions
_PLATFORM: Final = "linux/amd64"
#: without it docker pushes a second image with provenance, and a repository keeps only so many; podman has no such option
_ONE_IMAGE: Final = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
#: stdout belongs to the caller
_STDERR: Final = 2


@dataclass(frozen=True, kw_only=True)
class ContainerEngine:
    """An engine that answers."""

    command: str

    def build(self, sources: Path, service: str, image: str, base: str | None = None) -> None:
        """Build a service's image from the sources; UsageError if they are missing."""
        dockerfile = f"{service}/Dockerfile"
        if not (sources / dockerfile).is_file():
            raise UsageError(f"{sources / dockerfile} is missing. Run this where the sources are.")
        arguments = ("--build-arg", f"BASE={base}") if base else ()
        self._run(
            "build", "--platform", _PLATFORM, *arguments, "--file", dockerfile, "--tag", image, ".", folder=sources
        )

    def save(self, image: str, file: Path) -> None:
        """Write an image that was built here to a file."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self._run("save", "--output", str(file), image)

    def load(self, file: Path) -> None:
        """Take an image from a file, with its name; UsageError if there is none."""
        if not file.is_file():
            raise UsageError(f"{file} is missing. `make images SAVE=folder` writes it.")
        self._run("load", "--input", str(file))

    @contextmanager
    def logged_in(self, registry: str, user: str, password: str) -> Iterator[None]:
        """Log in to a registry, and log out when the block ends; the password is not an argument, as others could see it."""
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
        """Run the engine with its output on stderr."""
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
                f"`{Path(self.command).name} {arguments[0]}` ended with code {ended.returncode}; its output is above. Fix the"
                " cause and run again."
            )


def find_engine(named: str | None) -> ContainerEngine:
    """Return the named engine, or the first that answers; UsageError says what each of them lacks."""
    lacks = []
    for name in [named] if named else ENGINES:
        command = shutil.which(name)
        lack = "is not on PATH" if command is None else _silence([command, "info"])
        if command is not None and lack is None:
            return ContainerEngine(command=command)
        lacks.append(f"{name} {lack}")
    raise UsageError(
        f"no container engine works here: {'; '.join(lacks)}. Start or install docker or podman, or name another that takes"
        " their arguments."
    )


def _silence(command: Sequence[str]) -> str | None:
    """Return why an engine does not answer; None if it does. A client alone is not enough."""
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - as above
    if not answer.returncode:
        return None
    said = (answer.stderr.strip() or answer.stdout.strip() or "nothing").splitlines()[-1]
    return f"does not answer ({said.strip().rstrip('.')})"
