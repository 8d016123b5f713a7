"""The pages and the API show a source's files like any others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shop import drop, new_store, run
from tests.till import EXPORT, contracts_with, till
from tests.web.looking import Asker, asking
from tests.web.site import served

KEY = "raw-data/till/bad.csv"


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    """Return a function that sends requests to a store with a good and a bad file of a source."""
    folder: Path = tmp_path_factory.mktemp("till")
    root = new_store(folder / "shop")
    contracts = contracts_with(folder / "contracts", till=till())
    (root / "takings.toml").write_text(f'contracts = "{contracts}"\n', encoding="utf-8")
    drop(root, "till/a.csv", EXPORT)
    drop(root, "till/bad.csv", EXPORT.replace(b"Tray,10.00", b"Tray,ten"))
    run(root)
    with served(root) as address, asking(address) as ask:
        yield ask


def test_the_api_names_the_source(ask: Asker) -> None:
    """In the same place as the dataset of another file."""
    files = ask.json("/api/v1/files")["rows"]
    assert sorted((file["key"], file["dataset"], file["verdict"]) for file in files) == [
        ("raw-data/till/a.csv", "till", "accepted"),
        (KEY, "till", "rejected"),
    ]
    violations = ask.json("/api/v1/violations?dataset=till")["rows"]
    assert [(found["key"], found["rule"], found["records"]) for found in violations] == [
        (KEY, "order_items.sale_price|type", 1)
    ]


def test_the_pages_show_rows_made_and_reasons(ask: Asker) -> None:
    """Per dataset, with the line for whoever corrects the file."""
    (batch,) = ask.json("/api/v1/batches")["rows"]
    page = ask(f"/file?key={KEY}").text
    assert "3 read = 0 accepted + 3 rejected + 0 identical duplicates" in page
    assert "order_items: 3 made = 0 accepted + 3 rejected + 0 identical duplicates" in page
    assert "order_items.sale_price|type" in ask(f"/batches/{batch['batch_id']}").text
    reasons = ask(f"/batches/{batch['batch_id']}/reasons.csv?key={KEY}").text.splitlines()
    assert [line.split(",")[0:4] for line in reasons[1:]] == [
        ["3", "1", "order_items.sale_price", "order_items.sale_price|type"]
    ]
