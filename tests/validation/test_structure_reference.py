"""The fast structure scan agrees with a slow and obvious one, and with Python's csv module."""

from __future__ import annotations

import csv
import io
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from takings.validation.structure.scan import BrokenRecord, Limits, Structure, scan
from tests.depth import examples
from tests.validation.reference_structure import reference_scan

# Tracing every line makes these half as fast again; what they run is covered by tests of its own.
pytestmark = pytest.mark.no_cover

_NASTY = st.sampled_from(
    [b"a", b",", b'"', b"\r", b"\n", b"\0", b"\xc3\xa9", b"\xff", b"\xef\xbb\xbf", b"\xe2", b"\x82", b"\r\n"]
)
_LIKELY = st.sampled_from([b"a,b\n", b'"a",b\r\n', b'"a\n""b",\n', b'a"b,c\n', b'"a"b,\n', b"\n", b'",', b',"', b"a"])
_HEADERS = st.sampled_from([b"", b"a,b\n", b'"a",b\r\n', b"x\n", b"\xef\xbb\xbfa,b\n", b"\n\r\na,b,c\n"])
_FILES = st.builds(
    lambda header, tokens: header + b"".join(tokens),
    _HEADERS,
    st.lists(_NASTY, max_size=40) | st.lists(_LIKELY, max_size=40) | st.lists(_NASTY | _LIKELY, max_size=60),
)
_LIMITS = st.builds(
    Limits,
    max_record_bytes=st.sampled_from([1, 3, 8, 1000, 1000]),
    max_columns=st.sampled_from([1, 2, 1000, 1000]),
    chunk_records=st.sampled_from([1, 2, 7]),
    piece_bytes=st.sampled_from([1, 5, 30, 1000, 1000]),
)
_QUICKLY = settings(max_examples=examples(150, 400), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _run(blocks: list[bytes], limits: Limits) -> tuple[Structure, list[BrokenRecord], bytes]:
    broken: list[BrokenRecord] = []
    pieces: list[bytes] = []
    structure = scan(blocks, limits=limits, on_broken=broken.extend, normalised=pieces.append)
    return structure, broken, b"".join(pieces)


@_QUICKLY
@given(data=_FILES, limits=_LIMITS, block_bytes=st.sampled_from([1, 2, 3, 7, 1000]))
def test_agrees_with_the_reference_whatever_the_bytes_and_the_blocks(
    data: bytes, limits: Limits, block_bytes: int
) -> None:
    """Structure, broken records and normalised output are the same, wherever blocks and pieces are cut."""
    blocks = [data[at : at + block_bytes] for at in range(0, len(data), block_bytes)]
    assert _run(blocks, limits) == reference_scan(data, limits)


@_QUICKLY
@given(
    rows=st.lists(
        st.lists(st.text(alphabet='a,"\r\n é€😀', max_size=6), min_size=3, max_size=3),
        max_size=12,
    ),
    # with LF and QUOTE_MINIMAL csv.writer leaves a CR unquoted, which RFC 4180 does not allow
    style=st.sampled_from([("\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_MINIMAL)]),
    piece_bytes=st.sampled_from([7, 1000]),
)
def test_finds_every_row_that_csv_writer_wrote(
    rows: list[list[str]], style: tuple[str, Literal[0, 1]], piece_bytes: int
) -> None:
    """No valid row is called broken, and the normalised output reads back as the same rows."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator=style[0], quoting=style[1])
    writer.writerows([["a", "b", "c"], *rows])
    structure, broken, written = _run([buffer.getvalue().encode()], Limits(piece_bytes=piece_bytes))
    assert (structure.records, broken) == (len(rows), [])
    read = list(csv.reader(io.StringIO(written.decode(), newline=""), strict=True))
    assert [row[2:] for row in read] == rows
    assert [int(row[0]) for row in read] == list(range(len(rows)))
