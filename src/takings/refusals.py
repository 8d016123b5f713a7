"""Say what to do when the system refuses: which limit was reached, and how to raise it.

Python's own errors carry the system's number; libraries put that number, or only its text, into theirs.
"""

from __future__ import annotations

import errno
import json
import re
from typing import Final

_SAFE: Final = "and run again; nothing is lost."
_OPEN_FILES: Final = f"Too many files are open. Raise the limit (`ulimit -n`, LimitNOFILE= of a service) {_SAFE}"
_MEMORY: Final = f"The machine is out of memory. End other programs, or lower `memory` and `threads`, {_SAFE}"
_RIGHTS: Final = f"Takings needs to read and write the store. Change the permissions {_SAFE}"
#: the system's number -> its text, and what to do
_REFUSALS: Final = {
    errno.ENOSPC: ("No space left on device", f"The disk is full. Free some space {_SAFE}"),
    errno.EDQUOT: ("Disk quota exceeded", f"The disk quota is used up. Free some space {_SAFE}"),
    errno.EFBIG: (
        "File too large",
        f"The file system, or a limit (`ulimit -f`), allows no file so large. Raise it {_SAFE}",
    ),
    errno.EMFILE: ("Too many open files", _OPEN_FILES),
    errno.ENFILE: (
        "Too many open files in system",
        f"All programs together have too many files open. End some {_SAFE}",
    ),
    errno.EACCES: ("Permission denied", _RIGHTS),
    errno.EPERM: ("Operation not permitted", _RIGHTS),
    errno.EROFS: ("Read-only file system", f"The file system is read-only. Mount it writable {_SAFE}"),
    errno.EIO: ("Input/output error", "The disk failed. Check it before you run again."),
    errno.ESTALE: ("Stale file handle", f"The network folder was taken away meanwhile. Mount it again {_SAFE}"),
    errno.ENOMEM: ("Cannot allocate memory", _MEMORY),
    errno.EAGAIN: (
        "Resource temporarily unavailable",
        f"The system allows no more threads or processes. Raise the limit (`ulimit -u`) {_SAFE}",
    ),
}
_NUMBERS: Final = re.compile(r"\(os error ([0-9]+)\)|Os \{ code: ([0-9]+),|\"errno\":\"([0-9]+)\"")
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


def remedy_of(code: int | None) -> str | None:
    """Return what to do about the system's refusal with this number; None if that is not known."""
    return _REFUSALS[code][1] if code in _REFUSALS else None


def is_full(code: int | None) -> bool:
    """Return whether the system's refusal with this number is for want of disk."""
    return code in {errno.ENOSPC, errno.EDQUOT}


def out_of_memory() -> str:
    """Return what to do if Python itself gets no memory."""
    return _MEMORY


def code_in(text: str) -> int | None:
    """Return the number of the system's refusal that a library's error reports."""
    found = _NUMBERS.search(text)
    if found:
        return int(next(group for group in found.groups() if group))
    # Some texts begin with another text, so the longest match is the right one.
    told = [(len(said), code) for code, (said, _) in _REFUSALS.items() if said in text]
    return max(told)[1] if told else None


def as_sentence(text: str) -> str:
    """Return a library's message in one line, without its colours, arrows, JSON and the query."""
    if '{"exception_type"' in text:
        text = str(json.loads(text[text.index("{") :])["exception_message"])
    lines = [line.strip(" \u21b3") for line in _COLOURS.sub("", text).partition("\n\n")[0].splitlines()]
    return ": ".join(line for line in lines if line).rstrip(".")
