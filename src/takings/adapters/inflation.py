"""Read the text of a dropped file, inflate it if its name says that it is compressed, and stop at a bomb.

A decompression bomb is a small file that inflates to more than a disk holds. A shop's CSV compresses to a tenth or a twentieth
of its size; zeros, or the same row repeated, to a thousandth.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, cast

from takings.validation.file_kinds import foreign_kind
from takings.validation.structure.values import FileFault

#: read to recognise a file's kind; a header is rarely longer
HEAD_BYTES: Final = 64 << 10
_BLOCK: Final = 4 << 20
#: more inflated bytes than this from each compressed byte are suspicious …
_MAX_RATIO: Final = 200
#: … and the file is refused after this many of them
_MAX_SUSPICIOUS: Final = 64 << 20
#: no file may fill the disk, whatever its content
_MAX_INFLATED: Final = 64 << 30
#: compressed bytes read at once: few, to know how many of them a block comes from
_COMPRESSED_BLOCK: Final = 8 << 10
_GZIP: Final = b"\x1f\x8b"


class NotReadable(Exception):
    """A file whose text cannot be read to its end."""

    def __init__(self, fault: FileFault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


def is_compressed(path: Path) -> bool:
    """Return whether a file's name says that it is compressed."""
    return path.name.lower().endswith(".gz")


def text_blocks(path: Path) -> Iterator[bytes]:
    """Yield the text of a file in blocks; NotReadable for a bomb, or if its name says gzip but it is not a whole gzip file."""
    with path.open("rb") as file:
        if not is_compressed(path):
            while block := file.read(_BLOCK):
                yield block
            return
        head = file.read(HEAD_BYTES)
        if head and not head.startswith(_GZIP):
            raise NotReadable(_no_gzip(head))
        file.seek(0)
        try:
            yield from _inflated(file)
        except (gzip.BadGzipFile, EOFError, zlib.error) as damaged:
            reason = f"it is not a whole gzip file ({damaged}). Compress it again."
            raise NotReadable(FileFault(rule="file|compression", line=None, reason=reason)) from damaged


class _Counted:
    """A compressed file that is read in small parts, and counts what was read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.consumed = 0

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes, and not many at once."""
        part = self._file.read(_COMPRESSED_BLOCK if size < 0 else min(size, _COMPRESSED_BLOCK))
        self.consumed += len(part)
        return part


def _inflated(file: BinaryIO) -> Iterator[bytes]:
    """Yield the inflated blocks; refuse a bomb before its suspicious part is read as text.

    Suspicious blocks are held back until there are too many, or until enough ordinary ones have followed. Otherwise nonsense
    that inflates well would take minutes to reject, record by record.
    """
    counted = _Counted(file)
    held: list[bytes] = []
    total = inflated = consumed_before = 0
    with gzip.GzipFile(fileobj=cast("BinaryIO", counted), mode="rb") as source:
        while block := source.read(_BLOCK):
            total += len(block)
            inflated += len(block)
            if total > _MAX_INFLATED:
                raise NotReadable(_bomb(f"it inflates to more than {_MAX_INFLATED:,} bytes"))
            held.append(block)
            # The bytes read last may not be inflated yet.
            if inflated <= _MAX_RATIO * (counted.consumed - _COMPRESSED_BLOCK - consumed_before):
                inflated, consumed_before = 0, counted.consumed
                yield from held
                held.clear()
            elif inflated > _MAX_SUSPICIOUS:
                raise NotReadable(
                    _bomb(f"more than {_MAX_SUSPICIOUS:,} bytes inflate from less than a {_MAX_RATIO}th of them")
                )
    yield from held


def _bomb(what: str) -> FileFault:
    return FileFault(rule="file|inflation", line=None, reason=f"{what}. Drop it uncompressed, in parts.")


def _no_gzip(head: bytes) -> FileFault:
    if kind := foreign_kind(head):
        return kind
    what = "not compressed" if b"\0" not in head else "not compressed with gzip"
    return FileFault(
        rule="file|compression",
        line=None,
        reason=f"its name ends in .gz, but it is {what}. Compress it with gzip, or let its name end in .csv.",
    )
