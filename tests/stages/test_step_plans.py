"""Where a batch's steps run on AWS: on Fargate as long as a task can hold the batch, else as jobs on EMR Serverless."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takings.entrypoints.spark_size import SparkSize, spark_size
from takings.entrypoints.step_plans import Asked, first_plan, job_names, next_plan, runs_as_jobs
from takings.errors import SettingsError
from takings.layout import BatchId
from takings.settings import Settings, StepsOn

GB = 10**9
SMALL = Asked(
    bucket="shop",
    table_prefix="",
    region="eu-west-1",
    steps_on=StepsOn.AUTO,
    batch_id=BatchId("20250330T120000000000Z-ab12"),
    attempt=1,
    csv=GB,
    lake=0,
    package="s3://shop/spark/0123",
)
LARGE = replace(SMALL, csv=50 * GB)


def failed(code: int) -> str:
    """Return the description of a task that ended with such a code."""
    return json.dumps({"Containers": [{"ExitCode": code}]})


@pytest.mark.parametrize(
    ("asked", "runs_on"),
    [
        (SMALL, "fargate"),
        (replace(SMALL, lake=60 * GB), "fargate"),
        (replace(SMALL, lake=100 * GB), "emr-serverless"),
        (LARGE, "emr-serverless"),
        (replace(LARGE, package=None), "fargate"),
        (replace(LARGE, steps_on=StepsOn.FARGATE), "fargate"),
        (replace(SMALL, steps_on=StepsOn.EMR_SERVERLESS), "emr-serverless"),
    ],
)
def test_a_batch_that_no_task_can_hold_becomes_a_job(asked: Asked, runs_on: str) -> None:
    """Its CSV asks for too many processors, or with the lake for too large a disk; without an application nothing changes."""
    assert first_plan(asked)["runs_on"] == runs_on


def test_a_setting_that_the_pipeline_cannot_follow_is_an_error() -> None:
    """It names the command that makes the application."""
    with pytest.raises(
        SettingsError, match=r"has no application there.*takings aws bootstrap s3://shop --spark FOLDER"
    ):
        first_plan(replace(SMALL, steps_on=StepsOn.EMR_SERVERLESS, package=None))


def after(asked: Asked, *causes: str) -> dict[str, Any]:
    """Return the plan after failures."""
    plan: dict[str, Any] = first_plan(asked)
    for cause in causes:
        plan, _ = next_plan(asked, plan, cause, 0.5)
    return plan


def test_a_task_that_filled_the_largest_disk_is_followed_by_a_job() -> None:
    """Where the pipeline has an application; elsewhere the batch waits for a person, as before."""
    full = [failed(5)] * 4
    assert [after(SMALL, *full[:times])["runs_on"] for times in range(5)] == ["fargate"] * 4 + ["emr-serverless"]
    assert [after(SMALL, *full)[count] for count in ("tries", "out_of_memory", "out_of_disk")] == [0, 0, 0]
    for alone in (replace(SMALL, package=None), replace(SMALL, steps_on=StepsOn.FARGATE)):
        assert [after(alone, *full[:times])["again"] for times in (3, 4)] == [True, False]


def test_a_batch_stays_where_it_is() -> None:
    """Once its steps are jobs; and a plan of an earlier version, which says no place, is of Fargate."""
    assert [after(SMALL, *[failed(5)] * 4, cause)["runs_on"] for cause in (failed(4), failed(3), "")] == [
        "emr-serverless"
    ] * 3
    old = {"tries": 0, "out_of_memory": 0}
    assert next_plan(SMALL, old, failed(4), 0.5)[0]["runs_on"] == "fargate"
    assert not runs_as_jobs(old)


def test_a_job_is_tried_again_as_a_task_is() -> None:
    """With more memory or disk, at once or after a pause, four times in all; bad data is the end."""
    ends = [after(LARGE, failed(code)) for code in (1, 2, 3, 4, 5, 143)]
    assert [(end["again"], end["pause_seconds"] > 0) for end in ends] == [
        (False, False),
        (False, False),
        (True, True),
        (True, False),
        (True, False),
        (True, False),
    ]
    assert "spark.executor.cores=8" in ends[3]["job"]["parameters"]
    assert "spark.emr-serverless.executor.disk=1000G" in ends[4]["job"]["parameters"]
    assert [after(LARGE, *[failed(3)] * times)["again"] for times in (3, 4)] == [True, False]
    assert [after(LARGE, *[failed(5)] * times)["again"] for times in (2, 3)] == [True, False]


def test_each_try_of_each_step_is_a_job_of_its_own() -> None:
    """By its name, which is the token that lets EMR Serverless tell a repeated call; so 64 characters are the most."""
    names = {
        name for attempt in (1, 2) for tries in (0, 1) for name in job_names(SMALL.batch_id, attempt, tries).values()
    }
    assert len(names) == 8
    longest = job_names(SMALL.batch_id, 99, 99)
    assert [re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name) is not None for name in longest.values()] == [True, True]


def test_a_job_is_started_with_its_work_and_its_package() -> None:
    """The engine, the region and the tables of this shop; Spark's master is EMR Serverless's own."""
    plan: dict[str, Any] = first_plan(replace(LARGE, table_prefix="north."))
    job = plan["job"]
    name = "20250330T120000000000Z-ab12-1-0-validate"
    assert job["validate"] == {
        "name": name,
        "arguments": ["validate", "s3://shop", "20250330T120000000000Z-ab12", "1", name],
    }
    assert job["entry_point"] == "s3://shop/spark/0123/step.py"
    options = dict(each.split("=", 1) for each in job["parameters"].split() if each != "--conf")
    assert options["spark.archives"] == "s3://shop/spark/0123/environment.tar.gz#environment"
    told = {name.rpartition(".")[2]: value for name, value in options.items() if "driverEnv" in name}
    assert told == {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "PYSPARK_PYTHON": "./environment/bin/python",
        "PYSPARK_DRIVER_PYTHON": "./environment/bin/python",
        "TAKINGS_ENGINE": "spark",
        "TAKINGS_MEMORY": "3GiB",
        "TAKINGS_SPARK_S3": "s3",
        "TAKINGS_TABLE_PREFIX": "north.",
    }
    assert "spark.master" not in options
    assert Settings(memory=told["TAKINGS_MEMORY"]).memory == "3GiB"


#: the most memory in GB by processors, and disks in GB by kind, as the User Guide lists them
MOST = {4: 30, 8: 60, 16: 120}
DISKS = {"standard": (20, 200), "shuffle_optimized": (20, 2000)}


@given(st.integers(0, 10**15), st.integers(0, 10**15), st.integers(0, 70), st.integers(0, 70))
def test_every_worker_is_one_that_is_offered(csv: int, lake: int, out_of_memory: int, out_of_disk: int) -> None:
    """With as much memory again as its heap; all of them together are within what the application allows."""
    size = spark_size(csv, lake_bytes=lake, out_of_memory=out_of_memory, out_of_disk=out_of_disk)
    assert 2 * size.heap_gb <= MOST[size.processors]
    least, most = DISKS[size.disk_type]
    assert least <= size.disk_gb <= most
    # Each task that runs at a time has DuckDB's share, and Python's, in the memory beside the heap.
    assert (
        size.processors // size.task_processors * (int(size.memory.removesuffix("GiB")) * 1.074 + 0.2) <= size.heap_gb
    )


@pytest.mark.parametrize(("gigabytes", "executors"), [(0, 3), (30, 3), (100, 10), (600, 60), (10_000, 63)])
def test_a_larger_batch_gets_more_executors(gigabytes: int, executors: int) -> None:
    """One for each 10 GB of CSV and lake; never fewer than a new account has room for, or more than the application has."""
    assert [spark_size(gigabytes * GB), spark_size(0, lake_bytes=gigabytes * GB)] == [
        SparkSize(
            processors=4,
            heap_gb=14,
            disk_gb=200,
            disk_type="standard",
            most_executors=executors,
            task_processors=1,
        )
    ] * 2
