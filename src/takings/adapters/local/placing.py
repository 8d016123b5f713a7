"""Give bytes their name in a folder: completely or not at all, and never in place of other bytes.

A hard link does this where possible. Hard links do not cross file systems, and some file systems have none: then the bytes are
copied to a draft next to their destination, and the draft is renamed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

from takings.errors import StoreError

#: the prefix of Takings' own files in other folders; no listing shows them
OWN: Final = ".takings-"
#: a hard link or rename is impossible, not forbidden: another file system, or a file system or kernel without them
IMPOSSIBLE: Final = frozenset(
    {errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.EINVAL}
)
#: Linux: make a file share the blocks of another
_FICLONE: Final = 0x40049409
_COPY_BYTES: Final = 4 << 20
#: Linux: do not replace an existing file
_RENAME_NOREPLACE: Final = 1
_AT_FDCWD: Final = -100
#: a copy is written to more often than this
_DEAD_DRAFT_SECONDS: Final = 3600


def place(source: Path, target: Path, *, is_draft: bool = False) -> bool:
    """Give a file's bytes a second name, unless it is taken; return whether they got it. May be repeated.

    A draft may lose its own name.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    except OSError as refused:
        if refused.errno not in IMPOSSIBLE:
            raise
        can_be_renamed = is_draft and refused.errno != errno.EXDEV
        return rename_new(source, target) if can_be_renamed else _place_copy(source, target)
    return True


def _place_copy(source: Path, target: Path) -> bool:
    """Copy a file to a draft next to the target, compare, and rename it; a later call removes what a crash leaves."""
    if os.path.lexists(target):
        return False
    _remove_dead_drafts(target.parent)
    draft = target.parent / f"{OWN}draft-{uuid4().hex}"
    try:
        with source.open("rb") as origin, draft.open("xb") as copy:
            copy_bytes(origin, copy.fileno())
            os.fsync(copy.fileno())
            status = os.fstat(origin.fileno())
        os.utime(draft, ns=(status.st_atime_ns, status.st_mtime_ns))
        if not same_bytes(source, draft):
            raise StoreError(
                f"{target}: the bytes read differ from the bytes written. Check the disk and run again; nothing is lost."
            )
        if not rename_new(draft, target):
            return False
        sync_folder(target.parent)
    finally:
        draft.unlink(missing_ok=True)
    return True


class Readable(Protocol):
    """An open file to read from."""

    def fileno(self) -> int:
        """Return its descriptor."""

    def read(self, size: int) -> bytes:
        """Return the next bytes; none at the end."""


def copy_bytes(origin: Readable, copy: int) -> None:
    """Copy an open file; where the file system allows it, both share their blocks until one is written to."""
    try:
        fcntl.ioctl(copy, _FICLONE, origin.fileno())
    except OSError:
        while block := origin.read(_COPY_BYTES):
            rest = memoryview(block)
            while rest:
                rest = rest[os.write(copy, rest) :]


def rename_new(source: Path, target: Path) -> bool:
    """Rename within a folder unless the new name is taken; return whether it was free. The old name may stay as a link."""
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    except OSError as refused:
        if refused.errno not in IMPOSSIBLE:
            raise
    else:
        return True
    refusal = _rename_without_replacing(source, target)
    if refusal == errno.EEXIST:
        return False
    if refusal in IMPOSSIBLE:
        # Other processes wait for the lock here; one that dies releases it.
        with _locked(target.parent):
            if os.path.lexists(target):
                return False
            source.rename(target)
    elif refusal:
        raise OSError(refusal, os.strerror(refusal), str(source), None, str(target))
    return True


def _rename_without_replacing(source: Path, target: Path) -> int:
    """Rename atomically unless the new name is taken; return 0, or the error's number."""
    # Who only looks at a store renames nothing.
    import ctypes

    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return errno.ENOSYS
    arguments = (_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), ctypes.c_uint(_RENAME_NOREPLACE))
    return ctypes.get_errno() if rename(*arguments) else 0


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def same_bytes(one: Path, other: Path) -> bool:
    """Return whether two files hold the same bytes."""
    if one.samefile(other):
        return True
    with one.open("rb") as left, other.open("rb") as right:
        while True:
            block = left.read(1 << 20)
            if block != right.read(1 << 20):
                return False
            if not block:
                return True


def sync(file: Path) -> None:
    """Wait until a file and its name are on the disk."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Wait until a folder's names are on the disk; some file systems cannot: they write at once, or promise nothing."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_dead_drafts(folder: Path) -> None:
    for draft in folder.glob(f"{OWN}draft-*"):
        with suppress(FileNotFoundError):
            status = draft.lstat()
            if stat.S_ISREG(status.st_mode) and status.st_ctime < time.time() - _DEAD_DRAFT_SECONDS:
                draft.unlink()
