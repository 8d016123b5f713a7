"""A whole pipeline on an emulated AWS: set up by `takings aws bootstrap`, with the functions that `make lambdas` builds."""

from __future__ import annotations

import fcntl
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from takings.adapters.aws import names
from takings.bootstrap_aws import missing_on_aws
from takings.settings import Settings
from tests.aws.pipeline import Aws, until
from tests.shop import ITEMS, ORDERS, PRODUCTS
from tools.build_lambdas import FUNCTIONS, build

BUCKET: Final = "shop"
STORE: Final = f"s3://{BUCKET}"
#: what a service's image runs
SERVICES: Final = {
    service: [sys.executable, "-m", "takings.entrypoints.tasks", step]
    for service, step in ((names.VALIDATION, "validate"), (names.TRANSFORMATION, "transform"))
}


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A pipeline, and a test's hands on it."""

    aws: Aws

    def drop(self, key: str, content: bytes) -> None:
        """Upload a file, as `aws s3 cp` does."""
        self.aws.client("s3").put_object(Bucket=BUCKET, Key=f"raw-data/{key}", Body=content)

    def drop_all(self) -> None:
        """Upload one file of each dataset."""
        for key, content in (("products/a.csv", PRODUCTS), ("orders/a.csv", ORDERS), ("order-items/a.csv", ITEMS)):
            self.drop(key, content)

    def call(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """Invoke a function and return its answer; what it raises fails the test."""
        answer = self.aws.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event).encode())
        document: dict[str, Any] = json.load(answer["Payload"])
        assert "FunctionError" not in answer, document
        return document

    def look(self, *, at_once: bool = False) -> dict[str, Any]:
        """Let the detector look."""
        return self.call(names.DETECTOR, {"source": "test", "at_once": at_once})

    def executions(self) -> list[dict[str, Any]]:
        """Return the executions so far, the newest last."""
        machines = self.aws.client("stepfunctions").list_state_machines()["stateMachines"]
        found = self.aws.client("stepfunctions").list_executions(stateMachineArn=machines[0]["stateMachineArn"])
        return sorted(found["executions"], key=lambda each: each["startDate"])

    def settled(self, *, executions: int = 1, seconds: float = 60) -> list[str]:
        """Wait until so many executions have ended and none is running; return how they ended."""

        def ended() -> list[str]:
            found = [each["status"] for each in self.executions()]
            return found if len(found) >= executions and "RUNNING" not in found else []

        return until(ended, seconds=seconds)

    def keys(self, *prefixes: str) -> list[str]:
        """Return the bucket's keys under these prefixes, without the dates and batches of the archive."""
        found = self.aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        keys = [each["Key"] for page in found for each in page.get("Contents", ())]
        kept = [key for key in keys if key.startswith(prefixes)]
        return sorted(
            "/".join([key.split("/")[0], *key.split("/")[5:]]) if key.startswith(("processed/", "failed/")) else key
            for key in kept
        )


def deploy(aws: Aws, functions: Path, **settings: str) -> Deployed:
    """Set a pipeline up, with these settings in the bucket's takings.toml."""
    Settings(**settings)  # type: ignore[arg-type] # a wrong one fails here
    aws.run_images(SERVICES)
    with missing_on_aws(STORE, is_only_store=False, lambdas=functions, image_tag="latest") as missing:
        for step in missing:
            step.make()
    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    aws.client("s3").put_object(Bucket=BUCKET, Key="takings.toml", Body=text.encode())
    return Deployed(aws=aws)


def built_functions(folder: Path) -> Path:
    """Build the functions for this Python, once for all workers of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all((folder / f"{name}.zip").exists() for name in FUNCTIONS):
            build(folder, f"{sys.version_info.major}.{sys.version_info.minor}")
    return folder
