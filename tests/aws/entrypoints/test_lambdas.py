"""The functions' archives, run by AWS's own runtime client, and their logs."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from takings.adapters.aws import names
from takings.adapters.aws.clients import Clients
from takings.entrypoints.metrics import UNITS, measured
from tests.aws.harness.runtime_api import Function, running
from tests.aws.harness.shop import STORE, S3Shop
from tests.emulators import environment
from tools.build_lambdas import build

#: what a function must not contain
HEAVY: Final = {"duckdb", "deltalake", "numpy", "pandas", "pyarrow", "pyspark", "rich", "typer"}
#: a function's environment; none of it exists, and a look that starts nothing uses only the schedule
AROUND: Final = {
    "TAKINGS_STORE": STORE,
    "PIPELINE_STATE_MACHINE_ARN": "arn:aws:states:eu-west-1:000000000000:stateMachine:ecommerce-pipeline",
    "PIPELINE_SCHEDULE_GROUP": "takings",
    "PIPELINE_SCHEDULE_ROLE_ARN": "arn:aws:iam::000000000000:role/takings-scheduler",
    "PIPELINE_DETECTOR_ARN": "arn:aws:lambda:eu-west-1:000000000000:function:file-detector",
    "PIPELINE_DEAD_LETTERS_URL": "http://127.0.0.1:1/000000000000/takings-dead-letters",
}

on_ministack = pytest.mark.parametrize("aws", ["ministack"], indirect=True)


def variables(aws: Clients, name: str) -> dict[str, str]:
    return AROUND | environment(str(aws.s3.meta.endpoint_url)) | {"POWERTOOLS_SERVICE_NAME": name}


def metrics_of(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines in the embedded metric format, each checked against it."""
    found = [line for line in lines if "_aws" in line]
    for line in found:
        assert isinstance(line["_aws"]["Timestamp"], int)
        for directive in line["_aws"]["CloudWatchMetrics"]:
            assert directive["Namespace"] == names.METRICS
            assert 1 <= len(directive["Metrics"]) <= 100
            assert all(isinstance(line[name], str) for names in directive["Dimensions"] for name in names)
            for metric in directive["Metrics"]:
                assert metric["Unit"] == UNITS[metric["Name"]]
                assert all(isinstance(value, float) for value in line[metric["Name"]])
    return found


@on_ministack
def test_the_detector_looks(aws: Clients, shop: S3Shop, functions: Path, tmp_path: Path) -> None:
    """On any event; it returns what it found, and logs how long the oldest file has waited."""
    shop.drop("orders/a b.csv", b"order_id\n")
    event = {"Records": [{"s3": {"bucket": {"name": "shop"}, "object": {"key": "raw-data/orders/a+b.csv"}}}]}
    with running(functions / "file-detector.zip", tmp_path, variables(aws, "file-detector")) as function:
        assert answer(function, event) == {"detected": "resting", "decision": "Hold"}
        assert answer(function, {"source": "takings.sweep"}) == {"detected": "resting", "decision": "Hold"}
        lines = function.lines()
    looks = [line for line in lines if line.get("message") == "store.looked_at"]
    assert [line["event"] for line in looks] == ["raw-data/orders/a b.csv", "takings.sweep"]
    assert {line["service"] for line in looks} == {"file-detector"}
    measured_lines = metrics_of(lines)
    assert [sorted(set(line) & set(UNITS)) for line in measured_lines] == [
        ["BatchAgeSeconds", "BatchesBlocked", "OldestPendingSeconds"]
    ] * 2
    assert {(line["store"], line["service"]) for line in measured_lines} == {("shop", "file-detector")}


@on_ministack
def test_the_archiver_refuses_what_is_no_step(aws: Clients, functions: Path, tmp_path: Path) -> None:
    """It returns the error by name, which the state machine reads."""
    with running(functions / "file-archiver.zip", tmp_path, variables(aws, "file-archiver")) as function:
        refused = function.call({"step": "dance"})
        gone = function.call({"step": "file_away", "batch_id": "20260101T000000000000Z-aaaa", "attempt": 1})
        unknown = function.call({"step": "plan", "batch_id": "20260101T000000000000Z-aaaa", "attempt": 1})
    assert (refused.is_error, refused.document["errorType"]) == (True, "UsageError")
    assert "names no step of a batch" in refused.document["errorMessage"]
    assert gone.document == {"outcome": "superseded", "done": True}
    assert (unknown.is_error, unknown.document["errorType"]) == (True, "CorruptState")


def answer(function: Function, event: Mapping[str, object]) -> Any:
    answered = function.call(event)
    assert not answered.is_error, (answered.document, function.log.read_text())
    return answered.document


def test_archives_are_light_and_always_the_same(functions: Path, tmp_path: Path) -> None:
    """No engine, no command line, no page; the same bytes for the same sources."""
    for archive in functions.glob("*.zip"):
        names = {name.partition("/")[0] for name in zipfile.ZipFile(archive).namelist()}
        assert names & HEAVY == set()
        assert {"handler.py", "takings", "boto3"} <= names
        assert archive.stat().st_size < 10_000_000
    runtime = json.loads((functions / "lambdas.json").read_text())["runtime"]
    again = build(tmp_path, runtime.removeprefix("python"))
    assert [each.read_bytes() == (functions / each.name).read_bytes() for each in again] == [True, True]


def test_a_batch_tells_its_metrics() -> None:
    """An unknown value has no metric: a batch without a commit does not know its orphans."""
    known = {"files_accepted": 2, "files_rejected": 0, "rows_rejected": 3, "orphans_waiting": None}
    assert measured("batch.done", known) == {"FilesAccepted": 2.0, "FilesRejected": 0.0, "RowsRejected": 3.0}
    assert measured("file.judged", {"key": "a"}) == {}
