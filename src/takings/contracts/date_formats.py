"""Read a date pattern of the standard (those of the JDK's DateTimeFormatter): a documented subset, or a fault."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from takings.contracts.written import Written, escaped

_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_HOURS: Final = "[+-](?:[01][0-9]|2[0-3])"
_MINUTES: Final = "[0-5][0-9]"
#: letters -> part, pattern, the same part of 31 December 2025 at 16:14:26.5 in Berlin
FIELDS: Final[Mapping[str, tuple[str, str, str]]] = {
    "yyyy": ("year", "[0-9]{4}", "2025"),
    "yy": ("year", "[0-9]{2}", "25"),
    "MMMM": ("month", "|".join(_MONTHS), "December"),
    "MMM": ("month", "|".join(month[:3] for month in _MONTHS), "Dec"),
    "MM": ("month", "[0-9]{2}", "12"),
    "M": ("month", "[0-9]{1,2}", "12"),
    "dd": ("day", "[0-9]{2}", "31"),
    "d": ("day", "[0-9]{1,2}", "31"),
    "HH": ("hour", "[0-9]{2}", "16"),
    "H": ("hour", "[0-9]{1,2}", "16"),
    "hh": ("hour of 12", "0[1-9]|1[0-2]", "04"),
    "h": ("hour of 12", "0?[1-9]|1[0-2]", "4"),
    "a": ("half of the day", "AM|PM|am|pm", "PM"),
    "mm": ("minute", "[0-9]{2}", "14"),
    "m": ("minute", "[0-9]{1,2}", "14"),
    "ss": ("second", "[0-9]{2}", "26"),
    "s": ("second", "[0-9]{1,2}", "26"),
    **{"S" * digits: ("fraction", f"[0-9]{{{digits}}}", "500000000"[:digits]) for digits in range(1, 10)},
    "XXX": ("zone", f"Z|{_HOURS}:{_MINUTES}", "+01:00"),
    "XX": ("zone", f"Z|{_HOURS}{_MINUTES}", "+0100"),
    "X": ("zone", f"Z|{_HOURS}(?:{_MINUTES})?", "+01"),
    "xxx": ("zone", f"{_HOURS}:{_MINUTES}", "+01:00"),
    "xx": ("zone", f"{_HOURS}{_MINUTES}", "+0100"),
    "x": ("zone", f"{_HOURS}(?:{_MINUTES})?", "+01"),
    "Z": ("zone", f"{_HOURS}{_MINUTES}", "+0100"),
}
_TIME_OF_DAY: Final = ("hour", "hour of 12", "half of the day", "minute", "second", "fraction", "zone")
_VARIABLE: Final = ("M", "d", "H", "h", "m", "s")
_UTC: Final = ("Z", "UTC")
_TOKEN: Final = re.compile(r"'(?P<quoted>(?:[^']|'')*)'|(?P<field>([A-Za-z])\3*)|(?P<sign>[^'A-Za-z\[\]{}#])")
#: an hour of twelve and its half of the day -> the hour of 24; those that `~A` is only taken off from are the same
_OF_TWELVE: Final = tuple(
    (f"{hour:02d}~{half}", f"{hour % 12 + 12 * (half in 'Pp'):02d}") for half in "APap" for hour in range(1, 13)
)


class UnusableFormat(ValueError):
    """The pattern cannot be used; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class _Token:
    """One piece of a pattern: a field, or a literal text."""

    letters: str = ""
    text: str = ""

    @property
    def part(self) -> str:
        return FIELDS[self.letters][0] if self.letters else ""


def read_date_format(pattern: str, *, is_day: bool) -> Written:
    """Return how times of a pattern are written, days alone if `is_day`; raise UnusableFormat."""
    tokens = list(_tokens(pattern))
    parts = {token.part: place for place, token in enumerate(filter(lambda token: token.letters, tokens), start=1)}
    _check(tokens, parts, is_day=is_day)
    letters = {token.part: token.letters for token in tokens if token.letters}
    is_padded = any(token.letters in _VARIABLE for token in tokens)
    example = "".join(FIELDS[token.letters][2] if token.letters else token.text for token in tokens)
    return Written(
        pattern="".join(f"({FIELDS[token.letters][1]})" if token.letters else escaped(token.text) for token in tokens),
        order=_order(parts, letters, tokens, between=" " if is_padded else "T"),
        is_padded=is_padded,
        replaced=tuple(_replaced(letters, is_padded=is_padded)),
        demand=f"must be a {'date' if is_day else 'date and time'} like {example}, in the format {pattern}",
    )


def _tokens(pattern: str) -> Iterator[_Token]:
    position = 0
    while position < len(pattern):
        found = _TOKEN.match(pattern, position)
        if found is None:
            raise UnusableFormat(f"'{pattern[position]}' at character {position + 1} has no meaning. Put text in '…'.")
        if found["field"] and found["field"] not in FIELDS:
            raise UnusableFormat(
                f"'{found['field']}' is not understood. Write {', '.join(known for known in FIELDS if known[0] != 'S')} or"
                " S to SSSSSSSSS, and put other letters in '…'."
            )
        if found["field"]:
            yield _Token(letters=found["field"])
        else:
            yield _Token(text=found["sign"] or (found["quoted"] or "'").replace("''", "'"))
        position = found.end()


def _check(tokens: list[_Token], parts: Mapping[str, int], *, is_day: bool) -> None:
    fields = [token for token in tokens if token.letters]
    if len(parts) < len(fields):
        twice = next(field for at, field in enumerate(fields) if field.part in [other.part for other in fields[:at]])
        raise UnusableFormat(f"'{twice.letters}' repeats the {twice.part}. Keep one of them.")
    for needed, letters in (("year", "yyyy"), ("month", "MM"), ("day", "dd")):
        if needed not in parts:
            raise UnusableFormat(f"it has no {needed}. Add {letters}.")
    if is_day and (extra := next((part for part in _TIME_OF_DAY if part in parts), None)):
        raise UnusableFormat(f"a date has no {extra}. Leave it out, or write 'logicalType: timestamp'.")
    if not is_day and "hour" not in parts and "hour of 12" not in parts:
        raise UnusableFormat("it has no hour. Add HH, or write 'logicalType: date' where a day is enough.")
    if "hour" in parts and ("hour of 12" in parts or "half of the day" in parts):
        raise UnusableFormat("H is the hour of 24, h with a is the hour of 12. Keep one of them.")
    for one, other, letters in (
        *(("hour of 12", "half of the day", "a"), ("half of the day", "hour of 12", "h")),
        *(("second", "minute", "mm"), ("fraction", "second", "ss")),
    ):
        if one in parts and other not in parts:
            raise UnusableFormat(f"it has the {one} without the {other}. Add {letters}.")
    for before, behind in pairwise(tokens):
        starts_with_digit = (
            FIELDS[behind.letters][1].startswith("[0-9]") if behind.letters else behind.text[0].isdigit()
        )
        if before.letters in _VARIABLE and (starts_with_digit or behind.part == "hour of 12"):
            raise UnusableFormat(
                f"'{before.letters}' may be one digit or two, and more digits follow directly. Write it twice."
            )


def _order(
    parts: Mapping[str, int], letters: Mapping[str, str], tokens: list[_Token], *, between: str
) -> tuple[str | int, ...]:
    """Return the order of the form `2025-12-31T16:14:26.5+01:00`."""
    order: list[str | int] = ["20"] if letters["year"] == "yy" else []
    order += [parts["year"], "-", parts["month"], "-", parts["day"], between]
    order += (
        [parts["hour of 12"], "~", parts["half of the day"]] if "hour of 12" in parts else [parts.get("hour", "00")]
    )
    order += [":", parts.get("minute", "00"), ":", parts.get("second", "00")]
    if "fraction" in parts:
        # The zero keeps a lone digit from being taken for an hour without its zero.
        order += [".", parts["fraction"], "0" if letters["fraction"] == "S" else ""]
    if "zone" in parts:
        order.append(parts["zone"])
    elif any(token.text.strip() in _UTC for token in tokens):
        order.append("Z")
    return tuple(piece for piece in order if piece != "")


def _replaced(letters: Mapping[str, str], *, is_padded: bool) -> Iterator[tuple[str, str]]:
    if letters["month"] in ("MMM", "MMMM"):
        for number, month in enumerate(_MONTHS, start=1):
            yield month[: 3 if letters["month"] == "MMM" else None], f"{number:02d}"
    if "hour of 12" in letters:
        for half in ("AM", "PM", "am", "pm"):
            yield f"~{half}", f"~{half[0]}"
        yield from _OF_TWELVE
    if is_padded:
        yield " ", "T"
