"""The pipeline as it runs on AWS, set up by its own bootstrap: events, functions, state machine, tasks, tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.aws.deployed import STORE, Deployed, deploy
from tests.aws.pipeline import Aws
from tests.shop import drop_all, new_store, published, run

pytestmark = pytest.mark.xdist_group("end_to_end")


@pytest.fixture
def deployed(pipe: Aws, functions: Path) -> Deployed:
    """Return a pipeline whose batches go with three files."""
    return deploy(pipe, functions, batch_files="3")


def test_dropped_files_are_published(deployed: Deployed, tmp_path: Path) -> None:
    """Nobody calls anything: the files' events start the batch, and its numbers are those of a folder."""
    root = drop_all(new_store(tmp_path / "shop"))
    run(root)
    deployed.drop_all()
    assert deployed.settled() == ["SUCCEEDED"]
    assert published(STORE) == published(root)
    assert deployed.keys("raw-data", "processed", "failed") == [
        "processed/order_items/a.csv",
        "processed/orders/a.csv",
        "processed/products/a.csv",
    ]
