"""How each text of a field is stored, or which rule it breaks: docs/contracts.md, "How a field is read"."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from takings.adapters.duckdb.session import open_duckdb
from takings.adapters.duckdb.validation import DuckDbValidation
from takings.contracts import load_contracts
from takings.contracts.model import Dataset
from takings.time_zones import business_time
from takings.validation.findings import Findings, Violation
from tests.shop import NOON, item, order, product

CONTRACTS = load_contracts(None)
MAX = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What an engine made of a file."""

    findings: Findings
    #: staged rows in the file's order
    staged: list[dict[str, Any]]

    @property
    def violations(self) -> list[Violation]:
        """Return every violation in the file's order."""
        return [violation for record in self.findings.faulty_records() for violation in record.violations]


Check = Callable[..., Checked]


@pytest.fixture
def duck(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB as Takings does."""
    with closing(open_duckdb("400MB", 1, tmp_path / "spill")) as connection:
        yield connection


@pytest.fixture(params=["duckdb"])
def check(duck: duckdb.DuckDBPyConnection, tmp_path: Path) -> Check:
    """Return a function that checks a file with an engine; other engines join the parameters."""

    def checked(dataset: Dataset, content: bytes, time_zone: str = "UTC") -> Checked:
        engine = DuckDbValidation(duck, business_time(time_zone))
        path, staged = tmp_path / "a.csv", tmp_path / "staged.parquet"
        path.write_bytes(content)
        structure = engine.read_structure(path, tmp_path / "work")
        assert structure.fault is None
        findings = engine.validate(
            path, structure, CONTRACTS[dataset], now=NOON, workspace=tmp_path / "work", staged=staged
        )
        result = duck.execute(f"select * from read_parquet('{staged}')")
        names = [column[0] for column in result.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
        return Checked(findings=findings, staged=rows)

    return checked


KEYS = {Dataset.PRODUCTS: "id", Dataset.ORDERS: "order_id", Dataset.ORDER_ITEMS: "id"}
VALID: Mapping[Dataset, Callable[[int], Mapping[str, object]]] = {
    Dataset.PRODUCTS: product,
    Dataset.ORDERS: order,
    Dataset.ORDER_ITEMS: lambda number: item(number, 1),
}


def outcomes(check: Check, dataset: Dataset, column: str, texts: list[str], time_zone: str = "UTC") -> dict[str, Any]:
    """Return the stored value of each text in a column, or the broken rules as `!rule rule`."""
    rows = [dict(VALID[dataset](number)) | {column: text} for number, text in enumerate(texts, start=1)]
    written = io.StringIO()
    writer = csv.DictWriter(written, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    done = check(dataset, written.getvalue().encode(), time_zone)
    found: dict[str, Any] = {texts[row[KEYS[dataset]] - 1]: row[column] for row in done.staged}
    for violation in done.violations:
        assert violation.record is not None
        text = texts[violation.record]
        if text not in found or str(found[text]).startswith("!"):
            found[text] = f"{found.get(text, '!')}{violation.rule} ".replace("! ", "!")
    return {text: value.rstrip() if str(value).startswith("!") else value for text, value in found.items()}


def utc(*parts: int) -> datetime:
    """Return an instant in UTC."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


def test_identifiers(check: Check) -> None:
    """`0` or digits without a leading zero, up to 2^63-1."""
    broken = "!product_id|type"
    assert outcomes(
        check,
        Dataset.ORDER_ITEMS,
        "product_id",
        [
            "0",
            "1",
            str(MAX),
            str(MAX + 1),
            "007",
            "-1",
            "+1",
            "1.0",
            "1e3",
            "0x10",
            "1_000",
            " 7",
            "7 ",
            "NaN",
            "x",
            "",
            "  ",
        ],
    ) == {
        "0": 0,
        "1": 1,
        str(MAX): MAX,
        str(MAX + 1): broken,
        "007": broken,
        "-1": broken,
        "+1": broken,
        "1.0": broken,
        "1e3": broken,
        "0x10": broken,
        "1_000": broken,
        " 7": broken,
        "7 ": broken,
        "NaN": broken,
        "x": broken,
        "": "!product_id|required",
        "  ": "!product_id|required",
    }


def test_integers(check: Check) -> None:
    """`-?[0-9]+` within 64 bits; a rule on the value is a violation of its own."""
    broken, too_small = "!num_of_item|type", "!num_of_item|at_least"
    assert outcomes(
        check,
        Dataset.ORDERS,
        "num_of_item",
        ["1", "007", str(MAX), str(MAX + 1), "0", "-1", "-0", "+1", "7.6", "1e3", "1,5", "٣", "\t"],
    ) == {
        "1": 1,
        "007": 7,
        str(MAX): MAX,
        str(MAX + 1): broken,
        "0": too_small,
        "-1": too_small,
        "-0": too_small,
        "+1": broken,
        "7.6": broken,
        "1e3": broken,
        "1,5": broken,
        "٣": broken,
        "\t": "!num_of_item|required",
    }


def test_money(check: Check) -> None:
    """12 digits before the point, 16 after it, never rounded; insignificant zeros do not count."""
    broken = "!retail_price|type"
    assert outcomes(
        check,
        Dataset.PRODUCTS,
        "retail_price",
        [
            "20",
            "1.00",
            "0020.50",
            "1.0000000000000001",
            "1.00000000000000010",
            "1.00000000000000001",
            "999999999999.9999999999999999",
            "1000000000000",
            "0.50",
            "-1.00",
            ".50",
            "1.",
            "1,50",
            "1e1",
            "+1",
            "$1",
            "Infinity",
            "1.0 ",
            "",
        ],
    ) == {
        "20": Decimal(20),
        "1.00": Decimal(1),
        "0020.50": Decimal("20.5"),
        "1.0000000000000001": Decimal("1.0000000000000001"),
        "1.00000000000000010": Decimal("1.0000000000000001"),
        "1.00000000000000001": broken,
        "999999999999.9999999999999999": Decimal("999999999999.9999999999999999"),
        "1000000000000": broken,
        "0.50": "!cost|at_most_retail_price",
        "-1.00": "!retail_price|greater_than cost|at_most_retail_price",
        ".50": broken,
        "1.": broken,
        "1,50": broken,
        "1e1": broken,
        "+1": broken,
        "$1": broken,
        "Infinity": broken,
        "1.0 ": broken,
        "": "!retail_price|required",
    }


def test_timestamps(check: Check) -> None:
    """Date and time with `T` or one space, 0-9 fractional digits, and `Z`, an offset in any clear form, ` UTC` or nothing."""
    broken = "!delivered_at|type"
    stored = {
        "2025-03-30T16:14:26": utc(2025, 3, 30, 16, 14, 26),
        "2025-03-30 16:14:26": utc(2025, 3, 30, 16, 14, 26),
        "2025-03-30T16:14:26Z": utc(2025, 3, 30, 16, 14, 26),
        "2025-03-30 16:14:26 UTC": utc(2025, 3, 30, 16, 14, 26),
        "2025-03-30T16:14:26+02:00": utc(2025, 3, 30, 14, 14, 26),
        "2025-03-30T16:14:26-23:59": utc(2025, 3, 31, 16, 13, 26),
        "2025-03-30T16:14:26.5": utc(2025, 3, 30, 16, 14, 26, 500_000),
        "2025-03-30T16:14:26.123456": utc(2025, 3, 30, 16, 14, 26, 123_456),
        "2025-03-30T16:14:26.123456999": utc(2025, 3, 30, 16, 14, 26, 123_456),
        "2025-03-30T16:14:26.999999999Z": utc(2025, 3, 30, 16, 14, 26, 999_999),
        "2025-03-30 16:14:26.1 UTC": utc(2025, 3, 30, 16, 14, 26, 100_000),
        "2025-03-30 16:14:26+00": utc(2025, 3, 30, 16, 14, 26),
        "2025-03-30 16:14:26.5-07": utc(2025, 3, 30, 23, 14, 26, 500_000),
        "2025-03-30T16:14:26+0530": utc(2025, 3, 30, 10, 44, 26),
        "2025-03-30 16:14:26 -0500": utc(2025, 3, 30, 21, 14, 26),
        "2025-03-30 16:14:26 +05:30": utc(2025, 3, 30, 10, 44, 26),
        "2025-03-30T16:14:26 +05": utc(2025, 3, 30, 11, 14, 26),
        "2025-03-30T16:14:26.123456789z": utc(2025, 3, 30, 16, 14, 26, 123_456),
        "2025-03-30 16:14:26 Z": utc(2025, 3, 30, 16, 14, 26),
        "2025-03-30T16:14:26 z": utc(2025, 3, 30, 16, 14, 26),
        "2024-02-29T00:00:00": utc(2024, 2, 29),
        "0001-01-01T00:00:00": utc(1, 1, 1),
        "1969-12-31T23:59:59.9999999": utc(1969, 12, 31, 23, 59, 59, 999_999),
        "": None,
        " ": None,
    }
    refused = [
        "2025-03-30",
        "2025-03-30T16:14",
        "16:14:26",
        "2025-02-29T00:00:00",
        "2025-13-01T00:00:00",
        "2025-03-30T24:00:00",
        "2025-03-30T16:60:00",
        "2025-03-30T16:14:60",
        "2025-3-30T16:14:26",
        " 2025-3-30 16:14:26",
        "2025-3-30 16:14:26 ",
        "2025-3-30  16:14:26",
        "2025-03-30  16:14:26",
        "2025-03-30  6:14:26",
        "2025-03-30  6:14:26 UTC",
        "2025-03-30 16:14:6 ",
        "2025-03-30T16:14:6 Z",
        "2025-03-30t16:14:26",
        "2025-03-30T16:14:26.",
        "2025-03-30T16:14:26.1234567890",
        "2025-03-30T16:14:26,5",
        "2025-03-30T16:14:26  Z",
        "2025-03-30T16:14:26  +02",
        "2025-03-30T16:14:26+ 02",
        "2025-03-30T16:14:26\t+02",
        "2025-03-30T16:14:26Z ",
        "2025-03-30T16:14:26UTC",
        "2025-03-30T16:14:26+2",
        "2025-03-30T16:14:26+200",
        "2025-03-30T16:14:26+24",
        "2025-03-30T16:14:26+2400",
        "2025-03-30T16:14:26+24:00",
        "2025-03-30T16:14:26+0260",
        "2025-03-30T16:14:26+02:",
        "2025-03-30T16:14:26+020000",
        "2025-03-30T16:14:26 utc",
        "2025-03-30T16:14+02",
        "2025-03-30+02:00",
        "2025-03-30T16:14:26 CET",
        "2025-03-30T16:14:26+02:00:00",
        "2025/03/30 16:14:26",
        "30.03.2025 16:14:26",
        "0000-01-01T00:00:00",
        "+2025-3-30 16:14:26",
        "12025-3-30T16:14:26",
        "-2025-3-30T16:14:26",
        "1743351266",
        "now",
        "infinity",
        "epoch",
    ]
    assert outcomes(check, Dataset.ORDER_ITEMS, "delivered_at", [*stored, *refused]) == stored | dict.fromkeys(
        refused, broken
    )


def test_local_times_are_the_business_time_zones(check: Check) -> None:
    """A time in a gap takes the offset before it, a repeated one its first occurrence; an offset in the text wins."""
    stored = {
        "2025-01-01T00:30:00": utc(2024, 12, 31, 23, 30),
        "2025-07-01 00:30:00.25": utc(2025, 6, 30, 22, 30, 0, 250_000),
        "2025-03-30T01:59:59": utc(2025, 3, 30, 0, 59, 59),
        "2025-03-30T02:30:00": utc(2025, 3, 30, 1, 30),
        "2025-03-30T03:00:00": utc(2025, 3, 30, 1),
        "2025-10-26T02:30:00": utc(2025, 10, 26, 0, 30),
        "2025-10-26T03:00:00": utc(2025, 10, 26, 2),
        "1890-01-01T00:00:00": utc(1889, 12, 31, 23, 6, 32),
        "2025-07-01T00:30:00Z": utc(2025, 7, 1, 0, 30),
        "2025-07-01 00:30:00 UTC": utc(2025, 7, 1, 0, 30),
        "2025-07-01T00:30:00-05:00": utc(2025, 7, 1, 5, 30),
        "2025-07-01 00:30:00 -0500": utc(2025, 7, 1, 5, 30),
        "2025-07-01 00:30:00+00": utc(2025, 7, 1, 0, 30),
        "2025-07-01T00:30:00z": utc(2025, 7, 1, 0, 30),
    }
    assert outcomes(check, Dataset.ORDER_ITEMS, "delivered_at", list(stored), "Europe/Berlin") == stored


def test_an_instant_before_the_year_1_is_none(check: Check) -> None:
    """The calendar's first midnight is an instant in UTC; in Berlin it is in the year before."""
    texts = ["0001-01-01T00:00:00", "0001-01-02T00:00:00"]
    assert outcomes(check, Dataset.ORDERS, "created_at", texts, "Europe/Berlin") == {
        "0001-01-01T00:00:00": "!created_at|type",
        "0001-01-02T00:00:00": utc(1, 1, 1, 23, 6, 32),
    }


def test_texts(check: Check) -> None:
    """Up to 1,024 bytes of UTF-8, unchanged and not trimmed."""
    assert outcomes(
        check,
        Dataset.PRODUCTS,
        "category",
        [
            "Books",
            " Books ",
            'Say "hi", twice',
            "two\nlines",
            "Über",
            "x" * 1024,
            "x" * 1025,
            "ü" * 513,
            "NULL",
            "",
            " \t\v\f ",
        ],
    ) == {
        "Books": "Books",
        " Books ": " Books ",
        'Say "hi", twice': 'Say "hi", twice',
        "two\nlines": "two\nlines",
        "Über": "Über",
        "x" * 1024: "x" * 1024,
        "x" * 1025: "!category|type",
        "ü" * 513: "!category|type",
        "NULL": "NULL",
        "": "!category|required",
        " \t\v\f ": "!category|required",
    }


def test_an_optional_text_may_be_empty(check: Check) -> None:
    """It is stored as null."""
    assert outcomes(check, Dataset.PRODUCTS, "brand", ["Acme", "", "  "]) == {"Acme": "Acme", "": None, "  ": None}


def test_statuses(check: Check) -> None:
    """In any case; stored in lower case and in one spelling."""
    broken = "!status|one_of"
    assert outcomes(
        check,
        Dataset.ORDER_ITEMS,
        "status",
        [
            "processing",
            "Shipped",
            "DELIVERED",
            "complete",
            "Completed",
            "returned",
            "cancelled",
            "CANCELED",
            "lost",
            " shipped",
            "ſhipped",
            "",
        ],
    ) == {
        "processing": "processing",
        "Shipped": "shipped",
        "DELIVERED": "delivered",
        "complete": "complete",
        "Completed": "complete",
        "returned": "returned",
        "cancelled": "cancelled",
        "CANCELED": "cancelled",
        "lost": broken,
        " shipped": broken,
        "ſhipped": broken,
        "": "!status|required",
    }


def test_an_order_may_lie_five_minutes_in_the_future(check: Check) -> None:
    """By the manifest's clock, not by the machine's."""
    assert outcomes(check, Dataset.ORDERS, "created_at", ["2025-03-30T12:05:00", "2025-03-30T12:05:00.000001"]) == {
        "2025-03-30T12:05:00": utc(2025, 3, 30, 12, 5),
        "2025-03-30T12:05:00.000001": "!created_at|not_in_future",
    }


def test_a_key_that_occurs_twice_with_other_content_is_two_violations(check: Check) -> None:
    """Both lines are named; identical rows count once."""
    content = (
        b"id,order_id,product_id,user_id,status,sale_price\n"
        b"1,1,1,7,shipped,10.00\n2,1,1,7,shipped,10.00\n\n1,1,1,7,shipped,11.00\n2,1,1,7,Shipped,10.0\n"
    )
    done = check(Dataset.ORDER_ITEMS, content)
    assert [(violation.rule, violation.record, violation.line) for violation in done.violations] == [
        ("id|unique", 0, 2),
        ("id|unique", 2, 5),
    ]
    assert (done.findings.read, done.findings.violating, done.findings.identical_duplicates) == (4, 2, 1)
    assert [(row["id"], row["_line"]) for row in done.staged] == [(2, 3)]


def test_every_violation_has_its_physical_line_and_its_shape(check: Check) -> None:
    """Broken records and broken rules in the file's order; never the value itself."""
    content = (
        b"id,order_id,product_id,user_id,status,sale_price,colour\n"
        b'1,1,1,7,shipped,10.00,"red\nor blue"\n'
        b"2,1,1,7,shipped\n"
        b"3,1,1,7,shipped,-1.50,red\n"
        b'4,1,1,7,ship"ped,10.00,red\n'
        b"x5,1,1,7,shipped,10.00,red\n"
    )
    done = check(Dataset.ORDER_ITEMS, content)
    found = [(violation.rule, violation.line, violation.shape) for violation in done.violations]
    assert found == [
        ("record|field_count", 4, None),
        ("sale_price|greater_than", 5, "-9.99"),
        ("record|stray_quote", 6, None),
        ("id|type", 7, "a9"),
    ]
    assert done.findings.warnings == {"colour|extra_column": 1}
    assert [row["id"] for row in done.staged] == [1]


def test_chunks_count_what_each_ten_thousand_records_break(check: Check) -> None:
    """One report per 10,000 records, even without a violation."""
    rows = [item(number, 1, sale_price="0" if number == 10_001 else "1") for number in range(1, 20_002)]
    lines = [",".join(rows[0]), *(",".join(str(field) for field in row.values()) for row in rows)]
    done = check(Dataset.ORDER_ITEMS, "\n".join(lines).encode())
    assert [(chunk.chunk, chunk.first_record, chunk.records, chunk.counts) for chunk in done.findings.chunks] == [
        (0, 0, 10_000, {}),
        (1, 10_000, 10_000, {"sale_price|greater_than": 1}),
        (2, 20_000, 1, {}),
    ]
    assert [violation.line for violation in done.findings.chunks[1].samples] == [10_002]
