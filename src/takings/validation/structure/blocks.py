"""Find the records of a piece of CSV in a few passes of numpy, as long as its quotes are where RFC 4180 allows them.

A valid quote opens at the start of a field, closes at its end, or is half of a doubled quote. Then counting quotes
distinguishes inside from outside. Each quote's neighbours show whether it is valid. At the first quote that is not, the
run of records ends and the exact reader takes over.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from takings.validation.structure.exact import CARRIAGE_RETURN, COMMA, LINE_FEED, QUOTE, Walker

Positions: TypeAlias = NDArray[np.intp]
Kinds: TypeAlias = NDArray[np.uint8]
Flags: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Consecutive records, without blank lines. Places are byte offsets in the piece."""

    #: first byte of each record
    starts: Positions
    #: the place after each record's last byte, before its line end
    stops: Positions
    #: how many line feeds of the run precede each record
    lines: Positions
    #: indexes of the records that may be broken; all others are sound
    doubtful: Positions
    #: the place after the run
    end: int
    #: line feeds in the run, including those inside quotes
    line_feeds: int
    #: carriage returns in the run
    returns: int
    #: line ends of the run, including those of blank lines
    line_ends: int
    #: how many of them are CRLF
    crlf_ends: int
    #: lines without a single byte
    blank_lines: int
    #: the next record holds a misplaced quote
    meets_misplaced_quote: bool

    @staticmethod
    def without_line_end(text: bytes) -> Run:
        """Return a run of one record: the whole text."""
        zero = np.zeros(1, np.intp)
        return Run(
            starts=zero,
            stops=np.full(1, len(text)),
            lines=zero,
            doubtful=zero,
            end=len(text),
            line_feeds=text.count(b"\n"),
            returns=text.count(b"\r"),
            line_ends=0,
            crlf_ends=0,
            blank_lines=0,
            meets_misplaced_quote=False,
        )


class Piece:
    """A part of the file that starts with a record and is small enough to examine as a whole."""

    def __init__(self, text: bytes, *, columns: int, max_record_bytes: int) -> None:
        self.text = text
        self.has_quotes = b'"' in text
        self._has_returns = b"\r" in text
        self._columns = columns
        self._max_record_bytes = max_record_bytes
        self._bytes = np.frombuffer(text, np.uint8)
        marked = self._bytes == COMMA
        marked |= self._bytes == LINE_FEED
        if self.has_quotes:
            marked |= self._bytes == QUOTE
        self._marks = np.flatnonzero(marked)
        self._kinds = self._bytes[self._marks]
        self._suspects = self._suspicious_bytes()

    def run(self, start: int, *, marks: int | None = None) -> Run:
        """Return the records from `start` on within the next `marks` commas, line feeds and quotes, or all of them."""
        first = int(np.searchsorted(self._marks, start)) if start else 0
        places, kinds = self._marks[first:], self._kinds[first:]
        if marks is not None:
            places, kinds = places[:marks], kinds[:marks]
        outside, outside_kinds, misplaced = places, kinds, None
        if self.has_quotes:
            misplaced = self._misplaced_quote(places[kinds == QUOTE])
            outside, outside_kinds = _outside_quotes(places, kinds, before=misplaced)
        which_end = np.flatnonzero(outside_kinds == LINE_FEED)
        ends = outside[which_end]
        end = int(ends[-1]) + 1 if ends.size else start
        starts, stops, crlf_ends = self._bounds(start, ends)
        lines, line_feeds = _physical_lines(starts, *_before(end, places, kinds))
        is_doubtful = self._doubts(start, end, ends, stops - starts)
        if not _is_rectangular(outside_kinds, which_end, self._columns):
            is_doubtful |= np.diff(which_end, prepend=-1) != self._columns
        is_record = stops > starts
        if not is_record.all():
            starts, stops, lines = starts[is_record], stops[is_record], lines[is_record]
            is_doubtful = is_doubtful[is_record]
        return Run(
            starts=starts,
            stops=stops,
            lines=lines,
            doubtful=np.flatnonzero(is_doubtful),
            end=end,
            line_feeds=line_feeds,
            returns=self.text.count(b"\r", start, end) if self._has_returns else 0,
            line_ends=ends.size,
            crlf_ends=crlf_ends,
            blank_lines=ends.size - starts.size,
            meets_misplaced_quote=misplaced is not None,
        )

    def reaches_end(self, start: int, marks: int | None) -> bool:
        """Return whether a run from `start` over this many marks covers the rest of the piece."""
        return marks is None or int(np.searchsorted(self._marks, start)) + marks >= self._marks.size

    def _bounds(self, start: int, ends: Positions) -> tuple[Positions, Positions, int]:
        """Return first byte and stop of each line whose LF is at `ends`, and how many CRLF there are."""
        starts = np.empty_like(ends)
        starts[:1] = start
        starts[1:] = ends[:-1] + 1
        if not self._has_returns:
            return starts, ends, 0
        is_crlf = self._bytes[np.maximum(ends - 1, 0)] == CARRIAGE_RETURN
        return starts, ends - is_crlf, int(np.count_nonzero(is_crlf))

    def _doubts(self, start: int, end: int, ends: Positions, lengths: Positions) -> Flags:
        """Return which lines are too long or hold a suspicious byte."""
        is_doubtful = lengths > self._max_record_bytes
        if self._suspects.size:
            first, last = np.searchsorted(self._suspects, (start, end))
            is_doubtful[np.searchsorted(ends, self._suspects[first:last])] = True
        return is_doubtful

    def _misplaced_quote(self, quotes: Positions) -> int | None:
        """Return the first quote that does not open or close a field and is not doubled.

        A quote whose neighbours are not in the piece yet passes: its record ends in the next piece and is examined again.
        """
        last = self._bytes.size - 1
        before = self._bytes[np.maximum(quotes[0::2] - 1, 0)]
        opens = (before == COMMA) | (before == LINE_FEED) | (before == QUOTE)
        closing = quotes[1::2]
        after = self._bytes[np.minimum(closing + 1, last)]
        closes = (after == COMMA) | (after == LINE_FEED) | (after == QUOTE)
        if self._has_returns:
            closes |= (after == CARRIAGE_RETURN) & (
                (self._bytes[np.minimum(closing + 2, last)] == LINE_FEED) | (closing + 2 > last)
            )
        if opens.all() and closes.all():
            return None
        return int(min(*quotes[0::2][~opens][:1], *closing[~closes][:1], last + 1))

    def _suspicious_bytes(self) -> Positions:
        """Return, in order, every byte that can break its record anywhere, and some that prove harmless."""
        found: list[Positions] = []
        if b"\0" in self.text:
            found.append(np.flatnonzero(self._bytes == 0))
        if self._has_returns:
            returns = np.flatnonzero(self._bytes == CARRIAGE_RETURN)
            found.append(returns[self._bytes[np.minimum(returns + 1, self._bytes.size - 1)] != LINE_FEED])
        if not self.text.isascii() and not _is_utf_8(self.text):
            found.append(np.flatnonzero(self._bytes >= 0x80))
        return np.sort(np.concatenate(found)) if found else np.empty(0, np.intp)


def _outside_quotes(places: Positions, kinds: Kinds, *, before: int | None) -> tuple[Positions, Kinds]:
    """Keep the commas and line feeds after an even number of quotes."""
    if before is not None:
        places, kinds = _before(before, places, kinds)
    is_quote = kinds == QUOTE
    # a count modulo 256 is odd exactly if the count is odd
    is_outside = (np.cumsum(is_quote, dtype=np.uint8) & 1) == 0
    is_outside &= ~is_quote
    return places[is_outside], kinds[is_outside]


def _before(end: int, places: Positions, kinds: Kinds) -> tuple[Positions, Kinds]:
    count = np.searchsorted(places, end)
    return places[:count], kinds[:count]


def _physical_lines(starts: Positions, places: Positions, kinds: Kinds) -> tuple[Positions, int]:
    """Return how many line feeds precede each start, and how many there are among these marks."""
    is_line_feed = kinds == LINE_FEED
    line_feeds = int(np.count_nonzero(is_line_feed))
    if line_feeds == starts.size:
        return np.arange(starts.size), line_feeds
    return np.searchsorted(places[is_line_feed], starts), line_feeds


def _is_rectangular(kinds: Kinds, which_end: Positions, columns: int) -> bool:
    """Return in one pass whether every record has `columns` fields, as is nearly always so."""
    if which_end.size == 0:
        return True
    seen = int(which_end[-1]) + 1
    return seen == columns * which_end.size and bool((kinds[columns - 1 : seen : columns] == LINE_FEED).all())


def _is_utf_8(text: bytes) -> bool:
    """Return whether the text is well-formed; a sequence cut short by its end is examined with the next piece."""
    try:
        codecs.utf_8_decode(text, "strict", False)
    except UnicodeDecodeError:
        return False
    return True


def one_by_one(text: bytes, start: int, *, records: int) -> Run:
    """Return up to this many lines or records from `start` on, found by following each; all are doubtful."""
    starts, stops, lines = [], [], []
    at = start
    line_feeds = line_ends = crlf_ends = 0
    while line_ends < records and (end := Walker(line=0).walk(text, at)) is not None:
        is_crlf = text.endswith(b"\r\n", at, end)
        stop = end - 2 if is_crlf else end - 1
        if stop > at:
            starts.append(at)
            stops.append(stop)
            lines.append(line_feeds)
        line_feeds += text.count(b"\n", at, end)
        line_ends += 1
        crlf_ends += is_crlf
        at = end
    return Run(
        starts=np.array(starts, np.intp),
        stops=np.array(stops, np.intp),
        lines=np.array(lines, np.intp),
        doubtful=np.arange(len(starts)),
        end=at,
        line_feeds=line_feeds,
        returns=text.count(b"\r", start, at),
        line_ends=line_ends,
        crlf_ends=crlf_ends,
        blank_lines=line_ends - len(starts),
        meets_misplaced_quote=False,
    )
