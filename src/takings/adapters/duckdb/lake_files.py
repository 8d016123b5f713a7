"""Read and write the Parquet files of lake tables with DuckDB: SQL that reads them, Delta's statistics of written ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Final
from uuid import uuid4

import duckdb

from takings.adapters.duckdb.sql import SQL_TYPES, literal, name, path_literal
from takings.contracts.model import ColumnType, Contract, Contracts, Dataset
from takings.lake import PARTITION, PARTITIONED, AddedFile, LakeFile, TableSnapshot, lake_columns
from takings.layout import ORPHANS
from takings.ports import LakeTables

#: version 2 of the format is smaller and takes less time to write, and Spark, Trino, Polars and pandas read it (ADR 0019); a
#: large dictionary costs more than it saves
_PARQUET: Final = (
    "format parquet, compression zstd, compression_level 1, parquet_version v2, dictionary_size_limit 1000"
)


@dataclass(frozen=True, kw_only=True)
class LakeRows:
    """SQL that reads the rows of lake tables."""

    cursor: duckdb.DuckDBPyConnection
    tables: LakeTables
    contracts: Contracts
    counted_at_once: ClassVar[int | None] = 10_000_000

    def columns(self, dataset: Dataset) -> list[str]:
        """Return the columns of a lake table, without its partition."""
        return list(lake_columns(self.contracts[dataset]))

    def all_columns(self, dataset: Dataset) -> str:
        """Return the columns of a lake table as SQL lists them."""
        day = [PARTITION] if dataset in PARTITIONED else []
        return ", ".join(name(column) for column in [*self.columns(dataset), *day])

    def of_lake(self, dataset: Dataset, table: TableSnapshot) -> str:
        """Return a query of a table's rows, with the path of each one's file."""
        empty = self._no_row(dataset)
        if not table.files:
            return empty
        self.tables.fetch(dataset, table.files)
        folder = self.tables.folder(dataset)
        paths = ", ".join(path_literal(folder / file.path) for file in table.files)
        partition = (
            f", hive_partitioning = true, hive_types = {{'{PARTITION}': date}}" if dataset in PARTITIONED else ""
        )
        source = f"read_parquet([{paths}], filename = true{partition})"
        is_narrow = table.columns is not None and not table.columns.issuperset(self.columns(dataset))
        if table.is_widened or is_narrow:
            # Older files of a widened table lack columns; only such a table pays for reading every file's schema. A contract
            # may also have gained a column that no batch has brought into the lake yet.
            union = f"read_parquet([{paths}], filename = true{partition}, union_by_name = true)"
            source = f"(select * from {union} union all by name {empty})"
        return f"select {self.all_columns(dataset)}, filename from {source}"

    def execute(self, statement: str) -> duckdb.DuckDBPyConnection:
        """Run a statement."""
        return self.cursor.execute(statement)

    def file_name(self, dataset: Dataset, file: LakeFile) -> str:
        """Return how `filename` names a file."""
        return str(self.tables.folder(dataset) / file.path)

    def content(self, contract: Contract, table: str | None = None) -> str:
        """Return what tells contents of a row apart: a hash of every column but the instant of its version."""
        place = "" if table is None else f"{table}."
        columns = (
            f"cast({place}{name(column.name)} as {SQL_TYPES[column.type]})"
            for column in contract.columns
            if column.name != contract.version_column
        )
        return f"hash({', '.join(columns)})"

    def identity(self, contract: Contract) -> str:
        """Return what identifies the lake's rows, as one value."""
        columns = [name(column) for column in contract.identity]
        return columns[0] if len(columns) == 1 else f"row({', '.join(columns)})"

    def _no_row(self, dataset: Dataset) -> str:
        typed = {column: SQL_TYPES[kind] for column, kind in lake_columns(self.contracts[dataset]).items()}
        typed |= {PARTITION: "date"} if dataset in PARTITIONED else {}
        nulls = ", ".join(f"cast(null as {kind}) as {name(column)}" for column, kind in typed.items())
        return f"select {nulls}, cast(null as varchar) as filename where false"


@dataclass(frozen=True, kw_only=True)
class LakeWriter:
    """Writes a table's Parquet files."""

    rows: LakeRows
    #: the prefix of the files' names
    prefix: str

    def write(self, dataset: Dataset, query: str) -> tuple[AddedFile, ...]:
        """Write rows as Parquet files, one folder per day, and keep them; without rows, no file remains."""
        folder = self.rows.tables.folder(dataset)
        if dataset in PARTITIONED:
            pattern = literal(f"{self.prefix}-{{uuid}}")
            where = f"{literal(str(folder))} (partition_by ({PARTITION}), append, filename_pattern {pattern},"
        else:
            where = f"{literal(str(self._new_file(folder)))} ("
        return self.keep(dataset, self.rows.cursor.execute(_copy(query, where)).fetchall())

    def copy_of_day(self, dataset: Dataset, day: date | None, query: str) -> str:
        """Return the statement that writes rows of one day, without their day; None stands for waiting items.

        Its rows are what `keep` takes.
        """
        folder = self.rows.tables.folder(dataset) / f"{PARTITION}={ORPHANS if day is None else day.isoformat()}"
        folder.mkdir(parents=True, exist_ok=True)
        return _copy(query, f"{literal(str(self._new_file(folder)))} (")

    def _new_file(self, folder: Path) -> Path:
        return folder / f"{self.prefix}-{uuid4()}.parquet"

    def keep(self, dataset: Dataset, written: Iterable[tuple[Any, ...]]) -> tuple[AddedFile, ...]:
        """Keep written files, as COPY describes them, except those without rows."""
        folder = self.rows.tables.folder(dataset)
        integers = {
            column.name
            for column in self.rows.contracts[dataset].columns
            if column.type in {ColumnType.IDENTIFIER, ColumnType.INTEGER}
        }
        added = []
        for path, rows, size, _, statistics, *_ in written:
            if rows:
                added.append(_added_file(folder, Path(path), rows, size, statistics, integers))
            else:
                Path(path).unlink()
        self.rows.tables.put(dataset, added)
        return tuple(added)


def _copy(query: str, where: str) -> str:
    return f"copy ({query}) to {where} {_PARQUET}, return_stats)"


def _day_of(path: Path) -> date | None:
    """Return the day that the folder of a written file names; None for waiting items, and without such a folder."""
    column, _, day = path.parent.name.partition("=")
    return None if column != PARTITION or day == ORPHANS else date.fromisoformat(day)


def _added_file(
    folder: Path,
    path: Path,
    rows: int,
    size: int,
    statistics: Mapping[str, Mapping[str, str]],
    integers: Collection[str],
) -> AddedFile:
    known = {column.strip('"'): values for column, values in statistics.items() if column.strip('"') in integers}
    exact = {column: values for column, values in known.items() if "min" in values and "max" in values}
    return AddedFile(
        path=str(path.relative_to(folder)),
        size=size,
        rows=rows,
        order_date=_day_of(path),
        minimum={column: int(values["min"]) for column, values in exact.items()},
        maximum={column: int(values["max"]) for column, values in exact.items()},
        null_count={column: int(values["null_count"]) for column, values in known.items()},
    )
