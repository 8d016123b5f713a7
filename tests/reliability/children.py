"""Run work in a separate process, which may be killed.

The process is forked, so it does not have to import everything again. The parent must not have opened DuckDB or a lake table:
their threads would be missing in the child.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from takings.composition import definitions
from takings.contracts import load_contracts
from takings.entrypoints import cli
from takings.time_zones import business_time

#: longer than anything takes, however busy the machine; a process that takes longer hangs, and is killed
PATIENCE_SECONDS: Final = 300.0
#: how often to check whether a process has ended
_LOOK_SECONDS: Final = 0.005


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a process ended."""

    #: its exit code; None if it was killed
    code: int | None
    #: it did not end, and had to be killed
    has_hung: bool
    #: what its work returned; None if it did not get that far
    result: Any


@dataclass(frozen=True, kw_only=True)
class Child:
    """A forked process."""

    pid: int
    #: where its output goes
    printed: Path

    def kill(self) -> None:
        """Kill it like `kill -9`; do nothing if it has ended."""
        os.kill(self.pid, signal.SIGKILL)

    def ended(self, seconds: float = PATIENCE_SECONDS) -> Ended:
        """Wait until it has ended; kill it if it does not end."""
        end, has_hung = time.monotonic() + seconds, False
        while True:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                break
            if time.monotonic() > end and not has_hung:
                has_hung = True
                self.kill()
            time.sleep(_LOOK_SECONDS)
        code = os.waitstatus_to_exitcode(status)
        answer = _answer(self.printed)
        result = json.loads(answer.read_bytes()) if code >= 0 and answer.exists() else None
        return Ended(code=code if code >= 0 else None, has_hung=has_hung, result=result)

    def last_words(self, lines: int = 20) -> str:
        """Return the end of its output."""
        return "\n".join(self.printed.read_text(errors="replace").splitlines()[-lines:])


def start(work: Callable[[], Any], printed: Path) -> Child:
    """Start work in a separate process; its result has to be JSON. An exception gives exit code 70."""
    _answer(printed).unlink(missing_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return Child(pid=pid, printed=printed)
    code = 70
    try:
        descriptor = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        result = work()
        draft = _answer(printed).with_suffix(".draft")
        draft.write_text(json.dumps(result))
        draft.rename(_answer(printed))
        code = 0
    except BaseException:  # noqa: BLE001 - nothing of the parent's may run in the child
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _answer(printed: Path) -> Path:
    return printed.with_suffix(".json")


def command(*arguments: object) -> int:
    """Run `takings …` in this process, like a shell; return its exit code."""
    sys.argv = ["takings", *map(str, arguments)]
    try:
        cli.main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0


def remember_what_is_read() -> None:
    """Read contracts and time zone once for all processes forked from this one, which saves half of their time."""
    remembered = cache(load_contracts)
    remembered(None)
    setattr(definitions, "load_contracts", remembered)  # noqa: B010 - only `open_store` asks for it
    business_time("UTC")


def forget_settings(**settings: object) -> None:
    """Keep only these settings in the environment: a trial ignores the shell's."""
    for name in [name for name in os.environ if name.startswith("TAKINGS_")]:
        del os.environ[name]
    for name, value in settings.items():
        os.environ[f"TAKINGS_{name}".upper()] = str(value)
