"""KPI tables of a shop's own are checked when they are loaded: file, line, what is wrong, and what to do."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from takings.adapters.duckdb.own_sql import checked_tables
from takings.adapters.duckdb.watched import columns_of_products, watched_columns
from takings.contracts import Dataset, load_contracts
from takings.errors import ContractError
from takings.kpis import KpiTable, definition_hash, load_own_tables
from tests.own_kpis import EXAMPLES, contracts_with_kpis
from tests.worths import contracts_of_worth

SQL = """\
select category, order_date, count(*) as n, sum(amount) as revenue
from items
group by category, order_date
"""
YAML = """\
table: Own
key: [category, order_date]
columns:
  n: {count: n}
  revenue: {money: revenue}
"""


def loaded(folder: Path, sql: str = SQL, yaml: str = YAML) -> tuple[KpiTable, ...]:
    """Load and check one table."""
    contracts_with_kpis(folder, {"own.sql": sql, "own.yaml": yaml})
    contracts = load_contracts(folder)
    return checked_tables(load_own_tables(folder, contracts), contracts)


def refusal(folder: Path, sql: str = SQL, yaml: str = YAML) -> str:
    """Return how a table is refused, without its folder."""
    with pytest.raises(ContractError) as refused:
        loaded(folder, sql, yaml)
    return str(refused.value).removeprefix(f"{folder}/kpis/")


def over(expression: str, name: str = "n") -> str:
    """Return SQL that selects an expression as the count."""
    selected = f"category, order_date, {expression} as {name}, sum(amount) as revenue"
    return f"select {selected}\nfrom items\ngroup by category, order_date\n"


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        pytest.param("selct 1", "own.sql:1: syntax error", id="no SQL"),
        pytest.param("drop table orders", "own.sql:1: only a query can be run", id="no query"),
        pytest.param("from items select category, order_date", "own.sql:1: Spark reads no query", id="from first"),
        pytest.param(
            over("count(*)").replace("items", "products"), "own.sql:2: there is no 'products' here", id="products"
        ),
        pytest.param(
            over("count(*)").replace("items", "read_csv('x')"), "own.sql:2: this cannot be read here", id="a file"
        ),
        pytest.param(
            over("sum(wight)"), 'own.sql:1: Binder Error: Referenced column "wight" not found', id="no column"
        ),
        pytest.param(over("sum(_line)"), 'own.sql:1: Binder Error: Referenced column "_line" not found', id="origin"),
        pytest.param(over("avg(amount)"), "own.sql:1: 'avg' rounds. Select sum and count", id="average"),
        pytest.param(over("sum(amount) / count(*)"), "own.sql:1: '/' rounds on one engine", id="ratio"),
        pytest.param(over("round(sum(amount))"), "own.sql:1: 'round' rounds", id="round"),
        pytest.param(over("any_value(amount)"), "own.sql:1: 'any_value' is not known", id="any value"),
        pytest.param(over("count(random())"), "own.sql:1: 'random' is not known", id="chance"),
        pytest.param(over("count(now())"), "own.sql:1: 'now' is not known", id="clock"),
        pytest.param(
            over("sum(cast(amount as double))"), "own.sql:1: engines differ in a cast to 'double'", id="float"
        ),
        pytest.param(over("sum(amount * 1e3)"), "own.sql:1: 1e3 is not exact", id="float constant"),
        pytest.param(
            over("sum(cast(amount as bigint))"), "own.sql:1: a cast rounds, and Spark rounds", id="cast rounds"
        ),
        pytest.param(
            SQL.replace("sum(amount)", "sum(cast(amount as decimal(38, 2)))"),
            "own.sql:1: a cast rounds",
            id="cast to cents",
        ),
        pytest.param(over("sum(cast(2.5 as bigint))"), "own.sql:1: a cast rounds", id="a cast of a number rounds"),
        pytest.param(over("sum(amount * cost * cost)"), "own.sql:1: ", id="a scale that no engine has"),
        pytest.param(SQL + "limit 3", "own.sql:4: a limit keeps some rows of the whole", id="limit"),
        pytest.param(
            SQL.replace("order_date, count", "max(order_date) as order_date, count").replace(
                "by category, order_date", "by 1"
            ),
            "own.sql:1: this query sums up rows of several days",
            id="all days",
        ),
        pytest.param(
            "with a as (select user_id, count(*) as n from orders group by user_id)\n"
            + over("max(a.n)").replace("from items", "from items join a on a.user_id = items.user_id"),
            "own.sql:1: this query sums up rows of several days",
            id="all days of a customer",
        ),
        pytest.param(
            over("count(*) + (select count(*) from orders)"), "own.sql:1: a query within an expression", id="subquery"
        ),
        pytest.param(
            (
                "select i.category, i.order_date, count(*) as n, sum(i.amount) as revenue\n"
                "from items i join orders o on o.user_id = i.user_id group by i.category, i.order_date"
            ),
            "own.sql:1: the result over all days differs from the results day by day",
            id="other days of a customer",
        ),
        pytest.param(
            "select category, order_date, n, n as revenue from (select *, sum(1) over (partition by category) as n from items)",
            "own.sql:1: the window of 'sum' sees several days",
            id="window",
        ),
        pytest.param(
            over("sum(place)").replace(
                "from items",
                "from (select *, rank() over (partition by order_date order by brand) as place from items)",
            ),
            "own.sql:2: engines differ in where empty values come. Write 'nulls last'",
            id="rank of empty values",
        ),
        pytest.param(
            SQL.replace("group by category", "group by category, brand"),
            "own.sql:1: the result has several rows for one key",
            id="not unique",
        ),
        pytest.param(
            over("sum(case when is_returned = 1 then 1 end)"),
            "own.sql:1: 'n' may be empty. Write coalesce(n, 0)",
            id="empty",
        ),
        pytest.param(
            SQL.replace("count(*) as n", "count(*) as m"), "own.yaml:4: the SQL selects no 'n'", id="no measure"
        ),
        pytest.param(
            SQL.replace("as n,", "as n, sum(cost) as cost,"), "own.sql:1: no column of Own uses 'cost'", id="unused"
        ),
        pytest.param(over("sum(amount)"), "own.yaml:4: 'n' is DECIMAL(38,16), no count. Write 'money'", id="no count"),
        pytest.param(
            SQL.replace("select category,", "select upper(category) as category,"), "own.sql:1: 'upper'", id="letters"
        ),
    ],
)
def test_sql_is_refused(sql: str, said: str, tmp_path: Path) -> None:
    """What one engine cannot run, what is not exact or not of its day alone."""
    assert refusal(tmp_path / "contracts", sql=sql).startswith(said)


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        pytest.param(YAML.replace("Own", "OrderKPIs"), "own.yaml:1: 'OrderKPIs' is a table of Takings", id="taken"),
        pytest.param(YAML.replace("Own", "orderkpis"), "own.yaml:1: 'orderkpis' is a table of Takings", id="case"),
        pytest.param(YAML.replace("Own", "my-table"), "own.yaml:1: a table cannot be called 'my-table'", id="name"),
        pytest.param(
            YAML.replace("category, ", "weight, "), "own.yaml:2: neither 'orders' nor 'items' has", id="grain"
        ),
        pytest.param(YAML.replace(", order_date", ""), "own.yaml:2: the grain lacks 'order_date'", id="no day"),
        pytest.param(YAML.replace("  n:", "  commit:"), "own.yaml:4: the name 'commit' is taken", id="reserved"),
        pytest.param(
            YAML.replace("count: n", "cuont: n"), "own.yaml:4: unknown key 'cuont'. Did you mean 'count'", id="typo"
        ),
        pytest.param(YAML.replace("{count: n}", "{percent: n}"), "own.yaml:4: 'n' lacks 'of'", id="no whole"),
        pytest.param(YAML.replace("{count: n}", "{count: n, per: n}"), "own.yaml:4: 'per' has no meaning", id="beside"),
        pytest.param(YAML + "checks: [revenue > = 0]", "own.yaml:6: 'revenue > = 0' is no check", id="no check"),
        pytest.param(YAML + "checks: [loss >= 0]", "own.yaml:6: there is no 'loss' to check", id="check of nothing"),
        pytest.param(
            YAML + "checks: [sum revenue over brand = OrderKPIs.total_revenue]",
            "own.yaml:6: a sum goes over the whole",
            id="over",
        ),
        pytest.param(
            YAML + "checks: [sum revenue over category = OrderKPIs.revnue]",
            "own.yaml:6: there is no 'revnue'",
            id="other column",
        ),
        pytest.param(
            YAML + "checks: [sum revenue over category = CategoryKPIs.revenue]",
            "own.yaml:6: 'CategoryKPIs' is no table by day",
            id="table",
        ),
    ],
)
def test_definitions_are_refused(yaml: str, said: str, tmp_path: Path) -> None:
    """A wrong name or key, with its line."""
    assert refusal(tmp_path / "contracts", yaml=yaml).startswith(said)


@pytest.mark.parametrize(
    ("written", "summed"),
    [
        ("sum revenue over category = OrderKPIs.total_revenue", "revenue"),
        ("sum over category = OrderKPIs.total_revenue", "revenue"),
        ("sum n over category = OrderKPIs.total_items_sold", "n"),
    ],
)
def test_a_sum_may_leave_out_what_it_adds_up(written: str, summed: str, tmp_path: Path) -> None:
    """It is what has the name of the other side's column, with `total_` or without."""
    (table,) = loaded(tmp_path / "contracts", yaml=f"{YAML}checks: [{written}]\n")
    assert table.own is not None
    assert [(check.left, check.is_sum, check.text) for check in table.own.checks] == [(summed, True, written)]


def test_a_sum_of_nothing_by_that_name_is_refused(tmp_path: Path) -> None:
    """With how to write it."""
    said = refusal(tmp_path / "contracts", yaml=YAML + "checks: [sum over category = OrderKPIs.total_items_sold]")
    assert said.startswith("own.yaml:6: 'sum over category = OrderKPIs.total_items_sold' is no check. Write")


def test_sql_without_its_columns_is_refused(tmp_path: Path) -> None:
    """And the other way round."""
    contracts_with_kpis(folder := tmp_path / "contracts", {"own.sql": SQL})
    with pytest.raises(ContractError, match=r"own.sql:1: own.yaml is missing. Write the definition of its columns"):
        load_own_tables(folder, load_contracts(folder))


def test_the_examples_are_sound(tmp_path: Path) -> None:
    """All four tables of sample/kpis load, the day last in their grain."""
    contracts = load_contracts(Path(contracts_with_kpis(tmp_path / "contracts")))
    tables = checked_tables(load_own_tables(tmp_path / "contracts", contracts), contracts)
    assert {table.name: table.key for table in tables} == {
        "CategoryMargins": ("category", "order_date"),
        "CountryCustomers": ("country", "order_date"),
        "DepartmentReturns": ("department", "order_date"),
        "ProductSales": ("product_id", "order_date"),
    }
    assert {table.name: set(columns_of_products(duckdb.default_connection(), table)) for table in tables} == {
        "CategoryMargins": {"category", "cost"},
        "CountryCustomers": set(),
        "DepartmentReturns": {"department"},
        "ProductSales": set(),
    }


@pytest.mark.parametrize(
    ("sql", "read"),
    [
        (SQL, {"category"}),
        (SQL.replace("from items", "from items where brand = 'A'"), {"category", "brand"}),
        (SQL.replace("from items", "from (select * from items) i"), None),
        ("with items as (select * from items)\n" + SQL, None),
        (
            "with i as (select category, order_date, cost as amount from items)\n" + SQL.replace("items", "i"),
            {"category", "cost"},
        ),
        (
            (
                "select i.category, o.order_date, count(*) as n, sum(i.amount) as revenue from items i\n"
                "join orders o using (order_id, order_date) group by i.category, o.order_date"
            ),
            {"category"},
        ),
    ],
)
def test_read_columns_are_found(sql: str, read: set[str] | None, tmp_path: Path) -> None:
    """In conditions, behind names of their own, and every one of them (None) behind a star."""
    (table,) = loaded(tmp_path / "contracts", sql=sql)
    every = {column.name for column in load_contracts()[Dataset.PRODUCTS].columns} - {"id"}
    assert columns_of_products(duckdb.default_connection(), table) == (every if read is None else read)


def test_the_shipped_tables_are_watched_as_ever(tmp_path: Path) -> None:
    """A product's category; an order's status only where an item may lack its own."""
    usual = watched_columns(duckdb.default_connection(), load_contracts(), ())
    assert (usual.products, usual.orders) == (("category",), ())
    lacking = contracts_of_worth(tmp_path / "contracts", optional=("status",))
    by_worth = watched_columns(duckdb.default_connection(), load_contracts(Path(lacking)), ())
    assert (by_worth.products, by_worth.orders) == (("category",), ("status",))


def test_a_definition_is_of_its_table_alone(tmp_path: Path) -> None:
    """A comment is a part of the SQL; the place of the files is not."""
    first, same = loaded(tmp_path / "a"), loaded(tmp_path / "b")
    other = loaded(tmp_path / "c", sql="-- other\n" + SQL)
    hashes = [definition_hash(tables, policy="file", time_zone="UTC") for tables in (first, same, other)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_page_shows_the_example_as_it_is() -> None:
    """docs/kpis.md has the text of both files of the margin."""
    page = (EXAMPLES.parent.parent / "docs" / "kpis.md").read_text(encoding="utf-8")
    for name in ("category_margins.sql", "category_margins.yaml"):
        assert (EXAMPLES / name).read_text(encoding="utf-8") in page
