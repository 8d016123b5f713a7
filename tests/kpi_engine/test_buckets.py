"""Spark's workers read a bucket's lake themselves; Hadoop's view of a folder stands in for S3's connector."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from takings.adapters.aws.clients import Clients
from takings.composition.stores import open_store
from takings.errors import SettingsError, StoreError
from takings.queries.verification import verify
from takings.runs.restate import restate
from tests.aws.harness.shop import STORE, S3Shop
from tests.emulators import BUCKET
from tests.kpi_engine.s3_in_a_folder import bucket_in_a_folder, move_lake
from tests.shop import opened, published, run

pytestmark = [
    pytest.mark.xdist_group("spark"),
    # PySpark drops the socket of each result without closing it.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.parametrize("aws", ["moto"], indirect=True),
]


@pytest.fixture
def landed_in_s3(aws: Clients) -> Clients:
    """Return the clients of a bucket with one batch in its lake."""
    S3Shop(clients=aws).drop_all()
    run(STORE)
    return aws


@pytest.mark.parametrize("scheme", ["s3a", "s3"])
def test_a_bucket_s_lake_is_never_downloaded(
    scheme: str, landed_in_s3: Clients, spark: SparkSession, tmp_path: Path
) -> None:
    """All that the driver could download is gone from the bucket, and still every number is computed and published."""
    before = published(STORE)
    assert move_lake(landed_in_s3, tmp_path) > 3
    with (
        bucket_in_a_folder(spark, tmp_path, scheme),
        opened(STORE, engine="spark", spark_s3=scheme) as shop,
    ):
        assert verify(shop.ports).rows == 5
        assert verify(shop.ports).differences == ()
        restate(shop.ports, date(2025, 3, 30), date(2025, 3, 31))
        assert list((shop.root / "lake").rglob("*.parquet")) == []
    assert published(STORE) == before


def test_a_cluster_that_cannot_reach_the_bucket_is_told_so(
    landed_in_s3: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is downloaded: what would be read here could not be read there."""
    monkeypatch.setattr("takings.adapters.spark.lake.is_local", lambda _: False)
    with (
        opened(STORE, engine="spark") as shop,
        pytest.raises(SettingsError, match=r"cannot read s3a://shop/lake/.*no file system for s3a.*hadoop-aws"),
    ):
        verify(shop.ports)


def test_on_one_machine_without_a_connector_the_process_reads_copies(landed_in_s3: Clients, tmp_path: Path) -> None:
    """As a task on Fargate does, whose only worker it is, and says so; without the files, it says which one is lost."""
    heard: list[tuple[str, Mapping[str, object]]] = []
    with open_store(STORE, lambda fact, known: heard.append((fact, known)), {"engine": "spark"}) as shop:
        assert verify(shop.ports).differences == ()
        assert verify(shop.ports).differences == ()
    assert heard == [("spark.reads_copies", {"lake": f"s3a://{BUCKET}/lake", "scheme": "s3a"})]
    move_lake(landed_in_s3, tmp_path)
    with opened(STORE, engine="spark") as shop, pytest.raises(StoreError, match=r"lake/products/.*is gone"):
        verify(shop.ports)
