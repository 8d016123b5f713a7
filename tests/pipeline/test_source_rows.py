"""What a source's SQL yields depends only on its file's records: not on their order, the engine, the machine or the time."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from takings.adapters import scanned_file
from takings.adapters.duckdb.source_rows import DuckDbSources
from takings.adapters.duckdb.source_sql import checked
from takings.contracts import load_contracts
from takings.contracts.datasets import SourceName
from takings.contracts.model import Dataset
from takings.contracts.sources import Source
from tests.depth import examples
from tests.till import EXPORT, ITEMS_SQL, contracts_with, till

HEADER: Final = EXPORT.splitlines(keepends=True)[0]
#: sound SQL with everything that needs an order: each has to name a total one
ORDERED_SQL: Final = ITEMS_SQL.replace(
    "    '1' as user_id,",
    """\
    cast(length(string_agg("Lineitem name", ',' order by "Lineitem price", _record) over (partition by "Name")) as varchar)
        || cast(lag("Lineitem quantity", 1, '0') over (partition by "Name" order by "Vendor", _record) as varchar)
        || cast(rank() over (partition by "Name" order by "Lineitem price") as varchar)
        || (select min("Lineitem quantity") from (select * from rows order by "Lineitem name", _record limit 2)) as user_id,""",
)
fields = st.sampled_from(["", "a", "b", "10.00", '"x, ""y"""', '"two\nlines"', "é"])
records = st.lists(st.tuples(st.sampled_from(["#1", "#2", "#3", ""]), *[fields] * 6), max_size=8)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Return a source, checked."""
    folder = tmp_path_factory.mktemp("contracts")
    texts = till(order_items=ORDERED_SQL)
    texts["source.yaml"] = texts["source.yaml"].replace("Lineitem price]", "Lineitem price, Vendor]")
    return checked(load_contracts(contracts_with(folder, till=texts))).sources.by_name[SourceName("till")]


def made(folder: Path, content: bytes, source: Source, order: list[int] | None) -> dict[Dataset, bytes]:
    """Return each dataset's rows in normal form, made from the records in their own order (None) or in another one."""
    file, workspace = folder / "a.csv", folder / "work"
    file.write_bytes(content)
    structure = scanned_file.read_structure(file, workspace)
    if order is not None:
        normal = scanned_file.normal_csv(file, structure, workspace).path
        lines = split_records(normal.read_bytes())
        normal.write_bytes(b"".join(lines[place] for place in order))
    files = DuckDbSources("200MB").make(file, structure, source, workspace)
    assert isinstance(files, tuple), files
    return {each.dataset: (each.workspace / "normal.csv").read_bytes() for each in files}


def split_records(normal: bytes) -> list[bytes]:
    """Split a file in normal form into records; quoted fields may hold line feeds."""
    found: list[bytes] = []
    for line in normal.splitlines(keepends=True):
        if found and found[-1].count(b'"') % 2:
            found[-1] += line
        else:
            found.append(line)
    return found


@settings(max_examples=examples(5, 15), deadline=None)
@given(records=records, data=st.data())
def test_the_order_of_records_makes_no_difference(
    source: Source, records: list[tuple[str, ...]], data: st.DataObject
) -> None:
    """Shuffled, with their numbers and lines kept, they yield the same bytes, whatever they contain."""
    content = HEADER + "".join(",".join(record) + "\n" for record in records).encode()
    order = data.draw(st.permutations(range(len(records))))
    with TemporaryDirectory() as folder:
        (Path(folder) / "own").mkdir()
        (Path(folder) / "other").mkdir()
        in_order = made(Path(folder, "own"), content, source, None)
        assert made(Path(folder, "other"), content, source, list(order)) == in_order


def test_rows_are_written_by_record_as_text(tmp_path: Path, source: Source) -> None:
    """The number of the row, the physical line, and every column as a field; null is an empty one."""
    assert made(tmp_path, EXPORT, source, None)[Dataset.ORDERS] == (
        b"0,2,1001,1,shipped,2026-04-05 23:30:00+05:00,2\n1,4,1002,1,cancelled,2026-04-06 00:10:00+05:00,1\n"
    )


def test_typed_values_are_written_as_contracts_read_them(tmp_path: Path) -> None:
    """An instant in UTC with its zone, an amount exactly, text with quotes and line breaks as in CSV."""
    sql = """\
select
    _record,
    _line,
    "Name" as order_id,
    strptime("Created at", '%Y-%m-%d %H:%M:%S %z') as created_at,
    cast("Lineitem price" as decimal(28, 16)) as user_id,
    "Lineitem name" || chr(13) || chr(10) || '"x",' as status,
    null as num_of_item,
    cast('2026-04-05' as date) as day
from rows
where _record = 0
"""
    contracts = contracts_with(tmp_path / "contracts", till=till(orders=sql))
    one = checked(load_contracts(contracts)).sources.by_name[SourceName("till")]
    assert made(tmp_path, EXPORT, one, None)[Dataset.ORDERS] == (
        b'0,2,"#1001",2026-04-05 18:30:00Z,10.0000000000000000,"Mug - Blue\r\n""x"",",,2026-04-05\n'
    )


def test_values_that_no_file_can_hold_refuse_the_file(tmp_path: Path) -> None:
    """A CSV field cannot hold a NUL byte or half a megabyte."""
    for text in ("chr(0)", "repeat('x', 600000)"):
        sql = till()["orders.sql"].replace("'1' as user_id", f"{text} as user_id")
        contracts = contracts_with(tmp_path / text, till=till(orders=sql))
        one = checked(load_contracts(contracts)).sources.by_name[SourceName("till")]
        file = tmp_path / "a.csv"
        file.write_bytes(EXPORT)
        structure = scanned_file.read_structure(file, tmp_path / "work")
        fault = DuckDbSources("200MB").make(file, structure, one, tmp_path / "work")
        assert getattr(fault, "rule", None) == "orders.sql|texts"


@pytest.mark.parametrize("written", ["10,00", "1.000,50"])
def test_numbers_are_written_as_the_files_of_the_source_write_them(tmp_path: Path, written: str) -> None:
    """A number computed by the SQL and one passed on as text are read alike."""
    files = till()
    files["source.yaml"] += "takingsFile: {decimal: ',', thousands: '.'}\n"
    files["order_items.sql"] = """\
select _record, _line, _record as id, 1 as order_id, 1 as product_id, 1 as user_id, 'shipped' as status,
    case when _record = 0 then cast(cast(12.5 as decimal(18, 2)) as decimal(18, 4)) end as sale_price
from rows
where _record = 0
union all
select _record, _line, _record, 1, 1, 1, 'shipped', null
from rows
where false
"""
    contracts = contracts_with(tmp_path / "contracts", till=files)
    one = checked(load_contracts(contracts)).sources.by_name[SourceName("till")]
    content = EXPORT.replace(b"10.00", f'"{written}"'.encode())
    assert made(tmp_path, content, one, None)[Dataset.ORDER_ITEMS] == b'0,2,0,1,1,1,shipped,"12,5000"\n'
