"""`processed/` can be locked or replicated: what is there is written once, and never changed or removed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from takings.adapters.aws.bucket import Bucket
from takings.adapters.aws.clients import Clients
from takings.adapters.aws.resources.bucket import has_default_retention
from takings.adapters.aws.tables import create_tables
from takings.runs.maintenance import maintain
from takings.runs.replay import replay_file
from tests.aws.harness.shop import STORE, S3Shop
from tests.shop import ITEMS, ORDERS, PRODUCTS, opened, published, run

#: what only looks
_READS = {"GetObject", "HeadObject", "ListObjectsV2", "ListObjectVersions"}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """Return the operations that name a key under processed/, but those that look, each with its condition."""
    calls: list[tuple[str, str | None]] = []
    original = BaseClient._make_api_call  # type: ignore[attr-defined] # every request goes through it

    def note(self: BaseClient, operation: str, arguments: Any) -> Any:
        listed = [each["Key"] for each in arguments.get("Delete", {}).get("Objects", ())]
        # A table's key is no text.
        keys = [str(arguments.get("Key", "")), *listed]
        if operation not in _READS and any(key.startswith("processed/") for key in keys):
            calls.append((operation, arguments.get("IfNoneMatch")))
        return original(self, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", note)
    return calls


@pytest.mark.parametrize("aws", ["ministack"], indirect=True)
def test_an_original_is_archived_once(shop: S3Shop, written: list[tuple[str, str | None]]) -> None:
    """By a copy that writes only if nothing is there; a replay makes its own, and the maintenance touches none."""
    shop.drop_all()
    run(STORE)
    with opened(STORE) as here:
        replay_file(here.ports, "raw-data/orders/a.csv")
        maintain(here.ports, keep_reports=timedelta(0), is_dry_run=False)
    assert written == [("CopyObject", "*")] * 4


# Only moto knows Object Lock.
@pytest.mark.parametrize("aws", ["moto"], indirect=True)
def test_a_store_works_while_its_originals_are_locked(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can remove them; batches, replays and maintenance go on."""
    s3, store = aws.s3, "s3://locked"
    s3.create_bucket(
        Bucket="locked",
        ObjectLockEnabledForBucket=True,
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
    )
    monkeypatch.setenv("TAKINGS_TABLE_PREFIX", "locked.")
    create_tables(aws.dynamodb, "locked.")
    for folder, content in (("products", PRODUCTS), ("orders", ORDERS), ("order-items", ITEMS)):
        s3.put_object(Bucket="locked", Key=f"raw-data/{folder}/a.csv", Body=content)
    run(store)
    until = datetime.now(UTC) + timedelta(days=365)
    originals = [info.key for info in Bucket(s3, "locked").list("processed/")]
    for key in originals:
        s3.put_object_retention(Bucket="locked", Key=key, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until})
    before = published(store)
    s3.put_object(Bucket="locked", Key="raw-data/orders/again.csv", Body=ORDERS)
    run(store)
    with opened(store) as here:
        replay_file(here.ports, "raw-data/orders/a.csv")
        maintain(here.ports, keep_reports=timedelta(0), is_dry_run=False)
    assert published(store) == before
    version = s3.head_object(Bucket="locked", Key=originals[0])["VersionId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket="locked", Key=originals[0], VersionId=version)


@pytest.mark.parametrize("aws", ["moto"], indirect=True)
def test_a_default_retention_is_noticed(aws: Clients) -> None:
    """S3 would refuse the lake's writes: delta-rs sends none of the checksums that a retention asks for."""
    s3 = aws.s3
    s3.create_bucket(
        Bucket="locked",
        ObjectLockEnabledForBucket=True,
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
    )
    assert [has_default_retention(s3, bucket) for bucket in ("shop", "locked")] == [False, False]
    s3.put_object_lock_configuration(
        Bucket="locked",
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 365}},
        },
    )
    assert has_default_retention(s3, "locked")
