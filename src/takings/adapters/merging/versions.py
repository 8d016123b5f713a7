"""Write the order of versions as SQL: the shop's own instant where a contract names one, then the arrival's version."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from takings.adapters.merging.rows import name, sql
from takings.contracts.model import Contract, Dataset
from takings.lake import PARTITION, Range


def unit(contract: Contract) -> str:
    """Return the column whose values are replaced as a whole: the primary key, or the order of a delivery's lines."""
    return name(contract.unit)


def instant(contract: Contract, table: str = "", *, order: str = "") -> str:
    """Return what comes before `_version` when versions are compared; nothing if only the arrival decides."""
    if contract.version_column is None:
        return ""
    column = name(contract.version_column)
    return f"{table}{'.' if table else ''}{column}{order}, "


def newest_rows(contract: Contract, columns: Sequence[str], rows: str) -> str:
    """Return the query of the newest of each key's staged rows, or of the lines of each order's newest delivery."""
    # Only orders know their day before they are in the lake.
    day = [PARTITION] if contract.dataset is Dataset.ORDERS else []
    places = {
        "columns": ", ".join(map(name, [*columns, *day])),
        "instant": instant(contract, order=" desc"),
        "rows": rows,
    }
    if contract.replaces is not None:
        return sql("newest_deliveries", unit=unit(contract), **places)
    return sql("newest", key=name(contract.primary_key), **places)


def may_share(ranges: Sequence[Range]) -> bool:
    """Return whether two files may hold the same key, from the ranges of their keys."""
    ordered = sorted(ranges)
    return any(following[0] <= before[1] for before, following in pairwise(ordered))
