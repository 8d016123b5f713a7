"""Decide which listed files are arrivals, and fix each one's version.

An event is only a hint; the listing of raw-data/ is the truth, so every look starts with `sight`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from takings.contracts.datasets import DropKind, SourceName
from takings.layout import Drop, Ignored, read_raw_key

_TICK = timedelta(microseconds=1)
#: a shop's CSV compresses to a tenth, and is decompressed on a disk
_COMPRESSION: Final = 10
#: a source's records lie in a database and are made into rows of several datasets before these are checked
_MADE: Final = 3
_NO_FOLDERS: Final[Mapping[str, SourceName]] = {}


@dataclass(frozen=True, kw_only=True)
class ObjectInfo:
    """One object as a listing shows it."""

    key: str
    size: int
    #: when the bytes were written
    written_at: datetime
    #: changes whenever the bytes may have changed; opaque
    etag: str
    #: no process is known to have it open for writing
    is_settled: bool = True
    #: why it cannot be taken as it is, and what to do; a folder's key ends in a slash
    trouble: str | None = None


def csv_bytes(key: str, size: int, kind: DropKind) -> int:
    """Return about how many bytes of CSV a file has once it is decompressed, and what a source makes of it."""
    inflated = size * (_COMPRESSION if key.lower().endswith(".gz") else 1)
    return inflated * (_MADE if isinstance(kind, SourceName) else 1)


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """One file seen under raw-data/."""

    key: str
    dataset: DropKind
    #: the key after raw-data/<prefix>/
    file: str
    size: int
    etag: str
    #: the place of its rows in the order of writes
    version: datetime
    #: where a replay finds the original; None while it is under raw-data/
    archived_at: str | None = None

    @property
    def source(self) -> str:
        """Return the key under which the bytes are read."""
        return self.archived_at or self.key


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """What a look at raw-data/ found."""

    #: files of a dataset or source, not yet versioned, oldest first
    drops: tuple[tuple[ObjectInfo, Drop], ...]
    #: everything else, with the reason why it is left alone
    ignored: tuple[tuple[str, Ignored], ...]

    @property
    def troubles(self) -> tuple[tuple[str, str], ...]:
        """Return the files that a person must put right before they can be taken: keys and reasons."""
        return tuple(sorted((key, ignored.reason) for key, ignored in self.ignored if ignored.has_trouble))


def sight(
    listing: Iterable[ObjectInfo],
    unread: Mapping[tuple[str, str], str] | None = None,
    *,
    sources: Mapping[str, SourceName] = _NO_FOLDERS,
) -> Sighting:
    """Sort a listing of raw-data/ into drops and things to leave alone.

    `unread` holds, per key and ETag, why a file that looks sound is left alone for now: an earlier read failed. `sources`
    holds, per folder under raw-data/, the source whose files lie there.
    """
    drops: list[tuple[ObjectInfo, Drop]] = []
    ignored: list[tuple[str, Ignored]] = []
    for info in listing:
        trouble = info.trouble or (unread.get((info.key, info.etag)) if unread else None)
        drop = _drop_or_reason(info, trouble, sources)
        if isinstance(drop, Drop):
            drops.append((info, drop))
        else:
            ignored.append((info.key.encode(errors="backslashreplace").decode(), drop))
    drops.sort(key=lambda pair: (pair[0].written_at, pair[0].key))
    return Sighting(drops=tuple(drops), ignored=tuple(ignored))


def _drop_or_reason(info: ObjectInfo, trouble: str | None, sources: Mapping[str, SourceName]) -> Drop | Ignored:
    """Return what a listed key is: a drop that can be taken, or why it stays where it is."""
    match read_raw_key(info.key, sources):
        case Drop() if trouble is not None:
            return Ignored(reason=trouble, has_trouble=True)
        case Drop() if not info.is_settled:
            return Ignored(reason="it is still being written", is_passing=True)
        case Ignored() if info.trouble is not None and info.key.endswith("/") and "/." not in info.key:
            return Ignored(reason=info.trouble, has_trouble=True)
        case found:
            return found


def fix_versions(
    drops: Iterable[tuple[ObjectInfo, Drop]], earlier: Mapping[str, datetime], now: datetime
) -> tuple[Arrival, ...]:
    """Give each drop its version: the time its bytes were written, at most now, and after its key's previous version.

    `earlier` holds, per key, the newest version the ledger knows.
    """
    arrivals = []
    for info, drop in drops:
        version = min(info.written_at, now)
        previous = earlier.get(info.key)
        if previous is not None:
            version = max(version, previous + _TICK)
        arrivals.append(
            Arrival(key=info.key, dataset=drop.dataset, file=drop.file, size=info.size, etag=info.etag, version=version)
        )
    return tuple(arrivals)
