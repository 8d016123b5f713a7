"""Both validation engines reach the same verdicts, reports and staged rows for the same bytes."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from takings.adapters.duckdb.session import open_duckdb
from takings.adapters.shop_generator import ShopFormat, ShopPlan, generate_shop
from takings.adapters.shop_generator.plan import DAMAGEABLE
from takings.batch.reading_ahead import SMALL
from takings.contracts.model import Dataset, Unique
from takings.contracts.rules import make_rule
from tests.depth import examples
from tests.shop import ITEMS, ORDERS, PRODUCTS, csv_of, item, order, product
from tests.validation_engine.both_engines import Workbench
from tests.validation_engine.naughty_files import CONTRACTS, NaughtyFile, naughty_files

_QUARANTINED: dict[str, Any] = {
    "_takings_source": "raw-data/products/a.csv",
    "_takings_line": 2,
    "_takings_reasons": "cost|greater_than: must be greater than 0",
    "_takings_version": "2025-03-29T10:00:00.123456Z",
}


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB as Takings does."""
    with closing(open_duckdb("400MB", 1, tmp_path_factory.mktemp("spill"))) as opened:
        yield opened


def check_agreement(workbench: Workbench, content: bytes, *chunk_sizes: int, file: str = "a.csv") -> None:
    """Assert that the engines agree on a file, whatever chunk pandas reads, and whichever files DuckDB checks with it."""
    expected = workbench.duckdb(content, file=file)
    if len(content) <= SMALL:
        for outcome in workbench.together(content, file=file):
            assert outcome in (expected, None)
    for chunk_size in chunk_sizes or (10_000,):
        assert workbench.pandas(content, file=file, chunk_size=chunk_size) == expected


PRODUCTS_HEADER = b"id,sku,cost,category,name,brand,retail_price,department\n"
ITEMS_HEADER = b"id,order_id,product_id,user_id,status,sale_price\n"
#: Berlin skips 2:30 on 30 March 2025 and repeats it on 26 October; São Paulo skips midnight on 4 November 2018
DAYS = ("2025-03-30", "2025-10-26", "2018-11-04", "2018-02-17", "1890-01-01", "1945-05-24", "0002-01-01", "9998-12-31")
CLOCKS = ("T00:00:00", " 00:30:00", "T02:00:00", " 02:30:00", "T03:00:00", " 23:30:00")
FORMS = (
    ("", ""),
    (".5", ""),
    (".1234567", ""),
    ("", "Z"),
    ("", " UTC"),
    (".999999999", "Z"),
    ("", "+02:00"),
    (".5", "-23:59"),
    ("", "+00"),
    (".1234567", "-0730"),
    ("", " +05"),
    (".5", " -05:30"),
    ("", "z"),
    (".5", " Z"),
)

FILES: dict[str, tuple[Dataset, bytes]] = {
    "nothing": (Dataset.PRODUCTS, b""),
    "products": (Dataset.PRODUCTS, PRODUCTS),
    "orders": (Dataset.ORDERS, ORDERS),
    "items": (Dataset.ORDER_ITEMS, ITEMS),
    "a header alone": (Dataset.PRODUCTS, PRODUCTS_HEADER),
    "a header without a line end": (Dataset.PRODUCTS, PRODUCTS_HEADER.rstrip()),
    "no sound record": (Dataset.PRODUCTS, PRODUCTS_HEADER + b"1,2\n3,4\n"),
    "no line end at the end": (Dataset.PRODUCTS, PRODUCTS.rstrip()),
    "CRLF": (Dataset.PRODUCTS, PRODUCTS.replace(b"\n", b"\r\n")),
    "mixed line ends": (Dataset.PRODUCTS, PRODUCTS.replace(b"\n", b"\r\n", 2)),
    "a BOM": (Dataset.PRODUCTS, b"\xef\xbb\xbf" + PRODUCTS),
    "a duplicate header": (Dataset.PRODUCTS, b"id," + PRODUCTS),
    "UTF-16": (Dataset.PRODUCTS, PRODUCTS.decode().encode("utf-16")),
    "blank lines": (Dataset.PRODUCTS, PRODUCTS.replace(b"\n", b"\n\n")),
    "quotes everywhere": (Dataset.PRODUCTS, PRODUCTS.replace(b",", b'","').replace(b"\n", b'"\n"').join([b'"', b'"'])[:-2]),
    "embedded line ends": (Dataset.PRODUCTS, PRODUCTS.replace(b"Atlas", b'"At\nl""a\r\ns\r"')),
    "empty in quotes": (Dataset.PRODUCTS, PRODUCTS.replace(b"Atlas", b'""').replace(b"Toys", b'""')),
    "blanks": (Dataset.PRODUCTS, PRODUCTS.replace(b"Atlas", b'" \t\r\n\v\f"').replace(b"Toys", b" \t\v\f")),
    "an unterminated quote": (Dataset.PRODUCTS, PRODUCTS + b'4,"x\n'),
    "a NUL": (Dataset.PRODUCTS, PRODUCTS.replace(b"Books", b"Bo\0ks")),
    "ill-formed UTF-8": (Dataset.PRODUCTS, PRODUCTS.replace(b"Books", b"Bo\xffks")),
    "a short and a long row": (Dataset.PRODUCTS, PRODUCTS + b"1,,2,\n" + b"," * 20 + b"\n"),
    "a huge field": (Dataset.PRODUCTS, PRODUCTS.replace(b"Books", b"x" * 900_000)),
    "a huge record": (Dataset.PRODUCTS, PRODUCTS.replace(b"Books", b"x" * 1_200_000)),
    "a row twice": (Dataset.ORDERS, csv_of(order(1), order(2), order(1), order(1))),
    "a row twice but for its spelling": (
        Dataset.ORDER_ITEMS,
        csv_of(item(1, 1), item(1, 1, sale_price="10.0", status="SHIPPED")),
    ),
    "a key twice": (Dataset.ORDERS, csv_of(order(1), order(2), order(1, user_id=8), order(1))),
    "a key twice, unreadable otherwise": (Dataset.ORDERS, csv_of(order(1, user_id="x"), order(1, user_id="y"))),
    "a key twice, once unreadable otherwise": (Dataset.ORDERS, csv_of(order(1), order(1, user_id="y"))),
    "a key twice, with a warning": (Dataset.ORDERS, csv_of(*[order(1, status="returned", returned_at="")] * 2)),
    "no key": (Dataset.ORDERS, csv_of(order(1), *[order(1, order_id="")] * 2, *[order(1, order_id="x")] * 2)),
    "the largest key": (Dataset.ORDERS, csv_of(*[order(2**63 - 1)] * 2, order(2**63), order(2**63 - 2))),
    "other column order": (Dataset.ORDERS, csv_of({column: order(1)[column] for column in reversed(list(order(1)))})),
    "extra columns": (Dataset.ORDERS, csv_of(order(1, _record=7, _line="x", _mask="", r0="y", status="lost"))),
    "mandatory columns missing": (Dataset.ORDERS, b"user_id,status\n7,lost\nx,\n"),
    "one column": (Dataset.ORDERS, b'order_id\n1\n""\n \n1\n"\n"\n'),
    "a returned order without its time": (Dataset.ORDERS, csv_of(order(1, status="Returned", returned_at=" "))),
    "a bound in another column": (
        Dataset.PRODUCTS,
        csv_of(*(product(n, cost=cost) for n, cost in enumerate(("20.00", "20.0000000000000001", "20", "x", "-1", "0")))),
    ),
    "an unreadable bound": (Dataset.PRODUCTS, csv_of(product(1, retail_price="x"), product(2, retail_price=""))),
    "mended rows": (Dataset.PRODUCTS, csv_of(*(product(n, **_QUARANTINED) for n in (1, 2)))),
    "mended rows with a wrong version": (
        Dataset.PRODUCTS,
        csv_of(*(product(1, **_QUARANTINED | {"_takings_version": v}) for v in ("", "x", "2025-03-30T12:00:00.000001Z"))),
    ),
    "not quite mended rows": (Dataset.PRODUCTS, csv_of(product(1, _takings_version="x"))),
    "a time that looks usual by its length": (Dataset.ORDERS, csv_of(order(1, "2025-3-30T16:14:26 "))),
    "a UTC time that looks usual by its length": (Dataset.ORDERS, csv_of(order(1, "2025-3-5 2:00:00 UTC"))),
    "a long blank": (Dataset.PRODUCTS, csv_of(product(1, brand=" " * 1025), product(2, sku=" " * 1025))),
    "a formula": (Dataset.ORDER_ITEMS, ITEMS_HEADER + b"=1+1,1,1,7,shipped,@SUM(A1)\n"),
}  # fmt: skip


@pytest.mark.parametrize("file", FILES)
def test_on_literal_files(connection: duckdb.DuckDBPyConnection, file: str) -> None:
    """Whatever is odd about a file, and wherever its chunks are cut."""
    dataset, content = FILES[file]
    check_agreement(Workbench(connection=connection, contract=CONTRACTS[dataset]), content, 10_000, 2, 1)


def test_only_files_in_which_a_value_repeats_are_left_to_a_pass_of_their_own(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """Such a file is rare, and all of its records have to be compared."""
    left = set()
    for file, (dataset, content) in FILES.items():
        if len(content) <= SMALL:
            outcomes = Workbench(connection=connection, contract=CONTRACTS[dataset]).together(content)
            left |= {file} if None in outcomes else set()
    assert left == {
        "a row twice",
        "a row twice but for its spelling",
        "a key twice",
        "a key twice, unreadable otherwise",
        "a key twice, once unreadable otherwise",
        "a key twice, with a warning",
        "the largest key",
        "one column",
        "mended rows with a wrong version",
    }


@pytest.mark.parametrize("time_zone", ["UTC", "Europe/Berlin", "America/Sao_Paulo"])
def test_on_times(connection: duckdb.DuckDBPyConnection, time_zone: str) -> None:
    """Gaps and repeated hours, offsets, fractions and the first and last years."""
    times = [day + clock + fraction + zone for day in DAYS for clock in CLOCKS for fraction, zone in FORMS]
    rows = [item(number, 1, delivered_at=time) for number, time in enumerate(times)]
    check_agreement(
        Workbench(connection=connection, contract=CONTRACTS[Dataset.ORDER_ITEMS], time_zone=time_zone), csv_of(*rows)
    )


@pytest.mark.parametrize(
    ("time_zone", "time"), [("Europe/Berlin", "0001-01-01T00:00:00"), ("America/Sao_Paulo", "9999-12-31 23:59:59.5")]
)
def test_on_local_times_at_the_ends_of_time(connection: duckdb.DuckDBPyConnection, time_zone: str, time: str) -> None:
    """A local time whose instant is outside the years 1 to 9999 cannot be read, like one with an offset."""
    workbench = Workbench(connection=connection, contract=CONTRACTS[Dataset.ORDER_ITEMS], time_zone=time_zone)
    check_agreement(workbench, csv_of(item(1, 1, delivered_at=time)))


def test_on_values_with_letters_outside_ascii(connection: duckdb.DuckDBPyConnection) -> None:
    """In a listed value, A-Z equal a-z; other letters are distinct."""
    orders = CONTRACTS[Dataset.ORDERS]
    columns = tuple(
        replace(column, values={**column.values, "zurück": "zurück"}) if column.values else column
        for column in orders.columns
    )
    statuses = ("zurück", "ZURüCK", "ZURÜCK", "zurÜck", "\u212aomplett")
    content = csv_of(*(order(number, status=status) for number, status in enumerate(statuses)))
    check_agreement(Workbench(connection=connection, contract=replace(orders, columns=columns)), content)


def test_on_a_unique_column_that_is_no_key(connection: duckdb.DuckDBPyConnection) -> None:
    """Rows with the same value and different content break `unique`, identical ones do not."""
    products = CONTRACTS[Dataset.PRODUCTS]
    rules = (*products.rules, make_rule(products.column("sku"), Unique()))
    content = csv_of(*(product(number, sku=sku) for number, sku in ((1, "a"), (1, "a"), (2, "b"), (3, "b"), (4, "c"))))
    check_agreement(Workbench(connection=connection, contract=replace(products, rules=rules)), content)


def test_on_a_compressed_file(connection: duckdb.DuckDBPyConnection) -> None:
    """The fingerprint is that of the dropped bytes."""
    workbench = Workbench(connection=connection, contract=CONTRACTS[Dataset.ORDERS])
    check_agreement(workbench, gzip.compress(ORDERS), file="a.csv.gz")


@pytest.mark.no_cover
@settings(
    max_examples=examples(10, 30),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    naughty=naughty_files(),
    time_zone=st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo"]),
    chunk_size=st.sampled_from([1, 3, 10_000]),
)
def test_on_naughty_files(
    connection: duckdb.DuckDBPyConnection, naughty: NaughtyFile, time_zone: str, chunk_size: int
) -> None:
    """Whatever the fields contain, whatever is repeated or broken, in any time zone and any chunks."""
    workbench = Workbench(connection=connection, contract=CONTRACTS[naughty.dataset], time_zone=time_zone)
    check_agreement(workbench, naughty.content, chunk_size)


@pytest.mark.no_cover
@pytest.mark.parametrize("format_", DAMAGEABLE)
def test_on_dirty_shops(connection: duckdb.DuckDBPyConnection, tmp_path: Path, format_: ShopFormat) -> None:
    """Every fault of the generator, in both of its formats."""
    generated = generate_shop(tmp_path, ShopPlan(orders=300, seed=5, days=20, dirty=Decimal(5), format=format_))
    for path in generated.files:
        dataset = Dataset(path.parent.name.replace("-", "_"))
        check_agreement(Workbench(connection=connection, contract=CONTRACTS[dataset]), path.read_bytes(), 100)


@pytest.mark.no_cover
def test_chunk_reports_do_not_depend_on_the_chunks_that_are_read(connection: duckdb.DuckDBPyConnection) -> None:
    """A report covers 10,000 records with the first 100 violations, whatever the engine reads at once."""
    rows = [item(number, 1, status="lost" if number % 50 == 0 else "shipped") for number in range(20_500)]
    workbench = Workbench(connection=connection, contract=CONTRACTS[Dataset.ORDER_ITEMS])
    content = csv_of(*rows, item(3, 1, sale_price="11"))
    check_agreement(workbench, content, 10_000, 7_001, 300)
