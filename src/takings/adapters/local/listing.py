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
    explain_oddity,
    explain_unlisted,
    explain_unreadable,
    is_of_one_file,
    why_kept,
)
from takings.adapters.local.removing import etag_of
from takings.intake.arrivals import ObjectInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: a path (as text: a hundred thousand Path objects would take too long), and its entry in a listing
Found = tuple[str, ObjectInfo]


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
                    yield path, self._file(path, status)

    def drops(self, prefix: str) -> Iterator[Found]:
        """Yield all regular files under a prefix of raw-data/, and what cannot be listed, read or removed.

        If no folder may be written to, that is a fault of the store, so no file carries it as its trouble.
        """
        top, kept_files, is_any_free = str(self.root / prefix), list[Found](), False
        folders = [top]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(folder) as entries:
                    paths = [entry.path for entry in entries if not entry.name.startswith(OWN)]
            except OSError as refused:
                if refused.errno in NO_FILE_THERE:
                    continue
                if folder == top or not is_of_one_file(refused):
                    raise
                yield folder, self._troubled(folder, explain_unlisted(refused), is_folder=True)
                continue
            kept = why_kept(Path(folder))
            is_any_free |= kept is None and folder != str(self.root / layout.RAW)
            for found in self._entries(paths, folders):
                if kept is None or found[1].trouble is not None:
                    yield found
                else:
                    kept_files.append((found[0], replace(found[1], trouble=kept)))
        yield from ((path, info if is_any_free else replace(info, trouble=None)) for path, info in kept_files)

    def _entries(self, paths: list[str], folders: list[str]) -> Iterator[Found]:
        """Yield the entries of a folder except its folders; add those to `folders`."""
        for path in paths:
            try:
                status = _status(path)
            except OSError as refused:
                if not is_of_one_file(refused):
                    raise
                yield path, self._troubled(path, explain_unreadable(refused))
                continue
            if status is None:
                continue
            if stat.S_ISDIR(status.st_mode):
                folders.append(path)
            elif stat.S_ISREG(status.st_mode):
                yield path, self._file(path, status)
            else:
                # The pathlib method raises where a link leads to a place without permission.
                yield path, self._troubled(path, explain_oddity(Path(path)), is_folder=os.path.isdir(path))  # noqa: PTH112

    def _file(self, path: str, status: os.stat_result) -> ObjectInfo:
        return ObjectInfo(
            key=self._key(path),
            size=status.st_size,
            written_at=_EPOCH + timedelta(microseconds=status.st_mtime_ns // 1000),
            etag=etag_of(status),
        )

    def _key(self, path: str) -> str:
        # The path of a store in the working folder, `.`, does not begin with its name.
        return path.removeprefix(f"{self.root}/").lstrip("/")

    def _troubled(self, path: str, trouble: str, *, is_folder: bool = False) -> ObjectInfo:
        """Return the entry of something whose size and time do not matter."""
        key = self._key(path) + ("/" if is_folder else "")
        return ObjectInfo(key=key, size=0, written_at=_EPOCH, etag="", trouble=trouble)


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
