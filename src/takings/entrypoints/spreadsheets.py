"""Keep spreadsheets from taking text for a formula, in files that people download."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

#: what Excel, LibreOffice and Google Sheets take for the start of a formula (OWASP, "CSV injection")
_BEGINNINGS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
#: a number is not a formula
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def neutralised(text: str) -> str:
    """Return a cell that a spreadsheet shows as text."""
    if text.lstrip(" ").startswith(_BEGINNINGS) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def neutralised_csv(rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield rows as lines of CSV without formulas."""
    for row in rows:
        line = io.StringIO()
        csv.writer(line, lineterminator="\r\n").writerow(
            ["" if cell is None else neutralised(str(cell)) for cell in row]
        )
        yield line.getvalue()
