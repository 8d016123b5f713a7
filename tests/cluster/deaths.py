"""Kill drivers of a cluster at every named step, and let another one go on: `make kill` with executors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.cluster.standalone import FOR_FEW_ROWS, environment, standalone

#: rounds for each named step, and rounds with random moments
_TIMES: Final = 1
_RANDOM: Final = 3


def try_deaths(folder: Path) -> None:
    """Run the rounds; nothing is lost, nothing counts twice, and the numbers are those of DuckDB without a death."""
    harness = [sys.executable, "-m", "tests.reliability.kill", "--times", str(_TIMES), "--random", str(_RANDOM)]
    with standalone(folder / "cluster") as cluster:
        ours = environment(FOR_FEW_ROWS) | {"WORKERS": "1", "TMPDIR": os.environ.get("TMPDIR", str(folder))}
        subprocess.run([*harness, "--on", cluster.url], env=ours, check=True)
