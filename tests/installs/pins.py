"""Read the files of pinned packages, and find what they leave open."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parent.parent.parent
#: what each pinned package requires, from its metadata; `make asked` writes it
ASKED: Final = Path(__file__).with_name("asked.json")
SERVICES: Final = ("validation-service", "transformation-service")
#: every file that an install starts from
FILES: Final = (
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "requirements").glob("*.txt")),
    *(f"{service}/{name}" for service in SERVICES for name in ("image.txt", "requirements.txt")),
    *(f"{function}/requirements.txt" for function in ("file-detector", "file-archiver")),
)

_PIN: Final = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)(\[(?P<extras>[^\]]+)\])?==(?P<version>[^\s;]+)( ; (?P<marker>.+?))?(?= +--hash|$)"
)
_PLATFORMS: Final = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux"},
    "darwin": {"sys_platform": "darwin", "platform_system": "Darwin"},
}
_MACHINES: Final = (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("darwin", "x86_64"))


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A package with its version."""

    name: str
    extras: frozenset[str]
    version: str
    marker: Marker | None
    hashes: tuple[str, ...]

    def applies(self, environment: Mapping[str, str]) -> bool:
        return self.marker is None or self.marker.evaluate(dict(environment))

    def __str__(self) -> str:
        extras = f"[{','.join(sorted(self.extras))}]" if self.extras else ""
        return f"{self.name}{extras}=={self.version}"


def environments() -> Iterator[dict[str, str]]:
    """Yield the environments for markers, on every supported Python and platform."""
    for python in ("3.11", "3.12", "3.13", "3.14"):
        # A marker may also use the patch version.
        for patch in ("0", "99"):
            for platform, machine in _MACHINES:
                yield {
                    "implementation_name": "cpython",
                    "implementation_version": f"{python}.{patch}",
                    "os_name": "posix",
                    "platform_machine": machine,
                    "platform_python_implementation": "CPython",
                    "platform_release": "",
                    "platform_version": "",
                    "python_full_version": f"{python}.{patch}",
                    "python_version": python,
                    "extra": "",
                    **_PLATFORMS[platform],
                }


def pins_of(file: Path) -> list[Pin]:
    """Return what a file pins, and the files that it includes."""
    found: list[Pin] = []
    for line in file.read_text().replace("\\\n", " ").splitlines():
        if line.startswith("-r "):
            found += pins_of(file.parent / line.removeprefix("-r ").strip())
        elif line and not line.startswith("#"):
            matched = _PIN.match(line)
            assert matched, f"{file}: {line}"
            extras = re.split(r", *", matched["extras"]) if matched["extras"] else []
            found.append(
                Pin(
                    name=canonicalize_name(matched["name"]),
                    extras=frozenset(canonicalize_name(extra) for extra in extras),
                    version=matched["version"],
                    marker=Marker(matched["marker"]) if matched["marker"] else None,
                    hashes=tuple(re.findall(r"--hash=(\S+)", line)),
                )
            )
    return found


def asked() -> dict[str, list[Requirement]]:
    """Return what each pin requires, on all supported platforms."""
    recorded = json.loads(ASKED.read_text())
    return {pin: [Requirement(line) for line in lines] for pin, lines in recorded.items()}


def wanted_by(pin: Pin, lines: Iterable[Requirement], environment: Mapping[str, str]) -> Iterator[Requirement]:
    """Yield what a pin with its extras requires in an environment."""
    for line in lines:
        marker = line.marker
        if marker is None or any(marker.evaluate({**environment, "extra": extra}) for extra in ("", *pin.extras)):
            yield line


def project_asks(file: str) -> list[Requirement]:
    """Return what pyproject.toml requires for a file, as `make lock` says."""
    path = ROOT / file
    named = [line.removeprefix("-r ") for line in path.read_text().splitlines() if line.startswith("-r ")]
    if named:
        places = [(path.parent / name).resolve().relative_to(ROOT).as_posix() for name in named]
        return [line for place in places for line in project_asks(place)]
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    (compiled,) = re.findall(rf"^\t\$\(COMPILE\) (.*) -o {re.escape(file)}$", makefile, re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = list(project["project"]["dependencies"]) if "pyproject.toml" in compiled else []
    for extra in re.findall(r"--extra (\S+)", compiled):
        lines += project["project"]["optional-dependencies"][extra]
    for group in re.findall(r"--group (\S+)", compiled):
        lines += _group(project["dependency-groups"], group)
    return [Requirement(line) for line in lines]


def _group(groups: Mapping[str, list[str | dict[str, str]]], name: str) -> Iterator[str]:
    for line in groups[name]:
        if isinstance(line, str):
            yield line
        else:
            yield from _group(groups, line["include-group"])


def gaps(
    pins: Iterable[Pin],
    by_project: Iterable[Requirement],
    known: Mapping[str, list[Requirement]],
    environment: Mapping[str, str],
) -> list[str]:
    """Return what an install would have to choose by itself in an environment, or could not find."""
    here = [pin for pin in pins if pin.applies(environment)]
    pinned = {pin.name: pin for pin in here}
    found = [f"{pin.name} is pinned twice" for pin in set(here) if pinned[pin.name].version != pin.version]
    found += [f"{pin} has no hash" for pin in here if not pin.hashes]
    asks = [
        ("the project", line) for line in by_project if line.marker is None or line.marker.evaluate(dict(environment))
    ]
    for pin in here:
        if str(pin) not in known:
            found.append(f"nobody knows what {pin} asks for: run `make asked`")
        asks += [(str(pin), line) for line in wanted_by(pin, known.get(str(pin), []), environment)]
    for who, line in asks:
        answer = pinned.get(canonicalize_name(line.name))
        if answer is None:
            found.append(f"{who} asks for {line}, which is not pinned")
        elif not line.specifier.contains(answer.version, prereleases=True):
            found.append(f"{who} asks for {line}, and {answer} is pinned")
        elif lacking := {canonicalize_name(extra) for extra in line.extras} - answer.extras:
            found.append(f"{who} asks for {line}, and the pin {answer} lacks {', '.join(sorted(lacking))}")
    return found
