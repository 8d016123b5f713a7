"""docs/your-shop.md: each example takes an export to the page, line by line as typed."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.cli.terminal import Takings
from tests.web.looking import asking
from tests.web.site import served

PAGE: Final = Path(__file__).parents[2] / "docs" / "your-shop.md"
_EXAMPLE: Final = re.compile(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
#: heading -> the lines of its example
EXAMPLES: Final = {heading: block.splitlines() for heading, block in _EXAMPLE.findall(PAGE.read_text())}


def words_of(line: str) -> list[str]:
    """Return a line's words, with `*` expanded as in a shell."""
    words = shlex.split(line)
    return [path for word in words for path in (sorted(map(str, Path().glob(word))) if "*" in word else [word])]


def test_the_page_has_its_examples() -> None:
    """One for each system that it names."""
    assert list(EXAMPLES) == ["Shopify", "WooCommerce", "Olist", "Any other shop"]


@pytest.mark.parametrize("heading", EXAMPLES)
def test_an_export_becomes_a_page(heading: str, takings: Takings) -> None:
    """Every line works as it is, and the page has all orders of the export."""
    *lines, last = EXAMPLES[heading]
    for line in lines:
        program, *words = words_of(line)
        if program == "cp":
            *files, folder = words[1:]
            for file in files:
                shutil.copy2(file, folder)
        else:
            done = takings(*words)
            assert (program, done.code, done.err) == ("takings", 0, ""), line
    assert last == "takings serve my-shop"
    with served(Path("my-shop")) as site, asking(site) as ask:
        rows = ask.json("/api/v1/kpis")["rows"]
    assert sum(int(row["total_orders"]) for row in rows) == 200
