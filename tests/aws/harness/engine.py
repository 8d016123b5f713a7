"""A stand-in for docker: it builds nothing, records its calls, and puts an image into ECR through the API."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

_PROGRAM: Final = """#!{python}
import json, os, sys
given = sys.stdin.read() if "--password-stdin" in sys.argv else ""
with open({asked!r}, "a") as asked:
    asked.write(json.dumps([sys.argv[1:], given, os.getcwd()]) + "\\n")
if sys.argv[1] in {failing!r}:
    sys.exit("no space left on device")
if sys.argv[1] == "push":
    import boto3
    repository, _, tag = sys.argv[2].rpartition("/")[2].partition(":")
    boto3.client("ecr").put_image(repositoryName=repository, imageManifest=json.dumps(sys.argv), imageTag=tag)
"""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """The program, and its calls."""

    folder: Path

    def asked(self) -> list[tuple[list[str], str]]:
        """Return arguments and standard input of each call."""
        return [(arguments, given) for arguments, given, _ in self._written()]

    def folders(self) -> list[str]:
        """Return where images were built."""
        return [folder for arguments, _, folder in self._written() if arguments[0] == "build"]

    def _written(self) -> list[tuple[list[str], str, str]]:
        lines = (self.folder / "asked").read_text().splitlines()
        return [(arguments, given, folder) for arguments, given, folder in map(json.loads, lines)]


def install_engine(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "docker", *failing: str) -> Engine:
    """Put the program first on PATH; `failing` are the commands that exit with 1."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(_PROGRAM.format(python=sys.executable, asked=str(folder / "asked"), failing=failing))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return Engine(folder=folder)
