"""What every store of published KPIs does: a late writer never undoes a newer number."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from takings.adapters.local.database import open_database
from takings.adapters.local.kpi_store import SqliteKpiStore
from takings.contracts import load_contracts
from takings.kpis import KpiRow, load_kpi_tables, load_own_tables
from takings.kpis.definitions import KpiTable, KpiValue
from takings.kpis.publication import KpiKey, is_affected
from takings.lake import Affected, everything
from takings.ports import KpiStore
from tests.own_kpis import contracts_with_kpis
from tests.shop import NOON

ORDERS, CATEGORIES = load_kpi_tables()
SATURDAY, SUNDAY, MONDAY = date(2025, 3, 29), date(2025, 3, 30), date(2025, 3, 31)


@pytest.fixture(params=["sqlite", "moto", "ministack"])
def kpis(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[KpiStore]:
    """Return an empty store of KPIs on each platform."""
    if request.param != "sqlite":
        pytest.importorskip("boto3")
        from takings.adapters.aws.database import Database
        from takings.adapters.aws.kpi_store import DynamoKpiStore

        yield DynamoKpiStore(Database(request.getfixturevalue(request.param).emptied(monkeypatch).dynamodb, ""))
        return
    with closing(open_database(None)) as connection:
        yield SqliteKpiStore(connection, load_kpi_tables())


def day(day_: date, *, commit: int = 1, orders: int = 1, revenue: str = "10.00") -> KpiRow:
    """Return a published row of OrderKPIs."""
    values: dict[str, KpiValue] = {
        "total_orders": orders,
        "total_revenue": Decimal(revenue),
        "total_items_sold": orders,
        "return_rate": Decimal("0.00") if orders else None,
        "unique_customers": orders,
        "avg_order_value": Decimal(revenue) if orders else None,
        "returned_value": Decimal("0.00"),
        "cancelled_value": Decimal("0.00"),
        "net_revenue": Decimal(revenue),
    }
    return row((day_,), values, commit)


def category(name: str, day_: date, *, commit: int = 1) -> KpiRow:
    """Return a published row of CategoryKPIs."""
    values: dict[str, KpiValue] = {
        "daily_revenue": Decimal("12345678901234567890123456.78"),
        "avg_order_value": Decimal("1.00"),
        "avg_return_rate": Decimal("0.00"),
        "total_orders": 1,
        "items_sold": 1,
        "returned_value": Decimal("0.00"),
        "cancelled_value": Decimal("0.00"),
        "net_revenue": Decimal("12345678901234567890123456.78"),
    }
    return row((name, day_), values, commit)


def row(key: KpiKey, values: dict[str, KpiValue], commit: int) -> KpiRow:
    """Return a published row."""
    return KpiRow(key=key, values=values, commit=commit, batch_id=f"b{commit}", computed_at=NOON, definition="d")


def test_rows_are_read_as_they_were_published(kpis: KpiStore) -> None:
    """To the last digit, including hidden ones; a ratio without a value stays without one."""
    days = [day(SUNDAY), day(MONDAY, orders=0, revenue="0.00")]
    assert kpis.publish(ORDERS, days) == []
    assert list(kpis.rows(ORDERS)) == days
    assert [str(found.values) for found in kpis.rows(ORDERS)] == [str(written.values) for written in days]
    assert kpis.publish(CATEGORIES, [category("Books", SUNDAY)]) == []
    assert list(kpis.rows(CATEGORIES)) == [category("Books", SUNDAY)]
    assert (kpis.keys(ORDERS, everything()), kpis.keys(CATEGORIES, everything())) == (
        {(SUNDAY,), (MONDAY,)},
        {("Books", SUNDAY)},
    )


def test_published_keys_are_found_whatever_affects_them(kpis: KpiStore) -> None:
    """By day, by category and day, or by whole days; hidden ones as well, but never one that was not published."""
    kpis.publish(ORDERS, [day(SUNDAY), day(MONDAY, orders=0, revenue="0.00")])
    kpis.publish(CATEGORIES, [category("Books", SUNDAY), category("Toys", SUNDAY), category("Toys", MONDAY)])

    def found(affected: Affected, table: KpiTable) -> set[KpiKey]:
        return {key for key in kpis.keys(table, affected) if is_affected(key, affected)}

    single = Affected(
        days=frozenset({SATURDAY, MONDAY}), category_days=frozenset({("Books", SUNDAY), ("Hats", SUNDAY)})
    )
    assert found(single, ORDERS) == {(MONDAY,)}
    assert found(single, CATEGORIES) == {("Books", SUNDAY)}
    whole = Affected(whole_days=frozenset({SATURDAY, SUNDAY}))
    assert found(whole, ORDERS) == {(SUNDAY,)}
    assert found(whole, CATEGORIES) == {("Books", SUNDAY), ("Toys", SUNDAY)}
    assert found(Affected(), ORDERS) == set()


def test_a_newer_commit_replaces_a_row(kpis: KpiStore) -> None:
    """So does an equal one: a publication may be repeated."""
    kpis.publish(ORDERS, [day(SUNDAY, commit=1)])
    assert kpis.publish(ORDERS, [day(SUNDAY, commit=2, revenue="20.00")]) == []
    assert kpis.publish(ORDERS, [day(SUNDAY, commit=2, revenue="21.00")]) == []
    assert list(kpis.rows(ORDERS)) == [day(SUNDAY, commit=2, revenue="21.00")]


def test_an_older_commit_is_refused_row_by_row(kpis: KpiStore) -> None:
    """The refused keys are returned; the other rows are published."""
    kpis.publish(ORDERS, [day(SUNDAY, commit=3)])
    late = [day(SATURDAY, commit=2), day(SUNDAY, commit=2, revenue="99.00")]
    assert kpis.publish(ORDERS, late) == [late[1]]
    assert list(kpis.rows(ORDERS)) == [day(SATURDAY, commit=2), day(SUNDAY, commit=3)]


def test_days_come_in_order(kpis: KpiStore) -> None:
    """In whatever order they were published."""
    kpis.publish(ORDERS, [day(MONDAY), day(SATURDAY), day(SUNDAY)])
    assert [found.key for found in kpis.rows(ORDERS)] == [(SATURDAY,), (SUNDAY,), (MONDAY,)]


def test_categories_come_by_name_then_day(kpis: KpiStore) -> None:
    """By the bytes of the name: case and language do not matter."""
    keys = [("toys", SUNDAY), ("Über", SUNDAY), ("Toys", MONDAY), ("Books", MONDAY), ("Toys", SUNDAY)]
    kpis.publish(CATEGORIES, [category(*key) for key in keys])
    assert [found.key for found in kpis.rows(CATEGORIES)] == [
        ("Books", MONDAY),
        ("Toys", SUNDAY),
        ("Toys", MONDAY),
        ("toys", SUNDAY),
        ("Über", SUNDAY),
    ]


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [
        (None, None, [SATURDAY, SUNDAY, MONDAY]),
        (SUNDAY, None, [SUNDAY, MONDAY]),
        (None, SUNDAY, [SATURDAY, SUNDAY]),
        (SUNDAY, SUNDAY, [SUNDAY]),
        (MONDAY, SATURDAY, []),
    ],
)
def test_a_range_has_both_its_ends(kpis: KpiStore, first: date | None, last: date | None, days: list[date]) -> None:
    """A missing end is open."""
    kpis.publish(ORDERS, [day(SATURDAY), day(SUNDAY), day(MONDAY)])
    assert [found.key[0] for found in kpis.rows(ORDERS, first=first, last=last)] == days


def test_one_category_in_a_range(kpis: KpiStore) -> None:
    """Its name must match exactly."""
    keys = [("Toys", SATURDAY), ("Toys", SUNDAY), ("toys", SUNDAY), ("Books", SUNDAY)]
    kpis.publish(CATEGORIES, [category(*key) for key in keys])
    assert [found.key for found in kpis.rows(CATEGORIES, first=SUNDAY, category="Toys")] == [("Toys", SUNDAY)]


def test_a_category_may_have_any_name(kpis: KpiStore) -> None:
    """Quotes mean nothing special."""
    name = 'Men\'s "Suits"; drop table CategoryKPIs --'
    kpis.publish(CATEGORIES, [category(name, SUNDAY)])
    assert [found.key for found in kpis.rows(CATEGORIES, category=name)] == [(name, SUNDAY)]


def test_every_definition_of_a_tables_rows_is_found(kpis: KpiStore) -> None:
    """Once each, and of this table alone."""
    kpis.publish(ORDERS, [day(SUNDAY), replace(day(MONDAY), definition="e"), day(SATURDAY)])
    assert (kpis.definitions(ORDERS), kpis.definitions(CATEGORIES)) == ({"d", "e"}, set())


def own_table(tmp_path: Path, name: str = "ProductSales") -> KpiTable:
    """Return a table of the shop's own: sales per product and day."""
    contracts = load_contracts(Path(contracts_with_kpis(tmp_path / "contracts")))
    return next(table for table in load_own_tables(tmp_path / "contracts", contracts) if table.name == name)


def sold(product: object, day_: date, *, commit: int = 1, orders: int = 1) -> KpiRow:
    """Return a published row of sales."""
    values: dict[str, KpiValue] = {
        "orders": orders,
        "items_sold": orders,
        "revenue": Decimal("12345678901234567890123456.70"),
        "revenue_per_order": None,
        "revenue_share": Decimal("-0.50"),
    }
    return replace(row((product, day_), values, commit), count=1 if orders else 0)


def test_own_rows_come_back_as_they_were_written(kpis: KpiStore, tmp_path: Path) -> None:
    """By their key: an empty part first, numbers by their value, a long text and one that looks like JSON among texts."""
    table = own_table(tmp_path)
    texts = [sold(part, SATURDAY) for part in (None, "#1", '"[null]"', "x" * 1024)]
    numbers = [sold(part, SUNDAY) for part in (2, 10)]
    for rows in (texts, numbers):
        assert kpis.publish(table, rows) == []
    assert list(kpis.rows(table, last=SATURDAY)) == [texts[0], texts[2], texts[1], texts[3]]
    assert list(kpis.rows(table, first=SUNDAY)) == numbers
    assert list(kpis.rows(table, first=MONDAY, last=SATURDAY)) == []
    assert set(kpis.keys(table, Affected(whole_days=frozenset([SUNDAY])))) == {(2, SUNDAY), (10, SUNDAY)}
    assert set(kpis.keys(table, everything())) == {each.key for each in (*texts, *numbers)}
    assert kpis.definitions(table) == {texts[0].definition}


def test_own_rows_have_the_guard_and_stay_hidden(kpis: KpiStore, tmp_path: Path) -> None:
    """A newer commit's row is not replaced; other tables of the shop's own are not seen."""
    table = own_table(tmp_path)
    kpis.publish(table, [sold(1, SUNDAY, commit=2), sold(2, SUNDAY, orders=0)])
    older, newer = sold(1, SUNDAY, commit=1), sold(2, SUNDAY, commit=2, orders=3)
    assert kpis.publish(table, [older, newer]) == [older]
    assert [each.commit for each in kpis.rows(table)] == [2, 2]
    assert [each.is_gone for each in kpis.rows(table)] == [False, False]
    other = replace(table, name="OtherSales")
    assert (list(kpis.rows(other)), kpis.keys(other, everything()), kpis.definitions(other)) == ([], set(), set())


def test_own_rows_of_one_category(kpis: KpiStore, tmp_path: Path) -> None:
    """Its name must match exactly."""
    table = own_table(tmp_path, "CategoryMargins")
    values: dict[str, KpiValue] = dict.fromkeys((column.name for column in table.columns), None)
    rows = [replace(row((name, SUNDAY), values, 1), count=1) for name in ("Books", "Toys")]
    kpis.publish(table, rows)
    assert list(kpis.rows(table, category="Toys")) == rows[1:]
    assert list(kpis.rows(table, category="toys")) == []


def layout(connection: sqlite3.Connection, table: KpiTable) -> dict[str, str]:
    """Return the columns of a table in SQLite with their types."""
    return {each["name"]: each["type"] for each in connection.execute(f"pragma table_info({table.name})")}


def test_whoever_reads_the_sqlite_file_finds_counts_as_integers_and_money_as_text() -> None:
    """A floating-point number would not have all digits; only a table with two keys needs an index on its days."""
    with closing(open_database(None)) as connection:
        SqliteKpiStore(connection, load_kpi_tables())
        guard = {"commit": "INTEGER", "batch_id": "TEXT", "computed_at": "INTEGER", "definition": "TEXT"}
        counts = {"total_orders", "total_items_sold", "items_sold", "unique_customers"}
        for table in (ORDERS, CATEGORIES):
            columns = {column.name: "INTEGER" if column.name in counts else "TEXT" for column in table.columns}
            assert layout(connection, table) == dict.fromkeys(table.key, "TEXT") | columns | guard
        indexes = connection.execute("select name from sqlite_master where type = 'index' and tbl_name like '%KPIs'")
        assert [each["name"] for each in indexes if "autoindex" not in each["name"]] == ["CategoryKPIs_by_day"]


def test_sqlite_reads_no_key_of_another_day() -> None:
    """A batch that changes one day is as quick after years as on the first day."""
    with closing(open_database(None)) as connection:
        kpis = SqliteKpiStore(connection, load_kpi_tables())
        kpis.publish(CATEGORIES, [category("Books", SUNDAY), category("Toys", SUNDAY), category("Toys", MONDAY)])
        affected = Affected(category_days=frozenset({("Books", SUNDAY)}))
        assert kpis.keys(CATEGORIES, affected) == {("Books", SUNDAY), ("Toys", SUNDAY)}


def test_a_table_of_an_older_version_gets_the_columns_that_it_lacks() -> None:
    """With the same types as in a new one; its rows have no value there until they are published again."""
    older = tuple(replace(table, columns=table.columns[1:-1]) for table in (ORDERS, CATEGORIES))
    with closing(open_database(None)) as old, closing(open_database(None)) as new:
        kpis = SqliteKpiStore(old, older)
        values = dict(list(day(SUNDAY).values.items())[1:-1])
        kpis.publish(older[0], [replace(day(SUNDAY), values=values)])
        kpis = SqliteKpiStore(old, (ORDERS, CATEGORIES))
        SqliteKpiStore(new, (ORDERS, CATEGORIES))
        assert [layout(old, table) for table in older] == [layout(new, table) for table in older]
        assert list(kpis.rows(ORDERS)) == [
            replace(day(SUNDAY), values={**day(SUNDAY).values, "total_orders": None, "net_revenue": None})
        ]
        kpis.publish(ORDERS, [day(SUNDAY)])
        assert list(kpis.rows(ORDERS)) == [day(SUNDAY)]
