"""Make the rows of several datasets from a source's file, by the source's SQL.

The file's records go into a table of a database of their own. The SQL runs while that database is locked, and what it made is
written in normal form, so that either validation engine checks it as it checks any file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from takings.adapters import scanned_file
from takings.adapters.duckdb.locked import open_alone, open_locked
from takings.adapters.duckdb.sql import literal, name
from takings.adapters.duckdb.typing import blank
from takings.adapters.duckdb.validation import csv_source
from takings.contracts.sources import LINE, RECORD, ROWS, Source, SourceQuery
from takings.ports import MadeFile
from takings.validation.collecting import CHUNK, shape_of
from takings.validation.source_columns import places_of
from takings.validation.structure.values import ChunkStart, FileFault, Limits, Structure

#: what the SQL has to return in addition to the dataset's columns
PLACES: Final = (RECORD, LINE)
#: a lack of resources is not a file's fault
_MACHINERY: Final = (
    duckdb.OutOfMemoryException,
    duckdb.IOException,
    duckdb.InternalException,
    duckdb.FatalException,
    duckdb.InterruptException,
    duckdb.PermissionException,
)
_QUOTED: Final = re.compile(r"""(['"])(.*?)\1""")


@dataclass(frozen=True)
class DuckDbSources:
    """Makes rows with DuckDB, whatever engine validates them."""

    #: how much memory a file's SQL may use
    memory: str

    def make(
        self, path: Path, structure: Structure, source: Source, workspace: Path
    ) -> tuple[MadeFile, ...] | FileFault:
        """Make the rows of every dataset of a sound file; a fault where the SQL fails on its records."""
        database = workspace / "rows.duckdb"
        for left in (database, database.with_suffix(".duckdb.wal")):
            left.unlink(missing_ok=True)
        with open_alone(database, self.memory) as connection:
            connection.execute(_load(path, structure, source, workspace))
        # The records are in the database now; disks are small.
        (workspace / "normal.csv").unlink()
        with open_locked(database, self.memory) as connection:
            for query in source.queries:
                if fault := _run(connection, query):
                    return fault
        with open_alone(database, self.memory) as connection:
            made = tuple(_Making(connection, query, source).write(workspace) for query in source.queries)
        database.unlink()
        return made


def _run(connection: duckdb.DuckDBPyConnection, query: SourceQuery) -> FileFault | None:
    """Make a dataset's rows, and refuse those that no record or no file could hold."""
    try:
        connection.execute(f"create table {_made(query)} as\n{statement(query)}")
    except _MACHINERY:
        raise
    except duckdb.Error as failed:
        return _fault(query, "sql", f"fails on the file's records: {_shown(failed)}")
    return _fault_of_rows(connection, query)


def statement(query: SourceQuery) -> str:
    """Return a source's SQL as a part of a larger statement."""
    return query.sql.rstrip().removesuffix(";") + "\n"


def _made(query: SourceQuery) -> str:
    return f"made_{query.dataset}"


def _load(path: Path, structure: Structure, source: Source, workspace: Path) -> str:
    """Return the SQL that lays the file's records as the table `rows`: an empty, blank or absent field is null."""
    header = structure.header or ()
    csv = scanned_file.normal_csv(path, structure, workspace)
    places = places_of(source, header)
    fields = ", ".join(
        f"case when not {_is_nothing(f'_r{places[column]}', source)} then _r{places[column]} end as {name(column)}"
        if column in places
        else f"cast(null as varchar) as {name(column)}"
        for column in source.columns
    )
    return f"create table {ROWS} as select {RECORD}, {LINE}, {fields} from {csv_source(csv, header)}"


def _is_nothing(field: str, source: Source) -> str:
    words = ", ".join(literal(word) for word in source.file.null_words)
    return f"({blank(field)} or {field} in ({words}))" if words else blank(field)


def _fault_of_rows(connection: duckdb.DuckDBPyConnection, query: SourceQuery) -> FileFault | None:
    """Return why rows that the SQL made cannot be checked: they have no line, or do not fit a table."""
    same = f"r.{RECORD} = m.{RECORD} and r.{LINE} = m.{LINE}"
    strays = _count(connection, f"{_made(query)} m where not exists (select 1 from {ROWS} r where {same})")
    if strays:
        return _fault(
            query, "places", f"makes {strays:,} rows whose {RECORD} and {LINE} belong to no record of the file"
        )
    texts = [column for column, kind in columns_of(connection, query) if kind == "VARCHAR"]
    length = " + ".join(f"coalesce(strlen({name(column)}), 0)" for column in texts) or "0"
    unfit = " or ".join([f"{length} > {Limits().max_record_bytes // 2}", *(_has_nul(column) for column in texts)])
    if wrong := _count(connection, f"{_made(query)} where {unfit}"):
        return _fault(query, "texts", f"makes {wrong:,} rows with a NUL byte, or of more than half a megabyte")
    return None


def _has_nul(column: str) -> str:
    return f"coalesce(contains({name(column)}, chr(0)), false)"


def _count(connection: duckdb.DuckDBPyConnection, rows: str) -> int:
    (count,) = connection.execute(f"select count(*) from {rows}").fetchone() or (0,)
    return int(count)


def columns_of(connection: duckdb.DuckDBPyConnection, query: SourceQuery) -> list[tuple[str, str]]:
    """Return names and types of the columns of a dataset's rows, without their places."""
    described = connection.execute(f"describe {_made(query)}").fetchall()
    return [(column, kind) for column, kind, *_ in described if column not in PLACES]


def _fault(query: SourceQuery, kind: str, what: str) -> FileFault:
    file = query.place.replace("\\", "/").rpartition("/")[2]
    return FileFault(rule=f"{query.dataset}.sql|{kind}", line=None, reason=f"{file} {what}")


def _shown(failed: duckdb.Error) -> str:
    """Return the first line of an error, with the shape of what it quotes in the place of the values."""
    first = str(failed).partition("\n")[0].rstrip(".")
    shown = _QUOTED.sub(lambda found: f"{found[1]}{shape_of(found[2]) or ''}{found[1]}", first)
    return f"{shown}. Let the SQL pass such a value on as text, or use try_cast, and the contract names its line."


@dataclass(frozen=True)
class _Making:
    """One dataset's rows on their way out of the database."""

    connection: duckdb.DuckDBPyConnection
    query: SourceQuery
    source: Source

    def write(self, workspace: Path) -> MadeFile:
        """Write the rows in normal form: by record and then by all columns, so that their order never depends on a plan."""
        folder = workspace / self.query.dataset
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "broken.jsonl").write_bytes(b"")
        columns = columns_of(self.connection, self.query)
        texts = ", ".join(f"{self._as_text(column, kind)} as {name(column)}" for column, kind in columns)
        order = ", ".join(name(column) for column in (*PLACES, *(column for column, _ in columns)))
        self.connection.execute(
            f"create table ordered as select {RECORD}, {LINE}, {texts} from {_made(self.query)} order by {order}"
        )
        names = ", ".join(name(column) for column, _ in columns)
        self.connection.execute(
            f"copy (select rowid, {LINE}, {names} from ordered order by rowid) to {literal(str(folder / 'normal.csv'))}"
            " (format csv, header false, delimiter ',', quote '\"', escape '\"', nullstr '')"
        )
        rows = _count(self.connection, "ordered")
        starts = self.connection.execute(
            f"select {LINE} from ordered where rowid % {CHUNK} = 0 order by rowid"
        ).fetchall()
        self.connection.execute("drop table ordered")
        return MadeFile(
            dataset=self.query.dataset,
            structure=_structure([column for column, _ in columns], rows, [line for (line,) in starts]),
            workspace=folder,
        )

    def _as_text(self, column: str, kind: str) -> str:
        """Return a column as a field's text: an instant in UTC, a number as the source's files write one."""
        if kind == "TIMESTAMP WITH TIME ZONE":
            return f"cast({name(column)} at time zone 'UTC' as varchar) || 'Z'"
        text = f"cast({name(column)} as varchar)"
        return f"replace({text}, '.', {literal(self.source.file.decimal)})" if kind.startswith("DECIMAL") else text


def _structure(header: Sequence[str], rows: int, lines: Sequence[int]) -> Structure:
    """Return the structure of rows that were made: sound, and not as a file that is read where it lies."""
    return Structure(
        header=tuple(header),
        fault=None,
        records=rows,
        broken=0,
        chunks=tuple(ChunkStart(offset=0, line=line) for line in lines),
        size=0,
        fingerprint="",
        is_regular=False,
        newline="\n",
        has_bom=False,
        has_quotes=True,
    )
