"""Write text from a file, a key or a contract so that a terminal shows it and obeys nothing in it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.markup import escape

#: C0, DEL, C1, characters that turn the direction of writing, line separators, and bytes of a name that are not UTF-8
_OBEYED: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SHORT: Final = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def legible(text: str, *, keep: str = "") -> str:
    r"""Return a text with visible control characters: an escape as \x1b, a line feed as \n; those in `keep` stay."""
    return _OBEYED.sub(lambda found: found[0] if found[0] in keep else _seen(found[0]), text)


def _seen(character: str) -> str:
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def marked(value: object) -> str:
    """Return a value for use in a text with Rich's markup; brackets in the value are not markup."""
    return escape(legible(str(value)))


def cut(text: str, most: int) -> str:
    """Return a name for a cell of a table, cut with … where it exceeds `most` columns of a terminal."""
    shown = legible(text)
    return shown if cell_len(shown) <= most else set_cell_size(shown, most - 1).rstrip() + "…"


def as_json(document: object, *, indent: int | None = None, default: Callable[[object], str] | None = None) -> str:
    r"""Return a document as JSON with control characters escaped (\u009b): the same document, harmless to a terminal."""
    text = json.dumps(document, indent=indent, ensure_ascii=False, default=default)
    return _OBEYED.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text)


class LegibleFormatter(logging.Formatter):
    """Format log lines; only a traceback has more than one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return legible(super().format(record), keep="\n")
