"""Copy what tests need into a folder in which files may be changed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent
_NEEDED: Final = ("src", "tests", "tools", "pyproject.toml")


@contextmanager
def workspace(name: str) -> Iterator[Path]:
    """Make the copy of one part in build/mutants; it is left there where something goes wrong."""
    folder = ROOT / "build" / "mutants" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for needed in _NEEDED:
        if (ROOT / needed).is_dir():
            shutil.copytree(ROOT / needed, folder / needed, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / needed, folder / needed)
    yield folder
    shutil.rmtree(folder)
