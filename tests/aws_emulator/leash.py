"""Kill the tasks of an emulator that died: it holds the other end of this process's input, and reports its tasks.

Lines are `+<process group>` when a task starts and `-<process group>` when it has ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading


class Leash:
    """The emulator's end."""

    def __init__(self) -> None:
        command = [sys.executable, "-I", __file__]
        # In its own session: Ctrl-C is for the emulator, and this has to live a moment longer.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        self._writing = threading.Lock()

    def hold(self, group: int) -> None:
        """Remember a process group."""
        self._say(f"+{group}\n")

    def release(self, group: int) -> None:
        """Forget a process group that has ended."""
        self._say(f"-{group}\n")

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        with self._writing:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()


def _watch() -> None:
    held: set[int] = set()
    for line in sys.stdin:
        (held.add if line[0] == "+" else held.discard)(int(line[1:]))
    for group in held:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    _watch()
