"""A batch's steps on different machines: each finds in the bucket what the previous one staged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from takings import layout
from takings.layout import BatchId
from takings.ports import ValidationEngine
from takings.runs import steps
from takings.runs.pipeline import claim_batch, look
from tests.aws.harness.shop import STORE, S3Shop
from tests.shop import drop, drop_all, new_store, opened, published, run
from tests.till import EXPORT, ZONE, contracts_with, till


class NeverAsked:
    """A validation engine that must not be used."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name}: the file was validated again")


@pytest.fixture
def batch_id(shop: S3Shop) -> BatchId:
    """Return a batch that was started."""
    shop.drop_all()
    with opened(STORE) as here:
        sighting, _ = look(here.ports, here.ports.ledger.gate(), at_once=True)
        claimed = claim_batch(here.ports, here.ports.ledger.gate(), sighting.drops)
    assert claimed is not None
    return BatchId(str(claimed.batch_id))


@pytest.fixture
def of_a_folder(tmp_path: Path) -> tuple[str, str]:
    """Return the numbers of the same drops in a folder."""
    root = drop_all(new_store(tmp_path / "shop"))
    run(root)
    return published(root)


def validate(batch_id: BatchId) -> None:
    """Validate on a separate machine: every opened store in a bucket has its own work folder."""
    with opened(STORE) as here:
        steps.validate(here.ports, batch_id, 1)


def transform(batch_id: BatchId, validation: object | None = None) -> None:
    """Transform on another machine, possibly with another validation engine."""
    with opened(STORE) as there:
        ports = there.ports
        if validation is not None:
            ports = replace(ports, validation=cast("ValidationEngine", validation))
        steps.transform(ports, batch_id, 1)


def staged(shop: S3Shop, batch_id: BatchId) -> list[str]:
    """Return the keys of staged rows, by dataset."""
    return sorted(info.key for info in shop.bucket.list(layout.staging(batch_id)))


def test_no_file_is_validated_twice(shop: S3Shop, batch_id: BatchId, of_a_folder: tuple[str, str]) -> None:
    """The rows come from the bucket, and none are left there after the batch."""
    validate(batch_id)
    assert [key.split("/")[2] for key in staged(shop, batch_id)] == ["order_items", "orders", "products"]
    transform(batch_id, NeverAsked())
    with opened(STORE) as anywhere:
        outcome = steps.archive(anywhere.ports, batch_id, 1)
    assert outcome is not None
    assert outcome.commit == 1
    assert published(STORE) == of_a_folder
    assert staged(shop, batch_id) == []


def test_rows_that_are_gone_are_staged_again(shop: S3Shop, batch_id: BatchId, of_a_folder: tuple[str, str]) -> None:
    """From the originals, whose bytes the bucket still has."""
    validate(batch_id)
    shop.bucket.delete(staged(shop, batch_id)[:1])
    with pytest.raises(AssertionError, match="validated again"):
        transform(batch_id, NeverAsked())
    transform(batch_id)
    assert published(STORE) == of_a_folder


def test_validation_may_be_repeated_on_another_machine(shop: S3Shop, batch_id: BatchId) -> None:
    """It finds the verdicts, and what is shared stays."""
    validate(batch_id)
    before = staged(shop, batch_id)
    validate(batch_id)
    assert staged(shop, batch_id) == before
    transform(batch_id, NeverAsked())


def test_a_source_in_a_bucket_is_taken_through_its_steps(shop: S3Shop, tmp_path: Path) -> None:
    """Its folder and SQL come from the bucket; if a file of rows is missing, all are made again."""
    contracts = contracts_with(tmp_path / "contracts", till=till())
    for file in (path for path in contracts.rglob("*") if path.is_file()):
        shop.bucket.create(f"contracts/{file.relative_to(contracts).as_posix()}", file.read_bytes())
    shop.bucket.create("takings.toml", f'contracts = "{STORE}/contracts"\ntime_zone = "{ZONE}"\n'.encode())
    shop.drop("till/may/export.csv", EXPORT)
    root = new_store(tmp_path / "shop")
    drop(root, "till/may/export.csv", EXPORT)
    of_a_folder: dict[str, Any] = {"contracts": str(contracts), "time_zone": ZONE}
    run(root, **of_a_folder)

    with opened(STORE) as here:
        sighting, _ = look(here.ports, here.ports.ledger.gate(), at_once=True)
        claimed = claim_batch(here.ports, here.ports.ledger.gate(), sighting.drops)
    assert claimed is not None
    batch_id = BatchId(str(claimed.batch_id))
    validate(batch_id)
    assert [key.split("/")[2] for key in staged(shop, batch_id)] == ["order_items", "orders", "products"]
    shop.bucket.delete(staged(shop, batch_id)[1:2])
    transform(batch_id)
    with opened(STORE) as anywhere:
        outcome = steps.archive(anywhere.ports, batch_id, 1)
    assert outcome is not None
    assert published(STORE) == published(root, **of_a_folder)
    assert shop.files("processed", "failed") == ["processed/till/may/export.csv"]
