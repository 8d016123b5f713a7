"""The pipeline on AWS next to others: set up by the command line under its own prefix, and removed afterwards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.aws.conftest import functions as functions_fixture
from tests.aws.harness.deployed import SERVICES
from tests.aws.harness.pipeline import Aws, until
from tests.cli.terminal import Takings
from tests.emulators import ROOT, Emulator
from tests.integration.conftest import Shop
from tests.shop import drop, new_store, published, run

functions = functions_fixture
DROPS = {"products": "products", "orders": "orders", "order-items": "order_items"}
pytestmark = [
    pytest.mark.xdist_group("end_to_end"),
    pytest.mark.no_cover,
    pytest.mark.skipif(
        "AWS_ENDPOINT_URL" in os.environ, reason="only the emulator that tests start runs tasks without images"
    ),
]


def client(shop: Shop, service: str) -> Any:
    """Return a client of the endpoint."""
    return boto3.client(service, endpoint_url=shop.settings["AWS_ENDPOINT_URL"])  # type: ignore[call-overload]


def test_the_sample_files_become_numbers_by_themselves(
    shop: Shop, takings: Takings, functions: Path, ministack: Emulator, tmp_path: Path
) -> None:
    """Events start the batch of the account's second shop; the numbers are those of a folder, and nothing is left behind.

    Its parts may do only what their roles allow.
    """
    aws = Aws(emulator=ministack)
    aws.run_images({f"{shop.name}-{name}": command for name, command in SERVICES.items()})
    aws.hold_events(holding=False)
    aws.hold_to_roles()
    made = takings("aws", "bootstrap", shop.store, "--lambdas", functions)
    assert made.code == 0, made.err
    bucket = shop.resource("s3").Bucket(shop.name)
    settings = f'batch_files = 3\ntable_prefix = "{shop.name}."\n'
    bucket.put_object(Key="takings.toml", Body=settings.encode())
    root = new_store(tmp_path / "local")
    for folder, name in DROPS.items():
        sample = ROOT / "sample" / f"{name}_part1.csv"
        bucket.upload_file(str(sample), f"raw-data/{folder}/{sample.name}")
        drop(root, f"{folder}/{sample.name}", sample.read_bytes())
    run(root)

    stepfunctions = client(shop, "stepfunctions")
    machines = stepfunctions.list_state_machines()["stateMachines"]
    (machine,) = [each for each in machines if each["name"] == f"{shop.name}-ecommerce-pipeline"]

    def ended() -> list[str]:
        found = stepfunctions.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]
        return [each["status"] for each in found if each["status"] != "RUNNING"]

    assert until(ended, seconds=180) == ["SUCCEEDED"]
    for by, wanted in zip(("day", "category"), published(root), strict=True):
        assert takings("kpis", shop.store, "--by", by, "--format", "csv").out == wanted
    assert [file["status"] for file in shop.rows("ProcessedFiles")] == ["SUCCESS"] * 3
    asked = [call for call in aws.calls() if call["role"].startswith(shop.name)]
    assert len({call["role"] for call in asked}) == 5
    assert [call for call in asked if not call["allowed"]] == []
    removed = takings("aws", "destroy", shop.store, "--yes", shop.name)
    assert removed.code == 0, removed.err
    left = [each["name"] for each in stepfunctions.list_state_machines()["stateMachines"]]
    assert not [name for name in left if name.startswith(shop.name)]
