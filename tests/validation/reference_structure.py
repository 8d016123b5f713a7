"""Read CSV structure byte by byte, slowly and obviously; the fast scan is tested against it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from takings.validation.structure.scan import BrokenRecord, ChunkStart, FileFault, Limits, Structure


@dataclass
class Record:
    """What one walk over a record found."""

    start: int
    stop: int = 0
    end: int = 0
    fields: list[bytes] = field(default_factory=list)
    #: (place, rule) of every fault at some byte
    faults: list[tuple[int, int, str, str]] = field(default_factory=list)
    opening: int = 0
    is_unterminated: bool = False
    line_end: bytes = b""
    has_quoted_break: bool = False


def read_record(data: bytes, start: int) -> Record:
    """Walk from `start` to the end of the record, or of the data."""
    record = Record(start)
    place, text, at = "start", bytearray(), start
    while True:
        here = data[at : at + 1]
        if place != "quoted" and (here in (b"", b"\n") or data[at : at + 2] == b"\r\n"):
            record.line_end = b"" if not here else b"\n" if here == b"\n" else b"\r\n"
            break
        if here == b"":
            record.is_unterminated = True
            break
        number = len(record.fields) + 1
        if place == "quoted":
            if here == b'"' and data[at + 1 : at + 2] == b'"':
                text += b'"'
                at += 1
            elif here == b'"':
                place = "closed"
            else:
                record.has_quoted_break |= here in (b"\n", b"\r")
                text += here
        elif here == b",":
            record.fields.append(bytes(text))
            place, text = "start", bytearray()
        elif place == "start" and here == b'"':
            place, record.opening = "quoted", at
        else:
            if here == b"\r":
                what = f"field {number} is followed by a carriage return that ends no line"
                record.faults.append((at, 1, "record|stray_carriage_return", what))
            elif place == "closed":
                record.faults.append(
                    (at, 1, "record|text_after_quote", f"field {number} continues after its closing quote")
                )
            elif here == b'"':
                what = f"field {number} holds a quote but does not begin with one"
                record.faults.append((at, 1, "record|stray_quote", what))
            place = "text"
            text += here
        at += 1
    record.fields.append(bytes(text))
    record.stop, record.end = at, at + len(record.line_end)
    raw = data[start : record.stop]
    for i, byte in enumerate(raw):
        if byte == 0:
            record.faults.append((start + i, 0, "record|nul_byte", f"byte {i + 1} of the record is NUL"))
    if (bad := first_ill_formed(raw)) is not None:
        what = f"is not UTF-8 from byte {bad + 1} of the record onwards"
        record.faults.append((start + bad, 0, "record|encoding", what))
    return record


def first_ill_formed(raw: bytes) -> int | None:
    """Return where the first sequence starts that is not listed in Unicode's table 3-7."""
    at = 0
    while at < len(raw):
        lead = raw[at]
        if lead < 0x80:
            length, low, high = 1, 0, 0
        elif 0xC2 <= lead <= 0xDF:
            length, low, high = 2, 0x80, 0xBF
        elif 0xE0 <= lead <= 0xEF:
            length, low, high = 3, 0xA0 if lead == 0xE0 else 0x80, 0x9F if lead == 0xED else 0xBF
        elif 0xF0 <= lead <= 0xF4:
            length, low, high = 4, 0x90 if lead == 0xF0 else 0x80, 0x8F if lead == 0xF4 else 0xBF
        else:
            return at
        rest = raw[at + 1 : at + length]
        if len(rest) < length - 1 or any(not 0x80 <= byte <= 0xBF for byte in rest):
            return at
        if length > 1 and not low <= rest[0] <= high:
            return at
        at += length
    return None


def line_of(data: bytes, at: int) -> int:
    """Return the physical line of a byte's place."""
    return 1 + data[:at].count(b"\n")


def reference_scan(data: bytes, limits: Limits) -> tuple[Structure, list[BrokenRecord], bytes]:
    """Return what `scan` must return, report and write."""
    has_bom = data.startswith(b"\xef\xbb\xbf")
    fault, header, at, ends, blank = _header(data, 3 if has_bom else 0, limits)
    if header is None:
        return _structure(data, None, fault, 0, [], [], False, None, has_bom, False), [], b""
    broken: list[BrokenRecord] = []
    chunks: list[ChunkStart] = []
    written = b""
    records = 0
    is_plain = not blank and not read_record(data, 3 if has_bom else 0).has_quoted_break
    while at < len(data):
        record = read_record(data, at)
        at = record.end
        if record.line_end:
            ends.append(record.line_end)
        if record.start == record.stop:
            is_plain = False
            continue
        line = line_of(data, record.start)
        if records % limits.chunk_records == 0:
            chunks.append(ChunkStart(offset=record.start, line=line))
        verdict = _verdict(data, record, len(header), limits)
        raw = data[record.start : record.stop]
        if record.is_unterminated:
            fault = FileFault(
                rule="file|unterminated_quote",
                line=line_of(data, record.opening),
                reason=f"the record on line {line} {verdict[1]}." if verdict else "",
            )
        if verdict:
            kept = raw if len(raw) <= limits.max_record_bytes else None
            broken.append(BrokenRecord(record=records, line=line, rule=verdict[0], reason=verdict[1], raw=kept))
        else:
            written += b"%d,%d," % (records, line) + raw + b"\n"
            is_plain &= not record.has_quoted_break
        records += 1
    newline = ends[0].decode() if len(set(ends)) == 1 else None
    is_regular = is_plain and not has_bom and not broken and len(set(ends)) <= 1
    has_quotes = b'"' in data
    structure = _structure(data, header, fault, records, broken, chunks, is_regular, newline, has_bom, has_quotes)
    return structure, broken, written


def _verdict(data: bytes, record: Record, columns: int, limits: Limits) -> tuple[str, str] | None:
    if record.is_unterminated:
        return "file|unterminated_quote", f"opens a quote on line {line_of(data, record.opening)} that is never closed"
    if record.stop - record.start > limits.max_record_bytes:
        return "record|too_large", f"is longer than {limits.max_record_bytes} bytes"
    if record.faults:
        return min(record.faults)[2:]
    if len(record.fields) != columns:
        count = "1 field" if len(record.fields) == 1 else f"{len(record.fields)} fields"
        return "record|field_count", f"has {count}, the header has {columns}"
    return None


def _header(
    data: bytes, at: int, limits: Limits
) -> tuple[FileFault | None, tuple[str, ...] | None, int, list[bytes], bool]:
    """Return fault, names, the place after the header, its line ends, and whether blank lines precede it."""
    start = at
    ends: list[bytes] = []
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")) or (
        len(data) >= 4 and [byte == 0 for byte in data[:4]] in ([0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 1, 1], [1, 1, 1, 0])
    )
    if wide:
        what = "the file is UTF-16 or UTF-32, not UTF-8. Save it as UTF-8 and drop it again."
        return FileFault(rule="file|encoding", line=None, reason=what), None, 0, ends, False
    while at < len(data) and (record := read_record(data, at)).start == record.stop:
        at = record.end
        ends.append(record.line_end)
    if at == len(data):
        what = "the file is empty: it does not even have a header."
        return FileFault(rule="file|empty", line=None, reason=what), None, 0, ends, False
    record = read_record(data, at)
    fault = _header_fault(data, record, limits)
    if record.line_end:
        ends.append(record.line_end)
    names = None if fault else tuple(name.decode() for name in record.fields)
    return fault, names, record.end, ends, at > start


def _header_fault(data: bytes, record: Record, limits: Limits) -> FileFault | None:
    line = line_of(data, record.start)
    size = record.stop - record.start
    first = min(record.faults, default=None)
    if size > limits.max_record_bytes:
        seen = [fault for fault in record.faults if fault[0] <= record.start + limits.max_record_bytes]
        cut = first_ill_formed(data[record.start : record.start + limits.max_record_bytes + 1])
        if cut is not None:
            seen.append((record.start + cut, 0, "record|encoding", ""))
        first = min(seen, default=None)
    elif record.is_unterminated:
        opened = line_of(data, record.opening)
        what = f"the header opens a quote on line {opened} that is never closed."
        return FileFault(rule="file|unterminated_quote", line=opened, reason=what)
    if first and first[2] == "record|stray_carriage_return":
        what = (
            "the file uses CR line ends, or its header contains a CR. Save the file with LF or CRLF and drop it again."
        )
        return FileFault(rule="file|line_ends", line=line, reason=what)
    if size > limits.max_record_bytes:
        what = f"is longer than {limits.max_record_bytes} bytes"
    elif first:
        what = first[3]
    elif len(record.fields) > limits.max_columns:
        what = f"has {len(record.fields)} columns, at most {limits.max_columns} are allowed"
    elif b"" in record.fields:
        what = f"has no name for column {record.fields.index(b'') + 1}"
    else:
        for at, name in enumerate(record.fields):
            if name in record.fields[:at]:
                twice = f"the header names '{name.decode()}' more than once."
                return FileFault(rule="file|duplicate_header", line=line, reason=twice)
        return None
    return FileFault(rule="file|header", line=line, reason=f"the header {what}.")


def _structure(
    data: bytes,
    header: tuple[str, ...] | None,
    fault: FileFault | None,
    records: int,
    broken: list[BrokenRecord],
    chunks: list[ChunkStart],
    is_regular: bool,
    newline: str | None,
    has_bom: bool,
    has_quotes: bool,
) -> Structure:
    return Structure(
        header=header,
        fault=fault,
        records=records,
        broken=len(broken),
        chunks=tuple(chunks),
        size=len(data),
        fingerprint=hashlib.sha256(data).hexdigest(),
        is_regular=is_regular,
        newline=newline,
        has_bom=has_bom,
        has_quotes=has_quotes,
    )
