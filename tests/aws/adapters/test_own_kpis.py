"""KPI tables of a shop's own in a bucket: found with its contracts there, published and restated as in a folder."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from takings.adapters.aws.platform import CONTRACTS
from takings.queries.verification import verify
from takings.runs import pipeline
from tests.aws.harness.athena import Athena, put_export
from tests.aws.harness.shop import STORE, S3Shop
from tests.cli.conftest import takings as takings_fixture
from tests.cli.terminal import Takings
from tests.own_kpis import contracts_with_kpis, csv_of_table
from tests.shop import ITEMS, ORDERS, PRODUCTS, csv_of, drop, item, new_store, opened, order, product, run

takings = takings_fixture
STORY = (
    {"products/a.csv": PRODUCTS, "orders/a.csv": ORDERS, "order-items/a.csv": ITEMS},
    {"products/b.csv": csv_of(product(3, "Games", cost="2.50"), product(1, "Books", department="Away"))},
    {
        "orders/b.csv": csv_of(order(3, "2025-04-02T08:00:00", country="DE")),
        "order-items/b.csv": csv_of(item(1, 1, 1, "10.00", status="returned")),
    },
)


def test_a_bucket_has_the_same_own_tables_as_a_folder(shop: S3Shop, tmp_path: Path) -> None:
    """After corrections of cost, category, department, day and status."""
    contracts = Path(contracts_with_kpis(tmp_path / "contracts"))
    for path in contracts.rglob("*"):
        if path.is_file():
            shop.bucket.create(f"{CONTRACTS}/{path.relative_to(contracts)}", path.read_bytes())
    root = new_store(tmp_path / "shop")
    with opened(STORE, contracts=f"{STORE}/{CONTRACTS}") as there, opened(root, contracts=str(contracts)) as here:
        for batch in STORY:
            for file, content in batch.items():
                drop(root, file, content)
                shop.drop(file, content)
            published = [pipeline.run(each.ports, at_once=True).batches[0].published for each in (there, here)]
            assert published[0] == published[1]
            for table in (table.name for table in here.ports.kpi_tables if table.own is not None):
                assert csv_of_table(there, table) == csv_of_table(here, table), table
        assert "Games,2025-04-02,1,4.25,2.50,1.75,41.18" in csv_of_table(there, "CategoryMargins")
        assert verify(there.ports).differences == ()
        assert there.ports.ledger.gate().own_tables == here.ports.ledger.gate().own_tables


@pytest.mark.parametrize("aws", ["ministack"], indirect=True)
def test_every_table_with_kpis_is_exported(shop: S3Shop, tmp_path: Path, takings: Takings) -> None:
    """Without names: that of the shop's own too, once its contracts have a table; named ones alone."""
    assert exported_tables(takings) == ["OrderKPIs", "CategoryKPIs"]
    contracts = Path(contracts_with_kpis(tmp_path / "contracts"))
    for path in (path for path in contracts.rglob("*") if path.is_file()):
        shop.bucket.create(f"{CONTRACTS}/{path.relative_to(contracts)}", path.read_bytes())
    shop.bucket.create("takings.toml", f"contracts = '{STORE}/{CONTRACTS}'".encode())
    assert exported_tables(takings) == ["OrderKPIs", "CategoryKPIs", "OwnKPIs"]
    assert exported_tables(takings, "--table", "OrderKPIs") == ["OrderKPIs"]


def exported_tables(takings: Takings, *options: str) -> list[str]:
    """Return which tables `takings aws export` begins to export."""
    ended = takings("aws", "export", STORE, "--json", "--no-wait", *options)
    assert ended.code == 0, ended
    return [each["table"] for each in json.loads(ended.out)["exports"]]


def test_an_export_of_own_tables_is_read_as_takings_prints_it(shop: S3Shop, tmp_path: Path, takings: Takings) -> None:
    """By a view for each table; a key that has no rows any more is hidden, an empty part of a key is null."""
    contracts = Path(contracts_with_kpis(tmp_path / "contracts"))
    for path in (path for path in contracts.rglob("*") if path.is_file()):
        shop.bucket.create(f"{CONTRACTS}/{path.relative_to(contracts)}", path.read_bytes())
    shop.bucket.create("takings.toml", f"contracts = '{STORE}/{CONTRACTS}'".encode())
    shop.drop_all()
    run(STORE)
    shop.drop("products/b.csv", csv_of(product(1, "Toys")))
    run(STORE)
    for table in ("OrderKPIs", "CategoryKPIs", "OwnKPIs"):
        put_export(shop.clients, table, "01743492514028-aaaaaaaa")
    printed = takings("aws", "athena", STORE, "--json")
    assert printed.code == 0, printed
    with closing(duckdb.connect()) as connection, opened(STORE) as here:
        athena = Athena(clients=shop.clients, connection=connection, folder=tmp_path / "athena")
        athena.run(json.loads(printed.out)["statements"])
        for name, view, key in (
            ("CategoryMargins", "own_category_margins", "category, order_date"),
            ("CountryCustomers", "own_country_customers", "country, order_date"),
        ):
            assert athena.csv(f"select * from takings.{view} order by {key}") == csv_of_table(here, name)
