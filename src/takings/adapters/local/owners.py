"""Distinguish processes, and know which of this host's are dead."""

from __future__ import annotations

import os
import platform
import secrets
from pathlib import Path


class ProcessOwners:
    """Owners named host:process:start, so that a reused process id is another owner."""

    def __init__(self) -> None:
        self._host = platform.node()
        self._me = f"{self._host}:{os.getpid()}:{_started(os.getpid())}:{secrets.token_hex(2)}"

    def me(self) -> str:
        """Return this process's name."""
        return self._me

    def token(self) -> str:
        """Return four random hexadecimal digits."""
        return secrets.token_hex(2)

    def is_dead(self, owner: str | None) -> bool:
        """Return whether an owner was a process of this host that is gone."""
        if owner is None or owner == self._me:
            return owner is None
        host, process, started, _ = owner.rsplit(":", 3)
        if host != self._host:
            return False
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return _started(int(process)) != started


def _started(process: int) -> str:
    """Return when a process began, in the kernel's ticks; empty if it has ended, or the system does not say."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = status.rpartition(")")[2].split()
    # A zombie has ended; its parent just has not read its exit code yet.
    return "" if fields[0] in {"Z", "X"} else fields[19]
