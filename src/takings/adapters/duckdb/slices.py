"""Cut the items of a large batch into slices by their order, so that each is written with the days of its own orders only.

The days of very many orders do not fit into memory beside the rows that a write holds back. DuckDB then spills the items,
which takes three times as long, loses their order by day, and may fail. A slice needs a fraction of the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import duckdb

from takings.adapters.duckdb.sql import literal, path_literal
from takings.contracts.model import ColumnType
from takings.lake import StagedFile

#: the items of one slice; smaller slices save nothing more, and each adds a file to the days at its ends
SLICE: Final = 3_000_000
#: slices that would read the staged files more often than this are not worth it: their items are in no order
_MOST_READS: Final = 2


#: an order id: a number, or a text where the contract says so
Key = TypeVar("Key", int, str)


@dataclass(frozen=True, kw_only=True)
class RowGroup(Generic[Key]):
    """What the footer of a staged file says of a row group."""

    rows: int
    #: no order id is below `low` or above `high`
    low: Key
    high: Key

    def overlaps(self, low: Key | None, high: Key | None) -> bool:
        """Return whether an order id of it may be in the range."""
        return (low is None or self.high > low) and (high is None or self.low <= high)


def slices(
    cursor: duckdb.DuckDBPyConnection, files: Sequence[StagedFile], items: int, of_type: ColumnType
) -> Sequence[str]:
    """Return SQL conditions on `order_id`, a column `of_type`, that share the `items` of files out, each to exactly one.

    There is one condition, which is always true, for few items and for items in no order.
    """
    if items <= SLICE:
        return ["true"]
    bounds = _bounds(cursor, files)
    # Python and DuckDB compare texts alike: the order of code points is that of the bytes of UTF-8.
    return _conditions(bounds, str, literal) if of_type is ColumnType.TEXT else _conditions(bounds, int, str)


def _conditions(
    bounds: Sequence[tuple[int, str, str]], key: Callable[[str], Key], sql: Callable[[Key], str]
) -> Sequence[str]:
    groups = [RowGroup(rows=rows, low=key(low), high=key(high)) for rows, low, high in bounds]
    return [
        _condition(None if low is None else sql(low), None if high is None else sql(high))
        for low, high in ranges_of(groups, SLICE)
    ]


def ranges_of(groups: Sequence[RowGroup[Key]], size: int) -> Sequence[tuple[Key | None, Key | None]]:
    """Return ranges of order ids with some `size` items each, without their low and with their high end; None is open."""
    found: list[tuple[Key | None, Key | None]] = []
    rows = 0
    begin: Key | None = None
    last: RowGroup[Key] | None = None
    for group in sorted(groups, key=lambda group: group.high):
        if last is not None and rows >= size and last.high < group.high:
            found.append((begin, last.high))
            rows, begin = 0, last.high
        rows, last = rows + group.rows, group
    found.append((begin, None))
    read = 0
    for low, high in found:
        read += sum(group.rows for group in groups if group.overlaps(low, high))
    return found if read <= _MOST_READS * sum(group.rows for group in groups) else [(None, None)]


def _bounds(cursor: duckdb.DuckDBPyConnection, files: Sequence[StagedFile]) -> Sequence[tuple[int, str, str]]:
    """Return the rows of each row group with bounds of its order ids, as text."""
    paths = ", ".join(path_literal(file.path) for file in files)
    found = cursor.execute(
        "select row_group_num_rows, stats_min_value, stats_max_value"
        f" from parquet_metadata([{paths}]) where path_in_schema = 'order_id'"
    ).fetchall()
    return [(rows, low, high) for rows, low, high in found if low is not None and high is not None]


def _condition(low: str | None, high: str | None) -> str:
    if low is None:
        # An item without an order waits in the first slice.
        return "true" if high is None else f"(order_id <= {high} or order_id is null)"
    return f"order_id > {low}" if high is None else f"order_id > {low} and order_id <= {high}"
