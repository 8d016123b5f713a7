"""Read a dropped file's bytes for the structure scan, and give engines a plain CSV file to parse.

A regular file is parsed in place. Any other is written to the workspace in normal form: each record begins with its number and
its physical line.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from takings.adapters.inflation import HEAD_BYTES, NotReadable, is_compressed, text_blocks
from takings.contracts.file_format import USUAL, FileFormat
from takings.validation.file_formats import encoding_fault, format_of, head_in_utf_8
from takings.validation.file_kinds import foreign_kind
from takings.validation.structure.scan import BrokenRecord, FileFault, Structure, scan


@dataclass(frozen=True, kw_only=True)
class PlainCsv:
    """A CSV file that every reader parses in the same way."""

    path: Path
    #: the first line is the header; otherwise each record begins with its number and its physical line
    has_header: bool
    newline: str
    delimiter: str = ","


def read_structure(
    path: Path, workspace: Path, file: FileFormat = USUAL, on_block: Callable[[], None] = lambda: None
) -> Structure:
    """Scan the structure of a file that is written as the contract says; its broken records are kept in the workspace.

    `on_block` is called for every block that is read; what it raises ends the scan.
    """
    workspace.mkdir(parents=True, exist_ok=True)
    with (workspace / "broken.jsonl").open("w", encoding="ascii") as spool:

        def keep(broken: Sequence[BrokenRecord]) -> None:
            spool.writelines(json.dumps(_to_json(record)) + "\n" for record in broken)

        try:
            structure = _scan(path, file, keep, on_block)
        except NotReadable as refused:
            structure = replace(scan((), on_broken=keep, is_fingerprinted=False), fault=refused.fault)
    if structure.fingerprint:
        return structure
    with path.open("rb") as source:
        fingerprint = hashlib.file_digest(source, "sha256").hexdigest()
    return replace(structure, fingerprint=fingerprint, size=path.stat().st_size, is_regular=False)


def first_bytes(path: Path) -> bytes:
    """Return the beginning of a file that looks like CSV, as it stands there; nothing of any other."""
    try:
        head = next(text_blocks(path), b"")[:HEAD_BYTES]
    except NotReadable:
        return b""
    return b"" if foreign_kind(head) else head


def _scan(
    path: Path, file: FileFormat, keep: Callable[[Sequence[BrokenRecord]], None], on_block: Callable[[], None]
) -> Structure:
    """Scan a file that looks like CSV; NotReadable where it is something else."""
    blocks = _watched(text_blocks(path), on_block)
    first = next(blocks, b"")
    head = first[:HEAD_BYTES]
    if fault := foreign_kind(head):
        raise NotReadable(_twice_compressed(fault) if is_compressed(path) else fault)
    file = format_of(head, file)
    text = head_in_utf_8(head, file)
    if fault := encoding_fault(head, file) or (foreign_kind(text) if text is not head else None):
        raise NotReadable(fault)
    structure = scan(chain((first,), blocks), file=file, on_broken=keep, is_fingerprinted=not is_compressed(path))
    return replace(structure, head=text)


def _watched(blocks: Iterator[bytes], on_block: Callable[[], None]) -> Iterator[bytes]:
    for block in blocks:
        on_block()
        yield block


def _twice_compressed(fault: FileFault) -> FileFault:
    if fault.rule != "file|gzip":
        return fault
    return FileFault(rule="file|compression", line=None, reason="it is compressed twice. Compress it once.")


def broken_records(workspace: Path) -> Iterator[BrokenRecord]:
    """Yield the broken records that `read_structure` kept, in the order of the file."""
    with (workspace / "broken.jsonl").open(encoding="ascii") as spool:
        for line in spool:
            yield _from_json(line)


def plain_csv(path: Path, structure: Structure, workspace: Path) -> PlainCsv:
    """Return the file itself if it is regular, otherwise its normal form without broken records."""
    if structure.is_regular:
        return PlainCsv(
            path=path, has_header=True, newline=structure.newline or "\n", delimiter=structure.format.delimiter
        )
    return normal_csv(path, structure, workspace)


def normal_csv(path: Path, structure: Structure, workspace: Path) -> PlainCsv:
    """Return a file's normal form, which is written when it is first asked for."""
    normal = workspace / "normal.csv"
    csv = PlainCsv(path=normal, has_header=False, newline="\n", delimiter=structure.format.delimiter)
    if normal.exists():
        return csv
    with normal.open("wb") as target:

        def write(piece: bytes) -> None:
            target.write(piece)

        scan(
            text_blocks(path),
            file=structure.format,
            on_broken=lambda _: None,
            normalised=write,
            is_fingerprinted=False,
        )
    return csv


def normalised(path: Path, structure: Structure, *, first_record: int) -> bytes:
    """Return a small file's normal form, without its broken records, whose numbers begin with `first_record`."""
    pieces: list[bytes] = []
    scan(
        text_blocks(path),
        file=structure.format,
        on_broken=lambda _: None,
        normalised=pieces.append,
        first_record=first_record,
        is_fingerprinted=False,
    )
    return b"".join(pieces)


def _to_json(record: BrokenRecord) -> list[object]:
    raw = None if record.raw is None else base64.b64encode(record.raw).decode("ascii")
    return [record.record, record.line, record.rule, record.reason, raw]


def _from_json(line: str) -> BrokenRecord:
    record, place, rule, reason, raw = json.loads(line)
    return BrokenRecord(
        record=record, line=place, rule=rule, reason=reason, raw=None if raw is None else base64.b64decode(raw)
    )
