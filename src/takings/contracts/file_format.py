"""Say how a dataset's files are written: what turns their bytes into fields of text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class FileFormat:
    """How the files of one dataset are written; the defaults are the brief's."""

    #: one ASCII character
    delimiter: str = ","
    #: utf-8, utf-16, windows-1252 or iso-8859-x, in lower case
    encoding: str = "utf-8"
    #: what separates whole numbers from fractions
    decimal: str = "."
    #: what may separate groups of three digits; None: nothing
    thousands: str | None = None
    #: the header's names are matched regardless of case and of blanks around them
    is_header_loose: bool = False
    #: physical lines before the header
    skip_lines: int = 0
    #: texts that mean an empty field
    null_words: tuple[str, ...] = ()

    @property
    def encoding_name(self) -> str:
        """Return the encoding as people write it: UTF-8, ISO-8859-1, windows-1252."""
        return self.encoding if self.encoding.startswith("windows") else self.encoding.upper()

    @property
    def is_usual_text(self) -> bool:
        """Return whether the structure scan can read the file as it is, whatever parts its fields."""
        return self.encoding == "utf-8" and self.skip_lines == 0


#: UTF-8 with commas and a header in the first line
USUAL: Final = FileFormat()
_NAMES: Final = {",": "commas", "\t": "tabs"}


def named_delimiter(sign: str) -> str:
    """Return a delimiter's name in a sentence."""
    return _NAMES.get(sign, sign if sign.isprintable() else f"the character U+{ord(sign):04X}")
