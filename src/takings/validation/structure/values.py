"""Describe a file's structure: limits, broken records, faults, and what the file is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from takings.contracts.file_format import USUAL, FileFormat


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much of a file is examined, kept or accepted at once."""

    #: a longer record is broken, and its bytes are not kept; 1 MB is some thousand times an honest row
    max_record_bytes: int = 1 << 20
    #: a header with more columns is refused; so wide a table is another kind of file
    max_columns: int = 1000
    #: records of one chunk, as in the validation reports
    chunk_records: int = 10_000
    #: examined as a whole; 1 MB and what is known about it fit a processor's cache
    piece_bytes: int = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokenRecord:
    """One record that cannot be a row of the table."""

    #: 0-based among the data records; header and blank lines do not count
    record: int
    #: physical line, from 1, on which the record begins
    line: int
    #: the first rule it breaks, e.g. `record|field_count`
    rule: str
    #: for people, without any of the record's text
    reason: str
    #: the record without its line end; None if it is longer than `Limits.max_record_bytes`
    raw: bytes | None


@dataclass(frozen=True, kw_only=True)
class FileFault:
    """Why a file as a whole cannot be trusted."""

    #: e.g. `file|unterminated_quote`
    rule: str
    #: physical line, from 1, if there is one to look at
    line: int | None
    #: for people
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ChunkStart:
    """The place of a chunk's first record."""

    #: bytes before it in the file
    offset: int
    #: its physical line, from 1
    line: int


@dataclass(frozen=True, kw_only=True)
class Structure:
    """What a file is made of; without a usable header only `fault`, `size`, `fingerprint` and `has_bom` mean anything."""

    #: the columns' names, exactly as written; None if the header is faulty
    header: tuple[str, ...] | None
    #: why the whole file is refused
    fault: FileFault | None
    #: data records, including broken ones
    records: int
    #: how many of them are broken
    broken: int
    #: one for every `Limits.chunk_records` records begun
    chunks: tuple[ChunkStart, ...]
    #: bytes
    size: int
    #: SHA-256 of all bytes, in hexadecimal; empty if it was not requested
    fingerprint: str
    #: a plain CSV reader can read the original bytes, and record i is on physical line i + 2: no broken record,
    #: blank line or BOM, no LF or CR within quotes, one style of line ends
    is_regular: bool
    #: how every line ends; None if they differ or none ends
    newline: str | None
    #: begins with a UTF-8 byte order mark
    has_bom: bool
    #: holds a quote anywhere
    has_quotes: bool
    #: the first bytes, inflated and in UTF-8; they show what is in the place of a header
    head: bytes = field(default=b"", compare=False, repr=False)
    #: how the file was read
    format: FileFormat = USUAL
