"""Make files from valid rows with bad fields, repeated and broken records, and unusual headers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from takings.contracts import load_contracts
from takings.contracts.model import ColumnType, Dataset
from tests.shop import Fields, item, order, product

CONTRACTS = load_contracts(None)
KEYS: Mapping[Dataset, str] = {dataset: CONTRACTS[dataset].primary_key for dataset in Dataset}
_TIMES: dict[str, object] = {"shipped_at": "", "delivered_at": "2025-03-30 11:00:00", "returned_at": ""}
_VALID: Mapping[Dataset, Callable[[int], Fields]] = {
    Dataset.PRODUCTS: product,
    Dataset.ORDERS: lambda number: dict(order(number)) | _TIMES,
    Dataset.ORDER_ITEMS: lambda number: dict(item(number, 1, created_at="2025-03-30 10:00:00 UTC")) | _TIMES,
}

_BLANK = ["", " ", "  ", " \t\n\r\v\f", "\u00a0", "\u2003", "\x1c", "\x85", "!", " !", "\x01", "\ufeff", "\x7f"]
_NO_NUMBER = [
    "-",
    "+1",
    "1.",
    ".5",
    "1..2",
    "1e3",
    "0x10",
    "1_000",
    "1,5",
    "NaN",
    "inf",
    " 7",
    "7 ",
    "--1",
    "٣",
    "x",
    "7\n",
]
_IDENTIFIERS = ["0", "7", "00", "007", "-0", "-1", str(2**63 - 1), str(2**63), "9" * 19, "9" * 400, "7.0"]
_INTEGERS = [*_IDENTIFIERS, "1", "-5", str(-(2**63)), str(-(2**63) - 1), "0" * 5000 + "7", "-007", "1.5"]
_MONEY = [
    *("0", "-0", "-0.00", "10", "10.0", "10.00", "0.0000000000000001", "-0.0000000000000001", "0.00000000000000001"),
    *("1.0000000000000001", "1.00000000000000010000", "999999999999.9999999999999999", "1000000000000", "-12.50"),
    *("0" * 400 + "12.5" + "0" * 400, "12." + "9" * 400, "20.01", "19.99", "0020.50", "1,234.5"),
]
_STATUSES = [
    *("processing", "SHIPPED", "Delivered", "complete", "Completed", "returned", "RETURNED", "cancelled", "CanceleD"),
    *("lost", "ſhipped", "\u212aept", "shıpped", "SHİPPED", "shipped ", "ship\nped", "Übergeben", "x" * 1025),
]
_TEXTS = [
    *(
        "Books",
        " Books ",
        'Say "hi", twice',
        "two\nlines",
        "two\r\nlines",
        "a\rb",
        '"',
        '""',
        "'",
        "\\",
        "NULL",
        "nan",
        "None",
    ),
    *(
        "Über",
        "e\u0301",
        "😀",
        "\u2028",
        "x" * 1024,
        "x" * 1025,
        "ü" * 512,
        "ü" * 513,
        "😀" * 256,
        "😀" * 257,
        "x" * 70_000,
    ),
]
#: Berlin skips 2:30 on 30 March 2025 and repeats it on 26 October; São Paulo skips midnight on 4 November 2018
_DAYS = ["2025-03-30", "2025-10-26", "2018-11-04", "2018-02-17", "2024-02-29", "2025-02-29", "1890-01-01", "1582-10-10"]
_ODD_DAYS = [
    "0002-01-01",
    "9998-12-31",
    "0000-01-01",
    "2025-13-01",
    "2025-00-10",
    "2025-3-30",
    "25-03-30",
    "20250330",
    "",
]
_CLOCKS = ["02:30:00", "00:00:00", "00:30:00", "23:59:59", "12:05:00", "01:59:59", "03:00:00"]
_ODD_CLOCKS = ["24:00:00", "12:60:00", "12:00:60", "12:00", "2:30:00", "12-00-00", "120000", ""]
_FRACTIONS = ["", "", "", ".5", ".000001", ".123456789", ".9999999", ".999999999", ".", ".1234567890", ",5"]
_ZONES = [
    *("", "", "", "Z", " UTC", "+02:00", "-05:00", "+00:00", "-00:00", "+23:59", "-23:59"),
    *("z", " Z", " z", "+00", "-07", "+0200", "-0530", " +02", " -0500", " +05:30"),
    *(" utc", "UTC", "+24:00", "+24", "+02:60", "+0260", "+2", "+200", "+ 02", "  +02", "+02:00:00"),
    *(" CET", " Europe/Berlin", " BC"),
]


def _instants() -> st.SearchStrategy[str]:
    exact = st.builds("{}{}{}".format, st.sampled_from(_DAYS), st.sampled_from("T "), st.sampled_from(_CLOCKS))
    odd = st.builds(
        "{}{}{}{}{}".format,
        st.sampled_from(_DAYS + _ODD_DAYS),
        st.sampled_from(["T", " ", "T", " ", "t", "  ", "_", ""]),
        st.sampled_from(_CLOCKS + _ODD_CLOCKS),
        st.sampled_from(_FRACTIONS),
        st.sampled_from(_ZONES),
    )
    with_zone = st.builds("{}{}{}".format, exact, st.sampled_from(_FRACTIONS), st.sampled_from(_ZONES))
    return exact | with_zone | odd | st.sampled_from(["now", "epoch", "infinity", "1743351266", "2025-03-30"])


_FIELDS: Mapping[ColumnType, st.SearchStrategy[str]] = {
    ColumnType.IDENTIFIER: st.sampled_from(_IDENTIFIERS + _NO_NUMBER),
    ColumnType.INTEGER: st.sampled_from(_INTEGERS + _NO_NUMBER),
    ColumnType.MONEY: st.sampled_from(_MONEY + _NO_NUMBER),
    ColumnType.TIMESTAMP: _instants(),
    ColumnType.TEXT: st.sampled_from(_TEXTS + _STATUSES),
}
_BROKEN = [
    *(
        b"1,2",
        b"1,,,,,,,,,,,,,,,,,,,,,,,,",
        b'x"y,1',
        b'"x"y,1',
        b"a\rb,1",
        b"a\0b,1",
        b"\xff,1",
        b"",
        b"\xc3,1",
        b'"a\n\nb"',
    ),
]


@dataclass(frozen=True, kw_only=True)
class NaughtyFile:
    """A file and what it is checked against."""

    dataset: Dataset
    content: bytes


@st.composite
def naughty_files(draw: st.DrawFn) -> NaughtyFile:
    """Return a file of up to a few dozen records, most of whose fields are valid."""
    dataset = draw(st.sampled_from(Dataset))
    rows = [dict(_VALID[dataset](number)) for number in range(draw(st.integers(0, 12)))]
    for row in rows:
        for column in draw(st.lists(st.sampled_from(list(row)), max_size=3)):
            row[column] = draw(_fields_of(dataset, column))
    records = [record for row in rows for record in draw(_copies(dataset, row))]
    header = draw(_headers(dataset))
    is_quoted = draw(st.booleans())
    newline = draw(st.sampled_from([b"\n", b"\n", b"\r\n"]))
    lines = [_line(header, is_quoted=is_quoted)]
    for record in draw(st.permutations(records)):
        lines.extend(draw(st.lists(st.sampled_from(_BROKEN), max_size=1)) if draw(st.booleans()) else ())
        lines.append(_line([str(record.get(column, "extra")) for column in header], is_quoted=is_quoted))
    start = draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf"]))
    end = draw(st.sampled_from([newline, newline, b"", b"\n\n", b'\n"unterminated,']))
    return NaughtyFile(dataset=dataset, content=start + newline.join(lines) + end)


def _fields_of(dataset: Dataset, column: str) -> st.SearchStrategy[str]:
    known = CONTRACTS[dataset].column(column)
    return st.sampled_from(_STATUSES + _BLANK) if known.values else _FIELDS[known.type] | st.sampled_from(_BLANK)


def _copies(dataset: Dataset, row: dict[str, object]) -> st.SearchStrategy[Sequence[Fields]]:
    """Return a row alone, twice, or next to one that differs in a field other than the key."""
    others = [column for column in row if column != KEYS[dataset]]
    changed = st.sampled_from(others).flatmap(
        lambda column: _fields_of(dataset, column).map(lambda field: [row, row | {column: field}, row])
    )
    return st.just([row]) | st.just([row]) | st.just([row, row]) | changed


@st.composite
def _headers(draw: st.DrawFn, dataset: Dataset) -> list[str]:
    """Return the columns in any order; some optional ones are missing, some unknown ones added."""
    columns = CONTRACTS[dataset].columns
    left_out = draw(st.sets(st.sampled_from([column.name for column in columns]), max_size=2))
    header = [column.name for column in columns if column.is_mandatory or column.name not in left_out]
    header += draw(st.lists(st.sampled_from(["_record", "_line", "ID", "Größe", "a b", ""]), unique=True, max_size=2))
    return draw(st.permutations(header)) if draw(st.booleans()) else header


def _line(fields: Sequence[str], *, is_quoted: bool) -> bytes:
    return ",".join(_written(fields, is_quoted=is_quoted)).encode()


def _written(fields: Sequence[str], *, is_quoted: bool) -> Iterator[str]:
    for field in fields:
        needs_quotes = is_quoted or any(character in field for character in ',"\r\n')
        yield '"' + field.replace('"', '""') + '"' if needs_quotes else field
