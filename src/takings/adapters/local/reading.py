"""Look at one drop, and copy it: an error about one file becomes that file's trouble, with what to do."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from takings.adapters.local.placing import copy_bytes
from takings.errors import UnreadableFile

#: a listed file is gone, or something else has taken its place
NO_FILE_THERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO})
#: errors of the machine, not of one file
_OF_THE_MACHINE: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM})


@dataclass(frozen=True, kw_only=True)
class Look:
    """The result of one look at a drop."""

    #: None if the system does not know
    is_being_written: bool | None = None
    #: why it cannot be read, and what to do
    trouble: str | None = None


#: what nearly all looks find, and what they find where the system does not know
SOUND: Final = Look(is_being_written=False)
UNSURE: Final = Look()
_WRITTEN: Final = Look(is_being_written=True)
#: opened as a file, a pipe would block for ever
_TO_LOOK: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
_SIGNAL: Final = int(signal.SIGURG)


def look_at(path: str | Path) -> tuple[Look, os.stat_result | None] | None:
    """Look at a regular file; return with it the status of what was opened, if it could be opened. None where it is gone.

    Linux gives a read lease only on a file that nobody has open for writing, and only to its owner.
    """
    try:
        descriptor = os.open(path, _TO_LOOK)
    except OSError as refused:
        if refused.errno in NO_FILE_THERE:
            return None
        if not is_of_one_file(refused):
            raise
        return Look(trouble=explain_unreadable(refused)), None
    try:
        return _look_at_writers(descriptor), os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _look_at_writers(descriptor: int) -> Look:
    if not hasattr(fcntl, "F_SETLEASE"):
        return UNSURE
    try:
        # A writer that comes now breaks the lease; its signal must not end the process.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, _SIGNAL)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return _WRITTEN
    except OSError:
        # Another user's file, or a file system without leases.
        return UNSURE
    return SOUND


def copy_drop(source: Path, target: Path) -> bool:
    """Copy a drop's bytes; False if it is no longer a file, UnreadableFile if the system refuses to read it."""
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as refused:
        if refused.errno in NO_FILE_THERE:
            return False
        if not is_of_one_file(refused):
            raise
        raise UnreadableFile(explain_unreadable(refused)) from refused
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        with target.open("wb") as copy:
            copy_bytes(_Source(descriptor), copy.fileno())
    finally:
        os.close(descriptor)
    return True


class _Source:
    """The drop as the source of a copy: an error here is the drop's trouble, unlike an error in writing the copy."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def read(self, size: int) -> bytes:
        """Read on."""
        try:
            return os.read(self._descriptor, size)
        except OSError as refused:
            if not is_of_one_file(refused):
                raise
            raise UnreadableFile(explain_unreadable(refused)) from refused


def is_of_one_file(refused: OSError) -> bool:
    """Return whether an error is about one file, and not about something that the machine lacks."""
    return refused.errno not in _OF_THE_MACHINE


def explain_unreadable(refused: OSError) -> str:
    """Return why a file cannot be read, and what to do."""
    said = refused.strerror or str(refused)
    if refused.errno in _DENIED:
        return f"it cannot be read: {said}. Let the user that runs Takings read it (chmod, chown)."
    return f"it cannot be read: {said}. Check its disk, and drop the file again."


def explain_unlisted(refused: OSError) -> str:
    """Return why a folder cannot be listed, and what to do."""
    said = refused.strerror or str(refused)
    if refused.errno in _DENIED:
        return f"the folder cannot be listed: {said}. Let the user that runs Takings read and enter it (chmod, chown)."
    return f"the folder cannot be listed: {said}. Check its disk."


def explain_oddity(path: Path) -> str:
    """Return why something that is neither a file nor a folder stays where it is, and what to do."""
    if not path.is_symlink():
        return "it is a pipe, a socket or a device, not a file. Remove it."
    if not os.path.exists(path):  # noqa: PTH110 - Path.exists raises where a link leads to a place without permission
        return "it is a link to a missing file. Put the file itself in its place, or remove the link."
    if os.path.isdir(path):  # noqa: PTH112 - as above
        return (
            "it is a link to a folder, and links within raw-data/ are not followed. Make raw-data itself the link, or mount"
            " the folder here."
        )
    return "it is a link, and links within raw-data/ are not followed. Put the file itself in its place."


def why_kept(folder: Path) -> str | None:
    """Return why a file of this folder could not be removed once it is taken; None if it could, as far as the system says.

    A read-only file system is a fault of the whole store, not of a file.
    """
    if may_write(folder) or is_read_only(folder):
        return None
    return (
        "its folder may not be written to, so it could not be removed once it is taken. Let the user that runs Takings"
        f" write to {folder} (chmod, chown)."
    )


def may_write(folder: Path) -> bool:
    """Return whether names may be created and removed in a folder, without writing anything."""
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)


def is_read_only(folder: Path) -> bool:
    """Return whether a folder is on a file system that is mounted read-only."""
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False
