"""Write names, texts and types in DuckDB's SQL."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

from takings.adapters.merging.rows import name
from takings.contracts.model import ColumnType
from takings.lake import FIRST_REAL, OLDER

__all__ = ["SQL_TYPES", "literal", "name", "path_literal", "seen_at"]

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
    """Quote a file's path for a DuckDB reader, which would read `*`, `?` and `[` as a pattern."""
    return literal("".join(f"[{character}]" if character in "*?[" else character for character in str(path)))


def seen_at(version: str) -> str:
    """Return when a row of that version was first seen: a stand-in's version is older."""
    first_real = f"timestamptz {literal(FIRST_REAL.isoformat(sep=' '))}"
    return f"case when {version} < {first_real} then {version} + interval {OLDER.days} days else {version} end"
