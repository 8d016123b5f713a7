"""Turn the bytes of any encoding into UTF-8 for the scan, and broken records back into what stood in the file.

What the encoding does not define becomes bytes that no UTF-8 has, so that the scan finds it in its record. Nothing is
lost by that: `original` returns the file's own bytes.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final

#: a byte that means nothing, as two bytes; the first never occurs in UTF-8
_MARKED: Final = re.compile(rb"[\xF8-\xFB].", re.DOTALL)
#: the first of the two halves of a character beyond U+FFFF
_HIGH_SURROGATES: Final = range(0xD8, 0xDC)


class Decoding:
    """How the bytes of one file are read; it knows the byte order of UTF-16 once the first bytes were read."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding

    def utf_8(self, blocks: Iterable[bytes]) -> Iterable[bytes]:
        """Return the blocks in UTF-8."""
        if self._encoding == "utf-8":
            return blocks
        return self._from_utf_16(blocks) if self._encoding == "utf-16" else self._from_bytes(blocks)

    def original(self, text: bytes) -> bytes:
        """Return the bytes that a whole record was made of."""
        if self._encoding == "utf-8":
            return text
        parts, at = [], 0
        for mark in _MARKED.finditer(text):
            parts += [self._encoded(text[at : mark.start()]), _unmarked(mark[0])]
            at = mark.end()
        return b"".join([*parts, self._encoded(text[at:])])

    def _encoded(self, text: bytes) -> bytes:
        if not text:
            return b""
        if not self._encoding.startswith("utf-16"):
            return text.decode().encode(self._encoding)
        return text.decode("utf-8", "surrogatepass").encode(self._encoding, "surrogatepass")

    def _from_bytes(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        table = _table(self._encoding)
        undefined = bytes(byte for byte in range(256) if _MARKED.match(table[byte]))
        for block in blocks:
            if block.isascii():
                yield block
            elif len(block.translate(None, undefined)) == len(block):
                yield block.decode(self._encoding).encode()
            else:
                yield b"".join([table[byte] for byte in block])

    def _from_utf_16(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        kept = b""
        for block in blocks:
            text = kept + block
            if len(text) < 2:
                kept = text
                continue
            if self._encoding == "utf-16":
                self._encoding = "utf-16-be" if text.startswith(codecs.BOM_UTF16_BE) else "utf-16-le"
            end = len(text) - len(text) % 2
            high = text[end - 2] if self._encoding == "utf-16-be" else text[end - 1]
            end -= 2 if high in _HIGH_SURROGATES else 0
            kept = text[end:]
            yield self._decoded(text[:end])
        end = len(kept) - len(kept) % 2
        yield self._decoded(kept[:end]) + b"".join(_marked(byte) for byte in kept[end:])

    def _decoded(self, text: bytes) -> bytes:
        return text.decode(self._encoding, "surrogatepass").encode("utf-8", "surrogatepass")


@cache
def _table(encoding: str) -> tuple[bytes, ...]:
    """Return what each byte is in UTF-8.

    The bytes 0x80 to 0x9F are not defined in any part of ISO 8859: programs take them for control characters, browsers for
    windows-1252.
    """
    return tuple(_byte_in_utf_8(byte, encoding) for byte in range(256))


def _byte_in_utf_8(byte: int, encoding: str) -> bytes:
    if encoding.startswith("iso-8859-") and 0x80 <= byte < 0xA0:
        return _marked(byte)
    try:
        return bytes((byte,)).decode(encoding).encode()
    except UnicodeDecodeError:
        return _marked(byte)


def _marked(byte: int) -> bytes:
    return bytes((0xF8 | byte >> 6, 0x80 | byte & 0x3F))


def _unmarked(mark: bytes) -> bytes:
    return bytes(((mark[0] & 0x03) << 6 | mark[1] & 0x3F,))
