"""Draw files of rows that follow a contract, as a shop might write them, and split them into batches."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Context, Decimal, localcontext
from typing import Final

from hypothesis import strategies as st

from tests.valid.contracts import ColumnSpec, ContractSpec, bounds

FOLDERS: Final = {"products": "products", "orders": "orders", "order_items": "order-items"}
LARGEST_ID: Final = 2**63 - 1
#: what every wall clock can show; instants reach the ends of the calendar
_MORE_THAN_A_DAY: Final = timedelta(days=1)
_TIMES: Final = st.datetimes(datetime.min + _MORE_THAN_A_DAY, datetime.max - _MORE_THAN_A_DAY)  # noqa: DTZ901 - wall clocks
_PAST_TIMES: Final = st.datetimes(datetime.min + _MORE_THAN_A_DAY, datetime.fromisoformat("2024-12-31T23:59:59"))  # noqa: DTZ901 - the same
_FIRST, _LAST = "0001-01-01T00:00:00Z", "9999-12-31 23:59:59.999999 UTC"
_TEXT: Final = st.text(
    st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\",\n;=\t'|"), min_size=1, max_size=12
)


@dataclass(frozen=True, kw_only=True)
class DroppedFile:
    """A file as a shop drops it."""

    file: str
    content: bytes


@st.composite
def batches(draw: st.DrawFn, contracts: ContractSpec) -> list[list[DroppedFile]]:
    """Draw the drops of up to three batches; every dataset comes with the first."""
    products = draw(_keys(contracts.products))
    orders = draw(_keys(contracts.orders))
    items = draw(_keys(contracts.order_items))
    parents = {"products.id": products, "orders.order_id": orders}
    made: list[list[DroppedFile]] = []
    for place in range(draw(st.integers(1, 2))):
        drops = []
        for (dataset, columns), keys in zip(contracts.by_dataset.items(), (products, orders, items), strict=True):
            some = draw(st.lists(st.sampled_from(keys), max_size=4, unique=True)) if place else keys
            rows = [draw(_row(columns, key, parents)) for key in some]
            if contracts.replaces and dataset == "order_items" and dataset in contracts.versions:
                rows = _in_deliveries(rows, contracts.versions[dataset])
            content = _csv(_without_repeats(columns, rows), columns, draw(_left_out(columns)))
            drops.append(DroppedFile(file=f"{FOLDERS[dataset]}/{place}.csv", content=content))
        made.append(drops)
    return made


def _keys(columns: Sequence[ColumnSpec]) -> st.SearchStrategy[list[str]]:
    key = next(column for column in columns if column.is_key)
    return st.lists(_value(key), min_size=1, max_size=5, unique=True)


@st.composite
def _row(
    draw: st.DrawFn, columns: Sequence[ColumnSpec], key: str, parents: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    row: dict[str, str] = {}
    for column in columns:
        if column.is_key:
            row[column.name] = key
        elif column.parent is not None:
            row[column.name] = draw(st.sampled_from(parents[column.parent]) | _value(column))
        else:
            may_lack = column.is_loose or not column.is_required
            row[column.name] = draw(_value(column) | st.sampled_from(_others(column)) if may_lack else _value(column))
    return row


def _others(column: ColumnSpec) -> list[str]:
    """Return what a field may hold instead of a value: nothing, or something unreadable."""
    unreadable = "" if column.logical == "string" else "n/a"
    return ["", unreadable] if column.is_loose else [""]


def _left_out(columns: Sequence[ColumnSpec]) -> st.SearchStrategy[set[str]]:
    """Return columns that a file may lack."""
    needless = [
        column.name
        for column in columns
        if column.is_mandatory is False or (column.is_mandatory is None and not column.is_required)
    ]
    return st.sets(st.sampled_from(needless)) if needless else st.just(set())


def _value(column: ColumnSpec) -> st.SearchStrategy[str]:
    match column.logical:
        case "integer" if column.is_identifier:
            return st.sampled_from([0, 1, 2, LARGEST_ID]).map(str) | st.integers(0, LARGEST_ID).map(str)
        case "integer" if column.role is not None:
            return (st.integers(0, 999_999_999) | st.sampled_from([0, 1, 999_999_999])).map(str)
        case "integer":
            return (st.integers(-(2**63), LARGEST_ID) | st.sampled_from([0, -(2**63), LARGEST_ID])).map(str)
        case "number":
            low, high = bounds(column.options | ({"minimum": 0} if column.role else {}))
            with localcontext(prec=60):
                usual = (low, high, Decimal(0), Decimal(-20), Decimal("10.005"))
                some = st.sampled_from([value for value in usual if low <= value <= high])
                digits = st.integers(int(low.scaleb(16)), int(high.scaleb(16)))
            amounts = some | digits.map(lambda number: Decimal(number).scaleb(-16, Context(prec=60)))
            return amounts.map(lambda amount: f"{amount:f}")
        case "timestamp":
            times = _PAST_TIMES if column.is_past else _TIMES
            formats = st.sampled_from(["%s", "%s UTC", "%sZ"])
            ends = [_FIRST] if column.is_past else [_FIRST, _LAST]
            return st.builds(lambda time, form: form % time.isoformat(" "), times, formats) | st.sampled_from(ends)
        case _ if column.values is not None:
            return st.sampled_from(sorted(column.values)).flatmap(
                lambda value: st.sampled_from([value, value.upper() if value.isascii() else value])
            )
        case _ if "pattern" in column.options:
            return st.from_regex("[A-Z0-9]{2,5}|ä", fullmatch=True)
        case _:
            most = column.options.get("maxLength", 12)
            return _TEXT.map(lambda text: text[:most]).filter(lambda text: text.strip(" \t\n\r\v\f") != "")


def _without_repeats(columns: Sequence[ColumnSpec], rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Keep the first of the rows that share the value of a unique column."""
    for column in columns:
        if column.is_unique:
            seen: set[str] = set()
            kept = []
            for row in rows:
                value = row[column.name]
                read = _read(column, value) if value not in _others(column) else ""
                if not read or read not in seen:
                    kept.append(row)
                    seen.add(read)
            rows = kept
    return rows


def _read(column: ColumnSpec, text: str) -> str:
    """Return the common form of a value's spellings."""
    match column.logical:
        case "integer":
            return str(int(text))
        case "number":
            return f"{Decimal(text).normalize():f}" if Decimal(text) else "0"
        case "timestamp":
            return text[:10]
        case _:
            return text


def _in_deliveries(rows: list[dict[str, str]], instant: str) -> list[dict[str, str]]:
    """Give the lines of an order the same instant."""
    first = {row["order_id"]: row[instant] for row in reversed(rows)}
    return [row | {instant: first[row["order_id"]]} for row in rows]


def _csv(rows: Sequence[Mapping[str, str]], columns: Sequence[ColumnSpec], left_out: set[str]) -> bytes:
    header = [column.name for column in columns if column.name not in left_out]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([row[name] for name in header] for row in rows)
    return text.getvalue().encode()
