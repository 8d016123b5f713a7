"""Any text is a contract, or is refused with file, line and remedy.

byte 0      what the text stands in: nothing, or the place of a line of a shipped contract
byte 1, 2   which line
the rest    the text
"""

from __future__ import annotations

from functools import cache
from importlib import resources

from tests.contracts.refused import loads_or_is_refused


@cache
def _shipped() -> tuple[list[str], ...]:
    folder = resources.files("takings.contracts")
    names = ("products", "orders", "order_items")
    return tuple((folder / f"{name}.odcs.yaml").read_text(encoding="utf-8").splitlines(keepends=True) for name in names)


def check(data: bytes) -> None:
    """Load one text."""
    which, high, low = (*data[:3], 0, 0, 0)[:3]
    text = data[3:].decode("utf-8", "replace")
    around = which % 4
    if around:
        lines = _shipped()[around - 1]
        at = (256 * high + low) % len(lines)
        text = "".join([*lines[:at], text, *lines[at + which // 4 % 4 :]])
    loads_or_is_refused(text)
