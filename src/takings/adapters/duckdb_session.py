"""Open DuckDB the one way in which Takings uses it: in memory, bounded, in UTC, without extensions from outside."""

from __future__ import annotations

from pathlib import Path

import duckdb


def open_duckdb(memory: str, threads: int, spill: Path) -> duckdb.DuckDBPyConnection:
    """Return a connection that uses at most `memory`, spilling to a folder."""
    spill.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": memory,
            "threads": threads,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            # It keeps nothing of local files but a note on each, for as long as the connection lives.
            "enable_external_file_cache": False,
        },
    )
    # Every cursor is a session of its own, so the time zone has to be a global setting.
    connection.execute("set global TimeZone = 'UTC'")
    return connection
