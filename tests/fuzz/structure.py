"""The structure scan says of any bytes what the slow reference says, wherever they are cut, and accounts for every record.

byte 0, 1      the limits
byte 2         where the bytes are cut into blocks
the rest       the file
"""

from __future__ import annotations

from typing import Final

from takings.validation.structure.scan import BrokenRecord, Limits, Structure, scan
from tests.validation.reference_structure import reference_scan

_LONGEST: Final = (1000, 1000, 1000, 8, 3, 1)
_WIDEST: Final = (1000, 1000, 2, 1)
_CHUNKS: Final = (7, 2, 1)
_PIECES: Final = (1000, 1000, 30, 5, 1)
_BLOCKS: Final = (1000, 7, 3, 2, 1)


def check(data: bytes) -> None:
    """Compare one scan with the reference."""
    first, second, third = (*data[:3], 0, 0, 0)[:3]
    content = data[3:]
    limits = Limits(
        max_record_bytes=_LONGEST[first % len(_LONGEST)],
        max_columns=_WIDEST[first // 16 % len(_WIDEST)],
        chunk_records=_CHUNKS[second % len(_CHUNKS)],
        piece_bytes=_PIECES[second // 16 % len(_PIECES)],
    )
    length = _BLOCKS[third % len(_BLOCKS)]
    structure, broken, normalised = scanned(content, limits, length)
    assert (structure, broken, normalised) == reference_scan(content, limits)
    assert (structure.size, structure.broken) == (len(content), len(broken))
    if structure.header is None:
        assert structure.fault is not None
        assert structure.records == 0
        return
    sound = [number for number in range(structure.records) if number not in {record.record for record in broken}]
    assert len(sound) + len(broken) == structure.records


def scanned(content: bytes, limits: Limits, length: int) -> tuple[Structure, list[BrokenRecord], bytes]:
    """Scan a file in blocks of this length; return also the broken records and the CSV that all readers parse alike."""
    broken: list[BrokenRecord] = []
    pieces: list[bytes] = []
    blocks = [content[at : at + length] for at in range(0, len(content), length)]
    structure = scan(blocks, limits=limits, on_broken=broken.extend, normalised=pieces.append)
    return structure, broken, b"".join(pieces)
