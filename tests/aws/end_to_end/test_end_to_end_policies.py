"""A bad file on the whole pipeline under each policy: where it is archived, its dead letter, and its way back."""

from __future__ import annotations

import json
import os
import signal
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from takings.adapters.aws import names
from takings.archive.lineage import LineageStatus
from tests.aws.harness.deployed import STORE, Deployed, stopping_at, story
from tests.cli.conftest import takings as takings_fixture
from tests.cli.terminal import Takings
from tests.shop import PRODUCTS, csv_of, drop, drop_all, item, new_store, published, run

pytestmark = [pytest.mark.xdist_group("end_to_end_failures"), pytest.mark.no_cover]
takings = takings_fixture
#: one good row and a bad one
BAD = csv_of(item(10, 1, 1, "5.50"), item(11, 1, 1, "-1"))
GOOD = ["processed/order_items/a.csv", "processed/orders/a.csv", "processed/products/a.csv"]


def run_locally(tmp_path: Path, **settings: Any) -> Path:
    """Process the same files in a folder."""
    root = drop_all(new_store(tmp_path / "shop"))
    drop(root, "order-items/bad.csv", BAD)
    run(root, **settings)
    return root


def started(deployed: Deployed, **settings: str) -> None:
    """Start a batch of the files on AWS."""
    deployed.set(**settings)
    deployed.aws.hold_events()
    deployed.drop_all()
    deployed.drop("order-items/bad.csv", BAD)
    assert deployed.look(at_once=True)["detected"] == "started"


def processed(deployed: Deployed, **settings: str) -> list[str]:
    """Process the files on AWS, and return how the execution ended."""
    started(deployed, **settings)
    return deployed.settled()


def letters(deployed: Deployed) -> list[tuple[str, str]]:
    """Return the keys of the dead letters, and where their originals are."""
    found = [json.loads(letter["Body"]) for letter in deployed.letters()]
    return sorted((letter["key"], letter["archived_at"].split("/")[0]) for letter in found)


def test_a_bad_file_holds_up_no_other(deployed: Deployed, takings: Takings, tmp_path: Path) -> None:
    """It waits as a dead letter; once the shop's policy allows bad rows, it is put back and counts.

    Another file is put back with it, and is a duplicate.
    """
    assert processed(deployed, policy="file") == ["SUCCEEDED"]
    root = run_locally(tmp_path, policy="file")
    assert (published(STORE), story(STORE)) == (published(root), story(root))
    bad = ["failed/order_items/bad.csv", "failed/order_items/bad.csv.reason.json"]
    assert deployed.keys("raw-data", "processed", "failed") == [*bad, *GOOD]
    assert letters(deployed) == [("raw-data/order-items/bad.csv", "failed")]

    deployed.set(policy="row", max_rejected="50%")
    put_back = takings("aws", "redrive", STORE)
    assert (put_back.code, put_back.out) == (0, "raw-data/order-items/bad.csv: pending again\n"), put_back.err
    assert takings("aws", "redrive", STORE).out == "s3://shop: the dead-letter queue is empty\n"
    assert deployed.keys("raw-data") == ["raw-data/order-items/bad.csv"]
    deployed.drop("products/a.csv", PRODUCTS)
    assert deployed.look(at_once=True)["detected"] == "started"
    assert deployed.settled(executions=2) == ["SUCCEEDED", "SUCCEEDED"]
    drop(root, "order-items/bad.csv", BAD)
    drop(root, "products/a.csv", PRODUCTS)
    run(root, policy="row", max_rejected="50%")
    assert (published(STORE), story(STORE)) == (published(root), story(root))
    assert "processed/order_items/bad.csv" in deployed.keys("processed")
    assert deployed.letters() == []


def test_the_strict_policy_refuses_the_whole_batch(deployed: Deployed, takings: Takings, tmp_path: Path) -> None:
    """The execution ends as refused, nothing is published, and all files come back once the policy changes."""
    assert processed(deployed, policy="strict") == ["SUCCEEDED"]
    root = run_locally(tmp_path, policy="strict")
    assert published(STORE) == published(root)
    assert story(STORE) == story(root)
    assert {status for _, status, *_ in story(STORE)} == {LineageStatus.FAILED}
    keys = ["order-items/a.csv", "order-items/bad.csv", "orders/a.csv", "products/a.csv"]
    assert letters(deployed) == [(f"raw-data/{key}", "failed") for key in keys]

    deployed.set(policy="file", batch_files="4")
    deployed.aws.lose_events()
    assert len(takings("aws", "redrive", STORE).out.splitlines()) == 4
    assert len(deployed.aws.held_events()) == 4
    deployed.aws.release_events(3)
    assert deployed.settled(executions=2) == ["SUCCEEDED", "SUCCEEDED"]
    again = run_locally(tmp_path / "again", policy="file")
    assert published(STORE) == published(again)
    assert letters(deployed) == [("raw-data/order-items/bad.csv", "failed")]


def test_the_row_policy_leaves_bad_rows_out(deployed: Deployed, tmp_path: Path) -> None:
    """The file counts without its bad row, which is quarantined; there is no dead letter.

    The bucket has its own contracts, and somebody removes the staged rows: they are staged again.
    """
    for contract in files("takings.contracts").iterdir():
        if contract.name.endswith(".odcs.yaml"):
            deployed.put(f"contracts/{contract.name}", contract.read_bytes())
    deployed.run_services(stopping_at("task.done", names.VALIDATION))
    started(deployed, policy="row", max_rejected="50%", contracts=f"{STORE}/contracts")
    task = deployed.stopped_at("task.done", names.VALIDATION)
    deployed.remove("staging/")
    os.kill(task["pid"], signal.SIGCONT)
    assert deployed.settled() == ["SUCCEEDED"]
    root = run_locally(tmp_path, policy="row", max_rejected="50%")
    assert (published(STORE), story(STORE)) == (published(root), story(root))
    assert deployed.keys("raw-data", "processed") == sorted([*GOOD, "processed/order_items/bad.csv"])
    assert deployed.letters() == []
