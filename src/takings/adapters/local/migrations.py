"""Give the store's database the layout of this version: schema.sql where it is new, one migration after the other otherwise.

`pragma user_version` says how many migrations a database has had. To change the layout, change schema.sql and add a migration.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from importlib import resources
from typing import Final

from takings.errors import SettingsError


def _add_left_files(connection: sqlite3.Connection) -> None:
    """Add what files batches left; a database without a version may have the column, for it came before versions did."""
    present = {row["name"] for row in connection.execute("pragma table_info(PendingBatches)")}
    if "left_files" not in present:
        connection.execute("alter table PendingBatches add column left_files text not null default '[]'")


#: migration n takes a database from version n to n + 1
_MIGRATIONS: Final[tuple[Callable[[sqlite3.Connection], None], ...]] = (_add_left_files,)
#: the layout of schema.sql
VERSION: Final = len(_MIGRATIONS)


def is_up_to_date(connection: sqlite3.Connection) -> bool:
    """Return whether the database has this version's layout; SettingsError where it has a newer version's."""
    version = _version(connection)
    if version > VERSION:
        raise SettingsError(
            f".takings/takings.db has layout {version}, this is for layout {VERSION}. Use the version of Takings that wrote"
            " the store."
        )
    return version == VERSION


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to this version, within the caller's transaction. May be repeated."""
    if is_up_to_date(connection):
        return
    if connection.execute("select 1 from sqlite_master where name = 'PendingBatches'").fetchone() is not None:
        for migration in _MIGRATIONS[_version(connection) :]:
            migration(connection)
    # Not as a script, which would commit first; no statement of it holds a semicolon.
    for statement in (resources.files(__package__) / "schema.sql").read_text().split(";"):
        connection.execute(statement)
    connection.execute(f"pragma user_version = {VERSION}")


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("pragma user_version").fetchone()[0]
    return version
