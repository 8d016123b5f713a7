"""Remove an archived drop, if it still holds exactly the bytes that were read.

Rename it aside, compare, and put it back if it differs; a file that takes its place meanwhile stays.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from takings.adapters.local.placing import rename_new, same_bytes, sync
from takings.errors import StuckFile

#: the place for a renamed drop: in the store's own folder, unless that is on another file system
_ELSEWHERE = errno.EXDEV
#: errors that keep one name in place: permissions, a sticky folder, an immutable file, a mount, a bad block
_OF_ONE_FILE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EIO, errno.ESTALE})


@dataclass(frozen=True, kw_only=True)
class Removal:
    """One drop, and the places where it is set aside."""

    source: Path
    #: in the store's own folder
    aside: Path
    #: in the drop's folder, always on the same file system
    beside: Path
    #: marks that a drop may be set aside in the drop's folder
    marker: Path

    def remove(self, etag: str, archived: Path) -> None:
        """Remove the drop if it still has the archived bytes, which the ETag names. May be repeated."""
        aside = next((path for path in (self.aside, self.beside) if os.path.lexists(path)), None)
        if aside is None and (aside := self._set_aside(archived)) is None:
            return
        status = aside.lstat()
        # On some file systems, a rename changes a file's number.
        is_unchanged = etag_of(status) == etag or (
            etag_of(status).partition("-")[2] == etag.partition("-")[2] and same_bytes(aside, archived)
        )
        if is_unchanged:
            aside.unlink()
        else:
            self._put_back(aside)
        self.marker.unlink(missing_ok=True)

    def put_back(self) -> None:
        """Put back a drop that a dead process set aside and did not compare, unless newer bytes have its name."""
        for aside in (self.aside, self.beside):
            if aside.is_file():
                self._put_back(aside)
        self.marker.unlink(missing_ok=True)

    def _set_aside(self, archived: Path) -> Path | None:
        """Rename the drop; None if it is gone."""
        self.aside.parent.mkdir(parents=True, exist_ok=True)
        try:
            return self.aside if self._rename(self.aside) else None
        except OSError as refused:
            if refused.errno != _ELSEWHERE:
                raise
        # The rename may reach its disk before the archived copy reaches another one.
        sync(archived)
        self.marker.parent.mkdir(parents=True, exist_ok=True)
        self.marker.touch()
        return self.beside if self._rename(self.beside) else None

    def _rename(self, aside: Path) -> bool:
        """Rename the drop; False if it is gone, StuckFile if the system refuses to rename it."""
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
        # If the name is taken, newer bytes have arrived, and these count as overwritten.
        aside.unlink(missing_ok=True)


def etag_of(status: os.stat_result) -> str:
    """Return a text that changes whenever a file's bytes may have changed."""
    return "%x-%x-%x" % (status.st_ino, status.st_size, status.st_mtime_ns)  # noqa: UP031 - takes half of the time, a hundred thousand times


def remove_empty_folders(path: Path, root: Path) -> None:
    """Remove the folders that a file left empty, up to the store's; keep a folder that is a link or a mount."""
    for folder in path.parents:
        if folder == root:
            return
        with suppress(FileNotFoundError):
            try:
                folder.rmdir()
            except OSError:
                return
