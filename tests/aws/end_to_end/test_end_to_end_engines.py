"""The whole pipeline with the brief's engines, as the images name them: pandas validates, Spark computes."""

from __future__ import annotations

from pathlib import Path

import pytest

from takings.adapters.aws import names
from tests.aws.harness.deployed import STORE, Deployed, story
from tests.shop import csv_of, drop, drop_all, item, new_store, published, run

pytestmark = [pytest.mark.xdist_group("spark"), pytest.mark.no_cover]


def test_pandas_and_spark_come_to_the_same(deployed: Deployed, tmp_path: Path) -> None:
    """Numbers and lineage are the same as DuckDB's in a folder, byte for byte."""
    pytest.importorskip("pandas")
    pytest.importorskip("pyspark")
    bad = csv_of(item(10, 1, 1, "5.50"), item(11, 1, 1, "-1"))
    root = drop_all(new_store(tmp_path / "shop"))
    drop(root, "order-items/bad.csv", bad)
    run(root)
    deployed.run_services(engines={"TAKINGS_VALIDATION_ENGINE": "pandas", "TAKINGS_ENGINE": "spark"})
    deployed.aws.hold_events()
    deployed.drop_all()
    deployed.drop("order-items/bad.csv", bad)
    assert deployed.look(at_once=True)["detected"] == "started"
    assert deployed.settled(seconds=240) == ["SUCCEEDED"]
    assert [task["command"][-1] for task in deployed.tasks()] == ["validate", "transform"]
    assert (published(STORE), story(STORE)) == (published(root), story(root))
    assert names.VALIDATION in deployed.tasks("validate")[0]["image"]
