"""Let the scan read any delimiter and encoding as commas and UTF-8, and give back what stood in the file.

The scan is the same for every delimiter if the delimiter and the comma change places: both are ASCII, and a byte below
0x80 is part of no other character of UTF-8. What the scan returns is changed back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from takings.contracts.file_format import FileFormat
from takings.validation.structure.decoding import Decoding
from takings.validation.structure.values import BrokenRecord, FileFault


class Reading:
    """How one file is read."""

    def __init__(self, file: FileFormat) -> None:
        self._file = file
        self._decoding = Decoding(file.encoding)
        pair = f",{file.delimiter}"
        #: lets the delimiter and the comma change places, in bytes; None if they are the same
        self.translation = None if pair == ",," else bytes.maketrans(pair.encode(), pair[::-1].encode())
        self._signs = str.maketrans(pair, pair[::-1])

    def blocks(self, blocks: Iterable[bytes]) -> Iterable[bytes]:
        """Return the blocks in UTF-8."""
        return self._decoding.utf_8(blocks)

    def names(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the header as they are in the file."""
        return tuple(names) if self.translation is None else tuple(name.translate(self._signs) for name in names)

    def fault(self, fault: FileFault) -> FileFault:
        """Return a fault of the header as it is in the file; only that of a repeated name quotes the header."""
        if self.translation is None or fault.rule != "file|duplicate_header":
            return fault
        return replace(fault, reason=fault.reason.translate(self._signs))

    def output(self, hand_over: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """Return what takes the scan's CSV and hands it over with the file's delimiter."""
        if self.translation is None:
            return hand_over
        return lambda piece: hand_over(piece.translate(self.translation))

    def report(self, on_broken: Callable[[Sequence[BrokenRecord]], None]) -> Callable[[Sequence[BrokenRecord]], None]:
        """Return what takes broken records and passes them on as they are in the file."""
        if self.translation is None and self._file.encoding == "utf-8":
            return on_broken
        return lambda broken: on_broken([replace(record, raw=self._original(record.raw)) for record in broken])

    def _original(self, raw: bytes | None) -> bytes | None:
        if raw is None:
            return None
        return self._decoding.original(raw if self.translation is None else raw.translate(self.translation))
