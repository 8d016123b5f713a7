"""What one more file of a batch asks AWS for: tools/costs.py reckons with the same numbers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from botocore.client import BaseClient

from takings.intake.manifest import read_manifest
from takings.layout import BatchId, manifest
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
