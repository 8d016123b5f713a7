"""Remove a drop that is filed away, if it still holds the very bytes that were read.

Rename it aside, compare, put it back if it differs: whatever takes its place meanwhile stays.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from takings.adapters.local.placing import rename_new, same_bytes, sync
from takings.errors import StuckFile

#: what is renamed aside lies in the store's own folder, unless that is on another file system
_ELSEWHERE = errno.EXDEV
#: what keeps one name where it is: permissions, a sticky folder, an immutable file, a mount, a bad block
_OF_ONE_FILE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EIO, errno.ESTALE})


@dataclass(frozen=True, kw_only=True)
class Removal:
    """One drop, and where it is set aside."""

    source: Path
    #: in the store's own folder
    aside: Path
    #: in the drop's folder, which always is on the same file system
    beside: Path
    #: tells whoever finds it that something may lie beside
    marker: Path

    def remove(self, etag: str, archived: Path) -> None:
        """Remove the drop unless it has other bytes than those that the ETag names, which are archived. May be repeated."""
        aside = next((path for path in (self.aside, self.beside) if os.path.lexists(path)), None)
        if aside is None and (aside := self._set_aside(archived)) is None:
            return
        status = aside.lstat()
        # Some file systems number a file anew when it is renamed.
        is_unchanged = etag_of(status) == etag or (
            etag_of(status).partition("-")[2] == etag.partition("-")[2] and same_bytes(aside, archived)
        )
        if is_unchanged:
            aside.unlink()
        else:
            self._put_back(aside)
        self.marker.unlink(missing_ok=True)

    def put_back(self) -> None:
        """Put back what was set aside by somebody who died before it was compared, unless newer bytes have the name."""
        for aside in (self.aside, self.beside):
            if aside.is_file():
                self._put_back(aside)
        self.marker.unlink(missing_ok=True)

    def _set_aside(self, archived: Path) -> Path | None:
        """Rename the drop; None where it is gone."""
        self.aside.parent.mkdir(parents=True, exist_ok=True)
        try:
            return self.aside if self._rename(self.aside) else None
        except OSError as refused:
            if refused.errno != _ELSEWHERE:
                raise
        # One disk may keep what the other has not kept yet.
        sync(archived)
        self.marker.parent.mkdir(parents=True, exist_ok=True)
        self.marker.touch()
        return self.beside if self._rename(self.beside) else None

    def _rename(self, aside: Path) -> bool:
        """Rename the drop; False where it is gone, StuckFile where the system keeps this one where it is."""
        try:
            self.source.rename(aside)
        except FileNotFoundError:
            return False
        except OSError as refused:
            if refused.errno not in _OF_ONE_FILE:
                raise
            raise StuckFile(
                f"it is archived, but cannot be removed from raw-data/: {refused.strerror}. Remove it by hand."
            ) from refused
        return True

    def _put_back(self, aside: Path) -> None:
        rename_new(aside, self.source)
        # Of a name that is taken, newer bytes have come: these are overwritten ones.
        aside.unlink(missing_ok=True)


def etag_of(status: os.stat_result) -> str:
    """Return what changes whenever a file's bytes may have changed."""
    return f"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"


def remove_empty_folders(path: Path, root: Path) -> None:
    """Remove the folders that a file has left empty, up to the store's; one that is a link or a mount stays."""
    for folder in path.parents:
        if folder == root:
            return
        with suppress(FileNotFoundError):
            try:
                folder.rmdir()
            except OSError:
                return
