"""Run `run`, `restate` and `verify` of the command line as a job of `spark-submit`, on the session that it has prepared.

spark-submit --master spark://host:7077 …/takings/entrypoints/spark_job.py restate STORE [--from D] [--to D]
"""

from __future__ import annotations

import sys
from typing import Final

from pyspark.sql import SparkSession

from takings.entrypoints import cli
from takings.errors import UsageError

#: the commands that use executors and end
_COMMANDS: Final = ("run", "restate", "verify")


def main() -> None:
    """Run a command on spark-submit's session, and end the process with the command line's exit code."""
    cli.main(_run)


def _run() -> None:
    command = sys.argv[1] if len(sys.argv) > 1 else "nothing"
    if command not in _COMMANDS:
        raise UsageError(f"a Spark job runs {', '.join(_COMMANDS)}, not {command}. Run everything else as `takings …`.")
    with SparkSession.builder.appName(f"takings {command}").getOrCreate():
        cli.app([*sys.argv[1:], "--engine", "spark"], prog_name="spark_job.py")


if __name__ == "__main__":
    main()
