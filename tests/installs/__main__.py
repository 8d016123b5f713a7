"""Record what each pinned package requires, according to this checkout's environments: `make asked`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.installs.pins import ASKED, FILES, ROOT, Pin, environments, pins_of, wanted_by


def installed(folders: Iterable[Path]) -> Iterator[Distribution]:
    """Yield the packages that are installed in virtual environments."""
    for folder in folders:
        for packages in sorted(folder.glob("lib/python*/site-packages")):
            yield from distributions(path=[str(packages)])


def record(pins: Iterable[Pin], found: Iterable[Distribution]) -> dict[str, list[str]]:
    """Return what each pin requires anywhere, for installed packages."""
    by_pin: dict[tuple[str, str], Distribution] = {}
    for each in found:
        by_pin.setdefault((canonicalize_name(each.metadata["Name"]), each.version), each)
    asked: dict[str, list[str]] = {}
    for pin in pins:
        if each_found := by_pin.get((pin.name, pin.version)):
            lines = [Requirement(line) for line in each_found.requires or []]
            kept = {str(line) for place in environments() for line in wanted_by(pin, lines, place)}
            asked[str(pin)] = sorted(kept)
    return dict(sorted(asked.items()))


def all_pins() -> list[Pin]:
    """Return every pin of every file that applies anywhere."""
    return [
        pin for file in FILES for pin in pins_of(ROOT / file) if any(pin.applies(place) for place in environments())
    ]


def main(folders: list[Path]) -> None:
    """Write the file, or print what is installed nowhere."""
    pins = all_pins()
    wanted = {str(pin) for pin in pins}
    # A pin for another Python is installed nowhere here; what a version asks for does not change.
    known = {pin: lines for pin, lines in json.loads(ASKED.read_text()).items() if pin in wanted}
    asked = dict(sorted({**known, **record(pins, installed(folders))}.items()))
    missing = sorted(wanted - asked.keys())
    if missing:
        sys.exit(f"make asked: nowhere installed: {', '.join(missing)}")
    lines = [f" {json.dumps(pin)}: {json.dumps(asked[pin])}" for pin in asked]
    ASKED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main([Path(folder) for folder in sys.argv[1:]])
