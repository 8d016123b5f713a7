"""Translate the errors of libraries into errors that a person can act on."""

from __future__ import annotations

import errno
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from takings.errors import CorruptState, OutOfDisk, OutOfMemory, StoreError
from takings.refusals import as_sentence, code_in, is_full, remedy_of

#: DuckDB's only text about a signal
_INTERRUPTED: Final = "Query interrupted"
#: the setting that DuckDB names when its temporary files fill the disk; by default they may take nearly all of it
_SPILLING: Final = "max_temp_directory_size"
_ELSE: Final = "Check the disk's space and the permissions, and run again; nothing is lost."
_DELTA_ELSE: Final = (
    "Check the disk's space and the permissions; if a table's log is damaged, restore lake/ from a back-up. Nothing was"
    " overwritten."
)
#: SQLite has its own names for errors of the system, and does not pass on the system's
_SQLITE: Final = {
    "SQLITE_FULL": remedy_of(errno.ENOSPC),
    "SQLITE_READONLY": remedy_of(errno.EACCES),
    "SQLITE_BUSY": "Another program holds it. End that and run again; nothing is lost.",
    "SQLITE_CANTOPEN": "Check the permissions and how many files may be open (`ulimit -n`), and run again; nothing is lost.",
}
_SQLITE_ELSE: Final = (
    "Check that no other program holds it, the disk's space and the permissions, and run again; nothing is lost."
)


@contextmanager
def translated_faults(memory: str) -> Iterator[None]:
    """Raise Takings errors instead of DuckDB's, SQLite's and delta-rs'; `memory` is the setting that they work with.

    If a signal handler raises while a query runs, DuckDB raises a RuntimeError instead; this becomes a KeyboardInterrupt.
    """
    try:
        yield
    except _errors_of("duckdb", "OutOfMemoryException") as full:
        if _SPILLING in str(full):
            raise OutOfDisk(
                f"DuckDB has no disk left to spill to: {_first_line(full)}. Free some space, or raise `memory`, and run again;"
                " nothing is lost."
            ) from full
        raise OutOfMemory(
            f"DuckDB could not continue with memory = '{memory}': {_first_line(full)}. Raise `memory`, or free disk space for"
            " spilling, and run again."
        ) from full
    except RuntimeError as interrupted:
        if str(interrupted) != _INTERRUPTED:
            raise
        raise KeyboardInterrupt from interrupted
    except _errors_of("duckdb", "IOException") as failed:
        raise _refused("the store could not be read or written", failed) from failed
    except sqlite3.OperationalError as failed:
        raise StoreError(f".takings/takings.db: {failed}. {_SQLITE.get(_name_of(failed), _SQLITE_ELSE)}") from failed
    except sqlite3.DatabaseError as broken:
        raise CorruptState(
            f".takings/takings.db is damaged ({broken}). Nothing was changed. Restore it from a back-up, or rebuild the store"
            " from its archive."
        ) from broken
    except _errors_of("deltalake.exceptions", "DeltaError") as failed:
        raise _refused("the lake could not be read or written", failed, _DELTA_ELSE) from failed
    except OSError as refused:
        if refused.errno is not None:
            raise
        # delta-rs raises the system's errors as OSError, with number and text somewhere in its own text.
        raise _refused("the lake could not be read or written", refused, _DELTA_ELSE) from refused
    except BaseException as panic:
        if type(panic).__name__ != "PanicException":
            raise
        # delta-rs panics if it gets no thread, or no open file for one; PyO3's panic is not an Exception.
        raise _refused("the lake could not be read or written", panic, _DELTA_ELSE) from panic


def _errors_of(library: str, name: str) -> tuple[type[Exception], ...]:
    """Return a library's class of errors; none where it is not loaded: it has raised nothing, and to load it takes long."""
    loaded = sys.modules.get(library)
    return () if loaded is None else (getattr(loaded, name),)


def _refused(what: str, failed: BaseException, otherwise: str = _ELSE) -> StoreError:
    text = str(failed)
    kind = OutOfDisk if is_full(code_in(text)) else StoreError
    return kind(f"{what}: {as_sentence(text)}. {remedy_of(code_in(text)) or otherwise}")


def _name_of(failed: sqlite3.Error) -> str:
    """Return SQLite's name of the error; the module's own errors have none."""
    return str(getattr(failed, "sqlite_errorname", ""))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")
