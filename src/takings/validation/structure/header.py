"""Read the header of a CSV file, or say why the file has no usable one."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field

from takings.contracts.file_format import USUAL, FileFormat
from takings.validation.structure.exact import Walker, field_texts, first_fault
from takings.validation.structure.intake import Intake
from takings.validation.structure.line_ends import LineEnds
from takings.validation.structure.values import FileFault, Limits

_BLANK_LINES = re.compile(rb"(?:\r?\n)*+")


@dataclass(frozen=True, kw_only=True)
class Header:
    """The header, and the place in the file where the records begin."""

    #: None if there is a fault
    names: tuple[str, ...] | None = None
    fault: FileFault | None = None
    has_bom: bool = False
    has_quotes: bool = False
    #: of the header and of the blank lines before it
    line_ends: LineEnds = field(default_factory=LineEnds)
    #: bytes before the first byte after the header
    offset: int = 0
    #: read already, but after the header
    rest: bytes = b""


def read_header(intake: Intake, limits: Limits, file: FileFormat = USUAL) -> Header:
    """Read the stream until the header is complete or proves faulty."""
    text = intake.more(b"")
    while len(text) < 4 and not intake.is_done:
        text = intake.more(text)
    if file.encoding == "utf-8" and is_utf_16_or_32(text):
        return Header(fault=not_in("UTF-8"))
    has_bom = text.startswith(codecs.BOM_UTF8)
    offset = len(codecs.BOM_UTF8) if has_bom else 0
    skipped_bytes, text = _skip_lines(intake, text[offset:], file.skip_lines)
    blank_bytes, line_ends, text = _skip_blank_lines(intake, text)
    line_ends.line_feeds += file.skip_lines
    if not text:
        return Header(fault=_empty(file.skip_lines), has_bom=has_bom)
    line = 1 + line_ends.line_feeds
    end, text, fault = _complete(intake, text, line, limits)
    head = text[:end]
    raw = head if end is None else head.removesuffix(b"\n").removesuffix(b"\r")
    fault = fault or _fault_of(raw, line, limits, file.encoding_name)
    if fault:
        return Header(fault=fault, has_bom=has_bom)
    line_ends.line_feeds += head.count(b"\n")
    line_ends.returns += head.count(b"\r")
    line_ends.ends += end is not None
    line_ends.crlf_ends += head.endswith(b"\r\n")
    return Header(
        names=tuple(field_texts(raw)),
        has_bom=has_bom,
        has_quotes=b'"' in head,
        line_ends=line_ends,
        offset=offset + skipped_bytes + blank_bytes + len(head),
        rest=text[len(head) :],
    )


def not_in(encoding: str) -> FileFault:
    """Return the fault of a file in UTF-16 or UTF-32 whose contract names another encoding."""
    reason = f"the file is UTF-16 or UTF-32, not {encoding}. Save it as {encoding} and drop it again."
    return FileFault(rule="file|encoding", line=None, reason=reason)


def is_utf_16_or_32(text: bytes) -> bool:
    """Return whether the text is UTF-16 or UTF-32, by its byte order mark or by the NULs in its first four bytes."""
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        return True
    nuls = [byte == 0 for byte in text[:4]]
    return nuls in (
        [False, True, False, True],
        [True, False, True, False],
        [False, True, True, True],
        [True, True, True, False],
    )


def _empty(skipped: int) -> FileFault:
    reason = "the file is empty: it does not even have a header."
    if skipped:
        what = "1 line is" if skipped == 1 else f"{skipped} lines are"
        reason = f"the file has no header: {what} skipped, as the contract says, and nothing follows."
    return FileFault(rule="file|empty", line=None, reason=reason)


def _skip_lines(intake: Intake, text: bytes, lines: int) -> tuple[int, bytes]:
    """Pass over physical lines, whatever they hold; return how many bytes they had, and the text behind them."""
    skipped = 0
    while lines:
        feed = text.find(b"\n")
        if feed >= 0:
            lines -= 1
            skipped += feed + 1
            text = text[feed + 1 :]
        elif intake.is_done:
            return skipped + len(text), b""
        else:
            skipped += len(text)
            text = intake.more(b"")
    return skipped, text


def _skip_blank_lines(intake: Intake, text: bytes) -> tuple[int, LineEnds, bytes]:
    """Return how many bytes were blank lines, how these ended, and the text from the first other line on."""
    skipped = 0
    line_ends = LineEnds()
    while True:
        blank = _BLANK_LINES.match(text)
        assert blank is not None  # the pattern also matches the empty text
        feeds, returns = text.count(b"\n", 0, blank.end()), text.count(b"\r", 0, blank.end())
        line_ends.line_feeds += feeds
        line_ends.returns += returns
        line_ends.ends += feeds
        line_ends.crlf_ends += returns
        line_ends.blank_lines += feeds
        skipped += blank.end()
        text = text[blank.end() :]
        if intake.is_done or text not in (b"", b"\r"):
            return skipped, line_ends, text
        text = intake.more(text)


def _complete(intake: Intake, text: bytes, line: int, limits: Limits) -> tuple[int | None, bytes, FileFault | None]:
    """Read the rest of the header; return the place after its line end, if within the limit, and the text.

    A byte just beyond the limit may still be the CR of its line end.
    """
    while True:
        walker = Walker(line=line)
        end = walker.walk(text, 0)
        if end is not None or len(text) > limits.max_record_bytes + 1:
            return end, text, None
        if intake.is_done:
            break
        text = intake.more(text)
    if walker.is_inside_quotes and len(text) <= limits.max_record_bytes:
        reason = f"the header opens a quote on line {walker.opening_line} that is never closed."
        return None, text, FileFault(rule="file|unterminated_quote", line=walker.opening_line, reason=reason)
    return None, text, None


def _fault_of(raw: bytes, line: int, limits: Limits, encoding: str) -> FileFault | None:
    """Return what is wrong with a header without its line end; of a too large one, only the beginning is examined."""
    fault = first_fault(raw[: limits.max_record_bytes + 1], columns=None, encoding=encoding)
    if fault and fault.rule == "record|stray_carriage_return":
        reason = (
            "the file uses CR line ends, or its header contains a CR. Save the file with LF or CRLF and drop it again."
        )
        return FileFault(rule="file|line_ends", line=line, reason=reason)
    if len(raw) > limits.max_record_bytes:
        return _header_fault(line, f"is longer than {limits.max_record_bytes} bytes")
    if fault:
        return _header_fault(line, fault.reason)
    names = field_texts(raw)
    if len(names) > limits.max_columns:
        return _header_fault(line, f"has {len(names)} columns, at most {limits.max_columns} are allowed")
    if "" in names:
        return _header_fault(line, f"has no name for column {names.index('') + 1}")
    if len(set(names)) < len(names):
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        return FileFault(rule="file|duplicate_header", line=line, reason=f"the header names '{twice}' more than once.")
    return None


def _header_fault(line: int, what: str) -> FileFault:
    return FileFault(rule="file|header", line=line, reason=f"the header {what}.")
