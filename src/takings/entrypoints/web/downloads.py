"""Serve what was refused, and why: without formulas for spreadsheets, or byte for byte."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from takings import layout
from takings.archive.lineage import LineageRecord
from takings.composition.stores import Shop
from takings.entrypoints.spreadsheets import neutralised_csv
from takings.errors import UnknownThing
from takings.layout import BatchId
from takings.validation.reports import violations_in

_REASON_COLUMNS: Final = ("line", "record", "column", "rule", "reason", "shape")


def reasons(shop: Shop, batch_id: str, key: str) -> Iterator[str]:
    """Yield every violation of a refused file as CSV for a spreadsheet; UnknownThing if there is no such file."""
    record = _record(shop, batch_id, key)
    place = f"{record.archived_at}.reason.json"
    if record.archived_at is None or not _exists(shop, place):
        raise UnknownThing(f"{key} was not refused in batch {batch_id}. The page Files shows what became of it.")
    return _reason_lines(shop, place)


def _reason_lines(shop: Shop, place: str) -> Iterator[str]:
    yield from neutralised_csv([_REASON_COLUMNS])
    with shop.ports.store.borrow(place) as path, path.open(encoding="utf-8") as lines:
        yield from neutralised_csv([found[name] for name in _REASON_COLUMNS] for found in violations_in(lines, place))


def quarantine(shop: Shop, batch_id: str, key: str, *, exactly: bool) -> Iterator[bytes]:
    """Yield the rows that were set aside from a file, exactly as the store has them or for a spreadsheet."""
    record = _record(shop, batch_id, key)
    place = quarantine_key(record)
    if not _exists(shop, place):
        raise UnknownThing(
            f"no row of {key} was set aside in batch {batch_id}. The page Files shows what became of it."
        )
    return _quarantined(shop, place, exactly=exactly)


def quarantine_key(record: LineageRecord) -> str:
    """Return the key of the rows that were set aside from a file."""
    return layout.quarantined(record.batch_id, record.dataset, record.file_key.split("/", 2)[2])


def _quarantined(shop: Shop, place: str, *, exactly: bool) -> Iterator[bytes]:
    with shop.ports.store.borrow(place) as path:
        if exactly:
            with path.open("rb") as file:
                while block := file.read(1 << 16):
                    yield block
            return
        with _text(path, place) as lines:
            yield from (line.encode() for line in neutralised_csv(csv.reader(lines)))


def _text(path: Path, place: str) -> io.TextIOBase:
    if place.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _exists(shop: Shop, key: str) -> bool:
    folder = key.rpartition("/")[0] + "/"
    return any(info.key == key for info in shop.ports.store.list(folder))


def _record(shop: Shop, batch_id: str, key: str) -> LineageRecord:
    """Return a file's record in a batch: only what the ledger names is served."""
    for record in shop.ports.ledger.lineage(batch_id=BatchId(batch_id)):
        if record.file_key == key:
            return record
    raise UnknownThing(f"no file '{key}' in a batch '{batch_id}'. The page Files lists them.")
