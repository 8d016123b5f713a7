"""The page of a store in a bucket."""

from __future__ import annotations

import pytest

from tests.aws.harness.shop import STORE, S3Shop
from tests.emulators import Emulator
from tests.shop import csv_of, item, published, run
from tests.web.looking import asking
from tests.web.site import served


def test_a_store_in_a_bucket_is_shown_as_one_in_a_folder(moto: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers, pages, downloads, and what arrives while it is open."""
    shop = S3Shop(clients=moto.emptied(monkeypatch))
    shop.drop_all()
    shop.drop("order-items/bad.csv", csv_of(item(9, 1, sale_price="=1+1")))
    with served(STORE) as site, asking(site) as ask:
        assert ask.json("/api/v1/kpis")["rows"] == []
        run(STORE)
        assert ask("/api/v1/kpis?format=csv").text == published(STORE)[0]
        batch = ask.json("/api/v1/batches")["rows"][0]["batch_id"]
        pages = ("/", "/batches", f"/batches/{batch}", f"/batches/{batch}/restated", "/files", "/quality", "/metrics")
        for address in (*pages, "/explain/2025-03-30?category=Toys"):
            assert ask(address, accept="text/html").status_code == 200, address
        assert "sale_price|type" in ask(f"/batches/{batch}/reasons.csv?key=raw-data/order-items/bad.csv").text
