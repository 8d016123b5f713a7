"""Start MiniStack with what the pipeline needs in addition: ECS tasks as child processes, and the corrections in this package.

    python launch.py PORT FOLDER PYTHON     (on MiniStack's own Python; PYTHON is the one that functions run on)

MiniStack has no hooks for this, so its functions are replaced by name; if one has changed, the start fails and names it.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Final

#: waits and pauses between attempts take this part of their time
_PART: Final = 0.01
_SPEED: Final = {"SFN_WAIT_SCALE": str(_PART), "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.1"}
_TICK_SECONDS: Final = 0.2


def main(port: str, folder: str, python: str) -> None:
    """Serve until the process is told to end."""
    os.environ |= {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": port} | _SPEED
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    # MiniStack reads its settings when it is imported.
    from ministack import app

    from tests.aws_emulator import (
        alarms,
        copies,
        events,
        executions,
        functions,
        permissions,
        queues,
        scans,
        spark_jobs,
        tasks,
    )
    from tests.aws_emulator.control import controlled
    from tests.aws_emulator.patching import PatchPointGone, put

    held = events.Held()
    try:
        docker = tasks.run_as_children(Path(folder))
        executions.behave()
        spark_jobs.behave(docker)
        alarms.behave()
        functions.behave(python, _TICK_SECONDS)
        copies.behave()
        queues.behave(_PART)
        scans.behave()
        events.hold_in(held)
        permissions.hold_to_roles()
        put(app, "app", controlled(app.app, docker, held))
    except PatchPointGone as gone:
        sys.exit(str(gone))
    logging.getLogger("hypercorn.access").setLevel(logging.WARNING)
    sys.argv = ["ministack"]
    try:
        app.main()
    finally:
        docker.end_all()


if __name__ == "__main__":
    main(*sys.argv[1:])
