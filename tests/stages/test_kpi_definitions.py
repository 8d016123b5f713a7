"""How measures become published numbers: exact decimals, one rounding, no value for a zero denominator."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from importlib import resources
from typing import Any

import pytest

from takings.contracts.worth import USUAL_WORTH
from takings.errors import OwnKpiFailure
from takings.kpis import KpiRow, Publication, definition_hash, derive, load_kpi_tables, prepare_publication
from takings.kpis.columns import KpiColumn
from takings.kpis.declared_checks import DeclaredCheck
from takings.kpis.definitions import KpiTable, KpiValue, OwnTable, divide, exact, parse_kpi_table, round_money
from takings.kpis.items import fill_in_items
from takings.kpis.own_views import OwnViews
from takings.kpis.publication import days_of, derive_each, is_affected, visible
from takings.lake import Affected, everything
from tests.shop import NOON

ORDERS, CATEGORIES = load_kpi_tables()
SUNDAY, MONDAY = date(2025, 3, 30), date(2025, 3, 31)
DAY: dict[str, Any] = {
    "order_date": SUNDAY,
    "orders": 3,
    "returned_orders": 1,
    "customers": 2,
    "items": 4,
    "revenue": Decimal("24.75"),
    "returned_value": Decimal("5.50"),
    "cancelled_value": Decimal("2.00"),
}
CATEGORY: dict[str, Any] = {
    "category": "Books",
    "order_date": SUNDAY,
    "orders": 3,
    "returned_orders": 2,
    "items": 3,
    "revenue": Decimal("19.25"),
    "returned_value": Decimal("0.00"),
    "cancelled_value": Decimal("2.00"),
}
PUBLICATION = Publication(commit=7, batch_id="b7", computed_at=NOON, definition="d")
NO_ORDERS: dict[str, KpiValue] = {
    "total_orders": 0,
    "total_revenue": Decimal("0.00"),
    "total_items_sold": 0,
    "return_rate": None,
    "unique_customers": 0,
    "avg_order_value": None,
    "returned_value": Decimal("0.00"),
    "cancelled_value": Decimal("0.00"),
    "net_revenue": Decimal("0.00"),
}


def test_a_day_of_the_site() -> None:
    """Every column of OrderKPIs."""
    assert derive(ORDERS, DAY) == (
        (SUNDAY,),
        {
            "total_orders": 3,
            "total_revenue": Decimal("24.75"),
            "total_items_sold": 4,
            "return_rate": Decimal("33.33"),
            "unique_customers": 2,
            "avg_order_value": Decimal("8.25"),
            "returned_value": Decimal("5.50"),
            "cancelled_value": Decimal("2.00"),
            "net_revenue": Decimal("17.25"),
        },
    )


def test_a_day_of_a_category() -> None:
    """Every column of CategoryKPIs."""
    assert derive(CATEGORIES, CATEGORY) == (
        ("Books", SUNDAY),
        {
            "daily_revenue": Decimal("19.25"),
            "avg_order_value": Decimal("6.42"),
            "avg_return_rate": Decimal("66.67"),
            "total_orders": 3,
            "items_sold": 3,
            "returned_value": Decimal("0.00"),
            "cancelled_value": Decimal("2.00"),
            "net_revenue": Decimal("17.25"),
        },
    )


def test_columns_stand_in_the_published_order() -> None:
    """Files, tables and databases all use it."""
    assert ",".join(ORDERS.header) == (
        "order_date,total_orders,total_revenue,total_items_sold,return_rate,unique_customers,avg_order_value,"
        "returned_value,cancelled_value,net_revenue"
    )
    assert ",".join(CATEGORIES.header) == (
        "category,order_date,daily_revenue,avg_order_value,avg_return_rate,total_orders,items_sold,returned_value,"
        "cancelled_value,net_revenue"
    )


@pytest.mark.parametrize(
    ("exact", "rounded"),
    [
        ("1.005", "1.01"),
        ("1.004999999999999999", "1.00"),
        ("1.015", "1.02"),
        ("-1.005", "-1.01"),
        ("-0.004", "0.00"),
        ("1234567890123456789012.1250000000000001", "1234567890123456789012.13"),
    ],
)
def test_money_is_rounded_half_up(exact: str, rounded: str) -> None:
    """A half is rounded away from zero, exactly at any size, and never to a negative zero."""
    assert str(round_money(Decimal(exact))) == rounded


@pytest.mark.parametrize(
    ("numerator", "denominator", "quotient"),
    [
        (Decimal("0.01"), 2, "0.01"),
        (Decimal("0.03"), 8, "0.00"),
        (Decimal("2.00"), 3, "0.67"),
        (100, 8, "12.50"),
        (Decimal("9999999999999999999999.9949999999999999"), 1, "9999999999999999999999.99"),
        (0, 5, "0.00"),
    ],
)
def test_a_ratio_is_rounded_once(numerator: Decimal | int, denominator: int, quotient: str) -> None:
    """From the exact quotient, not from rounded parts."""
    assert str(divide(numerator, denominator)) == quotient


def test_a_ratio_is_made_of_unrounded_sums() -> None:
    """0.0149 of one order and its net of 0.0049: rounding the parts first would give another net."""
    _, values = derive(ORDERS, DAY | {"orders": 1, "returned_orders": 0, "customers": 1, "revenue": Decimal("0.0149"),
                                      "returned_value": Decimal("0.0050"), "cancelled_value": Decimal("0.0050")})  # fmt: skip
    assert (values["total_revenue"], values["returned_value"], values["net_revenue"]) == (
        Decimal("0.01"),
        Decimal("0.01"),
        Decimal("0.00"),
    )


def test_a_zero_denominator_has_no_value() -> None:
    """Neither 0 nor NaN."""
    assert divide(Decimal("1.00"), 0) is None
    nothing = DAY | dict.fromkeys(("orders", "returned_orders", "customers", "items"), 0)
    nothing |= dict.fromkeys(("revenue", "returned_value", "cancelled_value"), Decimal(0))
    assert derive(ORDERS, nothing) == ((SUNDAY,), NO_ORDERS)


def test_only_affected_keys_are_published() -> None:
    """A day that no row of the batch touches keeps its row, with the old commit."""
    affected = Affected(days=frozenset({SUNDAY}), category_days=frozenset({("Books", SUNDAY)}))
    days = prepare_publication(ORDERS, [DAY, DAY | {"order_date": MONDAY}], affected, (), PUBLICATION)
    toys = CATEGORY | {"category": "Toys"}
    categories = prepare_publication(CATEGORIES, [toys, CATEGORY], affected, (), PUBLICATION)
    assert days == (PUBLICATION.row(*derive(ORDERS, DAY)),)
    assert categories == (PUBLICATION.row(*derive(CATEGORIES, CATEGORY)),)


def test_when_everything_is_affected_every_key_is_published_in_order() -> None:
    """Whatever the order of the measures."""
    rows = prepare_publication(ORDERS, [DAY | {"order_date": MONDAY}, DAY], everything(), (), PUBLICATION)
    assert [row.key for row in rows] == [(SUNDAY,), (MONDAY,)]


def test_a_published_key_without_rows_becomes_zeros_and_is_hidden() -> None:
    """The row keeps the guard; an unaffected one is left alone."""
    affected = Affected(days=frozenset({SUNDAY}))
    rows = prepare_publication(ORDERS, [], affected, [(SUNDAY,), (MONDAY,)], PUBLICATION)
    assert rows == (KpiRow(key=(SUNDAY,), values=NO_ORDERS, commit=7, batch_id="b7", computed_at=NOON, definition="d"),)
    assert list(visible(rows)) == []


def test_a_day_of_orders_without_items_is_shown() -> None:
    """An order without counted items counts, with 0.00."""
    no_items = DAY | {"items": 0} | dict.fromkeys(("revenue", "returned_value", "cancelled_value"), Decimal(0))
    rows = prepare_publication(ORDERS, [no_items], everything(), (), PUBLICATION)
    assert list(visible(rows)) == list(rows)


def test_a_pair_affects_its_day() -> None:
    """Its day has to be computed; the day's own row and its other categories stay."""
    both = Affected(days=frozenset({SUNDAY}), category_days=frozenset({("Books", MONDAY)}))
    assert days_of(both) == {SUNDAY, MONDAY}
    assert is_affected(("Books", MONDAY), both) is True
    assert is_affected((MONDAY,), both) is False
    assert is_affected(("Toys", MONDAY), both) is False


def test_affected_keys_are_read_as_they_were_written() -> None:
    """In order, so that the document depends only on its content."""
    affected = Affected(
        days=frozenset({MONDAY, SUNDAY}), category_days=frozenset({("Toys", SUNDAY), ("Books", MONDAY)})
    )
    assert affected.to_json() == {
        "everything": False,
        "days": ["2025-03-30", "2025-03-31"],
        "category_days": [["Books", "2025-03-31"], ["Toys", "2025-03-30"]],
    }
    assert Affected.from_json(affected.to_json()) == affected
    assert Affected.from_json(everything().to_json()) == everything()


def test_the_definition_changes_with_whatever_may_change_a_number() -> None:
    """SQL, columns, policy and time zone; the same meaning has the same hash."""
    tables = (ORDERS, CATEGORIES)
    other_sql = (replace(ORDERS, sql=ORDERS.sql.replace("count(distinct user_id)", "count(user_id)")), CATEGORIES)
    other_column = (
        replace(ORDERS, columns=(replace(ORDERS.columns[0], measure="items"), *ORDERS.columns[1:])),
        CATEGORIES,
    )
    hashes = [
        definition_hash(tables, policy="file", time_zone="UTC"),
        definition_hash(other_sql, policy="file", time_zone="UTC"),
        definition_hash(other_column, policy="file", time_zone="UTC"),
        definition_hash(tables, policy="row", time_zone="UTC"),
        definition_hash(tables, policy="file", time_zone="Europe/Berlin"),
    ]
    assert len(set(hashes)) == len(hashes)
    assert definition_hash(tables, policy="file", time_zone="UTC") == hashes[0]


def test_a_definition_is_read_from_yaml() -> None:
    """Each kind of column, what it is per or of, and what is subtracted."""
    text = """
        table: SalesByShop
        key: [shop, order_date]
        columns:
          sold: {count: items}
          net: {money: revenue, less: [returned, cancelled]}
          rate: {percent: returned_orders, of: orders}
          basket: {average: revenue, per: orders}
    """
    assert parse_kpi_table(text, "select 1") == KpiTable(
        name="SalesByShop",
        key=("shop", "order_date"),
        columns=(
            KpiColumn(name="sold", kind="count", measure="items"),
            KpiColumn(name="net", kind="money", measure="revenue", less=("returned", "cancelled")),
            KpiColumn(name="rate", kind="percent", measure="returned_orders", per="orders"),
            KpiColumn(name="basket", kind="average", measure="revenue", per="orders"),
        ),
        sql="select 1",
    )


def test_each_shipped_table_has_the_sql_beside_it() -> None:
    """The coarsest grain first; where an item may be worth something else, the SQL for that."""
    folder = resources.files("takings.kpis")
    usual = {table.name: table.sql for table in load_kpi_tables()}
    assert list(usual.items()) == [
        ("OrderKPIs", (folder / "order_kpis.sql").read_text()),
        ("CategoryKPIs", (folder / "category_kpis.sql").read_text()),
    ]
    worth = replace(USUAL_WORTH, quantity="quantity")
    assert [table.sql for table in load_kpi_tables(worth)] == [
        fill_in_items((folder / f"{name}_by_worth.sql").read_text(), worth) for name in ("order_kpis", "category_kpis")
    ]


@pytest.mark.parametrize(
    ("amount", "written"),
    [("5", "5.00"), ("1.5", "1.50"), ("1.0500", "1.05"), ("100.25", "100.25"), ("0E-16", "0.00"), ("0.0010", "0.001")],
)
def test_an_exact_amount_has_all_its_digits(amount: str, written: str) -> None:
    """At least two after the point, and no zeros after the last that counts."""
    assert exact(Decimal(amount)) == written


def test_a_share_is_of_its_whole() -> None:
    """In percent, rounded once; without a whole it has no value."""
    share = KpiColumn(name="share", kind="share", measure="revenue")
    assert share.value({"revenue": Decimal("0.3333")}, Decimal(2)) == Decimal("16.67")
    assert share.value({"revenue": 1}, 8) == Decimal("12.50")
    assert share.value({"revenue": 1}) is None


def test_a_column_of_an_unknown_kind_is_our_mistake() -> None:
    """It is named."""
    column = KpiColumn(name="sold", kind="median", measure="items")
    with pytest.raises(AssertionError, match=r"^sold: no kind 'median'$"):
        column.value({"items": 1})


SMALL = KpiTable(
    name="Small",
    key=("order_date",),
    columns=(KpiColumn(name="net", kind="money", measure="revenue", less=("returned",)),),
    sql="select 1",
)


def test_the_hash_of_a_definition_is_the_same_in_every_release() -> None:
    """Otherwise each upgrade would publish everything again."""
    assert definition_hash((SMALL,), policy="file", time_zone="UTC") == "0a05fc761ef22c29"


def test_an_own_tables_definition_covers_its_views_and_checks() -> None:
    """Without a check it is that of the time before there were any."""
    views = OwnViews(orders=("order_id",), carried={}, values={"pieces": "1"}, made_of={})
    check = DeclaredCheck(
        text="net >= 0",
        line=3,
        left="net",
        is_sum=False,
        over=(),
        relation=">=",
        right="0",
        table=None,
        only_warns=False,
    )
    plain = replace(SMALL, own=OwnTable(sql_file="s.sql", yaml_file="s.yaml", lines={}, views=views))
    assert plain.own is not None
    checked = replace(plain, own=replace(plain.own, checks=(check,)))
    warned = replace(plain, own=replace(plain.own, checks=(replace(check, only_warns=True),)))
    meaning = ["Small", ["order_date"], [SMALL.columns[0].meaning], "select 1", views.meaning]
    for table, whole in (
        (plain, meaning),
        (checked, [*meaning, [["net >= 0", False]]]),
        (warned, [*meaning, [["net >= 0", True]]]),
    ):
        text = json.dumps([[whole], "file", "UTC"], sort_keys=True)
        assert (
            definition_hash((table,), policy="file", time_zone="UTC") == hashlib.sha256(text.encode()).hexdigest()[:16]
        )


@pytest.mark.parametrize("file", ["/tmp/copy-1/kpis/sales.sql", "contracts/kpis/sales.sql", "kpis/sales.sql"])
def test_a_reason_names_an_own_tables_file_wherever_its_contracts_were_copied(file: str) -> None:
    """Those of a bucket lie in another folder each time."""
    views = OwnViews(orders=(), carried={}, values={}, made_of={})
    assert OwnTable(sql_file="", yaml_file="", lines={}, views=views).kept(file) == "kpis/sales.sql"


def own(table: KpiTable) -> KpiTable:
    """Return a table as one of the shop's own."""
    views = OwnViews(orders=(), carried={}, values={}, made_of={})
    return replace(table, own=OwnTable(sql_file="s.sql", yaml_file="s.yaml", lines={}, views=views))


SHARES = own(
    KpiTable(
        name="Shares",
        key=("shop", "order_date"),
        columns=(
            KpiColumn(name="sold", kind="count", measure="items"),
            KpiColumn(name="share", kind="share", measure="revenue", less=("returned",)),
        ),
        sql="select 1",
    )
)


def sold(shop: str | None, day: date, revenue: str, returned: str = "0.00") -> dict[str, Any]:
    """Return a row of measures."""
    amounts = {"revenue": Decimal(revenue), "returned": Decimal(returned)}
    return {"shop": shop, "order_date": day, "items": 1, **amounts}


def test_a_share_is_of_its_day() -> None:
    """Of the unrounded sum over the day's rows; a day with a sum of zero has no shares."""
    rows = [sold("a", SUNDAY, "4.00", "1.00"), sold("b", SUNDAY, "5.00"), sold("a", MONDAY, "0.00")]
    assert derive_each(SHARES, rows) == {
        ("a", SUNDAY): {"sold": 1, "share": Decimal("37.50")},
        ("b", SUNDAY): {"sold": 1, "share": Decimal("62.50")},
        ("a", MONDAY): {"sold": 1, "share": None},
    }
    huge = [sold("a", SUNDAY, f"{10**35}.00"), sold("b", SUNDAY, "0.01"), sold("c", SUNDAY, f"-{10**35}.00")]
    assert derive_each(SHARES, huge)["b", SUNDAY] == {"sold": 1, "share": Decimal("100.00")}


def test_two_rows_of_one_key_are_a_mistake_of_the_own_sql() -> None:
    """The key is named; a shipped table groups by its grain."""
    rows = [sold("a", SUNDAY, "4.00"), sold("a", SUNDAY, "5.00")]
    with pytest.raises(
        OwnKpiFailure, match=r"^the result has more than one row for shop a, order_date 2025-03-30\. Group by"
    ):
        derive_each(SHARES, rows)
    assert list(derive_each(replace(SHARES, own=None), rows)) == [("a", SUNDAY)]


def test_own_rows_have_a_count_that_says_whether_they_are_there() -> None:
    """A negative revenue, or none, is a number like any other; an empty part of a key comes first."""
    affected = Affected(whole_days=frozenset({SUNDAY}))
    rows = [sold("b", SUNDAY, "0.00"), sold(None, SUNDAY, "0.00"), sold("a", MONDAY, "1.00")]
    found = prepare_publication(SHARES, rows, affected, [("gone", SUNDAY), ("b", SUNDAY), ("c", MONDAY)], PUBLICATION)
    nothing: dict[str, KpiValue] = {"sold": 1, "share": None}
    assert found == (
        PUBLICATION.row((None, SUNDAY), nothing, 1),
        PUBLICATION.row(("b", SUNDAY), nothing, 1),
        PUBLICATION.row(("gone", SUNDAY), {"sold": 0, "share": None}, 0),
    )
    assert [(row.count, row.is_gone) for row in found] == [(1, False), (1, False), (0, True)]
    assert list(visible(found)) == list(found[:2])


def test_a_row_is_gone_when_all_its_values_are_zero_or_empty() -> None:
    """One that is not is enough."""
    assert PUBLICATION.row((SUNDAY,), {"a": 0, "b": None, "c": Decimal("0.00")}).is_gone
    assert not PUBLICATION.row((SUNDAY,), {"a": 0, "b": Decimal("-0.01")}).is_gone


def test_every_key_of_a_whole_day_is_affected() -> None:
    """Whatever its category; days_of counts it."""
    whole = Affected(days=frozenset({MONDAY}), whole_days=frozenset({SUNDAY}))
    assert is_affected(("Toys", SUNDAY), whole) is True
    assert is_affected((SUNDAY,), whole) is True
    assert is_affected(("Toys", MONDAY), whole) is False
    assert is_affected((MONDAY,), whole) is True
    assert days_of(whole) == {SUNDAY, MONDAY}
    assert is_affected(("Toys", MONDAY), everything()) is True


def test_days_of_own_tables_are_read_as_they_were_written() -> None:
    """In order; nothing is written where there are none."""
    affected = Affected(own_days={"Sales": frozenset({MONDAY, SUNDAY})})
    assert affected.to_json() == {
        "everything": False,
        "days": [],
        "category_days": [],
        "own_days": {"Sales": ["2025-03-30", "2025-03-31"]},
    }
    assert Affected.from_json(affected.to_json()) == affected
