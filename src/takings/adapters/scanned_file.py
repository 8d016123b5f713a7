"""Read a dropped file's bytes for the structure scan, and give engines a plain CSV file to parse.

A regular file is parsed where it lies; any other is written once more in normal form into the workspace, with each
record's number and physical line in front.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from takings.validation.structure import BrokenRecord, FileFault, Structure, scan

_BLOCK = 4 << 20
#: CSV of a shop compresses to a tenth; a file that inflates further than this is a bomb …
_MAX_RATIO = 200
#: … unless it is small all the same
_FREE_INFLATION = 64 << 20
#: whatever its size, no file may fill the disk
_MAX_INFLATED = 64 << 30


@dataclass(frozen=True, kw_only=True)
class PlainCsv:
    """A CSV file that any reader parses alike."""

    path: Path
    #: the first line is the header; otherwise each record begins with its number and its physical line
    has_header: bool
    newline: str


def inspect(path: Path, workspace: Path) -> Structure:
    """Scan a file's structure; its broken records are kept in the workspace."""
    workspace.mkdir(parents=True, exist_ok=True)
    with (workspace / "broken.jsonl").open("w", encoding="ascii") as spool:

        def keep(broken: Sequence[BrokenRecord]) -> None:
            spool.writelines(json.dumps(_to_json(record)) + "\n" for record in broken)

        try:
            structure = scan(_blocks(path), on_broken=keep)
        except _Unreadable as unreadable:
            structure = replace(scan((), on_broken=keep), fault=unreadable.fault)
        except (gzip.BadGzipFile, EOFError, zlib.error) as damaged:
            fault = FileFault(
                rule="file|compression", line=None, reason=f"it is no whole gzip file ({damaged}). Compress it again."
            )
            structure = replace(scan((), on_broken=keep), fault=fault)
    if _is_compressed(path):
        with path.open("rb") as source:
            fingerprint = hashlib.file_digest(source, "sha256").hexdigest()
        return replace(structure, fingerprint=fingerprint, size=path.stat().st_size, is_regular=False)
    return structure


def broken_records(workspace: Path) -> Iterator[BrokenRecord]:
    """Yield the broken records that `inspect` kept, in the order of the file."""
    with (workspace / "broken.jsonl").open(encoding="ascii") as spool:
        for line in spool:
            yield _from_json(line)


def plain_csv(path: Path, structure: Structure, workspace: Path) -> PlainCsv:
    """Return the file itself where it is regular, else its normal form without broken records."""
    if structure.is_regular:
        return PlainCsv(path=path, has_header=True, newline=structure.newline or "\n")
    return normal_csv(path, workspace)


def normal_csv(path: Path, workspace: Path) -> PlainCsv:
    """Return a file's normal form, which is written when it is first asked for."""
    normal = workspace / "normal.csv"
    if normal.exists():
        return PlainCsv(path=normal, has_header=False, newline="\n")
    with normal.open("wb") as target:

        def write(piece: bytes) -> None:
            target.write(piece)

        scan(_blocks(path), on_broken=lambda _: None, normalised=write)
    return PlainCsv(path=normal, has_header=False, newline="\n")


def normalised(path: Path, *, first_record: int) -> bytes:
    """Return a small file's normal form, without its broken records, whose numbers begin with `first_record`."""
    pieces: list[bytes] = []
    scan(_blocks(path), on_broken=lambda _: None, normalised=pieces.append, first_record=first_record)
    return b"".join(pieces)


def _is_compressed(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _blocks(path: Path) -> Iterator[bytes]:
    if not _is_compressed(path):
        with path.open("rb") as source:
            while block := source.read(_BLOCK):
                yield block
        return
    inflated, allowed = 0, min(max(_FREE_INFLATION, path.stat().st_size * _MAX_RATIO), _MAX_INFLATED)
    with gzip.open(path, "rb") as source:
        while block := source.read(_BLOCK):
            inflated += len(block)
            if inflated > allowed:
                raise _Unreadable(
                    "file|inflation", f"it inflates to more than {allowed:,} bytes. Drop it uncompressed, in parts."
                )
            yield block


class _Unreadable(Exception):
    """A compressed file that cannot be read to its end."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.fault = FileFault(rule=rule, line=None, reason=reason)


def _to_json(record: BrokenRecord) -> list[object]:
    raw = None if record.raw is None else base64.b64encode(record.raw).decode("ascii")
    return [record.record, record.line, record.rule, record.reason, raw]


def _from_json(line: str) -> BrokenRecord:
    record, place, rule, reason, raw = json.loads(line)
    return BrokenRecord(
        record=record, line=place, rule=rule, reason=reason, raw=None if raw is None else base64.b64decode(raw)
    )
