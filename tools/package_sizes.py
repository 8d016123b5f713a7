"""Measure what the core and each extra take on disk, here, and list the licences: `python -m tools.package_sizes`.

Of the environment that runs it; docs/install.md has the figures of Linux.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

PROJECT: Final = tomllib.loads((Path(__file__).resolve().parent.parent / "pyproject.toml").read_text())["project"]


def main() -> None:
    """Print one line for the core and each extra, then one for each licence."""
    core = closure(PROJECT["dependencies"])
    sys.stdout.write(f"core {megabytes(core):.0f} MB in {len(core)} packages\n")
    everything = set(core)
    for extra, asked in sorted(PROJECT["optional-dependencies"].items()):
        added = closure(asked) - core
        everything |= added
        sys.stdout.write(f"[{extra}] {megabytes(added):.0f} MB in {len(added)} packages\n")
    for name in sorted(everything):
        sys.stdout.write(f"{name} {distribution(name).version}: {licence(distribution(name))}\n")


def closure(asked: Iterable[str]) -> set[str]:
    """Return the packages that requirements bring along on this system."""
    found: set[str] = set()
    waiting = [Requirement(each) for each in asked]
    while waiting:
        wanted = waiting.pop()
        name = wanted.name.lower().replace("_", "-")
        extras = wanted.extras or {""}
        key = f"{name}[{','.join(sorted(wanted.extras))}]" if wanted.extras else name
        if key in found:
            continue
        found.add(key)
        for line in distribution(name).requires or ():
            further = Requirement(line)
            if further.marker is None or any(further.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(further)
    return {each.partition("[")[0] for each in found}


def megabytes(names: Iterable[str]) -> float:
    """Return what packages take, without what Python compiles of them."""
    files = [file for name in names for file in distribution(name).files or () if file.suffix != ".pyc"]
    return sum(Path(str(file.locate())).stat().st_size for file in files if Path(str(file.locate())).exists()) / 1e6


def licence(package: Distribution) -> str:
    """Return a package's licence: the SPDX expression, else what its classifiers or its old field say."""
    told = package.metadata
    if told["License-Expression"]:
        return told["License-Expression"]
    classified = [
        each.rpartition(" :: ")[2] for each in told.get_all("Classifier", ()) if each.startswith("License ::")
    ]
    return " / ".join(classified) or (told["License"] or "unknown").partition("\n")[0]


if __name__ == "__main__":
    main()
