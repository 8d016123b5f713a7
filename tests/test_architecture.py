"""Check docs/architecture.md against the source."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from tools.architecture import PAGE, arrows, page_with, picture

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "takings"
TEXT = PAGE.read_text()


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table with this first heading."""
    table = re.search(rf"^\| {re.escape(heading)} \|.*\n\|---.*\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    assert table is not None, heading
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.group(1).splitlines()]


def test_the_picture_shows_the_imports() -> None:
    """Redraw the picture after moving an import: python -m tools.architecture --write."""
    assert page_with(TEXT, picture(arrows())) == TEXT


def test_no_two_rooms_import_each_other() -> None:
    """Arrows point one way, also between the folders of `adapters`."""
    every = arrows()
    assert [(room, other) for room in every for other in every[room] if room in every[other]] == []


def test_the_table_lists_the_layers_in_their_order() -> None:
    """The page and import-linter agree on which folder is above which."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [layer for layer in contracts[0]["layers"] if layer != "__main__"]
    assert [row[0].strip("`") for row in rows("folder, top to bottom")] == layers


def test_every_file_to_touch_exists() -> None:
    """A list that names a moved file is worse than no list."""
    named = [
        path for row in rows("to add") for path in re.findall(r"`([a-z][\w./-]*/[\w./-]*|\w+\.(?:py|md))`", row[1])
    ]
    assert len(named) > 10
    assert [path for path in named if not (SOURCE / path).exists() and not (ROOT / path).exists()] == []
