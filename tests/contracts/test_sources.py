"""A source is checked strictly when it is loaded: an error names file, line and remedy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from takings.adapters.duckdb.source_sql import checked
from takings.contracts import load_contracts
from takings.contracts.datasets import SourceName, kind_of
from takings.contracts.model import Contracts, Dataset
from takings.contracts.sources import NO_SOURCES, Source
from takings.errors import ContractError
from tests.till import ITEMS_SQL, ORDERS_SQL, PRODUCTS_SQL, SOURCE, contracts_with, till


def load(folder: Path, **sources: dict[str, str]) -> Contracts:
    """Load the shipped contracts with these sources."""
    return checked(load_contracts(contracts_with(folder, **sources)))


def test_a_source_names_folder_columns_and_sql(tmp_path: Path) -> None:
    """What it leaves out has the defaults; its datasets are in the usual order."""
    source = load(tmp_path, till=till()).sources.by_name[SourceName("till")]
    assert isinstance(source, Source)
    assert (source.folder, source.datasets) == (
        "till",
        (Dataset.PRODUCTS, Dataset.ORDERS, Dataset.ORDER_ITEMS),
    )
    assert [query.is_stand_in for query in source.queries] == [True, False, False]
    assert source.columns[:2] == ("Name", "Financial Status")


def test_its_folder_is_its_name_unless_it_says_another(tmp_path: Path) -> None:
    """So the shortest source only names columns and datasets."""
    short = SOURCE.replace("rawData: till\n", "")
    assert load(tmp_path, till=till(source=short)).sources.folders == {"till": SourceName("till")}


def test_a_folder_without_sources_has_none(tmp_path: Path) -> None:
    """The shipped contracts have none either, and sources are not part of the contracts' hash."""
    assert load(tmp_path).sources == load_contracts().sources == NO_SOURCES
    assert load(tmp_path / "b", till=till()).hash == load_contracts().hash
    assert NO_SOURCES.hash is None


@pytest.mark.parametrize(
    "changed",
    [
        {"orders": ORDERS_SQL.replace("'1'", "'2'")},
        {"source": SOURCE.replace("rawData: till", "rawData: tills")},
        {"source": SOURCE + "takingsFile: {delimiter: ';'}\n"},
        {"source": SOURCE.replace("standIns: [products]\n", "")},
        {"source": SOURCE.replace("columns: [", "columns: [Vendor, ")},
    ],
    ids=["SQL", "folder", "format", "stand-ins", "columns"],
)
def test_the_hash_knows_what_decides_what_a_file_yields(tmp_path: Path, changed: Mapping[str, str]) -> None:
    """A description does not change it."""
    usual = load(tmp_path / "a", till=till()).sources.hash
    assert load(tmp_path / "b", till=till(**changed)).sources.hash != usual
    other_words = SOURCE.replace("Orders as", "Sales as")
    assert load(tmp_path / "c", till=till(source=other_words)).sources.hash == usual


@pytest.mark.parametrize("text", ["Orders", "../x", "a b", "", "order-items", "1a"])
def test_no_other_text_is_a_name(text: str) -> None:
    """A name is part of keys and paths."""
    with pytest.raises(ValueError, match="not the name of a dataset"):
        kind_of(text)


REFUSED = {
    "an unknown key": (
        {"source": SOURCE + "colums: [a]\n"},
        "source.yaml:9: unknown key 'colums'. Did you mean 'columns'?",
    ),
    "no columns": (
        {"source": "datasets: {orders: orders.sql}\n"},
        "source.yaml:1: the source lacks 'columns'. Add it.",
    ),
    "a column twice": (
        {"source": SOURCE.replace("[Name,", "[Name, name,")},
        "source.yaml:3: the column 'name' is already on line 3; case makes no difference in SQL. Keep one.",
    ),
    "a column with a meaning": (
        {"source": SOURCE.replace("[Name,", "[_line, Name,")},
        "source.yaml:3: '_line' has a meaning of its own. Rename the column in the file.",
    ),
    "a dataset twice": (
        {"source": SOURCE.replace("  products:", "  orders: other.sql\n  products:")},
        "source.yaml:7: not readable as YAML: the key 'orders' is already on line 5; keep one of them.",
    ),
    "an unknown dataset": (
        {"source": SOURCE.replace("  products:", "  product:")},
        "source.yaml:7: unknown key 'product'. Did you mean 'products'?",
    ),
    "a file that is not there": (
        {"products": None},
        "products.sql. Add the SQL that selects the rows of 'products' from 'rows'.",
    ),
    "SQL of no dataset": (
        {"refunds": "select 1"},
        "refunds.sql is the SQL of no dataset here. Name it, or remove it.",
    ),
    "a file elsewhere": (
        {"source": SOURCE.replace("orders: orders.sql", "orders: ../orders.sql")},
        "source.yaml:5: '../orders.sql' cannot hold SQL. Name a file next to source.yaml that ends in .sql.",
    ),
    "stand-ins that are not yielded": (
        {"source": SOURCE.replace("[products]", "[customers]")},
        "source.yaml:8: the source yields no 'customers'.",
    ),
    "a dataset's folder": (
        {"source": SOURCE.replace("rawData: till", "rawData: order_items")},
        "source.yaml:2: raw-data/order_items holds the files of a dataset. Name another folder.",
    ),
    "a folder elsewhere": (
        {"source": SOURCE.replace("rawData: till", "rawData: ../till")},
        "source.yaml:2: '../till' cannot be a folder under raw-data/.",
    ),
    "a format that is none": (
        {"source": SOURCE + "takingsFile: {delimiter: x}\n"},
        "source.yaml:9: 'x' cannot separate fields.",
    ),
    "no SQL": ({"orders": "selec 1"}, 'orders.sql:1: syntax error at or near "selec". Correct the SQL.'),
    "an empty file": ({"orders": "-- nothing\n"}, "orders.sql:1: "),
    "two queries": (
        {"orders": ORDERS_SQL + ";\nselect 1"},
        "orders.sql:1: the file holds 2 queries. Write one 'select'.",
    ),
    "another statement": (
        {"orders": "create table x as select 1"},
        "orders.sql:1: only a query can be run. Write one 'select'.",
    ),
    "SQL that cannot be run": (
        {"orders": ORDERS_SQL.replace('"Created at"', '"Created"')},
        'orders.sql:8: Binder Error: Referenced column "Created" not found in FROM clause!',
    ),
    "a mandatory column less": (
        {"orders": ORDERS_SQL.replace("as user_id", "as user")},
        "orders.sql:1: the SQL of 'orders' says 'user' where 'user_id' is expected",
    ),
    "a name twice": (
        {"orders": ORDERS_SQL.replace("as user_id", "as order_id")},
        "orders.sql:1: the SQL yields 'order_id' twice; case makes no difference. Keep one of them.",
    ),
    "no line": (
        {"orders": ORDERS_SQL.replace("    _line,\n", "")},
        "orders.sql:1: the SQL yields no '_line', or not as a whole number. Select min(_record) as _record and min(_line)",
    ),
    "a line that is text": (
        {"orders": ORDERS_SQL.replace("    _line,\n", "    cast(_line as varchar) as _line,\n")},
        "orders.sql:1: the SQL yields no '_line', or not as a whole number.",
    ),
    "a list": (
        {"orders": ORDERS_SQL.replace("'1' as user_id", "['1'] as user_id")},
        "orders.sql:1: 'user_id' is VARCHAR[], and a field of a file is text. Cast it to varchar.",
    ),
}


@pytest.mark.parametrize(("changed", "problem"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_wrong_is_refused(tmp_path: Path, changed: Mapping[str, str | None], problem: str) -> None:
    """Each refusal names file and line, and says what to do."""
    with pytest.raises(ContractError) as refused:
        load(tmp_path, till=till(**changed))
    assert problem in str(refused.value)


#: a part of the orders' SQL -> what makes it depend on more than the records, the line, and the message
UNSOUND = {
    "now": ("'1' as user_id", "now() as user_id", 6, "'now' does not depend on the file's records alone."),
    "today": ("'1' as user_id", "current_date as user_id", 6, "'current_date' does not depend on the file's"),
    "random": ("'1' as user_id", "random() as user_id", 6, "'random' does not depend on the file's records alone."),
    "uuid": ("'1' as user_id", "uuid() as user_id", 6, "'uuid' does not depend on the file's records alone."),
    "a setting": ("'1'", "current_setting('TimeZone')", 6, "'current_setting' does not depend on"),
    "rowid": ("'1' as user_id", "rowid as user_id", 6, "'rowid' does not depend on the file's records alone."),
    "hash": ("'1'", 'hash("Name")', 6, "'hash' changes with the version of DuckDB. Use md5."),
    "an untotal window": (
        '(partition by "Name" order by _record) = 1',
        '(partition by "Name" order by _line) = 1',
        11,
        "'row_number' depends on the order of rows that may be equal.",
    ),
    "a window of the file": (
        'over (partition by "Name") as num',
        "over () as num",
        9,
        "the window of 'count' holds the whole file. Add 'partition by'.",
    ),
    "a sum along equal rows": (
        'count(*) over (partition by "Name")',
        'count(*) over (partition by "Name" order by "Name" rows between 1 preceding and current row)',
        9,
        "'count' depends on the order of rows that may be equal.",
    ),
    "a lead": (
        "'1' as user_id",
        'lead("Name") over (partition by "Name") as user_id',
        6,
        "'lead' depends on the order",
    ),
    "a float": ("'1' as user_id", "cast('1' as double) as user_id", 6, "double is not exact. Cast to decimal(18, 2)."),
    "a hidden float": ("'1' as user_id", "cast(cast(1 as float) as varchar) as user_id", 6, "float is not exact."),
    "a division": ("'1' as user_id", "cast(_line / 2 as varchar) as user_id", 6, "'/' is not exact."),
    "a power": ("'1' as user_id", "cast(pow(_line, 2) as varchar) as user_id", 6, "'pow' is not exact."),
    "a float's literal": ("'1' as user_id", "1e3 as user_id", 1, "'user_id' is DOUBLE, which is not exact."),
    "a file": (
        "from rows",
        "from 'orders.csv'",
        10,
        "there is no 'orders.csv' here. The file's records are in 'rows'.",
    ),
    "a reader": ("from rows", "from read_csv('/etc/passwd')", 10, "'read_csv' reads more than the file's records."),
    "settings": ("from rows", "from duckdb_settings()", 10, "'duckdb_settings' reads more than the file's records."),
    "another table": ("from rows", "from made", 10, "there is no 'made' here."),
    "a schema": ("from rows", "from information_schema.tables", 10, "there is no 'information_schema.tables' here."),
    "a sample": ("from rows", "from rows tablesample reservoir(10 rows)", 10, "a sample takes other rows each time."),
    "a join by place": ("from rows", "from rows positional join rows r", 10, "a join of the kind POSITIONAL depends"),
    "a parameter": ("'1' as user_id", "? as user_id", 6, "a parameter has no value here. Write the value."),
}


@pytest.mark.parametrize(("old", "new", "line", "problem"), UNSOUND.values(), ids=UNSOUND.keys())
def test_sql_that_depends_on_more_than_the_records_is_refused(
    tmp_path: Path, old: str, new: str, line: int, problem: str
) -> None:
    """The same file has to yield the same rows on every machine, in any year."""
    assert old in ORDERS_SQL
    with pytest.raises(ContractError) as refused:
        load(tmp_path, till=till(orders=ORDERS_SQL.replace(old, new)))
    assert f"orders.sql:{line}: {problem}" in str(refused.value)


AGGREGATES = {
    "string_agg": ("string_agg(\"Name\", '')", "string_agg(\"Name\", '' order by _record)"),
    "first": ('first("Name")', 'first("Name" order by "Name", _record)'),
    "any_value": ('any_value("Name")', 'min("Name")'),
    "list": ('cast(list("Name") as varchar)', 'cast(list("Name" order by _record) as varchar)'),
    "arg_max": ('arg_max("Name", "Created at")', 'max("Name")'),
    "avg": ("cast(avg(_line) as varchar)", "sum(_line) // count(*)"),
    "limit": ('(select "Name" from rows limit 1)', '(select "Name" from rows order by "Name", _record limit 1)'),
    "distinct on": (
        '(select count(*) from (select distinct on ("Name") * from rows order by "Created at"))',
        '(select count(*) from (select distinct on ("Name") * from rows order by "Created at", _record))',
    ),
    "list_first": ("list_first(['a', 'b'])", "['a', 'b'][1]"),
}


@pytest.mark.parametrize(("unsound", "sound"), AGGREGATES.values(), ids=AGGREGATES.keys())
def test_what_depends_on_an_order_has_to_name_a_total_one(tmp_path: Path, unsound: str, sound: str) -> None:
    """`_record` makes an order total."""
    named = '"Lineitem name" as name'
    assert named in PRODUCTS_SQL
    load(tmp_path / "sound", till=till(products=PRODUCTS_SQL.replace(named, f"{sound} as name")))
    with pytest.raises(ContractError, match=r"products\.sql:(9|10): "):
        load(tmp_path / "unsound", till=till(products=PRODUCTS_SQL.replace(named, f"{unsound} as name")))


def test_a_recursive_query_is_refused(tmp_path: Path) -> None:
    """It may never end."""
    sql = ITEMS_SQL.replace(
        "with numbered", "with recursive steps as (select 1 as n union all select n + 1 from steps), numbered"
    )
    with pytest.raises(ContractError, match=r"order_items\.sql:\d+: a recursive query may never end"):
        load(tmp_path, till=till(order_items=sql))


def test_a_dataset_whose_rows_say_their_instant_has_no_stand_ins(tmp_path: Path) -> None:
    """The row's instant would decide first, before the version that makes a stand-in older than any real row."""
    folder = contracts_with(tmp_path, till=till())
    contract = folder / "products.odcs.yaml"
    text = contract.read_text(encoding="utf-8")
    place = "    properties:\n"
    assert text.count(place) == 1
    version = "    customProperties:\n      - property: takingsVersion\n        value: updated_at\n"
    column = (
        "      - name: updated_at\n        logicalType: timestamp\n        required: true\n"
        "        customProperties:\n          - property: takingsMandatory\n            value: true\n"
    )
    contract.write_text(text.replace(place, version + place + column), encoding="utf-8")
    with pytest.raises(ContractError, match=r"source\.yaml:8: the contract of 'products' has takingsVersion"):
        load_contracts(folder)
    source = folder / "sources" / "till" / "source.yaml"
    source.write_text(SOURCE.replace("standIns: [products]\n", ""), encoding="utf-8")
    assert load_contracts(folder)[Dataset.PRODUCTS].version_column == "updated_at"


def test_two_sources_need_two_folders(tmp_path: Path) -> None:
    """A file belongs to only one source; on some systems case makes no difference."""
    with pytest.raises(ContractError, match=r"raw-data/TILL is already the folder of"):
        load(tmp_path, till=till(), tilly=till(source=SOURCE.replace("rawData: till", "rawData: TILL")))


@pytest.mark.parametrize("name", ["Till", "products", "order-items", "a b"])
def test_a_source_needs_a_plain_name(tmp_path: Path, name: str) -> None:
    """It is used in keys next to the datasets' names."""
    with pytest.raises(ContractError, match=r"source\.yaml:1: a source cannot be called"):
        load(tmp_path, **{name: till()})


def test_a_folder_without_its_file_is_refused(tmp_path: Path) -> None:
    """A hidden one belongs to nobody."""
    folder = contracts_with(tmp_path, till=till())
    (folder / "sources" / ".git").mkdir()
    load(tmp_path)
    (folder / "sources" / "till" / "source.yaml").unlink()
    with pytest.raises(ContractError, match=r"source\.yaml:1: the source has no source\.yaml"):
        load(tmp_path)


def test_a_column_may_be_called_as_a_function_is(tmp_path: Path) -> None:
    """Many exports have a column `user`."""
    source = SOURCE.replace("columns: [", "columns: [user, ")
    load(tmp_path, till=till(source=source, orders=ORDERS_SQL.replace("'1' as user_id", '"user" as user_id')))


def test_who_only_looks_needs_no_database_for_it(tmp_path: Path) -> None:
    """A function on AWS knows only the sources' folders; the process that runs the SQL checks it."""
    folder = contracts_with(tmp_path, till=till())
    asked = (
        "import sys; from pathlib import Path; from takings.contracts import load_contracts;"
        f" print(*load_contracts(Path({str(folder)!r})).sources.folders, 'duckdb' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert answer.stdout == "till False\n"
