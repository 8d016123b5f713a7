"""The API and the pages mark incomplete days, and a batch's page shows what its rows replaced."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shop import csv_of, drop, drop_all, item, new_store, order, run
from tests.web.looking import Asker, asking
from tests.web.site import served


@pytest.fixture(scope="module")
def lacking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with a waiting item, one without an order, a refused file, and another order with the same number."""
    root = drop_all(new_store(tmp_path_factory.mktemp("lacking") / "shop"))
    drop(root, "order-items/waiting.csv", csv_of(item(8, 1, 404, "2.50"), item(9, 99)))
    run(root)
    drop(root, "orders/b.csv", csv_of(order(3, "2025-03-30T11:00:00", user_id=99)))
    drop(root, "orders/bad.csv", csv_of(order(1), order(4, status="lost")))
    run(root)
    return root


@pytest.fixture(scope="module")
def ask(lacking: Path) -> Iterator[Asker]:
    """Return a function that sends requests to that store."""
    with served(lacking) as address, asking(address) as ask:
        yield ask


def test_rows_of_an_incomplete_day_say_what_is_missing(ask: Asker) -> None:
    """By day and by category; what has no day is reported separately."""
    document = ask.json("/api/v1/kpis")
    missing = {
        "sentence": "1 item worth 2.50 waits for its product; orders/bad.csv of this day was refused",
        "waiting_items": 1,
        "waiting_worth": "2.50",
        "orders_without_items": 0,
        "refused": ["raw-data/orders/bad.csv"],
    }
    assert {row["order_date"]: row["incomplete"] for row in document["rows"]} == {"2025-03-30": missing}
    assert document["notes"] == ["1 item worth 10.00 waits for its order"]
    assert {row["incomplete"]["sentence"] for row in ask.json("/api/v1/kpis?by=category")["rows"]} == {
        missing["sentence"]
    }


def test_csv_stays_as_it_is(ask: Asker) -> None:
    """Its columns are only the KPIs."""
    assert ask("/api/v1/kpis?format=csv").text.splitlines()[1] == (
        "2025-03-30,3,34.50,3,33.33,3,11.50,20.25,4.25,10.00"
    )


def test_the_pages_show_it(ask: Asker) -> None:
    """The overview above its numbers and in its table, and the day's page."""
    page = ask("/").text
    assert "1 incomplete day</strong>" in page
    assert "1 item worth 2.50 waits for its product; orders/bad.csv of this day was refused" in page
    assert "1 item worth 10.00 waits for its order." in page
    assert 'title="1 item worth 2.50 waits' in page
    assert "Incomplete: 1 item worth 2.50 waits" in ask("/explain/2025-03-30").text


def test_a_batch_shows_what_its_rows_replaced(ask: Asker) -> None:
    """In the list of the API, and on its page with the warning."""
    newest, first = ask.json("/api/v1/batches")["rows"]
    assert (newest["rows"], newest["warnings"]) == ({"new": 0, "changed": 1, "unchanged": 0, "older": 0}, 1)
    assert (first["rows"], first["warnings"]) == ({"new": 11, "changed": 0, "unchanged": 0, "older": 0}, 1)
    page = ask(f"/batches/{newest['batch_id']}").text
    assert "1 order changes both user_id and created_at" in page
    assert "0 new, 1 changed" in page
