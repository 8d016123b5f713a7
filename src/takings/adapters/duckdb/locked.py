"""Open DuckDB for SQL that somebody else wrote: on one thread, in UTC, without files, network, extensions or settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import duckdb

from takings.adapters.duckdb.session import interruptible

#: a check computes nothing
_FOR_A_CHECK: Final = "256MB"


@contextmanager
def open_locked(database: Path | None = None, memory: str = _FOR_A_CHECK) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database, or one in memory, in which SQL can do nothing but compute; it spills next to the database."""
    with open_alone(database, memory) as connection:
        for setting in ("enable_external_access = false", "TimeZone = 'UTC'", "lock_configuration = true"):
            connection.execute(f"set {setting}")
        yield connection


@contextmanager
def open_alone(database: Path | None, memory: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database of its own on one thread, in which rows keep the order in which they came."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "threads": 1,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if database is not None:
        config["temp_directory"] = str(database.with_suffix(".spill"))
    with closing(duckdb.connect(":memory:" if database is None else str(database), config=config)) as connection:
        yield interruptible(connection)
