"""Explain what the system refused, and what to do about it."""

from __future__ import annotations

import errno
from typing import Final

_REMEDIES: Final = {
    errno.ENOSPC: "The disk is full. Free some space and run again; nothing is lost.",
    errno.EDQUOT: "The disk quota is used up. Free some space and run again; nothing is lost.",
    errno.EACCES: "Takings needs to read and write the store. Change the permissions and run again.",
    errno.EPERM: "Takings needs to read and write the store. Change the permissions and run again.",
    errno.EROFS: "The file system is read-only. Mount it writable and run again.",
    errno.EIO: "The disk failed. Check it before you run again.",
    errno.EMFILE: "Too many files are open. Raise the limit (ulimit -n) and run again.",
}


def explain_os_error(error: OSError) -> str:
    """Return a sentence that names the file, what the system said and the next step."""
    place = f"{error.filename}: " if error.filename else ""
    said = error.strerror or str(error)
    remedy = _REMEDIES.get(error.errno or 0, "It is safe to run again; `takings --verbose …` shows where it happened.")
    return f"{place}{said}. {remedy}"
