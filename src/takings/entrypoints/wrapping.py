"""Wrap sentences between words: a terminal breaks them wherever its edge is."""

from __future__ import annotations

import re
from typing import Final

from rich.cells import cell_len
from rich.text import Text

#: a word with the spaces after it; a command in backquotes is one word, so that it can be copied
_WORD: Final = re.compile(r"(?:`[^`\n]*`|\S)+\s*")
_INDENT: Final = 2


def wrapped(text: Text, width: int) -> Text:
    """Return the text in lines of at most `width` columns, the later ones indented; a longer word stays whole."""
    lines = [part for line in text.split("\n", allow_blank=True) for part in _lines(line, width)]
    return Text("\n").join(lines)


def _lines(line: Text, width: int) -> list[Text]:
    plain = line.plain
    indent = len(plain) - len(plain.lstrip(" ")) + _INDENT
    offsets = []
    used = indent - _INDENT
    for word in _WORD.finditer(plain):
        bare, long = cell_len(word[0].rstrip()), cell_len(word[0])
        if used + bare > width and used > indent:
            offsets.append(word.start())
            used = indent
        used += long
    first, *others = line.divide(offsets)
    for part in (first, *others):
        part.rstrip()
    return [first, *(Text(" " * indent) + other for other in others)]
