"""`takings aws athena`: its statements read exports and the lake as Takings does. Athena itself has not run them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import date
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest
from jsonschema import Draft202012Validator

from takings.adapters.aws.athena import athena_statements
from takings.adapters.aws.clients import Clients
from takings.adapters.aws.exports import Export
from takings.contracts.model import Dataset
from takings.contracts.worth import Worth
from takings.kpis import KpiRow, load_kpi_tables
from takings.kpis.definitions import KpiValue
from tests.aws.harness.athena import Athena, put, put_export
from tests.aws.harness.shop import STORE, S3Shop
from tests.cli.conftest import takings as takings_fixture
from tests.cli.terminal import Takings, unwrapped
from tests.emulators import BUCKET, Emulator
from tests.shop import NOON, csv_of, item, opened, order, product, run

takings = takings_fixture
#: one shop for each process that runs these tests
pytestmark = pytest.mark.xdist_group("athena")
OLD, NEW, BEGUN = "01743492514028-aaaaaaaa", "01743492515028-bbbbbbbb", "01743492516028-cccccccc"
#: a day whose ratios have no value; no batch with sales makes one
WITHOUT_ORDERS: Final[dict[str, KpiValue]] = {
    "total_orders": 0,
    "total_revenue": Decimal("12345678901234567890.50"),
    "total_items_sold": 0,
    "return_rate": None,
    "unique_customers": 0,
    "avg_order_value": None,
    "returned_value": Decimal("0.00"),
    "cancelled_value": Decimal("0.10"),
    "net_revenue": Decimal("12345678901234567890.40"),
}
#: by day and by category, in the order of `takings kpis`
QUERIES: Final = {
    "day": "select * from takings.order_kpis order by order_date",
    "category": "select * from takings.category_kpis order by category, order_date",
}
#: https://docs.aws.amazon.com/athena/latest/ug/delta-lake-tables-supported-data-types-columns.html
DELTA_TYPES: Final = {"long", "string", "decimal(28,16)", "timestamp", "date"}


@pytest.fixture
def athena(sold: S3Shop, tmp_path: Path) -> Iterator[Athena]:
    """Return a DuckDB in Athena's place."""
    with closing(duckdb.connect()) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield Athena(clients=sold.clients, connection=connection, folder=tmp_path)


@pytest.fixture(scope="module")
def made(moto: Emulator) -> Iterator[S3Shop]:
    """Return a shop with a quoted category, a hidden empty day, a waiting item and a row without ratios."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        shop = S3Shop(clients=moto.emptied(monkeypatch))
        shop.drop(
            "products/a.csv", csv_of(product(1, '"Bags, ""Belts"" & Schärpen"'), product(2, "Toys"), product(3, "Toys"))
        )
        shop.drop(
            "orders/a.csv", csv_of(order(1), order(2, user_id=8, status="returned"), order(3, "2025-03-31T09:00:00"))
        )
        shop.drop(
            "order-items/a.csv",
            csv_of(
                item(1, 1, 1, "10.005"),
                item(2, 2, 2, "20.25", status="returned"),
                item(3, 3, 3, "4.25", status="cancelled"),
                item(4, 404, 2, "99.00"),
            ),
        )
        run(STORE)
        shop.drop("orders/b.csv", csv_of(order(3, "2025-04-01T09:00:00")))
        run(STORE)
        publish(date(2025, 4, 2), WITHOUT_ORDERS)
        yield shop


@pytest.fixture
def sold(made: S3Shop) -> S3Shop:
    """Return the same shop without exports."""
    for key in [info.key for info in made.bucket.list("exports/")]:
        made.clients.s3.delete_object(Bucket=BUCKET, Key=key)
    return made


def publish(day: date, values: Mapping[str, KpiValue]) -> None:
    """Publish a day of OrderKPIs."""
    row = KpiRow(key=(day,), values=values, commit=9, batch_id="b", computed_at=NOON, definition="d")
    with opened(STORE) as here:
        here.ports.kpis.publish(load_kpi_tables()[0], [row])


def put_exports(clients: Clients, id_: str) -> None:
    for table in ("OrderKPIs", "CategoryKPIs"):
        put_export(clients, table, id_)


def statements(takings: Takings, *options: str) -> list[dict[str, str]]:
    """Return the command's JSON output, checked against its schema."""
    ended = takings("aws", "athena", STORE, "--json", *options)
    assert ended.code == 0, ended
    document = json.loads(ended.out)
    schema = resources.files("takings") / "schemas" / "athena.schema.json"
    Draft202012Validator(json.loads(schema.read_text())).validate(document)
    found: list[dict[str, str]] = document["statements"]
    return found


def test_an_export_is_read_as_takings_prints_it(sold: S3Shop, takings: Takings, athena: Athena) -> None:
    """Byte for byte, in both tables: no zeros for removed keys, empty ratios, quotes; and never two exports at once."""
    put_exports(sold.clients, OLD)
    shown = {by: takings("kpis", STORE, "--by", by, "--format", "csv").out for by in QUERIES}
    athena.run(statements(takings))
    assert {by: athena.csv(query) for by, query in QUERIES.items()} == shown
    assert shown["day"].splitlines()[1:] == [
        "2025-03-30,2,30.26,2,50.00,2,15.13,20.25,0.00,10.01",
        "2025-04-01,1,4.25,1,0.00,1,4.25,0.00,4.25,0.00",
        "2025-04-02,0,12345678901234567890.50,0,,0,,0.00,0.10,12345678901234567890.40",
    ]
    assert (
        shown["category"].splitlines()[1]
        == '"Bags, ""Belts"" & Schärpen",2025-03-30,10.01,10.01,0.00,1,1,0.00,0.00,10.01'
    )
    hidden = sold.clients.dynamodb.scan(TableName="OrderKPIs")["Items"]
    assert {each["order_date"]["S"] for each in hidden} - {line[:10] for line in shown["day"].splitlines()} == {
        "2025-03-31"
    }

    publish(date(2025, 4, 3), WITHOUT_ORDERS)
    put_exports(sold.clients, NEW)
    newer = {by: takings("kpis", STORE, "--by", by, "--format", "csv").out for by in QUERIES}
    assert {by: athena.csv(query) for by, query in QUERIES.items()} == shown
    athena.run(statements(takings))
    assert {by: athena.csv(query) for by, query in QUERIES.items()} == newer
    assert newer["day"] == shown["day"] + shown["day"].splitlines()[-1].replace("04-02", "04-03") + "\n"


def test_the_lake_s_counted_items_add_up_to_the_kpis(sold: S3Shop, takings: Takings, athena: Athena) -> None:
    """Without an export; waiting items are left out."""
    del sold
    athena.run(statements(takings, "--only-lake", "--database", "north"))
    assert athena.csv(
        "select order_date, category, count(*), cast(sum(sale_price) as decimal(38, 3)), min(counted_as)"
        " from north.counted_items group by 1, 2 order by 1, 2"
    ).splitlines()[1:] == [
        '2025-03-30,"Bags, ""Belts"" & Schärpen",1,10.005,net',
        "2025-03-30,Toys,1,20.250,returned",
        "2025-04-01,Toys,1,4.250,cancelled",
    ]


def test_the_lake_s_tables_ask_nothing_of_a_reader_that_athena_lacks(sold: S3Shop, takings: Takings) -> None:
    """Each location has a log; reader version 1, no features, only types that Athena knows."""
    made = {each["makes"]: each["sql"] for each in statements(takings, "--only-lake")}
    for dataset in Dataset:
        assert f"location 's3://shop/lake/{dataset}/'" in made[f"takings.{dataset}"]
        log = sold.content(f"lake/{dataset}/_delta_log/00000000000000000000.json").decode()
        actions = [json.loads(line) for line in log.splitlines()]
        (protocol,) = [action["protocol"] for action in actions if "protocol" in action]
        (schema,) = [json.loads(action["metaData"]["schemaString"]) for action in actions if "metaData" in action]
        assert protocol == {"minReaderVersion": 1, "minWriterVersion": 2}
        assert {field["type"] for field in schema["fields"]} <= DELTA_TYPES


def test_what_is_printed_for_people_is_the_same(sold: S3Shop, takings: Takings) -> None:
    """One statement after another, each with its semicolon."""
    put_exports(sold.clients, NEW)
    printed = takings("aws", "athena", STORE).out
    assert [each.strip() for each in printed.split(";")[:-1]] == [each["sql"] for each in statements(takings)]


def test_only_a_finished_full_export_is_read(sold: S3Shop, takings: Takings) -> None:
    """An unfinished one has no manifest yet; an increment or another format would be misread."""
    put_exports(sold.clients, OLD)
    put_export(sold.clients, "OrderKPIs", NEW, exportType="INCREMENTAL_EXPORT")
    put_export(sold.clients, "CategoryKPIs", NEW, outputFormat="ION")
    for table in ("OrderKPIs", "CategoryKPIs"):
        put_export(sold.clients, table, BEGUN, is_finished=False)
    names = [each["makes"] for each in statements(takings)]
    assert names[:5] == [
        "takings",
        "takings.order_kpis_01743492514028_aaaaaaaa",
        "takings.order_kpis",
        "takings.category_kpis_01743492514028_aaaaaaaa",
        "takings.category_kpis",
    ]


def test_what_cannot_be_read_is_told(sold: S3Shop, takings: Takings) -> None:
    """No export, a damaged manifest, names that need quotes."""

    def refused(*options: str) -> tuple[int, str]:
        ended = takings("aws", "athena", STORE, *options)
        return ended.code, unwrapped(ended.err)

    assert refused() == (
        2,
        "takings: there is no finished export of OrderKPIs in s3://shop/exports/. Make one: `takings aws export`.",
    )
    assert refused("--from", "s3://shop/it's")[0] == refused("--from", "exports")[0] == 2
    assert refused("--only-lake", "--database", "my-shop") == (
        2,
        "takings: --database my-shop: write a name of small letters, digits and underscores, for Athena.",
    )
    put(sold.clients, f"exports/OrderKPIs/AWSDynamoDB/{NEW}/manifest-summary.json", b"{}")
    said = "is not a summary of an export: 'outputFormat' is missing. Remove that folder, or export again."
    assert refused() == (3, f"takings: s3://shop/exports/OrderKPIs/AWSDynamoDB/{NEW}/manifest-summary.json {said}")


def test_exports_disturb_nothing(sold: S3Shop, takings: Takings, tmp_path: Path) -> None:
    """What lies under exports/ is neither a drop nor archive nor clutter."""
    put_exports(sold.clients, NEW)
    before = sold.files("exports")
    assert json.loads(takings("status", STORE, "--json").out)["pending"] == dict.fromkeys(Dataset, 0)
    assert takings("maintain", STORE).code == 0
    assert takings("rebuild", STORE, tmp_path / "new").code == 0
    assert not (tmp_path / "new" / "exports").exists()
    assert sold.files("exports") == before


def test_statements_are_athena_s(sold: S3Shop, takings: Takings) -> None:
    """A parser of its dialect accepts each one, and finds what it creates."""
    sqlglot = pytest.importorskip("sqlglot")
    put_exports(sold.clients, NEW)
    for statement in statements(takings):
        (parsed,) = sqlglot.parse(statement["sql"], dialect="athena")
        assert isinstance(parsed, sqlglot.exp.Create), statement
        made: Any = parsed.find(sqlglot.exp.Table)
        assert made.sql(dialect="trino") == statement["makes"]


def test_items_of_another_worth_are_counted_by_it() -> None:
    """Column names that the dialect reserves, an order's status, and an item from before the contract had a role."""
    worth = Worth(quantity="order", discount="less", refund="group", may_lack_status=True)
    (view,) = (each.sql for each in athena_statements("takings", "shop", (), worth) if "counted_items" in each.makes)
    (parsed,) = pytest.importorskip("sqlglot").parse(view, dialect="athena")
    assert "takings.order_items" in parsed.sql(dialect="trino")
    with closing(duckdb.connect()) as connection:
        for statement in (
            "create schema takings",
            "create table takings.products as select 1 as id, 'Books' as category",
            "create table takings.orders as select 1 as order_id, 'returned' as status, 7 as user_id",
            """create table takings.order_items as
                select id, 1 as order_id, 1 as product_id, date '2025-03-30' as order_date, status,
                    null::timestamp as returned_at, 10::decimal(28, 16) as sale_price, "order", "group", _amount,
                    '' as _source, '' as _batch, 2 as _line
                from (values
                    (1, null, 3::bigint, null::decimal(28, 16), 28.5::decimal(28, 16)),
                    (2, 'shipped', null, 4, 10),
                    (3, 'cancelled', null, null, null)
                ) as items (id, status, "order", "group", _amount)""",
            view,
        ):
            connection.execute(statement)
        found = connection.execute(
            "select item_id, status, counted_as, pieces, amount, returned_value, cancelled_value, user_id"
            " from takings.counted_items order by 1"
        ).fetchall()
    assert found == [
        (1, "returned", "returned", 3, Decimal("28.5"), Decimal("28.5"), Decimal(0), 7),
        (2, "shipped", "returned", 1, Decimal(10), Decimal(4), Decimal(0), 7),
        (3, "cancelled", "cancelled", 1, Decimal(10), Decimal(0), Decimal(10), 7),
    ]


def test_an_export_knows_where_it_lies() -> None:
    """Next to those of other tables, in a folder named by its id."""
    export = Export(
        table="north.OrderKPIs",
        arn=f"arn:aws:dynamodb:eu-west-1:123456789012:table/north.OrderKPIs/export/{NEW}",
        bucket="other",
        prefix="kpis/north.OrderKPIs",
        status="COMPLETED",
        as_of=None,
        items=None,
        failure=None,
    )
    assert export.data == f"s3://other/kpis/north.OrderKPIs/AWSDynamoDB/{NEW}/data/"
