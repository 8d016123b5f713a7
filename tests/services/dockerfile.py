"""Read a service's Dockerfile, as far as ours need."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent
SERVICES: Final = ("validation-service", "transformation-service")


@dataclass(frozen=True, kw_only=True)
class Dockerfile:
    """The instructions of a Dockerfile, in order, stage by stage."""

    #: before the first FROM
    arguments: dict[str, str]
    stages: tuple[tuple[tuple[str, str], ...], ...]

    def of(self, instruction: str, stage: int = -1) -> list[str]:
        """Return the arguments of an instruction, each time it occurs in a stage."""
        return [rest for name, rest in self.stages[stage] if name == instruction]

    @property
    def entrypoint(self) -> list[str]:
        """Return the command of the image."""
        (command,) = self.of("ENTRYPOINT")
        words: list[str] = json.loads(command)
        return words

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables of the image."""
        return dict(pair.split("=", 1) for pairs in self.of("ENV") for pair in pairs.split())


def read_dockerfile(service: str) -> Dockerfile:
    """Read the Dockerfile of a service."""
    text = (ROOT / service / "Dockerfile").read_text()
    code = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    lines = [line.split(maxsplit=1) for line in code.splitlines() if line.strip()]
    arguments: dict[str, str] = {}
    stages: list[list[tuple[str, str]]] = []
    for name, rest in lines:
        if name == "FROM":
            stages.append([])
        if stages:
            stages[-1].append((name, rest))
        else:
            arguments |= dict([rest.split("=", 1)])
    return Dockerfile(arguments=arguments, stages=tuple(map(tuple, stages)))
