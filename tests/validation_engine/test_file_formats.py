"""A file written in another format has the same verdicts, rows and physical lines as the plain one, on both engines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from takings.adapters.duckdb.session import open_duckdb
from takings.contracts import load_contracts
from takings.contracts.file_format import FileFormat
from takings.contracts.model import Dataset
from takings.contracts.read_file_format import ENCODINGS
from takings.validation.findings import FaultyRecord, Findings
from takings.validation.structure.decoding import Decoding
from tests.depth import DEPTH, examples
from tests.validation_engine.both_engines import Outcome, Workbench

pytestmark = pytest.mark.no_cover

PRODUCTS: Final = load_contracts()[Dataset.PRODUCTS]
HEADER: Final = "id,sku,cost,category,name,brand,retail_price,department\n"
#: cells of sound and of broken records; `,` separates fields, and `;` is an ordinary letter
CELLS: Final = [
    "1",
    "2",
    "9.5",
    "",
    "x",
    '"a,b"',
    '"a\nb"',
    '"a ""b"""',
    "a;b",
    "é",
    "ß",
    'a"b',
    '"a"b',
    "a\rb",
    "a\0b",
]
#: how many formats each file is tried in
TRIED: Final = settings(
    max_examples=examples(8, 20),
    derandomize=DEPTH == 1,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """Return both engines with the shipped contract of products."""
    with closing(open_duckdb("400MB", 1, tmp_path_factory.mktemp("formats") / "spill")) as connection:
        yield Workbench(connection=connection, contract=PRODUCTS)


@st.composite
def files(draw: st.DrawFn) -> str:
    """Draw a file with commas: some sound records, some broken ones, occasionally an open quote."""
    lines = [HEADER]
    for number in range(draw(st.integers(0, 6))):
        if draw(st.booleans()):
            cells = [str(number), "s", "1.5", "c", draw(st.sampled_from(CELLS[4:11])), "b", "2", "d"]
        else:
            cells = draw(st.lists(st.sampled_from(CELLS), min_size=1, max_size=9))
        lines.append(",".join(cells) + draw(st.sampled_from(["\n", "\n", "\n", "\r\n", "\n\n"])))
    return "".join(lines) + draw(st.sampled_from(["", "", '1,"x\n', "7,s"]))


@st.composite
def formats(draw: st.DrawFn) -> FileFormat:
    """Draw a format."""
    return FileFormat(
        delimiter=draw(st.sampled_from(",;\t|~^\x01\x1f")),
        encoding=draw(st.sampled_from(["utf-8", "utf-16", "windows-1252", "iso-8859-1", "iso-8859-15"])),
        is_header_loose=draw(st.booleans()),
        skip_lines=draw(st.sampled_from([0, 0, 1, 3])),
    )


def rewritten(text: str, file: FileFormat, codec: str) -> bytes:
    """Write a file with commas in another format: delimiter and comma swap places."""
    if file.is_header_loose:
        text = text.replace(HEADER, HEADER.replace("cost", "Cost ").replace(",name,", ',"\u00a0 NAME",'), 1)
    swapped = text.translate(str.maketrans(f",{file.delimiter}", f"{file.delimiter},"))
    above = ['a "title\n', "\n", "x;y,z\0\r\n"][: file.skip_lines]
    return ("".join(above) + swapped).encode(codec)


@given(text=files(), file=formats(), codec=st.sampled_from(["utf-16", "utf-16-le"]))
@TRIED
def test_the_format_changes_nothing(plain: Workbench, text: str, file: FileFormat, codec: str) -> None:
    """Structure, findings, staged rows, lines and broken bytes are the same as for the plain file."""
    content = rewritten(text, file, codec if file.encoding == "utf-16" else file.encoding)
    bench = replace(plain, contract=replace(PRODUCTS, file=file))

    expected = plain.duckdb(text.encode())
    for found in (bench.duckdb(content), bench.pandas(content, chunk_size=2), *bench.together(content)):
        if found is not None:
            assert told(found, file) == told(expected, FileFormat())
            assert [raw(record, file, codec) for record in found.faulty] == [
                raw(record, FileFormat(), codec) for record in expected.faulty
            ]


def told(outcome: Outcome, file: FileFormat) -> tuple[object, ...]:
    """Return everything that must not depend on the format, with lines counted without skipped ones."""
    structure, findings = outcome.structure, outcome.findings
    swapped = str.maketrans(f",{file.delimiter}", f"{file.delimiter},")
    fault = structure.fault
    return (
        structure.header and [name.strip().lower() for name in structure.header],
        fault and (fault.rule, fault.line and fault.line - file.skip_lines),
        (structure.records, structure.broken),
        None if findings is None else counted(findings),
        [(record.record, record.line - file.skip_lines, rules(record)) for record in outcome.faulty],
        [[value.translate(swapped) if value else value for value in record.fields or ()] for record in outcome.faulty],
        [
            (
                *(value.translate(swapped) if isinstance(value, str) else value for value in row[:-1]),
                row[-1] - file.skip_lines,
            )
            for row in outcome.staged
        ],
    )


def counted(findings: Findings) -> tuple[object, ...]:
    """Return the counts of findings."""
    return findings.read, findings.violating, findings.identical_duplicates, findings.errors, findings.warnings


def rules(record: FaultyRecord) -> list[tuple[str, str]]:
    """Return what a record breaks, without the numbers of lines and bytes, and without the header's names."""
    return [
        (violation.rule, re.sub(r"(line|byte|character) \d+| \(its name in the header: '.*'\)", "", violation.reason))
        for violation in record.violations
    ]


def raw(record: FaultyRecord, file: FileFormat, codec: str) -> str | None:
    """Return a broken record as text with commas, from the file's own bytes."""
    if record.raw is None:
        return None
    codec = "utf-16-le" if file.encoding == "utf-16" else file.encoding
    return record.raw.decode(codec).translate(str.maketrans(f",{file.delimiter}", f"{file.delimiter},"))


def broken_records_of(bench: Workbench, content: bytes) -> list[tuple[int, str, str, bytes | None]]:
    """Return line, rule, reason and bytes of every broken record; both engines agree on them."""
    found = bench.duckdb(content)
    assert bench.pandas(content).faulty == found.faulty
    return [
        (record.line, record.violations[0].rule, record.violations[0].reason, record.raw)
        for record in found.faulty
        if record.fields is None
    ]


@pytest.mark.parametrize(
    ("encoding", "byte", "hint"),
    [
        ("windows-1252", b"\x81", ""),
        ("iso-8859-1", b"\x80", "; it may be windows-1252"),
        ("iso-8859-8", b"\xc2\xa1", ""),
    ],
)
def test_a_byte_that_the_encoding_does_not_define_breaks_its_record(
    plain: Workbench, encoding: str, byte: bytes, hint: str
) -> None:
    """The report names its line, the record is kept as it was, and the byte never counts as a letter."""
    bench = replace(plain, contract=replace(PRODUCTS, file=FileFormat(encoding=encoding, delimiter=";", skip_lines=1)))
    row = "1;s;1.5;a,b;n;b;2;d\n".encode(encoding)
    bad = b"2;s;1.5;a," + byte + b";n;b;2;d"
    content = b"title\n" + HEADER.replace(",", ";").encode() + row + bad + b"\n" + row.replace(b"1;", b"3;", 1)
    name = encoding.upper() if encoding.startswith("iso") else encoding
    reason = f"is not {name} from character 11 of the record onwards{hint}"
    assert broken_records_of(bench, content) == [(4, "record|encoding", reason, bad)]
    assert [row[-1] for row in bench.duckdb(content).staged] == [3, 5]


@pytest.mark.parametrize(("order", "bom"), [("utf-16-le", b""), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")])
def test_half_a_character_breaks_its_record(plain: Workbench, order: str, bom: bytes) -> None:
    """So does an extra byte at the end; every byte is kept as it was."""
    bench = replace(plain, contract=replace(PRODUCTS, file=FileFormat(encoding="utf-16")))
    good = "1,s,1.5,\U0001f600,n,b,2,d\n"
    bad = "2,s,1.5,\ud83dx,n,b,2,d".encode(order, "surrogatepass")
    content = bom + (HEADER + good).encode(order) + bad + "\n3,s,1.5,c,n,b,2,d".encode(order) + b"!"
    assert broken_records_of(bench, content) == [
        (3, "record|encoding", "is not UTF-16 from character 9 of the record onwards", bad),
        (
            4,
            "record|encoding",
            "is not UTF-16 from character 18 of the record onwards",
            "3,s,1.5,c,n,b,2,d".encode(order) + b"!",
        ),
    ]
    assert [row[3] for row in bench.duckdb(content).staged] == ["\U0001f600"]


@given(data=st.binary(max_size=60), cuts=st.lists(st.integers(1, 5), min_size=1), encoding=st.sampled_from(ENCODINGS))
def test_every_byte_can_be_had_back(data: bytes, cuts: list[int], encoding: str) -> None:
    """However the file is cut into blocks, the text is the same and its original bytes are known."""
    decoding = Decoding(encoding)
    blocks, at = [], 0
    for cut in cuts * (len(data) + 1):
        blocks.append(data[at : at + cut])
        at += cut
    text = b"".join(decoding.utf_8(blocks))
    assert decoding.original(text) == data
    assert b"".join(Decoding(encoding).utf_8([data])) == text


@pytest.mark.parametrize("order", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_block_may_end_anywhere(order: str) -> None:
    """Between the bytes of a character, or between its halves."""
    text = "\ufeffa\U0001f600\U0010ffffz"
    data = text.encode(order) if order != "utf-16" else text[1:].encode(order)
    for first in range(len(data)):
        for second in range(first, len(data)):
            blocks = [data[:first], data[first:second], data[second:]]
            assert b"".join(Decoding("utf-16").utf_8(blocks)).decode() == text
