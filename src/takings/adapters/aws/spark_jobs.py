"""Define the application on Amazon EMR Serverless whose jobs may run the steps of large batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from takings.adapters.aws import names
from takings.adapters.aws.names import Pipeline

#: Spark 3.5 with Java 17, on Amazon Linux 2023
RELEASE: Final = "emr-7.13.0"
#: where a package lies in the bucket, each under a name of its own
PACKAGES: Final = "spark/"
#: what it consists of: the environment, and last the job's entry point
ENVIRONMENT: Final = "environment.tar.gz"
ENTRY_POINT: Final = "step.py"
#: long enough that the jobs of one batch find it warm; an idle application costs nothing
_IDLE_MINUTES: Final = 15
#: a bound for what a batch may cost: a driver and 63 executors of 4 processors, with their memory and disks
_MOST: Final = {"cpu": "256 vCPU", "memory": "2048 GB", "disk": "20000 GB"}


@dataclass(frozen=True, kw_only=True)
class SparkJobs:
    """What the state machine needs to start jobs."""

    #: the application's id
    application: str
    #: the folder of the deployed package: s3://bucket/spark/…
    package: str


def application(pipeline: Pipeline) -> dict[str, Any]:
    """Return what the application is, but for its tags.

    It starts with a job and stops by itself, and keeps no workers in between. Without a network of its own it reaches the
    services of AWS that a job needs, in its region, and nothing else.
    """
    return {
        "name": pipeline.name(names.SPARK),
        "type": "SPARK",
        "releaseLabel": RELEASE,
        "architecture": "X86_64",
        "autoStartConfiguration": {"enabled": True},
        "autoStopConfiguration": {"enabled": True, "idleTimeoutMinutes": _IDLE_MINUTES},
        "maximumCapacity": dict(_MOST),
    }
