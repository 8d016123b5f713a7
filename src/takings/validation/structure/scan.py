"""Establish the records of a CSV file, independently of the reader that parses it: no row may shift or vanish.

Common readers accept a ragged row or a stray quote and shift or swallow what follows. This is RFC 4180 to the letter:
UTF-8, commas, fields with or without quotes, a quote within quotes doubled, lines that end in LF or CRLF, the last line
end optional. A line without a single byte is not a record. A physical line ends at each LF, also within quotes.

What breaks a record, the first in byte order:

    record|stray_quote            a quote within an unquoted field; it is then a letter like any other
    record|text_after_quote       a field continues after its closing quote; the rest is then unquoted
    record|stray_carriage_return  a CR outside quotes that is not part of CRLF; it ends no line
    record|nul_byte               a NUL anywhere
    record|encoding               ill-formed UTF-8
    record|field_count            more or fewer fields than the header, and nothing else wrong
    record|too_large              longer than the limit, whatever else it may hold
    file|unterminated_quote       the file ends within quotes: everything from this record's first byte on is one record

Without a usable header (`file|empty`, `file|encoding`, `file|line_ends`, `file|header`, `file|duplicate_header`, or
`file|unterminated_quote` in the header) no record is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from takings.contracts.file_format import USUAL, FileFormat
from takings.validation.normalise import Normaliser
from takings.validation.structure.body import Body
from takings.validation.structure.header import read_header
from takings.validation.structure.intake import Intake
from takings.validation.structure.reading import Reading
from takings.validation.structure.values import BrokenRecord, ChunkStart, FileFault, Limits, Structure

__all__ = ["BrokenRecord", "ChunkStart", "FileFault", "Limits", "Structure", "scan"]

#: the limits unless the caller gives others
DEFAULTS: Final = Limits()


def scan(
    blocks: Iterable[bytes],
    *,
    limits: Limits = DEFAULTS,
    file: FileFormat = USUAL,
    on_broken: Callable[[Sequence[BrokenRecord]], None],
    normalised: Callable[[bytes], None] | None = None,
    first_record: int = 0,
    is_fingerprinted: bool = True,
) -> Structure:
    """Read a CSV byte stream, in blocks cut anywhere, once; memory stays within a few multiples of the limits.

    If no fingerprint is requested, a stream without a usable header is not read further; its size is then unknown.

    `on_broken` gets the broken records in order, some at a time. `normalised` gets, in large pieces, a CSV that all
    readers parse alike: no header, `record,line,` before each sound record, its fields unchanged, LF at its end. There,
    records are numbered from `first_record`. It is UTF-8, with the file's own delimiter in the place of the commas.

    A file in another encoding is read in UTF-8, and gets no fingerprint here.
    """
    seen = Reading(file)
    is_fingerprinted = is_fingerprinted and file.encoding == "utf-8"
    with Intake(
        seen.blocks(blocks),
        piece_bytes=limits.piece_bytes,
        is_fingerprinted=is_fingerprinted,
        translation=seen.translation,
    ) as intake:
        header = read_header(intake, limits, file)
        normaliser = None
        if normalised is not None:
            normaliser = Normaliser(seen.output(normalised), piece_bytes=limits.piece_bytes, first_record=first_record)
        body = Body(
            header,
            limits=limits,
            encoding=file.encoding_name,
            on_broken=seen.report(on_broken),
            normaliser=normaliser,
        )
        fault = seen.fault(header.fault) if header.fault else body.read(intake)
        if is_fingerprinted:
            intake.drain()
    return Structure(
        header=header.names and seen.names(header.names),
        fault=fault,
        records=body.records,
        broken=body.broken,
        chunks=tuple(body.chunks),
        size=intake.size,
        fingerprint=intake.fingerprint,
        is_regular=header.fault is None
        and not header.has_bom
        and body.broken == 0
        and body.line_ends.are_plain
        and file.is_usual_text,
        newline=None if header.fault else body.line_ends.newline,
        has_bom=header.has_bom,
        has_quotes=body.has_quotes,
        format=file,
    )
