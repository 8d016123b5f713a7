"""Read one CSV record to the letter of RFC 4180, if reading many at once cannot decide, or an explanation is needed.

`blocks` handles well-placed quotes. This module follows a record with a misplaced quote, or one that is longer than a
piece, and says which rule a doubtful record breaks first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

COMMA: Final = ord(",")
QUOTE: Final = ord('"')
LINE_FEED: Final = ord("\n")
CARRIAGE_RETURN: Final = ord("\r")

#: what may end a run of plain text in an unquoted field
_NOT_PLAIN = re.compile(rb'[,"\r]')
#: the inside of a quoted field up to its closing quote; possessive, so that a field of any length needs no stack
_INSIDE_QUOTES = re.compile(rb'[^"]*+(?:""[^"]*+)*+')


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """The first rule that a record breaks."""

    #: e.g. `record|stray_quote`
    rule: str
    #: for people, without any of the record's text
    reason: str


def first_fault(raw: bytes, *, columns: int | None, encoding: str = "UTF-8") -> Fault | None:
    """Return the first fault, in byte order, of a record without its line end; None if it is sound.

    A byte that is never allowed (NUL, ill-formed UTF-8) comes before a rule about its place. The number of fields is
    checked only if nothing else is wrong, and not at all if `columns` is None. `encoding` is that of the file, for people;
    where it is not UTF-8, bytes are not counted, because the file has others.
    """
    misplaced, fields = _misplaced(raw)
    faults = [fault for fault in (_nul(raw, encoding), _ill_formed(raw, encoding), misplaced) if fault is not None]
    if faults:
        return min(faults, key=lambda fault: fault[0])[1]
    if columns is None or fields == columns:
        return None
    noun = "field" if fields == 1 else "fields"
    return Fault(rule="record|field_count", reason=f"has {fields} {noun}, the header has {columns}")


def field_texts(raw: bytes) -> list[str]:
    """Return the fields of a sound record without their quotes."""
    texts = []
    at = 0
    while True:
        if raw.startswith(b'"', at):
            stop = _end_of_quoted(raw, at + 1)
            texts.append(raw[at + 1 : stop].replace(b'""', b'"').decode())
            stop += 1
        else:
            comma = raw.find(b",", at)
            stop = len(raw) if comma < 0 else comma
            texts.append(raw[at:stop].decode())
        if stop == len(raw):
            return texts
        at = stop + 1


def _nul(raw: bytes, encoding: str) -> tuple[int, Fault] | None:
    at = raw.find(0)
    if at < 0:
        return None
    return at, Fault(rule="record|nul_byte", reason=f"{_place(raw, at, encoding)} of the record is NUL")


def _ill_formed(raw: bytes, encoding: str) -> tuple[int, Fault] | None:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        reason = f"is not {encoding} from {_place(raw, error.start, encoding)} of the record onwards"
        return error.start, Fault(rule="record|encoding", reason=reason)
    return None


def _place(raw: bytes, at: int, encoding: str) -> str:
    """Name the place of a byte; what the encoding does not define counts as one character."""
    return f"byte {at + 1}" if encoding == "UTF-8" else f"character {len(raw[:at].decode('utf-8', 'replace')) + 1}"


def _misplaced(raw: bytes) -> tuple[tuple[int, Fault] | None, int]:
    """Return the first misplaced quote, carriage return or text, and how many fields were seen so far."""
    if b'"' not in raw and b"\r" not in raw:
        return None, raw.count(b",") + 1
    at = 0
    fields = 0
    while True:
        fields += 1
        if raw.startswith(b'"', at):
            at = _end_of_quoted(raw, at + 1) + 1
            if at < len(raw) and raw[at] not in (COMMA, CARRIAGE_RETURN):
                reason = f"field {fields} continues after its closing quote"
                return (at, Fault(rule="record|text_after_quote", reason=reason)), fields
        else:
            found = _NOT_PLAIN.search(raw, at)
            at = found.start() if found else len(raw)
        if at >= len(raw):
            return None, fields
        if raw[at] == QUOTE:
            reason = f"field {fields} holds a quote but does not begin with one"
            return (at, Fault(rule="record|stray_quote", reason=reason)), fields
        if raw[at] == CARRIAGE_RETURN:
            reason = f"field {fields} is followed by a carriage return that ends no line"
            return (at, Fault(rule="record|stray_carriage_return", reason=reason)), fields
        at += 1


def _end_of_quoted(text: bytes, start: int) -> int:
    """Return where the quoted field around `start` closes, or the text's length if it does not."""
    inside = _INSIDE_QUOTES.match(text, start)
    assert inside is not None  # the pattern also matches the empty text
    return inside.end()


class _Place(Enum):
    """The place of the next byte in a field."""

    FIELD_START = auto()
    UNQUOTED = auto()
    QUOTED = auto()
    #: after a quote that either closes the field or is the first half of a doubled one
    AFTER_QUOTE = auto()


@dataclass(kw_only=True, slots=True)
class Walker:
    """Follow one record to its end, over any number of pieces, keeping none of them."""

    #: physical line on which the record begins
    line: int
    #: physical line of the last quote that opened a field
    opening_line: int = 0
    _place: _Place = field(default=_Place.FIELD_START)

    @property
    def is_inside_quotes(self) -> bool:
        """Return whether the next byte would belong to a quoted field."""
        return self._place is _Place.QUOTED

    def walk(self, text: bytes, start: int) -> int | None:
        """Return the place after the record's line end; None if `text` ends first: then walk on in the next piece."""
        opening, end = self._follow(text, start)
        if end is None:
            if opening is not None:
                self.opening_line = self.line + text.count(b"\n", start, opening)
            self.line += text.count(b"\n", start)
        return end

    def _follow(self, text: bytes, at: int) -> tuple[int | None, int | None]:
        """Return where the last field was opened, and where the record ends; None for what is not in this text."""
        opening: int | None = None
        line_end = -1
        while at < len(text):
            match self._place:
                case _Place.QUOTED:
                    at = _end_of_quoted(text, at)
                    if at < len(text):
                        self._place, at = _Place.AFTER_QUOTE, at + 1
                case _Place.AFTER_QUOTE if text[at] == QUOTE:
                    self._place, at = _Place.QUOTED, at + 1
                case _Place.FIELD_START if text[at] == QUOTE:
                    self._place, opening, at = _Place.QUOTED, at, at + 1
                case _:
                    if line_end < at:  # once per line: else its cost grows with the square of its fields
                        line_end = text.find(b"\n", at)
                        line_end = len(text) if line_end < 0 else line_end
                    comma = text.find(b',"', at, line_end)
                    if comma < 0:
                        return opening, self._end_of_line(text, line_end)
                    self._place, at = _Place.FIELD_START, comma + 1
        return opening, None

    def _end_of_line(self, text: bytes, line_end: int) -> int | None:
        if line_end < len(text):
            return line_end + 1
        self._place = _Place.FIELD_START if text[-1] == COMMA else _Place.UNQUOTED
        return None
