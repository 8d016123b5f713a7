r"""Rewrite a text of a contract's own format to the form that every engine reads: one pattern, one order of its groups.

The pattern means the same to RE2 and to Python (with `re.ASCII`). A text that it does not match as a whole does not fit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

#: a digit alone between signs, which `padded` puts a zero before
LONE_DIGIT: Final = r"\b([0-9])\b"


@dataclass(frozen=True, kw_only=True)
class Written:
    """How a column's texts are written in the file."""

    #: matches the whole text; at most nine groups
    pattern: str
    #: what is read instead: texts, and numbers of groups (from 1)
    order: tuple[str | int, ...]
    #: digits that stand alone get a zero before them
    is_padded: bool = False
    #: texts that are replaced in the outcome, one after the other
    replaced: tuple[tuple[str, str], ...] = ()
    #: what a value must be, as a phrase after the column's name
    demand: str

    def rewritten(self, text: str) -> str | None:
        """Return the text in the form that is read; None if it does not fit."""
        found = _compiled(self.pattern).fullmatch(text)
        if not found:
            return None
        outcome = "".join(piece if isinstance(piece, str) else found[piece] or "" for piece in self.order)
        if self.is_padded:
            outcome = _compiled(LONE_DIGIT).sub(r"0\1", outcome)
        for old, new in self.replaced:
            outcome = outcome.replace(old, new)
        return outcome


def escaped(text: str) -> str:
    """Return the pattern of a text itself."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)
