"""What only DynamoDB can suffer from: pages, partial answers, lost answers, large items, somebody else's tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from takings.adapters.aws.clients import Clients
from takings.adapters.aws.database import Database
from takings.adapters.aws.kpi_store import DynamoKpiStore
from takings.adapters.aws.ledger import DynamoLedger
from takings.adapters.aws.tables import (
    CATEGORY_KPIS,
    ORDER_KPIS,
    PENDING_BATCHES,
    PROCESSED_FILES,
    TABLES,
    create_tables,
)
from takings.errors import ConflictError, SettingsError, StoreError
from takings.intake.gate import Gate, Suspect
from takings.kpis import load_kpi_tables
from tests.emulators import BUCKET
from tests.ports.test_kpi_store import CATEGORIES, ORDERS, category, day
from tests.shop import NOON


@pytest.fixture
def database(aws: Clients) -> Database:
    """Return empty tables."""
    return Database(aws.dynamodb, "")


def test_every_kpi_table_has_a_table() -> None:
    """With exactly its key."""
    wanted = {table.name: table.key for table in load_kpi_tables()}
    assert {table.name: table.key for table in TABLES if table.name in wanted} == wanted


def test_results_come_whole(database: Database) -> None:
    """DynamoDB returns at most a megabyte, and continues on request."""
    items = [{"file_key": "a", "processing_date": str(number), "reason": "x" * 300_000} for number in range(8)]
    assert all(database.put_each(PROCESSED_FILES, items))
    found = [item["processing_date"] for item in database.query(PROCESSED_FILES, "file_key = :key", {"key": "a"})]
    assert found == [str(number) for number in range(8)]
    assert len(list(database.scan(PROCESSED_FILES, ["processing_date"]))) == 8
    assert len(list(database.scan(PROCESSED_FILES))) == 8


def test_many_keys_are_asked_for_in_pieces(database: Database) -> None:
    """A hundred at a time; missing ones are left out."""
    items = [{"order_date": f"2025-{number:03}", "total_orders": number} for number in range(150)]
    database.put_each(ORDER_KPIS, items)
    keys = [{"order_date": f"2025-{number:03}"} for number in range(250)]
    assert sorted(item["total_orders"] for item in database.get_each(ORDER_KPIS, keys)) == list(range(150))


@pytest.mark.parametrize("aws", ["moto"], indirect=True)
def test_what_was_not_answered_is_asked_again(
    aws: Clients, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With growing pauses; at some point it is an error."""
    database.put_each(ORDER_KPIS, [{"order_date": "a"}, {"order_date": "b"}])
    whole: Any = aws.dynamodb.batch_get_item
    pauses: list[float] = []

    def half(RequestItems: Mapping[str, Any]) -> Any:  # noqa: N803
        ((name, asked),) = RequestItems.items()
        first, rest = asked["Keys"][:1], asked["Keys"][1:]
        answer = whole(RequestItems={name: {**asked, "Keys": first}})
        return {**answer, "UnprocessedKeys": {name: {"Keys": rest}} if rest else {}}

    monkeypatch.setattr(aws.dynamodb, "batch_get_item", half)
    slow = Database(aws.dynamodb, "", pause=pauses.append)
    assert len(list(slow.get_each(ORDER_KPIS, [{"order_date": "a"}, {"order_date": "b"}]))) == 2
    assert len(pauses) == 1
    answer = {"Responses": {}, "UnprocessedKeys": {"OrderKPIs": {"Keys": [{"order_date": {"S": "a"}}]}}}
    monkeypatch.setattr(aws.dynamodb, "batch_get_item", lambda **_: answer)
    with pytest.raises(StoreError, match="DynamoDB does not keep up with the reads of OrderKPIs"):
        list(slow.get_each(ORDER_KPIS, [{"order_date": "a"}]))


def test_many_items_are_written_in_pieces(database: Database) -> None:
    """25 at once; of two with one key the last one counts, as if they were written one after the other."""
    items = [{"file_key": "a", "processing_date": f"{number:02}", "size": number} for number in range(60)]
    database.put_all(PROCESSED_FILES, [*items, items[7] | {"size": 700}])
    found = list(database.query(PROCESSED_FILES, "file_key = :key", {"key": "a"}))
    assert [item["size"] for item in found] == [*range(7), 700, *range(8, 60)]
    database.put_all(PROCESSED_FILES, [])


@pytest.mark.parametrize("aws", ["moto"], indirect=True)
def test_what_was_not_written_is_written_again(
    aws: Clients, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With growing pauses; some time it is told."""
    whole: Any = aws.dynamodb.batch_write_item
    pauses: list[float] = []

    def half(RequestItems: Mapping[str, Any]) -> Any:  # noqa: N803
        ((name, puts),) = RequestItems.items()
        whole(RequestItems={name: puts[:1]})
        return {"UnprocessedItems": {name: puts[1:]} if puts[1:] else {}}

    monkeypatch.setattr(aws.dynamodb, "batch_write_item", half)
    slow = Database(aws.dynamodb, "", pause=pauses.append)
    slow.put_all(ORDER_KPIS, [{"order_date": "a"}, {"order_date": "b"}])
    assert (len(list(database.scan(ORDER_KPIS))), len(pauses)) == (2, 1)
    answer = {"UnprocessedItems": {"OrderKPIs": [{"PutRequest": {"Item": {"order_date": {"S": "a"}}}}]}}
    monkeypatch.setattr(aws.dynamodb, "batch_write_item", lambda **_: answer)
    with pytest.raises(StoreError, match="DynamoDB does not keep up with the writes of OrderKPIs"):
        slow.put_all(ORDER_KPIS, [{"order_date": "a"}])


def test_numbers_are_decimals(database: Database) -> None:
    """A float is refused before it is written."""
    with pytest.raises(TypeError, match="Float types are not supported"):
        database.put(ORDER_KPIS, {"order_date": "a", "total_revenue": 0.1})
    database.put(ORDER_KPIS, {"order_date": "a", "total_revenue": Decimal("12345678901234567890123456789012345.67")})
    assert database.get(ORDER_KPIS, {"order_date": "a"}) == {
        "order_date": "a",
        "total_revenue": Decimal("12345678901234567890123456789012345.67"),
    }


def test_a_gate_that_outgrows_an_item_is_an_error(database: Database) -> None:
    """Nothing is written, and the error names the next step."""
    ledger = DynamoLedger(database, BUCKET)
    suspects = tuple(Suspect(key=f"raw-data/orders/{'x' * 900}{number}", etag="e", deaths=1) for number in range(500))
    with pytest.raises(StoreError, match="an item of PendingBatches would be larger than the 400 KB"):
        ledger.change_gate(replace(Gate(generation=1), suspects=suspects))
    assert ledger.gate() == Gate()


def test_a_write_whose_answer_was_lost_finds_itself(
    aws: Clients, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """boto3 repeats the request; the condition fails because of the first write, not somebody else's."""
    ledger, write = DynamoLedger(database, BUCKET), aws.dynamodb.put_item

    def twice(**arguments: Any) -> Any:
        write(**arguments)
        return write(**arguments)

    claimed = Gate().waiting(NOON, {})
    with monkeypatch.context() as lossy:
        lossy.setattr(aws.dynamodb, "put_item", twice)
        assert ledger.change_gate(claimed) == claimed
    with pytest.raises(ConflictError, match="the gate has generation 1, not 0"):
        ledger.change_gate(claimed)


def test_tables_serve_one_bucket(database: Database) -> None:
    """Lineage and KPIs do not distinguish buckets, so a second one is refused."""
    DynamoLedger(database, BUCKET).change_gate(Gate().waiting(NOON, {}))
    DynamoLedger(database, BUCKET).check_alone()
    with pytest.raises(
        SettingsError, match=r"the tables belong to s3://shop\. Set another `table_prefix` for s3://other"
    ):
        DynamoLedger(database, "other").check_alone()


def test_tables_are_created_once(aws: Clients) -> None:
    """A prefix makes other tables; a table with other keys is left as it is."""
    assert create_tables(aws.dynamodb, "") == ()
    assert create_tables(aws.dynamodb, "two.") == tuple(f"two.{table.name}" for table in TABLES)
    assert create_tables(aws.dynamodb, "two.") == ()
    definition = {**CATEGORY_KPIS.definition(""), "TableName": "three.PendingBatches"}
    aws.dynamodb.create_table(**definition)
    with pytest.raises(SettingsError, match=r"the table three\.PendingBatches exists, but its keys or indexes are not"):
        create_tables(aws.dynamodb, "three.")


def test_a_missing_table_is_named(aws: Clients) -> None:
    """With its region and the setting."""
    with pytest.raises(SettingsError, match=r"DynamoDB has no table none\.PendingBatches in eu-west-1"):
        Database(aws.dynamodb, "none.").get(PENDING_BATCHES, {"bucket_name": BUCKET})


def test_a_long_range_of_days_reads_the_whole_table(database: Database) -> None:
    """And finds the same as a short one, which is read day by day."""
    kpis = DynamoKpiStore(database)
    first, last = date(2025, 1, 1), date(2025, 12, 31)
    kpis.publish(CATEGORIES, [category("Toys", first), category("Books", first), category("Books", last)])
    kpis.publish(ORDERS, [day(first), day(last)])
    assert [row.key for row in kpis.rows(CATEGORIES, first=first, last=first)] == [("Books", first), ("Toys", first)]
    assert [row.key for row in kpis.rows(CATEGORIES, first=first, last=last)] == [
        ("Books", first),
        ("Books", last),
        ("Toys", first),
    ]
    assert [row.key for row in kpis.rows(CATEGORIES, last=first)] == [("Books", first), ("Toys", first)]
