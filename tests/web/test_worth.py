"""The page and the API show what items with roles are worth; a usual shop's page stays as narrow as before."""

from __future__ import annotations

from pathlib import Path

from tests.shop import csv_of, drop, drop_all, item, new_store, run
from tests.web.looking import Asker, asking
from tests.web.site import served
from tests.worths import contracts_of_worth


def test_the_rows_behind_a_day_show_pieces_and_values(tmp_path: Path) -> None:
    """They add up to the published numbers."""
    root = drop_all(new_store(tmp_path / "shop"))
    contracts = contracts_of_worth(tmp_path / "contracts")
    (root / "takings.toml").write_text(f'contracts = "{contracts}"\n', encoding="utf-8")
    drop(root, "order-items/b.csv", csv_of(item(4, 3, 3, qty=3, taken_off="1.00", paid_back="2.50")))
    run(root)
    with served(root) as address, asking(address) as ask:
        document = ask.json("/api/v1/explain?day=2025-03-31")
        page = ask("/explain/2025-03-31").text
    worth = [
        [row[column] for column in ("item_id", "pieces", "amount", "returned_value", "cancelled_value")]
        for row in document["rows"]
    ]
    assert worth == [[3, 1, "4.25", "0.00", "4.25"], [4, 3, "29.00", "2.50", "0.00"]]
    assert document["revenue"] == "33.25"
    assert "as published" in page
    assert '<th scope="col" class="num">Pieces</th><th scope="col" class="num">Amount</th>' in page
    assert '<td class="num">29.00</td><td class="num">2.50</td>' in page


def test_a_usual_shop_has_no_such_columns(ask: Asker) -> None:
    """Each item is one piece, worth its price."""
    page = ask("/explain/2025-03-30").text
    assert "<th" in page
    assert "Pieces" not in page
