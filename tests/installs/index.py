"""Make a package index in a folder, with stand-ins for the pinned packages and for future releases."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

from tests.installs.pins import FILES, ROOT, Pin, pins_of

#: newer than any pin
TOMORROW: Final = "99999"
#: without this machine's settings
_ALONE: Final = {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@dataclass(frozen=True, kw_only=True)
class Index:
    """An index in a folder, and the requirements files of this checkout with their hashes."""

    root: Path
    hashes: dict[str, str] = field(default_factory=dict)

    @property
    def packages(self) -> Path:
        return self.root / "packages"

    def publish(self, pin: Pin, version: str, asks: Iterable[Requirement]) -> None:
        """Add a release of a pin's package with the same requirements as the pinned one."""
        name = pin.name.replace("-", "_")
        info = f"{name}-{version}.dist-info"
        head = ["Metadata-Version: 2.1", f"Name: {pin.name}", f"Version: {version}"]
        head += [f"Requires-Dist: {line}" for line in asks]
        releases = self.packages / pin.name
        releases.mkdir(parents=True, exist_ok=True)
        wheel = releases / f"{name}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"{info}/METADATA", "\n".join(head) + "\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        with (releases / "index.html").open("a") as page:
            page.write(f'<a href="{wheel.name}">{wheel.name}</a>\n')
        self.hashes[f"{pin.name}=={version}"] = hashlib.sha256(wheel.read_bytes()).hexdigest()

    def copy_files(self, *, stripped: bool = False) -> None:
        """Copy every requirements file, with this folder's hashes; `stripped` leaves the extras out."""
        for file in FILES:
            target = self.root / file
            target.parent.mkdir(exist_ok=True)
            lines = (ROOT / file).read_text().replace("\\\n", " ").splitlines()
            target.write_text("".join(self._line(line, stripped=stripped) + "\n" for line in lines))

    def _line(self, line: str, *, stripped: bool) -> str:
        if not (pinned := re.match(r"([a-z0-9._-]+)(\[[^\]]+\])?==([^\s;]+)", line)):
            return line
        name, _, version = pinned.groups()
        kept = re.sub(r" +--hash=\S+", "", line)
        # A folder of wheels has nothing for other systems; such a line stays.
        digest = self.hashes.get(f"{name}=={version}", "0" * 64)
        if stripped:
            kept = re.sub(r"\[.*?\]", "", kept, count=1)
        return f"{kept} --hash=sha256:{digest}"

    def install(self, file: str) -> subprocess.CompletedProcess[str]:
        """Let pip choose what it would install from a file, as `name==version` in its report."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
        options = ["--dry-run", "--ignore-installed", "--quiet", "--report", "-", "--index-url", self.packages.as_uri()]
        return subprocess.run(
            [sys.executable, "-m", "pip", "install", "--require-hashes", *options, "-r", file],
            cwd=self.root,
            env=clean | _ALONE,
            capture_output=True,
            text=True,
            check=False,
        )


def chosen(report: str) -> set[str]:
    """Return what pip would have installed."""
    return {f"{each['metadata']['name']}=={each['metadata']['version']}" for each in json.loads(report)["install"]}


def index_of_tomorrow(root: Path, known: Mapping[str, list[Requirement]]) -> Index:
    """Make an index with every pinned package, and a newer release of each."""
    index = Index(root=root)
    asks: dict[tuple[str, str], list[Requirement]] = {}
    for pin in {pin for file in FILES for pin in pins_of(ROOT / file)}:
        asks.setdefault((pin.name, pin.version), []).extend(known.get(str(pin), []))
    for pin in {(pin.name, pin.version): pin for file in FILES for pin in pins_of(ROOT / file)}.values():
        lines = sorted({str(line) for line in asks[pin.name, pin.version]})
        for version in (pin.version, TOMORROW):
            index.publish(pin, version, [Requirement(line) for line in lines])
    return index
