"""A database in memory with tables of literal rows, for tests of the lake's SQL."""

from __future__ import annotations

from typing import Any

import duckdb


class Lake:
    """A database in memory with tables of literal rows."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def table(self, name: str, columns: str, *rows: str) -> None:
        """Make a table, or make it again."""
        nothing = f"({', '.join('null' for _ in columns.split(', '))})"
        self._connection.execute(
            f"create or replace table {name} as select * from (values {', '.join(rows or [nothing])}) as rows({columns})"
            f" limit {len(rows)}"
        )

    def run(self, text: str) -> list[tuple[Any, ...]]:
        """Run one or several statements and return the rows of the last."""
        return self._connection.execute(text).fetchall()
