"""What one more file of a batch asks AWS for: tools/costs.py reckons with the same numbers."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from botocore.client import BaseClient

from takings.intake.manifest import read_manifest
from takings.layout import BatchId, manifest, verdicts
from takings.runs import steps
from takings.runs.detect import Started, detect
from tests.aws.harness.shop import STORE, S3Shop
from tests.pipeline.test_stepwise import Noted
from tests.shop import csv_of, opened, order
from tools.costs import ASSUMED

pytestmark = pytest.mark.parametrize("aws", ["ministack"], indirect=True)
_WRITES = ("PutObject", "CopyObject", "ListObjectsV2", "CompleteMultipartUpload")
_READS = ("GetObject", "HeadObject")


def asked(shop: S3Shop, monkeypatch: pytest.MonkeyPatch, files: int) -> Counter[str]:
    """Return the requests of a batch of orders' files, from the look that forms it to its archive."""
    for number in range(files):
        shop.drop(f"orders/{files}-{number}.csv", csv_of(order(100 * files + number)))
    noted: Counter[str] = Counter()
    original = BaseClient._make_api_call  # type: ignore[attr-defined] # every request goes through it

    def note(self: BaseClient, operation: str, arguments: Any) -> Any:
        noted[operation] += 1
        for puts in arguments.get("RequestItems", {}).values() if operation == "BatchWriteItem" else ():
            noted["records in batches"] += len(puts)
        return original(self, operation, arguments)

    with monkeypatch.context() as patched:
        patched.setattr(BaseClient, "_make_api_call", note)
        with opened(STORE) as here:
            started = detect(here.ports, Noted(), at_once=True)
        assert isinstance(started, Started)
        for step in (steps.validate, steps.transform, steps.archive):
            with opened(STORE) as there:
                step(there.ports, started.batch_id, 1)
    assert _number_of_files(shop, started.batch_id) == files
    return noted


def _number_of_files(shop: S3Shop, batch_id: BatchId) -> int:
    return len(read_manifest(shop.content(manifest(batch_id)), "manifest.json").arrivals)


def test_a_file_s_requests_are_those_that_costs_reckons_with(shop: S3Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between a batch of five files and one of forty-five; what a batch asks for once is not among them."""
    asked(shop, monkeypatch, 1)
    few, many = asked(shop, monkeypatch, 5), asked(shop, monkeypatch, 45)
    each = {name: (many[name] - few[name]) / 40 for name in many | few}
    # The drop itself is written by the shop.
    writes = 1 + sum(each.get(name, 0) for name in _WRITES)
    reads = sum(each.get(name, 0) for name in _READS)
    assert round(writes, 1) == ASSUMED["writes to S3 per file"][0], each
    assert round(reads, 1) == ASSUMED["reads from S3 per file"][0], each
    assert each["DeleteObject"] == 1
    records = each["PutItem"] + each["records in batches"]
    assert round(3 * records) == ASSUMED["write units per file"][0], each


def test_duplicates_are_looked_up_together(shop: S3Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any report is written; of equal files, the first in the manifest is no copy."""
    asked(shop, monkeypatch, 20)
    shop.drop("orders/copy.csv", csv_of(order(2003)))
    for number in range(20):
        shop.drop(f"orders/{number:02}.csv", csv_of(order(5000 + number % 19)))
    with opened(STORE) as here:
        started = detect(here.ports, Noted(), at_once=True)
    assert isinstance(started, Started)
    done: list[str] = []
    original = BaseClient._make_api_call  # type: ignore[attr-defined] # every request goes through it

    def note(self: BaseClient, operation: str, arguments: Any) -> Any:
        done.append("looked up" if arguments.get("IndexName") == "by_fingerprint" else str(arguments.get("Key")))
        return original(self, operation, arguments)

    with opened(STORE) as there, monkeypatch.context() as patched:
        patched.setattr(BaseClient, "_make_api_call", note)
        steps.validate(there.ports, started.batch_id, 1)
    first_report = next(place for place, key in enumerate(done) if key.startswith("validation-reports/"))
    assert (done.count("looked up"), "looked up" in done[first_report:]) == (20, False)
    # docs/costs.md: six a file; the batch itself asks for some.
    assert 6 * 21 - 1 <= len(done) <= 6 * 21 + 25
    judged = json.loads(shop.content(verdicts(started.batch_id)))["files"]
    assert {each["key"]: each["duplicate_of"] for each in judged if each["duplicate_of"]} == {
        "raw-data/orders/copy.csv": "raw-data/orders/20-3.csv",
        "raw-data/orders/19.csv": "raw-data/orders/00.csv",
    }
