"""Plan how a batch's steps run on AWS: as tasks on Fargate, or as jobs on EMR Serverless; and plan anew after a failure.

A plan is what the state machine hands from state to state: `first_plan` makes one, and `next_plan` another after each failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, assert_never

from takings.composition.functions import ENTRY_POINT, ENVIRONMENT
from takings.entrypoints.spark_size import SparkSize, spark_size
from takings.entrypoints.task_failures import Again, decide_after
from takings.entrypoints.task_size import TaskSize, task_size
from takings.errors import SettingsError
from takings.layout import BatchId
from takings.settings import StepsOn

#: the steps, by which jobs are named
STEPS: Final = ("validate", "transform")
#: the folder that a job's archive is unpacked in, and the Python there
_UNPACKED: Final = "environment"
_PYTHON: Final = f"./{_UNPACKED}/bin/python"
Plan = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """An attempt at a batch, what it asks for, and what the pipeline has."""

    bucket: str
    table_prefix: str
    region: str
    #: the setting
    steps_on: StepsOn
    batch_id: BatchId
    attempt: int
    #: bytes of the batch's files as CSV, and of the lake
    csv: int
    lake: int
    #: the folder in S3 of the package that jobs on EMR Serverless run; None where the pipeline has no application there
    package: str | None


@dataclass(frozen=True, kw_only=True)
class _Failed:
    """What has failed so far."""

    tries: int = 0
    out_of_memory: int = 0
    #: full disks
    out_of_disk: int = 0


def first_plan(asked: Asked) -> dict[str, object]:
    """Return the first plan of an attempt; SettingsError where the settings want a service that the pipeline lacks."""
    match asked.steps_on:
        case StepsOn.FARGATE:
            is_on_spark = False
        case StepsOn.EMR_SERVERLESS:
            is_on_spark = True
            if asked.package is None:
                raise SettingsError(
                    f"steps_on = 'emr-serverless', but the pipeline of s3://{asked.bucket} has no application there. Make it:"
                    f' `takings aws bootstrap s3://{asked.bucket} --spark FOLDER`; or set steps_on = "auto".'
                )
        case StepsOn.AUTO:
            is_on_spark = asked.package is not None and not _on_fargate(asked, _Failed()).is_enough
        case _:
            assert_never(asked.steps_on)
    return _document(asked, _Failed(), is_on_spark=is_on_spark)


def next_plan(asked: Asked, before: Plan, cause: str, jitter: float) -> tuple[dict[str, object], dict[str, object]]:
    """Return the plan after a failure of `before`, with `again` and `pause_seconds`, and what to log about it.

    `cause` describes the failed task or job; `jitter` is between 0 and 1. Where even the largest task would not be enough,
    the next try is a job, and so is every later one; tries are counted anew then, once.
    """
    is_on_spark = runs_as_jobs(before)
    # An execution that began with an earlier version has no count of full disks.
    failed = _Failed(
        tries=before["tries"], out_of_memory=before["out_of_memory"], out_of_disk=before.get("out_of_disk", 0)
    )
    may_move = asked.package is not None and asked.steps_on is StepsOn.AUTO and not is_on_spark
    size = _on_spark(asked, failed) if is_on_spark else _on_fargate(asked, failed)
    decided = decide_after(cause, failed.tries + 1, jitter, has_largest_disk=size.has_largest_disk and not may_move)
    is_again, pause = False, 0
    after = _Failed(tries=failed.tries + 1, out_of_memory=failed.out_of_memory, out_of_disk=failed.out_of_disk)
    if isinstance(decided, Again):
        is_again, pause = True, decided.pause_seconds
        after = _Failed(
            tries=after.tries,
            out_of_memory=after.out_of_memory + decided.needs_more_memory,
            out_of_disk=after.out_of_disk + decided.needs_more_disk,
        )
        if may_move and not _on_fargate(asked, after).is_enough:
            is_on_spark, after = True, _Failed()
    plan = _document(asked, after, is_on_spark=is_on_spark)
    known = {"failure": decided.failure.value, "tries": failed.tries + 1, "again": is_again, "runs_on": plan["runs_on"]}
    return plan | {"again": is_again, "pause_seconds": pause}, known


def runs_as_jobs(plan: Plan) -> bool:
    """Return whether a plan's steps run on EMR Serverless."""
    return plan.get("runs_on") == StepsOn.EMR_SERVERLESS.value


def job_names(batch_id: BatchId, attempt: int, tries: int) -> Mapping[str, str]:
    """Return the name of each step's job, of 64 characters at most; a repeated call with it starts no second job."""
    return {step: f"{batch_id}-{attempt}-{tries}-{step}" for step in STEPS}


def _on_fargate(asked: Asked, failed: _Failed) -> TaskSize:
    return task_size(asked.csv, failed.out_of_memory, lake_bytes=asked.lake, out_of_disk=failed.out_of_disk)


def _on_spark(asked: Asked, failed: _Failed) -> SparkSize:
    return spark_size(
        asked.csv, lake_bytes=asked.lake, out_of_memory=failed.out_of_memory, out_of_disk=failed.out_of_disk
    )


def _document(asked: Asked, failed: _Failed, *, is_on_spark: bool) -> dict[str, object]:
    """Return a plan as the state machine takes it."""
    counted = {"tries": failed.tries, "out_of_memory": failed.out_of_memory, "out_of_disk": failed.out_of_disk}
    if is_on_spark and asked.package is not None:
        return {
            "runs_on": StepsOn.EMR_SERVERLESS.value,
            **counted,
            "job": _job(asked, failed, asked.package),
        }
    size = _on_fargate(asked, failed)
    environment = {
        "TAKINGS_BATCH_ID": asked.batch_id,
        "TAKINGS_ATTEMPT": str(asked.attempt),
        **size.environment,
    }
    return {
        "runs_on": StepsOn.FARGATE.value,
        **counted,
        "cpu": str(size.cpu),
        "memory": str(size.memory_mib),
        "disk_gib": size.disk_gib,
        "environment": [{"Name": name, "Value": value} for name, value in environment.items()],
    }


def _job(asked: Asked, failed: _Failed, package: str) -> dict[str, object]:
    """Return what each step's job is started with."""
    work = [f"s3://{asked.bucket}", asked.batch_id, str(asked.attempt)]
    names = job_names(asked.batch_id, asked.attempt, failed.tries)
    return {
        "entry_point": f"{package}/{ENTRY_POINT}",
        "parameters": _parameters(asked, _on_spark(asked, failed), package),
        **{step: {"name": name, "arguments": [step, *work, name]} for step, name in names.items()},
    }


def _parameters(asked: Asked, size: SparkSize, package: str) -> str:
    """Return the options of spark-submit; EMR Serverless refuses a master among them, and sets its own."""
    both = {"AWS_DEFAULT_REGION": asked.region, "PYSPARK_PYTHON": _PYTHON}
    driver = both | {
        "PYSPARK_DRIVER_PYTHON": _PYTHON,
        "TAKINGS_ENGINE": "spark",
        "TAKINGS_MEMORY": size.memory,
        # EMR's own connector, of which the platform has the jars
        "TAKINGS_SPARK_S3": "s3",
        **({"TAKINGS_TABLE_PREFIX": asked.table_prefix} if asked.table_prefix else {}),
    }
    options = {
        **size.options,
        "spark.archives": f"{package}/{ENVIRONMENT}#{_UNPACKED}",
        **{f"spark.emr-serverless.driverEnv.{name}": value for name, value in driver.items()},
        **{f"spark.executorEnv.{name}": value for name, value in both.items()},
    }
    return " ".join(f"--conf {name}={value}" for name, value in options.items())
