"""Hold the words in which a file's structure is told: limits, broken records, faults and what it is made of."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much of a file is looked at, kept or believed at once."""

    #: a longer record is broken and its bytes are not kept; 1 MB is some thousand times an honest row
    max_record_bytes: int = 1 << 20
    #: a header with more columns is refused; a table so wide is a file of another kind
    max_columns: int = 1000
    #: records of one chunk, as in the validation reports
    chunk_records: int = 10_000
    #: looked at as a whole; 1 MB and what is known of it stay in a processor's cache
    piece_bytes: int = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokenRecord:
    """One record that cannot be a row of the table."""

    #: 0-based among the data records; header and blank lines are none
    record: int
    #: physical line, from 1, on which the record begins
    line: int
    #: the first rule it breaks, e.g. `record|field_count`
    rule: str
    #: for people, without any of the record's text
    reason: str
    #: the record without its line end; None where it is longer than `Limits.max_record_bytes`
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
    """Where a chunk's first record stands."""

    #: bytes before it in the file
    offset: int
    #: its physical line, from 1
    line: int


@dataclass(frozen=True, kw_only=True)
class Structure:
    """What a file is made of; without a usable header only `fault`, `size`, `fingerprint`, `has_bom` have a meaning."""

    #: the columns' names, exactly as they stand; None where the header is faulty
    header: tuple[str, ...] | None
    #: why the whole file is refused
    fault: FileFault | None
    #: data records, the broken ones included
    records: int
    #: how many of them are broken
    broken: int
    #: one for every `Limits.chunk_records` records begun
    chunks: tuple[ChunkStart, ...]
    #: bytes
    size: int
    #: SHA-256 of all bytes, in hexadecimal; nothing where it was not asked for
    fingerprint: str
    #: the original bytes can go to a plain CSV reader, and record i stands on physical line i + 2: no broken record,
    #: blank line or BOM, no LF or CR within quotes, one style of line ends
    is_regular: bool
    #: how every line ends; None where they differ or none ends
    newline: str | None
    #: begins with a UTF-8 byte order mark
    has_bom: bool
    #: holds a quote anywhere
    has_quotes: bool
    #: the first bytes, inflated; they tell what stands where a header is expected
    head: bytes = field(default=b"", compare=False, repr=False)
