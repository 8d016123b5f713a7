"""KPI tables of a shop's own on the page and in the API."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import jsonschema
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.own_kpis import contracts_with_kpis, csv_of_table, margin
from tests.shop import csv_of, drop, drop_all, item, new_store, opened, run
from tests.web.looking import Asker, asking
from tests.web.site import served


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with a margin that is stale for its third day."""
    root = drop_all(new_store(tmp_path_factory.mktemp("own") / "shop"))
    yaml = margin()["margin.yaml"].replace("cost >= 0", "cost < 3") + "  - warn: revenue < 20\n"
    contracts_with_kpis(root / "contracts", margin(yaml=yaml))
    (root / "takings.toml").write_text(f"contracts = {json.dumps(str(root / 'contracts'))}\n")
    run(root)
    drop(root, "order-items/b.csv", csv_of(*(item(n, 1) for n in range(10, 13))))
    run(root)
    return root


@pytest.fixture(scope="module")
def address(shop: Path) -> Iterator[str]:
    """Return where that store is shown."""
    with served(shop) as address:
        yield address


@pytest.fixture(scope="module")
def ask(address: str) -> Iterator[Asker]:
    """Return what asks for it."""
    with asking(address) as ask:
        yield ask


def test_tables_are_listed_with_the_schema_of_their_rows(ask: Asker) -> None:
    """Shipped ones too; every row keeps to it."""
    tables = ask.json("/api/v1/tables")["rows"]
    assert [(table["table"], table["is_own"]) for table in tables] == [
        ("OrderKPIs", False),
        ("CategoryKPIs", False),
        ("CategoryMargins", True),
    ]
    assert tables[2]["stale"].startswith("cost < 3: it is 4 for category Books")
    assert tables[2]["warning"] == "revenue < 20: it is 20.25 for category Toys, order_date 2025-03-30."
    for table in tables:
        rows = ask.json(f"/api/v1/tables/{table['table']}")["rows"]
        assert rows
        for row in rows:
            jsonschema.validate(row, table["row_schema"])


def test_rows_come_in_pages_as_csv_and_as_parquet(ask: Asker, shop: Path, tmp_path: Path) -> None:
    """As `takings kpis --table` prints them."""
    with opened(shop) as here:
        printed = csv_of_table(here, "CategoryMargins")
    assert ask("/api/v1/tables/CategoryMargins?format=csv").text == printed
    first = ask.json("/api/v1/tables/CategoryMargins?limit=2")
    second = ask.json(f"/api/v1/tables/CategoryMargins?limit=2&cursor={first['next']}")
    assert [(row["category"], row["margin_rate"]) for row in (*first["rows"], *second["rows"])] == [
        (row["category"], row["margin_rate"]) for row in csv.DictReader(io.StringIO(printed))
    ]
    (file := tmp_path / "margins.parquet").write_bytes(ask("/api/v1/tables/CategoryMargins?format=parquet").content)
    assert duckdb.execute(f"select count(*), sum(gross_margin) from '{file}'").fetchone() == (3, 31.50)
    assert ask("/api/v1/tables/Margins").status_code == 404


def test_rows_are_limited_by_parts_of_their_key(ask: Asker) -> None:
    """In the API and on the page; a name that is no part of it is refused."""
    found = ask.json("/api/v1/tables/CategoryMargins?category=Toys&to=2025-03-30")
    assert [(row["category"], row["order_date"]) for row in found["rows"]] == [("Toys", "2025-03-30")]
    assert ask.json("/api/v1/tables/CategoryMargins?category=Hats")["rows"] == []
    assert ask.json("/api/v1/tables/CategoryMargins?category=")["rows"] == []
    assert ask("/api/v1/tables/CategoryMargins?brand=A").status_code == 404
    page = ask("/tables/CategoryMargins?category=Toys").text
    assert 'only category Toys · <a href="/tables/CategoryMargins?from=2025-03-30' in page
    assert "category=Books" not in page


def test_the_rows_behind_a_key_are_one_link_away(ask: Asker) -> None:
    """By any column of items, orders and products, in the API and on the page."""
    page = ask("/tables/CategoryMargins").text
    assert '<a href="/explain/2025-03-30?category=Toys">2025-03-30</a>' in page
    rows = ask.json("/api/v1/explain?day=2025-03-30&department=Home&product_id=2")["rows"]
    assert [(row["item_id"], row["category"]) for row in rows] == [(2, "Toys")]
    page = ask("/explain/2025-03-30?department=Home&product_id=2").text
    assert "Every item with department Home and product_id 2 on that day" in page
    assert ">1 row<" in page
    assert ask("/api/v1/explain?day=2025-03-30&department=Garden").status_code == 404
    assert "items have no column" in ask("/api/v1/explain?day=2025-03-30&colour=red").text


def test_a_table_has_a_page(ask: Asker) -> None:
    """In the menu, with a chart, the rows, and why it is stale."""
    assert 'href="/tables"' in ask("/").text
    assert 'href="/tables/CategoryMargins"' in ask("/tables").text
    page = ask("/tables/CategoryMargins").text
    assert 'data-chart="measure"' in page
    assert '<td class="num" data-v="19.25">19.25</td>' in ask("/tables/CategoryMargins?column=gross_margin").text
    assert 'column=revenue&amp;category=Books">Books</a></td><td><a href="/explain/2025-03-30?category=Books">' in page
    assert "These numbers are stale." in page
    assert "A check warns." in page
    assert "revenue &lt; 20: it is 20.25 for category Toys" in page
    assert ask("/tables/CategoryMargins?column=colour", accept="text/html").status_code == 404
    assert ask("/tables/OrderKPIs").status_code == 404


@pytest.mark.xdist_group("browser")
def test_a_browser_draws_the_chart_and_keeps_nobody_out(page: Page, address: str) -> None:
    """From the table beside it; axe finds nothing serious on either page."""
    for path in ("/tables", "/tables/CategoryMargins?column=margin_rate"):
        page.goto(address + path)
        page.wait_for_selector("html[data-live=true]")
        found = Axe().run(page).response["violations"]
        assert [each["id"] for each in found if each["impact"] in {"serious", "critical"}] == []
    expect(page.locator("figure[data-chart=measure]:has(canvas)")).to_have_count(1)
