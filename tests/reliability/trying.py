"""Run a harness through its command, in its short form."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

#: less than any test may take (see faulthandler_timeout), and much more than this takes
_PATIENCE_SECONDS: Final = 280.0
_ROOT = Path(__file__).resolve().parent.parent.parent


def tried(module: str, *options: object) -> str:
    """Return what `python -m tests.reliability.…` prints if all goes well; if it does not end, kill it with its children.

    A harness forks its processes, which is not safe in a process with the threads of other tests.
    """
    command = [sys.executable, "-m", f"tests.reliability.{module}", *map(str, options)]
    path = os.pathsep.join(entry for entry in (str(_ROOT / "src"), os.environ.get("PYTHONPATH", "")) if entry)
    process = subprocess.Popen(
        command,
        cwd=_ROOT,
        env=os.environ | {"PYTHONPATH": path, "WORKERS": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )
    try:
        printed, _ = process.communicate(timeout=_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        printed, _ = process.communicate()
        raise AssertionError(f"{module} came to no end: {printed}") from None
    assert process.returncode == 0, printed
    return printed
