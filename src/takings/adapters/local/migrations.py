"""Give the store's database this version's layout: schema.sql for a new one, otherwise the missing migrations.

`pragma user_version` is the number of migrations that a database has had. To change the layout, change schema.sql and add a
migration.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from importlib import resources
from typing import Final

from takings.errors import SettingsError

#: columns of the gate that came one after the other before databases had a version
_BEFORE_VERSIONS: Final = {
    "reading": "text",
    "suspects": "text not null default '[]'",
    "left_files": "text not null default '[]'",
}


def _add_what_came_before_versions(connection: sqlite3.Connection) -> None:
    """Add who reads a batch's copies, suspects and the files that batches left; some databases without a version have them."""
    present = {row["name"] for row in connection.execute("pragma table_info(PendingBatches)")}
    for column, kind in _BEFORE_VERSIONS.items():
        if column not in present:
            connection.execute(f"alter table PendingBatches add column {column} {kind}")


def _add_own_tables(connection: sqlite3.Connection) -> None:
    """Add how far the shop's own KPI tables are published; their rows have a table of their own."""
    present = {row["name"] for row in connection.execute("pragma table_info(PendingBatches)")}
    if "own_tables" not in present:
        connection.execute("alter table PendingBatches add column own_tables text not null default '{}'")


#: migration n takes a database from version n to n + 1
_MIGRATIONS: Final[tuple[Callable[[sqlite3.Connection], None], ...]] = (_add_what_came_before_versions, _add_own_tables)
#: the layout of schema.sql
VERSION: Final = len(_MIGRATIONS)


def is_up_to_date(connection: sqlite3.Connection) -> bool:
    """Return whether the database has this version's layout; SettingsError where it has a newer version's."""
    version = _version(connection)
    if version > VERSION:
        raise SettingsError(
            f".takings/takings.db has layout {version}; this version of Takings reads layout {VERSION}. Use the version of"
            " Takings that wrote the store."
        )
    return version == VERSION


def migrate(connection: sqlite3.Connection) -> None:
    """Migrate the database to this version, within the caller's transaction. May be repeated."""
    if is_up_to_date(connection):
        return
    if connection.execute("select 1 from sqlite_master where name = 'PendingBatches'").fetchone() is not None:
        for migration in _MIGRATIONS[_version(connection) :]:
            migration(connection)
    # Not as a script, because that would commit first; no statement contains a semicolon.
    for statement in (resources.files(__package__) / "schema.sql").read_text().split(";"):
        connection.execute(statement)
    connection.execute(f"pragma user_version = {VERSION}")


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("pragma user_version").fetchone()[0]
    return version
