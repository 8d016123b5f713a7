"""List a store's folder; under raw-data/, also list what cannot be taken, with the reason and what to do."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from takings import layout
from takings.adapters.local.placing import OWN
from takings.adapters.local.reading import (
    NO_FILE_THERE,
    SOUND,
    Look,
    explain_oddity,
    explain_unlisted,
    explain_unreadable,
    is_of_one_file,
    look_at,
    why_kept,
)
from takings.adapters.local.removing import etag_of
from takings.intake.arrivals import ObjectInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
#: a path (as text: a hundred thousand Path objects would take too long), and its entry in a listing
Found = tuple[str, ObjectInfo]
#: the same of a drop, and what a look at it has found
Seen = tuple[str, ObjectInfo, Look]


@dataclass(frozen=True)
class Listing:
    """The folders of a store."""

    root: Path

    def files(self, prefix: str) -> Iterator[Found]:
        """Yield all regular files under a prefix, without links and special files."""
        for folder, _, names in os.walk(self.root / prefix, onerror=_raise_unless_gone):
            for name in names:
                path = f"{folder}/{name}"
                status = _status(path)
                if status is not None and stat.S_ISREG(status.st_mode) and not name.startswith(OWN):
                    yield path, _file(self._key(path), status)

    def drops(self, prefix: str) -> Iterator[Seen]:
        """Yield all regular files under a prefix of raw-data/, and what cannot be listed, read or removed.

        If no folder may be written to, that is a fault of the store, so no file carries it as its trouble.
        """
        top, kept_files, is_any_free = str(self.root / prefix), list[Seen](), False
        folders = [top]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(folder) as entries:
                    names = [(each.name, _is_file(each)) for each in entries if not each.name.startswith(OWN)]
            except OSError as refused:
                if refused.errno in NO_FILE_THERE:
                    continue
                if folder == top or not is_of_one_file(refused):
                    raise
                yield folder, self._troubled(folder, explain_unlisted(refused), is_folder=True), SOUND
                continue
            kept = why_kept(Path(folder))
            is_any_free |= kept is None and folder != str(self.root / layout.RAW)
            for seen in self._entries(folder, names, folders):
                path, info, look = seen
                if kept is None or info.trouble is not None:
                    yield seen
                else:
                    kept_files.append((path, replace(info, trouble=kept), look))
        for path, info, look in kept_files:
            yield path, info if is_any_free else replace(info, trouble=None), look

    def _entries(self, folder: str, names: list[tuple[str, bool]], folders: list[str]) -> Iterator[Seen]:
        """Yield the entries of a folder except its folders; add those to `folders`."""
        key = self._key(folder)
        for name, is_file in names:
            path = f"{folder}/{name}"
            found = look_at(path) if is_file else None
            if found is not None and found[1] is not None and stat.S_ISREG(found[1].st_mode):
                yield path, _file(f"{key}/{name}", found[1]), found[0]
            elif not is_file or found is not None:
                yield from self._entry(path, folders)

    def _entry(self, path: str, folders: list[str]) -> Iterator[Seen]:
        """Yield an entry that could not be opened as a file, unless it is gone; add a folder to `folders`."""
        try:
            status = _status(path)
        except OSError as refused:
            if not is_of_one_file(refused):
                raise
            yield path, self._troubled(path, explain_unreadable(refused)), SOUND
            return
        if status is None:
            return
        if stat.S_ISDIR(status.st_mode):
            folders.append(path)
        elif stat.S_ISREG(status.st_mode):
            found = look_at(path)
            if found is not None:
                yield path, _file(self._key(path), status), found[0]
        else:
            # The pathlib method raises where a link leads to a place without permission.
            yield path, self._troubled(path, explain_oddity(Path(path)), is_folder=os.path.isdir(path)), SOUND  # noqa: PTH112

    def _key(self, path: str) -> str:
        # The path of a store in the working folder, `.`, does not begin with its name.
        return path.removeprefix(f"{self.root}/").lstrip("/")

    def _troubled(self, path: str, trouble: str, *, is_folder: bool = False) -> ObjectInfo:
        """Return the entry of something whose size and time do not matter."""
        key = self._key(path) + ("/" if is_folder else "")
        return ObjectInfo(key=key, size=0, written_at=_EPOCH, etag="", trouble=trouble)


def _file(key: str, status: os.stat_result) -> ObjectInfo:
    return ObjectInfo(
        key=key,
        size=status.st_size,
        written_at=_EPOCH + status.st_mtime_ns // 1000 * _MICROSECOND,
        etag=etag_of(status),
    )


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Return whether the folder itself calls an entry a regular file; if that is not clear, its status says it."""
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:
        return False


def _status(path: str) -> os.stat_result | None:
    """Return the system's status of a name; None if it is gone."""
    try:
        return os.lstat(path)
    except OSError as refused:
        if refused.errno in NO_FILE_THERE:
            return None
        raise


def _raise_unless_gone(refused: OSError) -> None:
    if refused.errno not in NO_FILE_THERE:
        raise refused
