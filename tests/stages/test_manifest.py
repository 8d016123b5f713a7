"""What a batch consists of, written once and read by every attempt."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from takings.contracts.model import Dataset
from takings.errors import CorruptState
from takings.intake.arrivals import Arrival
from takings.intake.manifest import Manifest, read_manifest, write_manifest
from takings.layout import BatchId
from tests.shop import NOON

KEY = "batches/20250330T120000000000Z-ab12/manifest.json"
MANIFEST = Manifest(
    batch_id=BatchId("20250330T120000000000Z-ab12"),
    now=NOON,
    package_version="1.2.3",
    time_zone="Europe/Berlin",
    contracts="c0ffee",
    settings={"policy": "file"},
    arrivals=(
        Arrival(
            key="raw-data/order_items/2025/ä.csv",
            dataset=Dataset.ORDER_ITEMS,
            file="2025/ä.csv",
            size=3,
            etag="1-2-3",
            version=NOON - timedelta(microseconds=1),
        ),
    ),
)


def test_a_manifest_says_all_that_can_change_the_outcome() -> None:
    """The document as the store has it; docs/store.md describes it."""
    assert json.loads(write_manifest(MANIFEST)) == {
        "schema_version": 1,
        "batch_id": "20250330T120000000000Z-ab12",
        "now": "2025-03-30T12:00:00.000000Z",
        "package_version": "1.2.3",
        "time_zone": "Europe/Berlin",
        "contracts": "c0ffee",
        "settings": {"policy": "file"},
        "files": [
            {
                "key": "raw-data/order_items/2025/ä.csv",
                "dataset": "order_items",
                "size": 3,
                "etag": "1-2-3",
                "version": "2025-03-30T11:59:59.999999Z",
            }
        ],
    }


def test_a_manifest_is_read_as_it_was_written() -> None:
    """To the microsecond, with every letter of a key."""
    assert read_manifest(write_manifest(MANIFEST), KEY) == MANIFEST


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"schema_version": 1}',
        write_manifest(MANIFEST).replace(b"2025-03-30T12:00:00.000000Z", b"yesterday"),
        write_manifest(MANIFEST).replace(b"2025-03-30T12:00:00.000000Z", b"2025-03-30T12:00:00"),
        write_manifest(MANIFEST).replace(b'"order_items"', b'"Order items"'),
    ],
    ids=["empty", "cut off", "no object", "no text", "bare", "no instant", "no offset", "no dataset"],
)
def test_a_damaged_manifest_is_corrupt_state(content: bytes) -> None:
    """The error names the key and a way out; nothing is guessed."""
    with pytest.raises(CorruptState) as corrupt:
        read_manifest(content, KEY)
    assert str(corrupt.value).startswith(f"{KEY} is damaged: no manifest (")
    assert str(corrupt.value).endswith(
        "Nothing was changed. Restore it from a back-up, or take the store's originals from processed/ and raw-data/"
        " into a new store."
    )
