"""Compressed files: a bomb is refused at once, an honest file passes however well it compresses."""

from __future__ import annotations

import gzip
import random
import time
import zlib
from collections.abc import Iterable
from pathlib import Path

import pytest

from takings.adapters.inflation import text_blocks
from takings.adapters.scanned_file import read_structure
from takings.validation.structure.values import FileFault

HEADER = b"id,order_id,product_id,user_id,status,sale_price\n"
ROW = b"1,1,1,7,shipped,10.00\n"
MEBIBYTE = 1 << 20
BOMB = FileFault(
    rule="file|inflation",
    line=None,
    reason="more than 67,108,864 bytes inflate from less than a 200th of them. Drop it uncompressed, in parts.",
)


def compressed(path: Path, parts: Iterable[bytes], level: int = 9) -> Path:
    """Write a gzip file from parts that are never all in memory."""
    with path.open("wb") as file:
        deflate = zlib.compressobj(level, wbits=31)
        for part in parts:
            file.write(deflate.compress(part))
        file.write(deflate.flush())
    return path


#: just large enough to be one, made of what is cheap to repeat
BOMBS = {
    "zeros": [b"\0" * MEBIBYTE] * 80,
    "zeros, packed in haste": [b"\0" * MEBIBYTE] * 80,
    "a record that never ends": [HEADER + ROW, *[b"0" * MEBIBYTE] * 80],
    "a quote that never ends": [HEADER + b'"', *[b"0\n" * (MEBIBYTE // 2)] * 80],
    "rows without end": [HEADER, *[ROW * (MEBIBYTE // len(ROW))] * 80],
    "broken rows without end": [HEADER, *[b"a\n" * (MEBIBYTE // 2)] * 80],
    "blank lines": [b"\n" * MEBIBYTE] * 80,
    "quotes": [HEADER, *[b'"' * MEBIBYTE] * 80],
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_is_looked_at(tmp_path: Path, name: str) -> None:
    """Whatever it inflates to; scanning its records would take minutes, and listing them would fill disks."""
    bomb = compressed(tmp_path / "bomb.csv.gz", BOMBS[name], level=1 if "haste" in name else 9)
    began = time.process_time()
    structure = read_structure(bomb, tmp_path / "work")
    assert time.process_time() - began < 2
    assert (structure.fault, structure.records, structure.size) == (BOMB, 0, bomb.stat().st_size)


def test_a_bomb_behind_honest_rows_is_found_too(tmp_path: Path) -> None:
    """The ratio of the whole file would still be modest."""
    honest = b"".join(b"%d,1,1,7,shipped,%d.00\n" % (number, number * 7919 % 1000) for number in range(200_000))
    path = compressed(tmp_path / "a.csv.gz", [HEADER, honest, *[ROW * 40_000] * 90])
    assert path.stat().st_size * 200 > len(honest) + 90 * 40_000 * len(ROW)
    assert read_structure(path, tmp_path / "work").fault == BOMB


def test_a_file_that_compresses_well_passes(tmp_path: Path) -> None:
    """A few mebibytes from a thousandth, or any length from a fortieth."""
    few = [HEADER, *[ROW * 40_000] * 30]
    assert read_structure(compressed(tmp_path / "few.csv.gz", few), tmp_path / "few").fault is None
    many = (
        b"".join(b"%d,1,1,7,shipped,10.00,%s\n" % (number, b"x" * 400) for number in range(start, start + 5_000))
        for start in range(0, 170_000, 5_000)
    )
    path = compressed(tmp_path / "many.csv.gz", [HEADER.replace(b"\n", b",text\n"), *many], level=6)
    structure = read_structure(path, tmp_path / "many")
    assert (structure.fault, structure.records) == (None, 170_000)
    assert structure.records * 430 > max(64 * MEBIBYTE, 40 * path.stat().st_size)


def test_blocks_are_the_text(tmp_path: Path) -> None:
    """Held-back blocks come first, and none is lost, even at the end and between members."""
    text = [HEADER, b"0" * 20 * MEBIBYTE, random.Random(5).randbytes(MEBIBYTE), b"1" * 20 * MEBIBYTE]
    path = tmp_path / "a.csv.gz"
    path.write_bytes(b"".join(gzip.compress(part, mtime=0) for part in text))
    assert b"".join(text_blocks(path)) == b"".join(text)


def test_an_empty_file_is_empty(tmp_path: Path) -> None:
    """With no bytes, there is nothing to say about compression."""
    (tmp_path / "a.csv.gz").write_bytes(b"")
    fault = read_structure(tmp_path / "a.csv.gz", tmp_path / "work").fault
    assert fault is not None
    assert fault.rule == "file|empty"
