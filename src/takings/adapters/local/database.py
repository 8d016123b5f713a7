"""Open the SQLite file of a local store: WAL mode, so that readers never wait for the writer."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from takings.adapters.local.migrations import is_up_to_date, migrate
from takings.errors import CorruptState, StoreError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: another process holds the write lock for milliseconds; a minute means that it is stuck
_BUSY_SECONDS = 60


def open_database(path: Path | None) -> Database:
    """Open the database file (None: in memory) and create its tables, or migrate those of an older version.

    CorruptState if it is damaged, SettingsError if a newer version wrote it.
    """
    connection: Database | None = None
    try:
        connection = sqlite3.connect(
            ":memory:" if path is None else path,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            factory=Database,
        )
        connection.row_factory = sqlite3.Row
        connection.lock = threading.RLock()
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        if not is_up_to_date(connection):
            with transaction(connection):
                migrate(connection)
    except sqlite3.DatabaseError as broken:
        if connection is not None:
            connection.close()
        if isinstance(broken, sqlite3.OperationalError):
            raise StoreError(
                f"{path}: {broken}. Check that the folder can be written and the disk is not full."
            ) from broken
        raise CorruptState(
            f"{path} is not a sound SQLite database ({broken}). Nothing was changed. Move the store's .takings folder away"
            " and rebuild the store from its archive, or restore the file from a back-up."
        ) from broken
    except BaseException:
        if connection is not None:
            connection.close()
        raise
    return connection


class Database(sqlite3.Connection):
    """A connection that the threads of a process share: one transaction at a time."""

    #: a thread holds it during its transaction; reading without it may return uncommitted rows
    lock: AbstractContextManager[object]


def open_database_to_read(path: Path) -> Database:
    """Open the database file so that nothing can be written to it."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        factory=Database,
    )
    connection.row_factory = sqlite3.Row
    connection.lock = threading.RLock()
    return connection


@contextmanager
def reading_database(path: Path) -> Iterator[Database]:
    """Open the database file for reading; if nothing can be written next to it, open a copy."""
    with closing(open_database_to_read(path)) as database:
        if _can_be_read(database, path):
            # An older version's layout is read unchanged; a newer one's may mean something else.
            is_up_to_date(database)
            yield database
            return
    with TemporaryDirectory(prefix="takings-") as folder:
        for suffix in ("", "-wal"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                shutil.copyfile(part, Path(folder, part.name))
        with closing(open_database(Path(folder, path.name))) as copy:
            yield copy


def _can_be_read(database: Database, path: Path) -> bool:
    """Return whether SQLite can read in place: even a reader of a WAL database writes an index next to it, if none exists."""
    try:
        database.execute("select 1 from sqlite_master").fetchone()
    except sqlite3.OperationalError:
        if os.access(path.parent, os.W_OK):
            raise
        return False
    return True


@contextmanager
def transaction(connection: Database) -> Iterator[sqlite3.Connection]:
    """Run statements as one immediate transaction; an interruption never leaves it open."""
    with connection.lock:
        try:
            connection.execute("begin immediate")
            yield connection
            connection.execute("commit")
        except BaseException:
            if connection.in_transaction:
                connection.execute("rollback")
            raise


def to_micros(instant: datetime | None) -> int | None:
    """Write an instant as microseconds since 1970."""
    return None if instant is None else (instant - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """Read microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=micros)
