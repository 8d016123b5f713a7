"""Write the sound records of an irregular CSV file so that a plain reader cannot miscount them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

_COMMA: Final = np.uint8(ord(","))
_LINE_FEED: Final = np.uint8(ord("\n"))
#: the digits of 0000 to 9999, four bytes as one number, so that one look-up fetches them all
_FOUR_DIGITS: Final = np.frombuffer(b"".join(b"%04d" % number for number in range(10_000)), np.uint32)

#: for this few records, writing them one by one is faster than numpy; between misplaced quotes, runs are short
_FEW: Final = 200


class Normaliser:
    """Write records as `record,line,`, their unchanged fields and LF; hand them over in large pieces."""

    def __init__(self, hand_over: Callable[[bytes], None], *, piece_bytes: int, first_record: int = 0) -> None:
        self._hand_over = hand_over
        self._first_record = first_record
        self._piece_bytes = piece_bytes
        self._parts: list[bytes] = []
        self._size = 0

    def add(
        self,
        text: bytes,
        *,
        records: NDArray[np.intp],
        lines: NDArray[np.intp],
        starts: NDArray[np.intp],
        stops: NDArray[np.intp],
    ) -> None:
        """Write the records at `starts` to `stops` of the text."""
        records = records + self._first_record
        if records.size < _FEW:
            places = zip(records.tolist(), lines.tolist(), starts.tolist(), stops.tolist(), strict=True)
            part = b"".join([b"%d,%d,%b\n" % (record, line, text[at:stop]) for record, line, at, stop in places])
        else:
            part = _numbered(np.frombuffer(text, np.uint8), _prefixes(records, lines), starts, stops)
        self._parts.append(part)
        self._size += len(part)
        if self._size >= self._piece_bytes:
            self.hand_over()

    def hand_over(self) -> None:
        """Hand over what has been written."""
        if self._size:
            self._hand_over(b"".join(self._parts))
        self._parts = []
        self._size = 0


def _numbered(
    text: NDArray[np.uint8],
    prefixes: tuple[NDArray[np.uint8], NDArray[np.intp]],
    starts: NDArray[np.intp],
    stops: NDArray[np.intp],
) -> bytes:
    """Alternate prefixes and records; each line's LF counts as the first byte of the next prefix."""
    written, sizes = prefixes
    is_prefix = _alternate(sizes, stops - starts)
    between = starts.copy()
    between[1:] -= stops[:-1]
    is_between = _alternate(between, stops - starts)
    laid = np.empty(is_prefix.size + 1, np.uint8)
    laid[:-1][is_prefix] = written
    laid[:-1][~is_prefix] = text[: is_between.size][~is_between]
    laid[-1] = _LINE_FEED
    return laid.tobytes()


def _alternate(first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return alternating runs of true and false, with the lengths in `first` and `second`."""
    runs = np.column_stack((first, second)).ravel()
    return np.repeat(np.arange(runs.size) % 2 == 0, runs)


def _prefixes(records: NDArray[np.intp], lines: NDArray[np.intp]) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Return LF (except for the first), record, comma, line and comma for each record, and the length of each in bytes."""
    count = records.size
    record_digits, is_record_digit = _digits(records)
    line_digits, is_line_digit = _digits(lines)
    comma = np.full((count, 1), _COMMA)
    always = np.ones((count, 1), np.bool_)
    follows = np.ones((count, 1), np.bool_)
    follows[0] = False
    written = np.hstack((np.full((count, 1), _LINE_FEED), record_digits, comma, line_digits, comma))
    is_written = np.hstack((follows, is_record_digit, always, is_line_digit, always))
    return written[is_written], np.count_nonzero(is_written, axis=1)


def _digits(numbers: NDArray[np.intp]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return each number's digits, padded with zeros to a common width, and which of them are not padding."""
    width = -(-len(str(int(numbers[-1]))) // 4) * 4
    powers = 10 ** np.arange(width - 4, -1, -4, dtype=np.intp)
    digits = _FOUR_DIGITS[numbers[:, None] // powers % 10_000].view(np.uint8)
    is_digit = numbers[:, None] >= 10 ** np.arange(width - 1, -1, -1, dtype=np.intp)
    is_digit[:, -1] = True
    return digits, is_digit
