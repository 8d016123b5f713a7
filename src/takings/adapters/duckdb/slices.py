"""Cut the items of a large batch into slices by their order, so that each is written with the days of its own orders only.

The days of very many orders do not fit into memory beside the rows that a write holds back. DuckDB then spills the items,
which takes three times as long, loses their order by day, and may fail. A slice needs a fraction of the memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import duckdb

from takings.adapters.duckdb.sql import path_literal
from takings.lake import StagedFile

#: the items of one slice; smaller slices save nothing more, and each adds a file to the days at its ends
SLICE: Final = 3_000_000
#: slices that would read the staged files more often than this are not worth it: their items are in no order
_MOST_READS: Final = 2


@dataclass(frozen=True, kw_only=True)
class RowGroup:
    """What the footer of a staged file says of a row group."""

    rows: int
    #: the smallest and the largest order id
    low: int
    high: int


def slices(cursor: duckdb.DuckDBPyConnection, files: Sequence[StagedFile], items: int) -> Sequence[str]:
    """Return SQL conditions on `order_id` that share the `items` of staged files out, each item to exactly one.

    There is one condition, which is always true, for few items and for items in no order.
    """
    if items <= SLICE:
        return ["true"]
    return [_condition(low, high) for low, high in ranges_of(_row_groups(cursor, files), SLICE)]


def ranges_of(groups: Sequence[RowGroup], size: int) -> Sequence[tuple[int | None, int | None]]:
    """Return ranges of order ids with some `size` items each, without their low and with their high end; None is open."""
    ends: list[int | None] = [None]
    rows, last = 0, None
    for group in sorted(groups, key=lambda group: group.high):
        if last is not None and rows >= size and last < group.high:
            ends.append(last)
            rows = 0
        rows, last = rows + group.rows, group.high
    found = list(zip(ends, [*ends[1:], None], strict=True))
    read = sum(group.rows for group in groups for low, high in found if _overlaps(group, low, high))
    return found if read <= _MOST_READS * sum(group.rows for group in groups) else [(None, None)]


def _overlaps(group: RowGroup, low: int | None, high: int | None) -> bool:
    return (low is None or group.high > low) and (high is None or group.low <= high)


def _row_groups(cursor: duckdb.DuckDBPyConnection, files: Sequence[StagedFile]) -> Sequence[RowGroup]:
    paths = ", ".join(path_literal(file.path) for file in files)
    found = cursor.execute(
        "select row_group_num_rows, cast(stats_min_value as bigint), cast(stats_max_value as bigint)"
        f" from parquet_metadata([{paths}]) where path_in_schema = 'order_id'"
    ).fetchall()
    return [RowGroup(rows=rows, low=low, high=high) for rows, low, high in found if low is not None]


def _condition(low: int | None, high: int | None) -> str:
    if low is None:
        # An item without an order waits in the first slice.
        return "true" if high is None else f"(order_id <= {high} or order_id is null)"
    return f"order_id > {low}" if high is None else f"order_id > {low} and order_id <= {high}"
