"""Tell how a dropped file is read, from its first bytes and its contract. Pure."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import replace

from takings.contracts.file_format import USUAL, FileFormat
from takings.validation.mended import is_mended
from takings.validation.structure.decoding import Decoding
from takings.validation.structure.header import is_utf_16_or_32, not_in, read_header
from takings.validation.structure.intake import Intake
from takings.validation.structure.values import FileFault, Limits

_UTF_16_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF_32_BOMS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


def format_of(head: bytes, file: FileFormat) -> FileFormat:
    """Return how a file with these first bytes is read: as its contract says, but one from quarantine as it was written."""
    if file.is_usual_text and file.delimiter == USUAL.delimiter:
        return file
    is_quarantine = is_mended(_names(head))
    return replace(file, delimiter=",", encoding="utf-8", skip_lines=0) if is_quarantine else file


def head_in_utf_8(head: bytes, file: FileFormat) -> bytes:
    """Return a file's first bytes in UTF-8; the same object where they are."""
    return head if file.encoding == "utf-8" else b"".join(Decoding(file.encoding).utf_8((head,)))


def encoding_fault(head: bytes, file: FileFormat) -> FileFault | None:
    """Return what shows in the first bytes that a file is not in its contract's encoding; the scan itself knows UTF-8."""
    if file.encoding == "utf-8" or not head:
        return None
    if file.encoding != "utf-16" and is_utf_16_or_32(head):
        return not_in(file.encoding_name)
    if head.startswith(codecs.BOM_UTF8):
        return _fault(file, "UTF-8, as its byte order mark says")
    return _fault_of_utf_16(head, file) if file.encoding == "utf-16" else None


def _fault_of_utf_16(head: bytes, file: FileFormat) -> FileFault | None:
    """Tell UTF-16 apart from what it cannot be: delimiters and line ends have a NUL in it, before or behind them."""
    if head.startswith(_UTF_32_BOMS):
        return _fault(file, "UTF-32")
    if head.startswith(_UTF_16_BOMS):
        return None
    if b"\0" not in head:
        return _fault(file, "in an encoding of single bytes, perhaps UTF-8")
    if [byte == 0 for byte in head[:4]] == [True, False, True, False]:
        return _fault(file, "big-endian without the byte order mark that would say so")
    return None


def _fault(file: FileFormat, what: str) -> FileFault:
    name = file.encoding_name
    reason = (
        f"the contract says that the file is {name}, but it is {what}. Save it as {name}"
        f"{' with a byte order mark' if file.encoding == 'utf-16' else ''}, or change 'encoding' in the contract."
    )
    return FileFault(rule="file|encoding", line=None, reason=reason)


def _names(head: bytes) -> Sequence[str]:
    """Return the header of a file that is UTF-8 with commas; nothing of any other."""
    limits = Limits()
    with Intake((head,), piece_bytes=limits.piece_bytes, is_fingerprinted=False) as intake:
        return read_header(intake, limits).names or ()
