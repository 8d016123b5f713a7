"""The structure scan, rule by rule."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from takings.contracts.file_format import FileFormat
from takings.validation.structure.scan import BrokenRecord, ChunkStart, FileFault, Limits, Structure, scan

_DEFAULTS = Limits()


def _scan(data: bytes, limits: Limits = _DEFAULTS) -> tuple[Structure, list[BrokenRecord]]:
    broken: list[BrokenRecord] = []
    return scan([data], limits=limits, on_broken=broken.extend), broken


def _normalised(data: bytes) -> bytes:
    pieces: list[bytes] = []
    scan([data], on_broken=lambda broken: None, normalised=pieces.append)
    return b"".join(pieces)


def test_tells_what_a_plain_file_is_made_of() -> None:
    """One reading finds header, records, chunks, size, fingerprint and form."""
    data = b"id,name\n1,hat\n2,cap\n3,tie\n"
    structure, broken = _scan(data, Limits(chunk_records=2))
    assert broken == []
    assert structure == Structure(
        header=("id", "name"),
        fault=None,
        records=3,
        broken=0,
        chunks=(ChunkStart(offset=8, line=2), ChunkStart(offset=20, line=4)),
        size=26,
        fingerprint=hashlib.sha256(data).hexdigest(),
        is_regular=True,
        newline="\n",
        has_bom=False,
        has_quotes=False,
    )


@pytest.mark.parametrize(
    ("row", "rule", "reason"),
    [
        (b"1", "record|field_count", "has 1 field, the header has 2"),
        (b"1,2,3", "record|field_count", "has 3 fields, the header has 2"),
        (b'1,5" heel', "record|stray_quote", "field 2 holds a quote but does not begin with one"),
        (b'1,x"hat, cap"', "record|stray_quote", "field 2 holds a quote but does not begin with one"),
        (b'1,"hat" cap', "record|text_after_quote", "field 2 continues after its closing quote"),
        (b"1,hat\rcap", "record|stray_carriage_return", "field 2 is followed by a carriage return that ends no line"),
        (b"1,\0", "record|nul_byte", "byte 3 of the record is NUL"),
        (b'1,"\0"', "record|nul_byte", "byte 4 of the record is NUL"),
        (b"1,caf\xe9", "record|encoding", "is not UTF-8 from byte 6 of the record onwards"),
        (b"1,\xc0\x80", "record|encoding", "is not UTF-8 from byte 3 of the record onwards"),
        (b"1,\xed\xa0\x80", "record|encoding", "is not UTF-8 from byte 3 of the record onwards"),
        (b"1,\xf4\x90\x80\x80", "record|encoding", "is not UTF-8 from byte 3 of the record onwards"),
        (b"1,\xe2\x82", "record|encoding", "is not UTF-8 from byte 3 of the record onwards"),
    ],
)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_names_the_rule_a_record_breaks(row: bytes, rule: str, reason: str, line_end: bytes) -> None:
    """The broken record is named with its line; the records around it keep their lines."""
    structure, broken = _scan(line_end.join([b"id,name", b"7,a", row, b"8,b", b""]))
    assert broken == [BrokenRecord(record=1, line=3, rule=rule, reason=reason, raw=row)]
    assert (structure.records, structure.broken, structure.fault, structure.is_regular) == (3, 1, None, False)


def test_names_only_the_first_fault_of_a_record() -> None:
    """A stray quote before a NUL hides it, and both hide the wrong number of fields."""
    _, broken = _scan(b'a,b\nx"y,\0,z\n')
    assert [record.rule for record in broken] == ["record|stray_quote"]


def test_passes_over_a_record_that_is_too_large() -> None:
    """Its bytes are not kept; a record of exactly the limit is."""
    structure, broken = _scan(b'a,b\n1234,6789\r\n12345,"\n890\n",\n1,2\n', Limits(max_record_bytes=9, piece_bytes=4))
    reason = "is longer than 9 bytes"
    assert broken == [BrokenRecord(record=1, line=3, rule="record|too_large", reason=reason, raw=None)]
    assert structure.records == 3


def test_an_unterminated_quote_is_a_fault_of_the_file() -> None:
    """Everything from its record on is one broken record; the fault names the line of the quote."""
    structure, broken = _scan(b'a,b\n1,2\n"x\ny","3\n4,5\n')
    reason = "opens a quote on line 4 that is never closed"
    rule = "file|unterminated_quote"
    assert broken == [BrokenRecord(record=1, line=3, rule=rule, reason=reason, raw=b'"x\ny","3\n4,5\n')]
    assert structure.fault == FileFault(rule=rule, line=4, reason=f"the record on line 3 {reason}.")
    assert (structure.records, structure.header) == (2, ("a", "b"))


@pytest.mark.parametrize(
    ("data", "rule", "line"),
    [
        (b"", "file|empty", None),
        (b"\xef\xbb\xbf", "file|empty", None),
        (b"\n\r\n", "file|empty", None),
        ("id,name\n".encode("utf-16"), "file|encoding", None),
        ("id,name\n".encode("utf-16-be"), "file|encoding", None),
        ("id,name\n".encode("utf-32-le"), "file|encoding", None),
        (b"id,name\r1,hat\r", "file|line_ends", 1),
        (b"id,,name\n", "file|header", 1),
        (b"\nid,\xff\n", "file|header", 2),
        (b'id,"name"s\n', "file|header", 1),
        (b"a,b,c,d\n", "file|header", 1),
        (b"a234567890123456789012345678901,b\n", "file|header", 1),
        (b"id,name,id\n", "file|duplicate_header", 1),
        (b'id,"na\nme\n1,2\n', "file|unterminated_quote", 1),
    ],
)
def test_refuses_a_file_without_a_usable_header(data: bytes, rule: str, line: int | None) -> None:
    """No record is counted, but size and fingerprint cover the whole stream."""
    data += b"" if rule in ("file|empty", "file|unterminated_quote") else b"1,2,3\n" * 9
    structure, broken = _scan(data, Limits(max_columns=3, max_record_bytes=32, piece_bytes=16))
    assert structure.fault is not None
    assert (structure.fault.rule, structure.fault.line) == (rule, line)
    assert (structure.header, structure.records, broken) == (None, 0, [])
    assert (structure.size, structure.fingerprint) == (len(data), hashlib.sha256(data).hexdigest())


def test_takes_the_names_exactly() -> None:
    """Quotes and BOM are not part of a name; blanks are."""
    structure, _ = _scan(b'\xef\xbb\xbf id ,"na""me"\n')
    assert (structure.header, structure.has_bom, structure.has_quotes) == ((" id ", 'na"me'), True, True)


@pytest.mark.parametrize(
    ("data", "is_regular", "newline"),
    [
        (b"a,b", True, None),
        (b"a,b\n1,2", True, "\n"),
        (b'a,b\r\n1,"2"\r\n', True, "\r\n"),
        (b"a,b\r\n1,2\n", False, None),
        (b"a,b\n\n1,2\n", False, "\n"),
        (b"\na,b\n1,2\n", False, "\n"),
        (b'a,b\n1,"\n"\n', False, "\n"),
        (b'a,b\n1,"\r"\n', False, "\n"),
        (b"\xef\xbb\xbfa,b\n1,2\n", False, "\n"),
        (b"a,b\n1\n", False, "\n"),
    ],
)
def test_a_file_is_regular_if_a_plain_reader_counts_it_the_same(
    data: bytes, is_regular: bool, newline: str | None
) -> None:
    """Broken records, blank lines, a BOM, line breaks in quotes and mixed line ends make a file irregular."""
    structure, _ = _scan(data)
    assert (structure.is_regular, structure.newline) == (is_regular, newline)


def test_a_blank_line_is_no_record_even_of_one_column() -> None:
    """But it is a physical line; a quoted empty field is a record."""
    structure, broken = _scan(b'a\n\n1\n\r\n""\n1,2\n')
    assert structure.records == 3
    assert [(record.record, record.line) for record in broken] == [(2, 6)]


def test_writes_sound_records_with_number_and_line() -> None:
    """Broken records, blank lines and CRLF are gone; the fields' bytes are unchanged."""
    data = b'\xef\xbb\xbfa,b\r\n\r\n1,"x ""y"""\r\n2\r\n"3\r\n",\r\n4,z'
    assert _normalised(data) == b'0,3,1,"x ""y"""\n2,5,"3\r\n",\n3,7,4,z\n'


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_writes_many_records_as_it_writes_few(line_end: str) -> None:
    """Ten thousand records around broken ones and blank lines have their numbers, of any length, in order."""
    rows = ["1" if i % 7 == 0 else f'{i},"{i}"' for i in range(10_001)]
    data = line_end.join(["a,b", "", *rows, ""])
    expected = "".join(f"{i},{i + 3},{row}\n" for i, row in enumerate(rows) if row != "1")
    assert _normalised(data.encode()) == expected.encode()


def test_hands_over_millions_of_broken_records_some_at_a_time() -> None:
    """What waits to be handed over does not grow with the file."""
    sizes: list[int] = []
    structure = scan([b"a,b\n" + b"1\n" * 5000], on_broken=lambda broken: sizes.append(len(broken)))
    assert structure.broken == sum(sizes) == 5000
    assert max(sizes) <= 1000


def _one_field(begin: bytes) -> Iterator[bytes]:
    yield begin
    for _ in range(64):
        yield b"1,\n" * 20_000 if begin.endswith(b'"') else b"1," * 30_000


@pytest.mark.parametrize("begin", [b'a,b\n"', b"a,b\n", b'"', b"x"])
def test_memory_does_not_grow_with_a_record(begin: bytes) -> None:
    """A row or header of 4 MB costs a few times the limit, whether its quote is closed or not."""
    tracemalloc.start()
    structure = scan(
        _one_field(begin), limits=Limits(max_record_bytes=1 << 14, piece_bytes=1 << 14), on_broken=lambda broken: None
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert structure.size > 3_800_000
    assert peak < 1_500_000


def _scanned(data: bytes, **what: Any) -> Structure:
    return scan([data], file=FileFormat(**what), on_broken=lambda _: None)


def test_only_what_a_reader_of_utf_8_can_read_is_regular() -> None:
    """The reader is told another delimiter; another encoding and skipped lines go through the normal form."""
    data = b"id;name\n1;a,b\n"
    plain = _scanned(data, delimiter=";")
    assert (plain.header, plain.is_regular, plain.newline) == (("id", "name"), True, "\n")
    assert (plain.size, plain.fingerprint) == (len(data), hashlib.sha256(data).hexdigest())
    assert not _scanned(data, delimiter=";", encoding="windows-1252").is_regular
    assert not _scanned(data.decode().encode("utf-16"), delimiter=";", encoding="utf-16").is_regular
    skipped = _scanned(b"\n" + data, delimiter=";", skip_lines=1)
    assert (skipped.is_regular, skipped.fingerprint) == (False, hashlib.sha256(b"\n" + data).hexdigest())
    assert skipped.chunks == (ChunkStart(offset=9, line=3),)


@pytest.mark.parametrize("piece_bytes", [1, 2, 3, 1000])
def test_skips_lines_of_any_length(piece_bytes: int) -> None:
    """They are passed over, not kept; blank lines may follow them before the header."""
    data = b'\xef\xbb\xbf"' + b"x" * 100 + b"\n\0\r\n\n\nid\n1\n"
    structure = scan(
        [data], file=FileFormat(skip_lines=2), limits=Limits(piece_bytes=piece_bytes), on_broken=lambda _: None
    )
    assert (structure.header, structure.has_bom, structure.records) == (("id",), True, 1)
    assert structure.chunks == (ChunkStart(offset=len(data) - 2, line=6),)


@pytest.mark.parametrize(
    ("data", "lines", "reason"),
    [
        (b"", 1, "the file has no header: 1 line is skipped, as the contract says, and nothing follows."),
        (b"a\nb", 2, "the file has no header: 2 lines are skipped, as the contract says, and nothing follows."),
        (b"a\n\n\r\n", 1, "the file has no header: 1 line is skipped, as the contract says, and nothing follows."),
    ],
)
def test_a_file_that_ends_before_its_header_is_empty(data: bytes, lines: int, reason: str) -> None:
    """The reason says what was skipped."""
    assert _scanned(data, skip_lines=lines).fault == FileFault(rule="file|empty", line=None, reason=reason)
