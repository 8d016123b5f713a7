"""docs/aws.md names exactly what exists."""

from __future__ import annotations

import re
from pathlib import Path

from takings.adapters.aws.tables import TABLES

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "aws.md").read_text()


def test_the_page_has_every_table_with_its_keys_and_indexes() -> None:
    """And none that does not."""
    rows = re.findall(r"^\| `(\w+)` \| (`\w+`(?: / `\w+`)?) \| (.*?) \| ", PAGE, re.MULTILINE)
    described = {
        name: (re.findall(r"`(\w+)`", key), re.findall(r"`(by_\w+)`: `(\w+)`(?: \(.*?\))? / `(\w+)`", indexes))
        for name, key, indexes in rows
    }
    assert described == {
        table.name: (list(table.key), [(index.name, *index.key) for index in table.indexes]) for table in TABLES
    }
