"""Read `takingsFile`: how the files of a dataset are written."""

from __future__ import annotations

from typing import Final

from takings.contracts.file_format import USUAL, FileFormat
from takings.contracts.yaml_nodes import Entry, suggestion

KEYS: Final = ("delimiter", "encoding", "decimal", "thousands", "header", "skipLines", "nullWords")
#: what no value is made of, or what a field that holds it is quoted for
DELIMITERS: Final = {
    ",": "a comma",
    ";": "a semicolon",
    "\t": '"\\t" (a tab)',
    "|": "|",
    "~": "~",
    "^": "^",
    "\x01": '"\\x01"',
    "\x1e": '"\\x1e"',
    "\x1f": '"\\x1f"',
}
#: there is no iso-8859-12
ENCODINGS: Final = (
    *("utf-8", "utf-16", "windows-1252"),
    *(f"iso-8859-{part}" for part in range(1, 17) if part != 12),
)
DECIMALS: Final = (".", ",")
THOUSANDS: Final = (".", ",", "'", " ", "\u00a0")
MOST_SKIPPED_LINES: Final = 1000


def read_file_format(entry: Entry | None) -> FileFormat:
    """Return what `takingsFile` says, and the usual format for what it does not say."""
    if entry is None:
        return USUAL
    keys = entry.fields(KEYS)
    decimal = _one_of(keys["decimal"], DECIMALS) if "decimal" in keys else USUAL.decimal
    return FileFormat(
        delimiter=_delimiter(keys["delimiter"]) if "delimiter" in keys else USUAL.delimiter,
        encoding=_encoding(keys["encoding"]) if "encoding" in keys else USUAL.encoding,
        decimal=decimal,
        thousands=_thousands(keys["thousands"], decimal) if "thousands" in keys else None,
        is_header_loose="header" in keys and _is_loose(keys["header"]),
        skip_lines=_skip_lines(keys["skipLines"]) if "skipLines" in keys else 0,
        null_words=_null_words(keys["nullWords"]) if "nullWords" in keys else (),
    )


def _delimiter(entry: Entry) -> str:
    sign = entry.sign()
    if sign not in DELIMITERS:
        raise entry.error(f"'{sign}' cannot separate fields. Write one of {', '.join(DELIMITERS.values())}.")
    return sign


def _encoding(entry: Entry) -> str:
    written = entry.text()
    if written.lower() not in ENCODINGS:
        raise entry.error(f"unknown encoding '{written}'.{suggestion(written.lower(), ENCODINGS)}")
    return written.lower()


def _one_of(entry: Entry, signs: tuple[str, ...]) -> str:
    sign = entry.sign()
    if sign not in signs:
        shown = ", ".join('"\\u00a0"' if one == "\u00a0" else f'"{one}"' for one in signs)
        raise entry.error(f"'{entry.name}' cannot be '{sign}'. Write one of {shown}.")
    return sign


def _thousands(entry: Entry, decimal: str) -> str:
    sign = _one_of(entry, THOUSANDS)
    if sign == decimal:
        raise entry.error(f"'thousands' and 'decimal' are both '{sign}'. Write another sign, or leave one out.")
    return sign


def _is_loose(entry: Entry) -> bool:
    written = entry.text()
    if written not in ("exact", "loose"):
        raise entry.error(f"unknown kind of header '{written}'. Write exact or loose.")
    return written == "loose"


def _skip_lines(entry: Entry) -> int:
    lines = entry.whole()
    if not 0 <= lines <= MOST_SKIPPED_LINES:
        raise entry.error(f"'skipLines' is {lines}. Write a number from 0 to {MOST_SKIPPED_LINES:,}.")
    return lines


def _null_words(entry: Entry) -> tuple[str, ...]:
    words: list[str] = []
    for item in entry.entries("word"):
        word = item.text()
        if word in words:
            raise item.error(f"the word '{word}' is listed twice. Keep one of them.")
        words.append(word)
    return tuple(words)
