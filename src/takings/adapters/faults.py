"""Translate what the machinery's libraries raise into errors that a person can act on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import duckdb
from deltalake.exceptions import DeltaError

from takings.errors import CorruptState, OutOfMemory, StoreError

#: all that DuckDB tells of a signal
_INTERRUPTED: Final = "Query interrupted"


@contextmanager
def translated_faults(memory: str) -> Iterator[None]:
    """Raise errors of Takings instead of DuckDB's, SQLite's and delta-rs'; `memory` is the setting they work under.

    DuckDB replaces what a signal's handler raises while a query runs by a RuntimeError; KeyboardInterrupt is raised for it.
    """
    try:
        yield
    except duckdb.OutOfMemoryException as full:
        raise OutOfMemory(
            f"DuckDB could not go on with memory = '{memory}': {_first_line(full)}. Raise `memory`, or free disk space for"
            " what it spills, and run again."
        ) from full
    except RuntimeError as interrupted:
        if str(interrupted) != _INTERRUPTED:
            raise
        raise KeyboardInterrupt from interrupted
    except duckdb.IOException as failed:
        raise StoreError(
            f"the store could not be read or written: {_first_line(failed)}. Check the disk's space and the permissions, and"
            " run again; nothing is lost."
        ) from failed
    except sqlite3.OperationalError as failed:
        raise StoreError(
            f".takings/takings.db: {failed}. Check that no other program holds it, the disk's space and the permissions, and"
            " run again; nothing is lost."
        ) from failed
    except sqlite3.DatabaseError as broken:
        raise CorruptState(
            f".takings/takings.db is damaged ({broken}). Nothing was changed. Restore it from a back-up, or rebuild the store"
            " from its archive."
        ) from broken
    except DeltaError as failed:
        raise StoreError(
            f"the lake could not be read or written: {_first_line(failed)}. Check the disk's space and the permissions; if a"
            " table's log is damaged, restore lake/ from a back-up. Nothing was overwritten."
        ) from failed


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")
