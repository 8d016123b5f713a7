"""Write names, texts and types as DuckDB's SQL has them."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

from takings.contracts.model import ColumnType

SQL_TYPES: Final = {
    ColumnType.IDENTIFIER: "bigint",
    ColumnType.INTEGER: "bigint",
    ColumnType.MONEY: "decimal(28, 16)",
    ColumnType.TIMESTAMP: "timestamptz",
    ColumnType.TEXT: "varchar",
}


def literal(text: str) -> str:
    """Quote a text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def path_literal(path: PurePath) -> str:
    """Quote a file's path for a DuckDB reader, which takes `*`, `?` and `[` in it for a pattern."""
    return literal("".join(f"[{character}]" if character in "*?[" else character for character in str(path)))


def name(identifier: str) -> str:
    """Quote an identifier."""
    return '"' + identifier.replace('"', '""') + '"'
