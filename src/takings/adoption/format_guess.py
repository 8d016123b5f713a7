"""Guess from a file's first bytes how it is written: its encoding, its delimiter, and the line that is its header. Pure."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from takings.contracts.file_format import FileFormat
from takings.validation.windows_1252 import may_be_windows_1252

_DELIMITERS: Final = (",", ";", "\t", "|")
#: a header is looked for in so many lines
_MOST_LINES: Final = 60
_LIKE_A_VALUE: Final = re.compile(r"[-+$€£]?\s*[0-9][0-9.,:/\-\s]*|")


def guess_format(head: bytes, *, is_whole: bool) -> FileFormat:
    """Return how a file is written, from its beginning; decimal sign and thousands are left to its values."""
    encoding = guess_encoding(head, is_whole=is_whole)
    text = head.decode(encoding, "replace").lstrip("\ufeff")
    lines = text.splitlines()[:_MOST_LINES] if is_whole else text.splitlines()[:_MOST_LINES][:-1] or text.splitlines()
    delimiter = _delimiter(lines)
    return FileFormat(delimiter=delimiter, encoding=encoding, skip_lines=_lines_above_header(lines, delimiter))


def guess_encoding(head: bytes, *, is_whole: bool) -> str:
    """Return the encoding that a beginning is most likely written in."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or _has_nuls_in_turn(head):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=is_whole)
    except UnicodeDecodeError:
        return "windows-1252" if may_be_windows_1252(head) else "iso-8859-1"
    return "utf-8"


def _has_nuls_in_turn(head: bytes) -> bool:
    nuls = [byte == 0 for byte in head[:4]]
    return nuls in ([False, True, False, True], [True, False, True, False])


def _delimiter(lines: Sequence[str]) -> str:
    """Return the sign that parts most lines into the same number of fields, the more the better."""

    def regularity(delimiter: str) -> tuple[int, int]:
        counts = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if len(row) > 1)
        if not counts:
            return 0, 0
        fields, rows = max(counts.items(), key=lambda pair: (pair[1], pair[0]))
        return rows, fields

    return max(_DELIMITERS, key=regularity)


def _lines_above_header(lines: Sequence[str], delimiter: str) -> int:
    """Return how many lines stand above the first one that names as many columns as most records have fields."""
    rows = [next(csv.reader([line], delimiter=delimiter), []) for line in lines]
    counts = Counter(len(row) for row in rows if len(row) > 1)
    if not counts:
        return 0
    usual = counts.most_common(1)[0][0]
    for above, row in enumerate(rows):
        names = [name.strip() for name in row]
        if len(row) == usual and len(set(names)) == len(names) and not any(map(_LIKE_A_VALUE.fullmatch, names)):
            return above
    return 0
