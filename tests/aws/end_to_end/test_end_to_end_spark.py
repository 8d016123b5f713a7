"""The whole pipeline with its steps as jobs on EMR Serverless: the same verdicts and numbers, and the same ways to fail."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from tests.aws.harness.calls import leave
from tests.aws.harness.deployed import STORE, Deployed, deploy_with_jobs, story
from tests.aws.harness.pipeline import pipeline, until
from tests.aws.harness.spark_package import package_for_tests, run_jobs
from tests.emulators import Emulator
from tests.shop import csv_of, drop, drop_all, item, new_store, opened, published, run

pytest.importorskip("pyspark")
pytestmark = [pytest.mark.xdist_group("end_to_end_spark"), pytest.mark.no_cover]


@pytest.fixture(scope="module")
def made(ministack: Emulator, functions: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Return a pipeline with an application on EMR Serverless, for all tests here."""
    package = package_for_tests(tmp_path_factory.mktemp("package"))
    with pytest.MonkeyPatch.context() as monkeypatch, pipeline(ministack, monkeypatch) as aws:
        yield deploy_with_jobs(aws, functions, package)


@pytest.fixture
def here(made: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Return it with an empty store but for the package of its jobs, which all want to run there."""
    kept = {key: made.aws.client("s3").get_object(Bucket="shop", Key=key)["Body"].read() for key in made.keys("spark/")}
    made.emptied()
    for key in sorted(kept):
        made.put(key, kept[key])
    made.set(steps_on="emr-serverless")
    made.aws.hold_events()
    run_jobs(made.aws)
    yield made
    print(made.aws.printed())  # printed if a test fails
    calls = made.aws.calls()
    leave(calls)
    assert [call for call in calls if not call["allowed"]] == []


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """Return a folder where the same files were processed, one of them bad."""
    root = drop_all(new_store(tmp_path / "shop"))
    drop(root, "order-items/bad.csv", BAD)
    run(root)
    return root


BAD = csv_of(item(10, 1, 1, "5.50"), item(11, 1, 1, "-1"))


def begin(here: Deployed) -> str:
    """Drop files, one of them bad, and start their batch."""
    here.drop_all()
    here.drop("order-items/bad.csv", BAD)
    started = here.look(at_once=True)
    assert started["detected"] == "started"
    return str(started["batch_id"])


def jobs(here: Deployed) -> list[tuple[str, int]]:
    """Return the step and the exit code of each job so far."""
    return [(str(asked(task)[0]), task["exit_code"]) for task in here.tasks() if "/jobruns/" in task["task"]]


def asked(task: dict[str, Any]) -> list[str]:
    """Return the arguments of a job's entry point."""
    found: list[str] = json.loads(task["command"][-2])
    return found


def test_both_steps_run_as_jobs_and_come_to_the_same(here: Deployed, local: Path) -> None:
    """Verdicts, numbers and lineage are those of DuckDB in a folder, and nothing is left over; no task was started."""
    begin(here)
    assert here.settled(seconds=300) == ["SUCCEEDED"]
    assert jobs(here) == [("validate", 0), ("transform", 0)]
    assert len(here.tasks()) == 2
    assert (published(STORE), story(STORE)) == (published(local), story(local))
    assert here.keys("raw-data", "staging") == []


#: ends as a step does that found such an exit code, without a JVM
ENDS: Final = """
import json, sys
import boto3
step, store, batch, attempt, job = json.loads(sys.argv[2])
boto3.client("s3").put_object(Bucket=store[5:], Key=f"staging/{batch}/jobs/{job}.exit-code", Body=b"CODE")
sys.exit(1)
"""


def test_a_job_without_enough_memory_gets_workers_twice_as_large(here: Deployed) -> None:
    """By the exit code that it has left in the store: EMR Serverless only says that it failed. Each try has another token."""
    run_jobs(here.aws, [sys.executable, "-c", ENDS.replace("CODE", "4")])
    begin(here)
    assert here.settled(seconds=120) == ["FAILED"]
    cores = [re.findall(r"spark.executor.cores=(\d+)", task["command"][-1]) for task in here.tasks()]
    assert cores == [["4"], ["8"], ["16"], ["16"]]
    assert len({asked(task)[-1] for task in here.tasks()}) == 4
    assert (len(here.keys("raw-data")), here.keys("staging")) == (4, [])


def test_a_job_that_finds_no_capacity_is_tried_again_after_a_pause(here: Deployed) -> None:
    """It fails before it has begun, and leaves nothing; after four tries its files are pending again."""
    full = "Worker could not be allocated as the application has exceeded maximumCapacity settings: [cpu: 256 vCPU]"
    here.aws.refuse_jobs(*[full] * 4)
    begin(here)
    assert here.settled(seconds=120) == ["FAILED"]
    assert jobs(here) == []
    assert len(here.keys("raw-data")) == 4
    (execution,) = here.executions()
    pauses = [wait["seconds"] for wait in here.aws.waits() if wait["execution"] == execution["executionArn"]]
    assert [pause for pause in pauses if pause < 5] == []


def test_a_job_ends_with_its_execution_and_its_batch_goes_on(here: Deployed, local: Path) -> None:
    """Step Functions cancels it; the next look resumes the batch as another attempt, with jobs of other names."""
    run_jobs(here.aws, [sys.executable, "-c", "import time; time.sleep(600)"])
    batch_id = begin(here)
    until(lambda: here.tasks(), seconds=60)
    (execution,) = here.executions()
    here.aws.client("stepfunctions").stop_execution(executionArn=execution["executionArn"])
    until(lambda: here.tasks()[0]["exit_code"] is not None, seconds=60)
    assert here.settled() == ["ABORTED"]
    run_jobs(here.aws)
    pass_the_lease()
    assert here.look() == {"detected": "started", "batch_id": batch_id, "attempt": 2}
    assert here.settled(executions=2, seconds=300) == ["ABORTED", "SUCCEEDED"]
    assert [asked(task)[-1].removeprefix(batch_id) for task in here.tasks()] == [
        "-1-0-validate",
        "-2-0-validate",
        "-2-0-transform",
    ]
    assert (published(STORE), story(STORE)) == (published(local), story(local))


def pass_the_lease() -> None:
    """Let the lease of the batch end, as it does by itself after a minute."""
    with opened(STORE) as shop:
        gate, now = shop.ports.ledger.gate(), shop.ports.clock.now()
        shop.ports.ledger.change_gate(replace(gate.renewed(now), lease_expires_at=now - timedelta(seconds=1)))


def test_bad_data_is_tried_once(here: Deployed) -> None:
    """The job's exit code is 1, which is also what EMR Serverless says of any other failure."""
    here.drop("order-items/bad.csv", BAD)
    here.drop("orders/bad.csv", b"order_id\n1\n")
    here.drop("products/bad.csv", b"id\n1\n")
    assert here.look(at_once=True)["detected"] == "started"
    assert here.settled(seconds=300) == ["SUCCEEDED"]
    assert jobs(here) == [("validate", 1)]
    assert here.keys("raw-data", "failed") == [
        f"failed/{dataset}/bad.csv{what}"
        for dataset in ("order_items", "orders", "products")
        for what in ("", ".reason.json")
    ]
