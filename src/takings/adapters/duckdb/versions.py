"""Write the order of versions as SQL: the shop's own instant where a contract names one, then the arrival's version."""

from __future__ import annotations

from takings.adapters.duckdb.sql import name
from takings.contracts.model import Contract


def unit(contract: Contract) -> str:
    """Return the column whose values are replaced as a whole: the primary key, or the order of a delivery's lines."""
    return name(contract.unit)


def identity(contract: Contract) -> str:
    """Return what identifies the lake's rows, as one value."""
    columns = [name(column) for column in contract.identity]
    return columns[0] if len(columns) == 1 else f"row({', '.join(columns)})"


def instant(contract: Contract, table: str = "", *, order: str = "") -> str:
    """Return what comes before `_version` when versions are compared; nothing if only the arrival decides."""
    if contract.version_column is None:
        return ""
    column = name(contract.version_column)
    return f"{table}{'.' if table else ''}{column}{order}, "
