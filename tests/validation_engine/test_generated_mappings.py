"""Whatever the mapping, a mapped file yields the same rows as a directly written one, on both engines."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from takings.adapters.duckdb.session import open_duckdb
from takings.contracts.model import Dataset
from tests.depth import DEPTH, examples
from tests.mapped_contracts import Columns, mapped
from tests.validation_engine.both_engines import Outcome, Workbench

pytestmark = pytest.mark.no_cover

TRIED: Final = settings(
    max_examples=examples(6, 15),
    derandomize=DEPTH == 1,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TEXT: Final[dict[str, Any]] = {"logicalType": "string", "physicalType": "VARCHAR"}
#: the plain file: keys are texts of two parts, and orders have an amount
PLAIN: Final = mapped(Dataset.ORDERS, {"order_id": TEXT, "total": {"logicalType": "number"}})
COLUMNS: Final = ("order_id", "user_id", "status", "created_at", "num_of_item", "total")
#: pattern -> how it writes a time of whole seconds; None: the default format
TIMES: Final[Mapping[str | None, Callable[[datetime], str]]] = {
    None: lambda time: time.isoformat(),
    "dd.MM.yyyy HH:mm:ss": lambda time: f"{time:%d.%m.%Y %H:%M:%S}",
    "M/d/yyyy H:m:s": lambda time: f"{time.month}/{time.day}/{time.year} {time.hour}:{time.minute}:{time.second}",
    "M/d/yy h:mm:ss a": lambda time: f"{time.month}/{time.day}/{time:%y} {time.hour % 12 or 12}:{time:%M:%S %p}",
    "yyyyMMddHHmmss": lambda time: f"{time:%Y%m%d%H%M%S}",
    "MMM d, yyyy 'at' HH:mm:ss": lambda time: f"{time:%b} {time.day}, {time:%Y at %H:%M:%S}",
    "yyyy-MM-dd'T'HH:mm:ss.SSXX": lambda time: f"{time + timedelta(hours=2):%Y-%m-%dT%H:%M:%S}.00+0200",
}
#: cells that are not a time, amount or number in any format
UNREADABLE: Final = ("x", "1,2,3.4.5", "--1", "2025-02-30", "$$1", "12:00", "😀", "1 2 3", "'")
NULL: Final = "n/a"


@dataclass(frozen=True, kw_only=True)
class Row:
    """An order before it is written; a text is a cell that cannot be read."""

    shop: str
    number: str
    user: int
    status: str
    created: datetime | str
    items: int | str
    total: Decimal | str | None


rows_: Final = st.builds(
    Row,
    shop=st.sampled_from(["a", "a-b", "Ä", "x y"]),
    number=st.sampled_from(["1", "23", "A7", "1.0"]),
    user=st.integers(0, 10**6),
    status=st.sampled_from(["complete", "Shipped", "cancelled", "lost"]),
    created=st.datetimes(datetime(2000, 1, 2), datetime(2025, 3, 29)).map(lambda time: time.replace(microsecond=0))  # noqa: DTZ001 - wall clocks
    | st.sampled_from(UNREADABLE),
    items=st.integers(1, 10**7) | st.sampled_from(UNREADABLE),
    total=st.none() | st.decimals(-(10**9), 10**9, places=2) | st.sampled_from(UNREADABLE),
)


@dataclass(frozen=True, kw_only=True)
class Writing:
    """Another way to write the same orders."""

    headers: Sequence[str]
    has_aliases: bool
    pattern: str | None
    decimal: str
    thousands: str | None
    currency: str | None
    is_currency_behind: bool
    has_parts: bool
    has_default: bool

    def columns(self) -> Columns:
        """Return the keys of the contract's columns."""
        columns: dict[str, dict[str, Any]] = {"total": {"logicalType": "number"}}
        for name, header in zip(COLUMNS, self.headers, strict=True):
            key = "takingsAliases" if self.has_aliases else "physicalName"
            columns.setdefault(name, {})[key] = [f"old {name}", header] if self.has_aliases else header
        columns["order_id"].update(TEXT)
        if self.has_parts:
            columns["order_id"] = {**TEXT, "takingsFrom": {"concat": ["shop", "number"], "separator": "/"}}
        if self.pattern:
            columns["created_at"]["logicalTypeOptions"] = {"format": self.pattern}
        if self.currency:
            columns["total"]["takingsCurrency"] = [self.currency, "XX"]
        if self.has_default:
            columns["status"]["takingsDefault"] = "complete"
        return columns

    def file(self) -> dict[str, Any]:
        """Return the value of takingsFile."""
        file: dict[str, Any] = {"decimal": self.decimal, "nullWords": [NULL]}
        return file | ({"thousands": self.thousands} if self.thousands else {})

    def number(self, value: Decimal | int) -> str:
        text = f"{value:,}" if self.thousands else str(value)
        return text.replace(",", "\0").replace(".", self.decimal).replace("\0", self.thousands or "")

    def amount(self, value: Decimal) -> str:
        text = self.number(value)
        if self.currency is None:
            return text
        return f"{text} {self.currency}" if self.is_currency_behind else f"{self.currency}{text}"

    def written(self, row: Row) -> list[str]:
        """Return the fields of a row."""
        key = [row.shop, row.number] if self.has_parts else [f"{row.shop}/{row.number}"]
        status = NULL if self.has_default and row.status == "complete" else row.status
        created = row.created if isinstance(row.created, str) else TIMES[self.pattern](row.created)
        items = row.items if isinstance(row.items, str) else self.number(row.items)
        total = row.total or NULL if not isinstance(row.total, Decimal) else self.amount(row.total)
        return [*key, str(row.user), status, created, items, total]

    def header(self) -> list[str]:
        return ["shop", "number", *self.headers[1:]] if self.has_parts else list(self.headers)


def directly_written(row: Row) -> list[str]:
    created = row.created if isinstance(row.created, str) else row.created.isoformat()
    total = "" if row.total is None else str(row.total)
    return [f"{row.shop}/{row.number}", str(row.user), row.status, created, str(row.items), total]


@st.composite
def mappings(draw: st.DrawFn) -> Writing:
    """Draw a mapping."""
    text = st.text("aZ 9№Ä尺._-#'\"", min_size=1, max_size=6).filter(lambda text: bool(text.strip()))
    decimal = draw(st.sampled_from([".", ","]))
    return Writing(
        headers=draw(st.lists(text, min_size=6, max_size=6, unique=True)),
        has_aliases=draw(st.booleans()),
        pattern=draw(st.sampled_from(list(TIMES))),
        decimal=decimal,
        thousands=draw(st.sampled_from([None, "'", " ", "\u00a0", {".": ",", ",": "."}[decimal]])),
        currency=draw(st.sampled_from([None, "€", "R$", "EUR", "(x)+"])),
        is_currency_behind=draw(st.booleans()),
        has_parts=draw(st.booleans()),
        has_default=draw(st.booleans()),
    )


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """Return both engines."""
    with closing(open_duckdb("400MB", 1, tmp_path_factory.mktemp("generated") / "spill")) as connection:
        yield Workbench(connection=connection, contract=PLAIN)


@given(rows=st.lists(rows_, max_size=6), mapping=mappings())
@TRIED
def test_a_mapping_changes_no_row(bench: Workbench, rows: list[Row], mapping: Writing) -> None:
    """The same rows are staged, from the same lines, and the same rules are broken."""
    contract = mapped(Dataset.ORDERS, mapping.columns(), mapping.file())
    content = as_csv([mapping.header(), *map(mapping.written, rows)])
    note(content.decode())
    expected = bench.duckdb(as_csv([list(COLUMNS), *map(directly_written, rows)]))
    bench = replace(bench, contract=contract)

    found = bench.duckdb(content)
    assert bench.pandas(content, chunk_size=2) == found
    assert all(outcome in (found, None) for outcome in bench.together(content))
    assert told(found) == told(expected)


def as_csv(lines: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(lines)
    return text.getvalue().encode()


def told(outcome: Outcome) -> tuple[object, ...]:
    """Return what must not depend on how the file is written."""
    assert outcome.findings is not None
    broken = [(record.line, [violation.rule for violation in record.violations]) for record in outcome.faulty]
    return outcome.types, outcome.staged, broken, outcome.findings.warnings, outcome.findings.identical_duplicates
