"""A mapped file means the same as a directly written one, on both engines: docs/contracts.md, "Files with other words"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from takings.adapters.duckdb.session import open_duckdb
from takings.contracts.date_formats import FIELDS
from takings.contracts.model import Contract, Dataset
from tests.mapped_contracts import Columns, mapped
from tests.shop import csv_of, order
from tests.validation_engine.both_engines import Outcome, Workbench

CREATED: Final = "created_at"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """Return both engines."""
    with closing(open_duckdb("400MB", 1, tmp_path_factory.mktemp("mappings") / "spill")) as connection:
        yield Workbench(connection=connection, contract=mapped(Dataset.ORDERS, {}))


def agreed(bench: Workbench, contract: Contract, content: bytes) -> Outcome:
    """Return what both engines make of a file, alone and with others."""
    bench = replace(bench, contract=contract)
    expected = bench.duckdb(content)
    assert bench.pandas(content, chunk_size=2) == expected
    assert all(outcome in (expected, None) for outcome in bench.together(content))
    return expected


def values_of(bench: Workbench, contract: Contract, column: str, texts: Iterable[str]) -> dict[str, Any]:
    """Return the stored value of each text in a column, or the rules it breaks."""
    given = dict(enumerate(texts, start=1))
    outcome = agreed(bench, contract, csv_of(*({**order(key), column: f'"{text}"'} for key, text in given.items())))
    place = [name for name, _ in outcome.types].index(column)
    found: dict[str, Any] = {given[row[0]]: shown(column, row[place]) for row in outcome.staged}
    return found | {
        given[1 + record.record]: [broken.rule for broken in record.violations] for record in outcome.faulty
    }


def value_of(bench: Workbench, contract: Contract, column: str, text: str) -> Any:
    return values_of(bench, contract, column, [text])[text]


def shown(column: str, value: Any) -> str:
    if column != CREATED:
        return f"{value:f}".rstrip("0").rstrip(".")
    moment = datetime.fromtimestamp(value // 10**6, UTC).replace(tzinfo=None).isoformat()
    return f"{moment}.{value % 10**6:06d}" if value % 10**6 else moment


BROKEN: Final = "created_at|type"
#: format -> texts and how each is stored; None: it does not fit
TIMES: Final[Mapping[str, Mapping[str, str | None]]] = {
    "dd.MM.yyyy HH:mm": {
        "04.03.2025 10:00": "2025-03-04T10:00:00",
        "4.3.2025 10:00": None,
        "04.03.2025 10:00:00": None,
        "31.02.2025 10:00": None,
        "04.13.2025 10:00": None,
        "04.03.2025 24:00": None,
        "04.03.2025 10:60": None,
        " 04.03.2025 10:00": None,
        "04.03.2025 10:00\n": None,
        "2025-03-04T10:00:00": None,
        "00.03.2025 10:00": None,
        "04.03.0000 10:00": None,
        "०४.०३.२०२५ १०:००": None,
    },
    "M/d/yyyy H:m:s": {
        "3/4/2025 1:2:3": "2025-03-04T01:02:03",
        "03/04/2025 01:02:03": "2025-03-04T01:02:03",
        "12/31/2024 23:59:59": "2024-12-31T23:59:59",
        "13/4/2025 1:2:3": None,
        "3/4/25 1:2:3": None,
        "3/4/2025 1:2": None,
        "003/4/2025 1:2:3": None,
    },
    "M/d/yy h:mm a": {
        "3/4/25 1:02 AM": "2025-03-04T01:02:00",
        "3/4/25 1:02 PM": "2025-03-04T13:02:00",
        "3/4/25 12:02 am": "2025-03-04T00:02:00",
        "3/4/25 12:02 pm": "2025-03-04T12:02:00",
        "3/4/25 11:59 PM": "2025-03-04T23:59:00",
        "3/4/25 0:02 AM": None,
        "3/4/25 13:02 PM": None,
        "3/4/25 1:02 Pm": None,
        "3/4/25 1:02": None,
    },
    "yyyyMMddHHmmssSSS": {"20250304010203456": "2025-03-04T01:02:03.456000", "2025030401020345": None},
    "yyyy-M-d H:mm:ss.S": {"2025-3-4 1:02:03.4": "2025-03-04T01:02:03.400000"},
    "yyyy-MM-dd'T'HH:mm:ssXXX": {
        "2025-03-04T01:02:03+02:00": "2025-03-03T23:02:03",
        "2025-03-04T01:02:03Z": "2025-03-04T01:02:03",
        "2025-03-04T01:02:03": None,
        "2025-03-04T01:02:03+0200": None,
    },
    "yyyy-MM-dd H:mm Z": {"2025-03-04 9:02 -0530": "2025-03-04T14:32:00", "2025-03-04 9:02 Z": None},
    "yyyy-MM-dd HH:mm 'UTC'": {"2025-03-04 09:02 UTC": "2025-03-04T09:02:00", "2025-03-04 09:02": None},
    "d MMM yyyy, HH 'o''clock'": {
        "4 Mar 2025, 10 o'clock": "2025-03-04T10:00:00",
        "4 MAR 2025, 10 o'clock": None,
        "4 March 2025, 10 o'clock": None,
    },
    "MMMM d yyyy HH": {"May 4 2024 10": "2024-05-04T10:00:00", "February 29 2025 10": None, "May 4 2024 7": None},
    "yyyy年M月d日 H时": {"2025年3月4日 9时": "2025-03-04T09:00:00", "2025-3-4 9": None},
}


@pytest.mark.parametrize("pattern", TIMES)
def test_times_of_a_format(bench: Workbench, pattern: str) -> None:
    """Each text must match the format as a whole, or it breaks the row."""
    contract = mapped(Dataset.ORDERS, {CREATED: {"logicalTypeOptions": {"format": pattern}}})
    expected = {text: stored or [BROKEN] for text, stored in TIMES[pattern].items()}
    assert values_of(bench, contract, CREATED, expected) == expected


def test_a_time_without_a_format_is_never_guessed(bench: Workbench) -> None:
    """It may be 3 April or 4 March."""
    texts = ["03/04/2025", "03/04/2025 10:00:00", "2025-03-04"]
    assert values_of(bench, bench.contract, CREATED, texts) == {text: [BROKEN] for text in texts}


def test_a_day_is_its_first_instant(bench: Workbench) -> None:
    """In the column's own time zone, even if the clock skips midnight; otherwise in the business time zone."""
    day = mapped(Dataset.ORDERS, {CREATED: {"logicalType": "date"}})
    paulo = mapped(
        Dataset.ORDERS,
        {CREATED: {"logicalType": "date", "logicalTypeOptions": {"defaultTimezone": "America/Sao_Paulo"}}},
    )
    german = mapped(Dataset.ORDERS, {CREATED: {"logicalType": "date", "logicalTypeOptions": {"format": "d.M.yyyy"}}})

    assert value_of(bench, day, CREATED, "2025-03-04") == "2025-03-04T00:00:00"
    assert value_of(bench, day, CREATED, "2025-03-04T00:00:00") == [BROKEN]
    assert value_of(bench, german, CREATED, "4.3.2025") == "2025-03-04T00:00:00"
    assert value_of(bench, german, CREATED, "30.2.2025") == [BROKEN]
    assert value_of(replace(bench, time_zone="Europe/Berlin"), day, CREATED, "2025-03-04") == "2025-03-03T23:00:00"
    assert value_of(bench, paulo, CREATED, "2018-11-04") == "2018-11-04T03:00:00"


def test_a_column_has_a_time_zone_of_its_own(bench: Workbench) -> None:
    """It applies to times without a zone; other columns use the business time zone."""
    contract = mapped(Dataset.ORDERS, {CREATED: {"logicalTypeOptions": {"defaultTimezone": "America/New_York"}}})
    berlin = replace(bench, time_zone="Europe/Berlin")
    rows = csv_of(order(1, created_at="2025-03-04T10:00:00", status="returned", returned_at="2025-03-05 10:00:00"))

    (row,) = agreed(berlin, contract, rows).staged
    assert [value for value in row if isinstance(value, int) and value > 10**9] == [
        int(datetime(2025, 3, 4, 15, tzinfo=UTC).timestamp()) * 10**6,
        int(datetime(2025, 3, 5, 9, tzinfo=UTC).timestamp()) * 10**6,
    ]
    assert value_of(berlin, contract, CREATED, "2025-03-04T10:00:00Z") == "2025-03-04T10:00:00"


MONEY: Final[list[tuple[dict[str, Any], Any, Mapping[str, str | None]]]] = [
    (
        {"decimal": ",", "thousands": "."},
        None,
        {
            "1.234,56": "1234.56",
            "1234,56": "1234.56",
            "-1.234.567,8": "-1234567.8",
            "12": "12",
            "0,50": "0.5",
            "1,234.56": None,
            "12.34": None,
            "1.2345": None,
            "1234.567": None,
            ".123": None,
            "1..234": None,
            ",5": None,
            "5,": None,
            "1.234,": None,
            "+5": None,
            "1e3": None,
            "€5": None,
        },
    ),
    ({"decimal": ","}, None, {"1234,5": "1234.5", "1234.5": None}),
    ({"thousands": ","}, None, {"1,234.5": "1234.5", "1234.5": "1234.5", "1,23": None, "1,234,56": None}),
    ({"thousands": "'"}, None, {"1'234.5": "1234.5"}),
    ({"thousands": " "}, None, {"1 234.5": "1234.5", " 234.5": None}),
    (
        {},
        ["$", "USD"],
        {
            "$5.00": "5",
            "$ 5.00": "5",
            "5.00 USD": "5",
            "USD5": "5",
            "5$": "5",
            "-$5.00": "-5",
            "$-5.00": "-5",
            "$ -5.00": "-5",
            "-5.00 $": "-5",
            "5.00": "5",
            "5.00\u00a0USD": "5",
            "- $5": None,
            "-$-5": None,
            "$5$": None,
            "$5 USD": None,
            "$  5": None,
            "5.00-": None,
            "5.00 -$": None,
            "(5.00)": None,
            "€5.00": None,
            "usd 5": None,
            "$": None,
            "$5,00": None,
        },
    ),
    ({"decimal": ",", "thousands": "."}, "R$", {"R$ 1.234,56": "1234.56", "-R$ 1.234,56": "-1234.56", "$ 1": None}),
    ({}, "a_b^c", {"a_b^c 5": "5", "a.b^c 5": None}),
]


@pytest.mark.parametrize(("file", "currency", "texts"), MONEY)
def test_amounts_as_files_write_them(
    bench: Workbench, file: dict[str, Any], currency: Any, texts: Mapping[str, str | None]
) -> None:
    """Thousands in groups of three, a currency at one end, a minus before the number or before everything."""
    column: dict[str, Any] = {"logicalType": "number"}
    if currency:
        column["takingsCurrency"] = currency
    contract = mapped(Dataset.ORDERS, {"total": column}, file)
    expected = {text: stored or ["total|type"] for text, stored in texts.items()}
    assert values_of(bench, contract, "total", expected) == expected


def test_whole_numbers_have_thousands_too(bench: Workbench) -> None:
    """But no fraction, whatever the decimal sign is; identifiers have no separators."""
    contract = mapped(Dataset.ORDERS, {}, {"decimal": ",", "thousands": "."})
    rows = csv_of(
        order(1, num_of_item="1.234"),
        order(2, num_of_item='"1,5"'),
        order(3, num_of_item="1.23"),
        {**order(4), "order_id": "1.234"},
    )
    outcome = agreed(bench, contract, rows)
    assert [(record.line, record.violations[0].rule) for record in outcome.faulty] == [
        (3, "num_of_item|type"),
        (4, "num_of_item|type"),
        (5, "order_id|type"),
    ]
    assert [row[-2] for row in outcome.staged] == [1234]


def told(outcome: Outcome) -> list[tuple[int, list[str], list[str | None]]]:
    """Return the line of every faulty record, with its rules and the shapes of its values."""
    return [
        (record.line, [broken.rule for broken in record.violations], [broken.shape for broken in record.violations])
        for record in outcome.faulty
    ]


def test_a_column_goes_by_its_header_text(bench: Workbench) -> None:
    """By the usual one or by another; the reason names it, and the column's own name counts as unknown."""
    columns: Columns = {
        "order_id": {"physicalName": "Order no. (№)"},
        "user_id": {"takingsAliases": ["customer", "Kunde"]},
    }
    contract = mapped(Dataset.ORDERS, columns)
    rows = (
        "Order no. (№),Kunde,status,created_at,num_of_item,order_id\n"
        "1,7,shipped,2025-03-30T10:00:00,1,x\n"
        "0x,7,shipped,2025-03-30T10:00:00,1,x\n"
    ).encode()
    outcome = agreed(bench, contract, rows)
    assert [row[:2] for row in outcome.staged] == [(1, 7)]
    assert told(outcome) == [(3, ["order_id|type"], ["9a"])]
    assert outcome.faulty[0].violations[0].reason == (
        "must be digits without sign or leading zeros, at most 9223372036854775807 (its name in the header: 'Order no. (№)')"
    )
    assert outcome.findings is not None
    assert outcome.findings.warnings == {"order_id|extra_column": 1}


def test_null_words_are_empty(bench: Workbench) -> None:
    """Exactly these texts, in every field of the contract; reports still show what the file said."""
    contract = mapped(Dataset.ORDERS, {"source": {"logicalType": "string"}}, {"nullWords": ["NULL", "n/a"]})
    rows = csv_of(
        order(1, source="NULL", returned_at="n/a"),
        order(2, source="null", returned_at=""),
        order(3, user_id="NULL", source="", returned_at=""),
        order(4, source=" NULL", returned_at=""),
    )
    outcome = agreed(bench, contract, rows)
    source = [name for name, _ in outcome.types].index("source")
    assert [row[source] for row in outcome.staged] == [None, "null", " NULL"]
    assert told(outcome) == [(4, ["user_id|required"], ["AAAA"])]


def test_parts_are_joined_with_their_separator(bench: Workbench) -> None:
    """1 and 23 are never 12 and 3; an empty part makes an empty text; only the first part may contain the separator."""
    columns: Columns = {
        "reference": {
            "logicalType": "string",
            "required": True,
            "takingsFrom": {"concat": ["user_id", "line", {"constant": "a"}], "separator": "-"},
        }
    }
    contract = mapped(Dataset.ORDERS, columns)
    rows = csv_of(
        order(1, user_id=1, line=23),
        order(2, user_id=12, line=3),
        order(3, line=""),
        order(4, line="1-2"),
        order(5, line=" "),
    )
    outcome = agreed(bench, contract, rows)
    reference = [name for name, _ in outcome.types].index("reference")
    assert [row[reference] for row in outcome.staged] == ["1-23-a", "12-3-a"]
    assert told(outcome) == [
        (4, ["reference|required"], ["9, "]),
        (5, ["reference|type"], ["9, 9-9"]),
        (6, ["reference|required"], ["9,  "]),
    ]
    assert outcome.faulty[0].violations[0].reason == "must not be empty (made of 'user_id' and 'line')"
    assert outcome.findings is not None
    assert outcome.findings.warnings == {}


def test_a_part_may_be_a_column_under_another_header_text(bench: Workbench) -> None:
    """The column's name means its field, whatever the header calls it; a column may be built from the field with its name."""
    columns: Columns = {
        "user_id": {"physicalName": "customer"},
        "reference": {"logicalType": "string", "takingsFrom": {"concat": ["user_id", "reference"], "separator": "/"}},
    }
    outcome = agreed(
        bench,
        mapped(Dataset.ORDERS, columns),
        csv_of({"customer": 7, "reference": "x"} | {key: value for key, value in order(1).items() if key != "user_id"}),
    )
    reference = [name for name, _ in outcome.types].index("reference")
    assert [row[reference] for row in outcome.staged] == ["7/x"]


def test_a_time_of_two_fields(bench: Workbench) -> None:
    """They are joined with a blank and read in the column's format or the usual one; if one part is empty, so is the time."""
    for pattern, day in ((None, "2025-03-04"), ("d/M/yyyy HH:mm:ss", "4/3/2025")):
        keys: dict[str, Any] = {"takingsFrom": {"dateTime": ["day", "time"]}}
        if pattern:
            keys["logicalTypeOptions"] = {"format": pattern}
        rows = csv_of(
            *(
                {"day": day, "time": time} | {key: value for key, value in order(number).items() if key != CREATED}
                for number, time in enumerate(("10:20:30", "", "10:20", "x"), start=1)
            )
        )
        outcome = agreed(bench, mapped(Dataset.ORDERS, {CREATED: keys}), rows)
        place = [name for name, _ in outcome.types].index(CREATED)
        assert [shown(CREATED, row[place]) for row in outcome.staged] == ["2025-03-04T10:20:30"]
        assert [rules for _, rules, _ in told(outcome)] == [["created_at|required"], [BROKEN], [BROKEN]]


def test_a_default_for_what_is_empty_or_absent(bench: Workbench) -> None:
    """Written like a field of the file; an unreadable text is not empty."""
    columns: Columns = {
        "num_of_item": {"takingsDefault": "1.000"},
        CREATED: {"takingsDefault": "1.2.2025", "logicalType": "date", "logicalTypeOptions": {"format": "d.M.yyyy"}},
        "status": {"takingsDefault": "complete"},
    }
    contract = mapped(Dataset.ORDERS, columns, {"thousands": ".", "decimal": ",", "nullWords": ["-"]})
    rows = csv_of(
        order(1, num_of_item="", created_at="-"), order(2, num_of_item="x", created_at=" "), order(3, created_at="x")
    )
    outcome = agreed(bench, contract, rows)
    assert [row[0] for row in outcome.staged] == [1]
    assert told(outcome) == [(3, ["num_of_item|type"], ["a"]), (4, [BROKEN], ["a"])]

    outcome = agreed(bench, contract, b"order_id,user_id\n1,7\n")
    assert outcome.faulty == []
    places = [name for name, _ in outcome.types]
    stored = dict(zip(places, outcome.staged[0], strict=False))
    assert (stored["num_of_item"], stored["status"], shown(CREATED, stored[CREATED])) == (
        1000,
        "complete",
        "2025-02-01T00:00:00",
    )


def test_a_constant_needs_no_field(bench: Workbench) -> None:
    contract = mapped(Dataset.ORDERS, {"user_id": {"takingsFrom": {"constant": "7"}}})
    outcome = agreed(bench, contract, csv_of(order(1, user_id="x"), order(2, user_id="")))
    assert [row[1] for row in outcome.staged] == [7, 7]
    assert outcome.findings is not None
    assert outcome.findings.warnings == {"user_id|extra_column": 1}


def test_keys_that_are_made_are_unique_keys(bench: Workbench) -> None:
    """A repeated key is found in the joined text; identical rows count as one."""
    columns: Columns = {
        "order_id": {
            "logicalType": "string",
            "physicalType": "VARCHAR",
            "takingsFrom": {"concat": ["shop", "order_id"], "separator": "/"},
        }
    }
    contract = mapped(Dataset.ORDERS, columns)
    rows = csv_of(
        *(order(1, shop="a"), order(1, shop="b"), order(1, shop="a"), order(2, shop="b"), order(2, shop="b", user_id=8))
    )
    outcome = agreed(bench, contract, rows)
    assert [row[0] for row in outcome.staged] == ["a/1", "b/1"]
    assert told(outcome) == [(line, ["order_id|unique"], ["a, 9"]) for line in (5, 6)]


PAGE: Final = (Path(__file__).parents[2] / "docs" / "contracts.md").read_text(encoding="utf-8")
FORMATS_SHOWN: Final = re.findall(r"^\| `([^`|]*)` \| `([^`|]*)` \| (?:`([^`|]*)`|a violation) \|$", PAGE, re.MULTILINE)
AMOUNTS_SHOWN: Final = re.findall(r"^\| `([^`|]*[0-9][^`|]*)` \| (?:`([0-9.-]*)`|a violation) \|$", PAGE, re.MULTILINE)


def test_the_page_shows_what_both_engines_read(bench: Workbench) -> None:
    """Every text in the tables of docs/contracts.md means what the page says."""
    shown_texts: dict[str, dict[str, Any]] = {}
    for pattern, text, stored in FORMATS_SHOWN:
        shown_texts.setdefault(pattern, {})[text] = stored or [BROKEN]
    assert sum(map(len, shown_texts.values())) == 6
    for pattern, expected in shown_texts.items():
        contract = mapped(Dataset.ORDERS, {CREATED: {"logicalTypeOptions": {"format": pattern}}})
        assert values_of(bench, contract, CREATED, expected) == expected

    amounts = {text: stored or ["fee|type"] for text, stored in AMOUNTS_SHOWN}
    assert len(amounts) == 11
    contract = mapped(Dataset.ORDERS, {"fee": {"logicalType": "number", "takingsCurrency": ["$", "USD"]}})
    assert values_of(bench, contract, "fee", amounts) == amounts


def test_the_page_lists_every_letter() -> None:
    """The page lists exactly the letters that a format may have."""
    table = PAGE.split("| letters | mean |")[1].split("\n\n")[0]
    listed = set(re.findall(r"`([A-Za-z]+)`", "\n".join(line.split("|")[1] for line in table.splitlines()[1:] if line)))
    assert listed | {"S" * digits for digits in range(1, 10)} == set(FIELDS)
