"""`takings aws export`: DynamoDB exports what Takings shows; moto writes the items, MiniStack knows tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb
import pytest
from jsonschema import Draft202012Validator

from takings.adapters.aws.athena import athena_statements
from takings.adapters.aws.clients import Clients
from takings.adapters.aws.exports import Export, begin_export, follow_exports, parse_folder
from takings.adapters.aws.tables import TABLES
from takings.entrypoints.commands.aws.export import ExportedTable
from takings.kpis import load_kpi_tables
from tests.aws.harness.athena import Athena
from tests.aws.harness.shop import STORE, S3Shop
from tests.cli.conftest import takings as takings_fixture
from tests.cli.terminal import Takings, unwrapped
from tests.shop import NOON, run

takings = takings_fixture
on_moto = pytest.mark.parametrize("aws", ["moto"], indirect=True)
on_ministack = pytest.mark.parametrize("aws", ["ministack"], indirect=True)


@pytest.fixture
def athena(aws: Clients, tmp_path: Path) -> Iterator[Athena]:
    """Return a DuckDB in Athena's place."""
    with closing(duckdb.connect()) as connection:
        yield Athena(clients=aws, connection=connection, folder=tmp_path)


def keep_points_in_time(clients: Clients, *tables: str) -> None:
    """Turn point-in-time recovery on."""
    for table in tables:
        clients.dynamodb.update_continuous_backups(
            TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )


def exported(takings: Takings, *options: str, code: int = 0) -> list[dict[str, Any]]:
    """Return the command's JSON output, checked against its schema."""
    ended = takings("aws", "export", STORE, "--json", *options)
    assert ended.code == code, ended
    document = json.loads(ended.out)
    schema = resources.files("takings") / "schemas" / "aws-export.schema.json"
    Draft202012Validator(json.loads(schema.read_text())).validate(document)
    found: list[dict[str, Any]] = document["exports"]
    return found


@on_moto
def test_the_kpis_are_exported_as_takings_prints_them(shop: S3Shop, takings: Takings, athena: Athena) -> None:
    """Both tables, from the emulator's own export, which names the folder differently from AWS."""
    shop.drop_all()
    run(STORE)
    keep_points_in_time(shop.clients, "OrderKPIs", "CategoryKPIs")
    said = takings("aws", "export", STORE)
    assert (said.code, [line.split(" in ")[0] for line in said.out.splitlines()[::2]]) == (
        0,
        ["OrderKPIs: 2 items", "CategoryKPIs: 3 items"],
    )
    keys = [info.key.split("/") for info in shop.bucket.list("exports/")]
    assert sorted(key[1] for key in keys) == ["CategoryKPIs", "OrderKPIs"]
    ids = {key[1]: key[3] for key in keys}
    found = ((table, export_of(table.name, ids[table.name])) for table in load_kpi_tables())
    athena.run({"sql": each.sql} for each in athena_statements("takings", "shop", found))
    for by, query in (
        ("day", "select * from takings.order_kpis order by order_date"),
        ("category", "select * from takings.category_kpis order by category, order_date"),
    ):
        assert athena.csv(query) == takings("kpis", STORE, "--by", by, "--format", "csv").out


def export_of(table: str, id_: str) -> Export:
    return Export(
        table=table,
        arn=f"arn:aws:dynamodb:eu-west-1:123456789012:table/{table}/export/{id_}",
        bucket="shop",
        prefix=f"exports/{table}",
        status="COMPLETED",
        as_of=None,
        items=None,
        failure=None,
    )


@on_ministack
def test_the_same_hour_is_the_same_export(aws: Clients) -> None:
    """Nothing is exported twice by mistake; a new hour, `--again`, another table or another place makes another export."""

    def arn(
        table: str = "OrderKPIs", folder: str = "s3://shop/exports", minutes: int = 0, *, again: bool = False
    ) -> str:
        now = NOON + timedelta(minutes=minutes)
        return begin_export(aws.dynamodb, table, parse_folder(folder), now, is_again=again).arn

    first = arn()
    assert [arn(minutes=59), arn(folder="s3://shop/exports/")] == [first, first]
    others = {arn(minutes=60), arn(again=True), arn("CategoryKPIs"), arn(folder="s3://shop/for/athena")}
    assert len(others | {first}) == 5


@on_ministack
def test_whoever_does_not_wait_is_told_where_it_will_lie(aws: Clients, takings: Takings) -> None:
    """With --wait, it is there afterwards; in the store's folder or another, each table once."""
    assert aws is not None
    orders, categories = exported(takings, "--no-wait")
    id_ = orders["export_arn"].rpartition("/")[2]
    assert orders | {"as_of": None} == {
        "table": "OrderKPIs",
        "export_arn": orders["export_arn"],
        "status": "IN_PROGRESS",
        "as_of": None,
        "items": None,
        "data": f"s3://shop/exports/OrderKPIs/AWSDynamoDB/{id_}/data/",
        "manifest": None,
        "failure": None,
    }
    assert categories["table"] == "CategoryKPIs"
    twice = ("--table", "OrderKPIs", "--table", "OrderKPIs")
    (done,) = exported(takings, *twice, "--to", "s3://shop/for/athena/")
    folder = f"s3://shop/for/athena/OrderKPIs/AWSDynamoDB/{done['export_arn'].rpartition('/')[2]}"
    assert (done["status"], done["items"], done["data"]) == ("COMPLETED", 0, f"{folder}/data/")
    assert done["manifest"] == f"{folder}/manifest-summary.json"
    said = takings("aws", "export", STORE, "--no-wait", "--again", "--table", "CategoryKPIs").out
    assert said.startswith("CategoryKPIs: on its way as of 20")


@on_moto
def test_point_in_time_recovery_has_to_be_on(shop: S3Shop, takings: Takings) -> None:
    """The message names the command that turns it on; the table is not exported."""
    refused = takings("aws", "export", STORE)
    assert (refused.code, refused.out) == (2, "")
    assert unwrapped(refused.err) == (
        "takings: OrderKPIs has no point-in-time recovery, but DynamoDB needs it to export. Turn it on: takings aws"
        " bootstrap s3://bucket, or aws dynamodb update-continuous-backups --table-name OrderKPIs"
        " --point-in-time-recovery-specification"
        " PointInTimeRecoveryEnabled=true"
    )
    assert shop.files("exports") == []


@on_moto
def test_what_failed_is_told(aws: Clients, takings: Takings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export that DynamoDB gave up ends with 3, an unknown name with 2."""
    keep_points_in_time(aws, "OrderKPIs")
    failed = takings("aws", "export", STORE, "--table", "OrderKPIs", "--to", "s3://no-such-shop/exports")
    assert (failed.code, failed.out) == (3, "OrderKPIs: failed\n")
    assert unwrapped(failed.err) == (
        "takings: DynamoDB could not export OrderKPIs: S3NoSuchBucket: The specified bucket does not exist. Remove the cause,"
        " then export with --again."
    )
    assert takings("aws", "export", STORE, "--table", "Orders").code == 2
    nobody = takings("aws", "export", "s3://nobody")
    assert (nobody.code, "there is no bucket nobody." in nobody.err) == (2, True)
    monkeypatch.setenv("TAKINGS_TABLE_PREFIX", "north.")
    unknown = takings("aws", "export", STORE)
    assert (unknown.code, "DynamoDB has no table north.OrderKPIs in eu-west-1." in unwrapped(unknown.err)) == (2, True)


@on_ministack
def test_whoever_waits_can_leave(aws: Clients) -> None:
    """The export continues without the command, and the next call finds it."""
    folder = parse_folder("s3://shop/exports")
    begun = begin_export(aws.dynamodb, "OrderKPIs", folder, NOON, is_again=False)
    waited: list[float] = []

    def leave(seconds: float) -> None:
        waited.append(seconds)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(follow_exports(aws.dynamodb, [begun], leave))
    assert waited == [1]
    (ended,) = follow_exports(aws.dynamodb, [begin_export(aws.dynamodb, "OrderKPIs", folder, NOON, is_again=False)])
    assert (ended.arn, ended.status) == (begun.arn, "COMPLETED")


def test_every_table_can_be_exported() -> None:
    """The command line lists exactly the store's tables."""
    assert {table.name for table in TABLES} == set(ExportedTable)
