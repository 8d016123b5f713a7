"""KPI tables of a shop's own on the command line: printed, explained, verified, restated, and refused with file and line."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from tests.cli.terminal import Takings
from tests.own_kpis import EXAMPLES, contracts_with_kpis, margin
from tests.shop import csv_of, drop, drop_all, item, new_store, order


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a store whose settings name contracts with the examples beside its files."""
    root = drop_all(new_store(tmp_path / "shop"))
    contracts_with_kpis(root / "contracts")
    (root / "takings.toml").write_text(f"contracts = {json.dumps(str(root / 'contracts'))}\n")
    return root


def test_a_table_is_printed_in_every_format(takings: Takings, root: Path, tmp_path: Path) -> None:
    """By its name, whatever its case."""
    ended = takings("run", root, "--now")
    assert (ended.code, ended.err) == (0, "")
    assert "3 keys of CategoryMargins" in ended.out
    csv = takings("kpis", root, "--table", "categorymargins", "--format", "csv", "--category", "Books")
    assert csv.out == (
        "category,order_date,items_sold,revenue,cost,gross_margin,margin_rate\nBooks,2025-03-30,1,10.00,1.00,9.00,90.00\n"
    )
    table = takings("kpis", root, "--table", "ProductSales", "--from", "2025-03-31").out.splitlines()
    assert table[0].strip() == "ProductSales"
    assert table[-2].split() == ["3", "2025-03-31", "1", "1", "4.25", "4.25", "100.00"]
    (first, _) = json.loads(takings("kpis", root, "--table", "CountryCustomers", "--format", "json").out)
    assert {**first, "batch_id": "", "computed_at": "", "definition": ""} == {
        "country": None,
        "order_date": "2025-03-30",
        "orders": 2,
        "customers": 2,
        "orders_per_customer": "1.00",
        "commit": 1,
        "batch_id": "",
        "computed_at": "",
        "definition": "",
    }
    output = tmp_path / "sales.parquet"
    takings("kpis", root, "--table", "ProductSales", "--format", "parquet", "--output", output)
    found = duckdb.execute(f"select product_id, typeof(product_id), revenue_share from '{output}' order by 1 limit 1")
    assert [str(part) for part in found.fetchall()[0]] == ["1", "BIGINT", "33.06"]


def test_tables_are_checked_on_demand(takings: Takings, root: Path) -> None:
    """Before there is anything in the lake; nothing is written."""
    checked = takings("kpis", root, "--check")
    assert (checked.code, checked.err) == (0, "")
    assert "CategoryMargins: sound on duckdb, one row per category, order_date\n" in checked.out
    assert sorted(path.name for path in root.iterdir()) == ["contracts", "raw-data", "takings.toml"]
    sql = root / "contracts" / "kpis" / "product_sales.sql"
    sql.write_text(sql.read_text().replace("sum(amount)", "sum(amount) / 2"))
    assert takings("kpis", root, "--check").code == 2
    assert takings("kpis", root, "--engine", "spark").code == 2


def test_a_run_without_files_says_what_it_published(takings: Takings, root: Path) -> None:
    """A new table, with nothing else to do."""
    (root / "contracts" / "kpis").rename(root / "later")
    takings("run", root, "--now")
    (root / "later").rename(root / "contracts" / "kpis")
    (root / "contracts" / "kpis" / "country_customers.sql").unlink()
    (root / "contracts" / "kpis" / "country_customers.yaml").unlink()
    ended = takings("run", root)
    published = "3 keys of CategoryMargins, 2 keys of DepartmentReturns, 3 keys of ProductSales"
    assert ended.out.splitlines()[0] == f"published without a batch: {published}"
    yaml = root / "contracts" / "kpis" / "product_sales.yaml"
    yaml.write_text(yaml.read_text() + "checks:\n  - revenue >= 0\n")
    assert json.loads(takings("run", root, "--json").out)["caught_up"] == {"ProductSales": 3}
    assert takings("run", root).out == "nothing to do: no file is pending\n"


def test_wrong_names_are_told(takings: Takings, root: Path) -> None:
    """An unknown table, a category of a table without one, two tables."""
    takings("run", root, "--now")
    unknown = takings("kpis", root, "--table", "Margin")
    assert unknown.code == 2
    assert "there is no KPI table 'Margin'. There are OrderKPIs, CategoryKPIs, CategoryMargins" in unknown.err
    assert takings("kpis", root, "--table", "ProductSales", "--category", "Books").code == 2
    assert takings("kpis", root, "--table", "ProductSales", "--by", "category").code == 2


def test_a_key_is_explained(takings: Takings, root: Path) -> None:
    """The rows behind it; an order without items too, where it has the column."""
    takings("run", root, "--now")
    found = takings("explain", root, "2025-03-30", "--of", "product_id=2", "--of", "department=Home", "--format", "csv")
    assert [line.split(",")[3] for line in found.out.splitlines()] == ["item_id", "2"]
    drop(root, "orders/b.csv", csv_of(order(9, "2025-04-02T09:00:00", country="DE")))
    takings("run", root, "--now")
    found = takings("explain", root, "2025-04-02", "--of", "country=DE", "--format", "csv")
    assert [line.split(",")[2] for line in found.out.splitlines()] == ["order_id", "9"]
    absent = takings("explain", root, "2025-03-30", "--of", "department=Garden")
    assert (absent.code, "there is no row of department 'Garden' on 2025-03-30" in absent.err) == (2, True)
    assert "items have no column 'colour'" in takings("explain", root, "2025-03-30", "--of", "colour=red").err
    assert takings("explain", root, "2025-03-30", "--of", "red").code == 2


def test_a_stale_table_says_why(takings: Takings, root: Path) -> None:
    """Wherever it is shown; the batch is done all the same."""
    for name, text in margin(
        yaml=(EXAMPLES / "category_margins.yaml").read_text().replace("cost >= 0", "cost < 3")
    ).items():
        (root / "contracts" / "kpis" / name.replace("margin", "category_margins")).write_text(text)
    takings("run", root, "--now")
    drop(root, "order-items/b.csv", csv_of(*(item(n, 1) for n in range(10, 13))))
    ended = takings("run", root, "--now")
    reason = "stale CategoryMargins: cost < 3: it is 4 for category Books, order_date 2025-03-30;"
    assert (ended.code, reason in ended.out) == (0, True)
    assert "3 keys of CategoryMargins" not in ended.out
    assert reason in takings("status", root).out
    shown = takings("kpis", root, "--table", "CategoryMargins", "--format", "json")
    assert json.loads(shown.out)[0]["stale"].startswith("cost < 3")
    assert reason in shown.err
    assert reason in takings("restate", root).out
    verified = takings("verify", root)
    assert (verified.code, "CategoryMargins Books, 2025-03-30: cost is 1.00, the lake says 4.00" in verified.out) == (
        1,
        True,
    )


def test_a_check_that_warns_is_shown(takings: Takings, root: Path) -> None:
    """Once by the run, in the batch's outcome, and wherever the table is shown; the table is published."""
    yaml = root / "contracts" / "kpis" / "category_margins.yaml"
    yaml.write_text(yaml.read_text() + "  - warn: cost < 3\n")
    takings("run", root, "--now")
    drop(root, "order-items/b.csv", csv_of(*(item(n, 1) for n in range(10, 13))))
    sentence = "cost < 3: it is 4 for category Books, order_date 2025-03-30."
    ended = takings("run", root, "--now")
    assert (ended.code, ended.out.count(f"warning CategoryMargins: {sentence}")) == (0, 1)
    assert "2 keys of CategoryMargins" in ended.out
    (newest, _) = sorted((root / "batches").iterdir(), reverse=True)
    assert json.loads((newest / "outcome.json").read_text())["kpi_warnings"] == {"CategoryMargins": sentence}
    assert json.loads(takings("batches", root, newest.name, "--json").out)["kpi_warnings"] == {
        "CategoryMargins": sentence
    }
    for again in (
        takings("status", root),
        takings("run", root),
        takings("restate", root),
        takings("batches", root, newest.name),
    ):
        assert f"warning CategoryMargins: {sentence}" in again.out
    assert json.loads(takings("status", root, "--json").out)["kpi_warnings"] == {"CategoryMargins": sentence}
    shown = takings("kpis", root, "--table", "CategoryMargins", "--format", "json")
    assert {row["warning"] for row in json.loads(shown.out)} == {sentence}
    assert sentence in shown.err


def test_a_table_that_cannot_be_used_is_refused(takings: Takings, root: Path) -> None:
    """Before anything is done, with file and line."""
    sql = root / "contracts" / "kpis" / "product_sales.sql"
    sql.write_text(sql.read_text().replace("sum(amount)", "avg(amount)"))
    ended = takings("run", root, "--now")
    assert (ended.code, ended.out) == (2, "")
    assert f"{sql}:7: 'avg' rounds. Select sum and count" in ended.err.replace("\n", "")
