"""Read and write the Parquet files of lake tables with DuckDB: SQL that reads them, Delta's statistics of written ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import uuid4

import duckdb

from takings.adapters.duckdb.sql import SQL_TYPES, literal, name, path_literal
from takings.contracts.model import ColumnType, Contracts, Dataset
from takings.lake import PARTITION, PARTITIONED, AddedFile, TableSnapshot, lake_columns
from takings.layout import ORPHANS
from takings.ports import LakeTables


@dataclass(frozen=True, kw_only=True)
class LakeRows:
    """SQL that reads the rows of lake tables."""

    cursor: duckdb.DuckDBPyConnection
    tables: LakeTables
    contracts: Contracts

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
        pattern = f"{self.prefix}-{{uuid}}"
        if dataset in PARTITIONED:
            where = f"{literal(str(folder))} (partition_by ({PARTITION}), append, filename_pattern {literal(pattern)},"
        else:
            where = f"{literal(str(folder / f'{pattern.format(uuid=uuid4())}.parquet'))} ("
        cursor = self.rows.cursor
        cursor.execute(f"copy ({query}) to {where} format parquet, compression zstd, return_stats)")
        integers = {
            column.name
            for column in self.rows.contracts[dataset].columns
            if column.type in {ColumnType.IDENTIFIER, ColumnType.INTEGER}
        }
        added = []
        for path, rows, size, _, statistics, keys, *_ in cursor.fetchall():
            if rows:
                added.append(_added_file(folder, path, rows, size, statistics, keys, integers))
            else:
                Path(path).unlink()
        self.rows.tables.put(dataset, added)
        return tuple(added)


def _added_file(
    folder: Path,
    path: str,
    rows: int,
    size: int,
    statistics: Mapping[str, Mapping[str, str]],
    keys: Mapping[str, str | None] | None,
    integers: Collection[str],
) -> AddedFile:
    known = {column.strip('"'): values for column, values in statistics.items() if column.strip('"') in integers}
    exact = {column: values for column, values in known.items() if "min" in values and "max" in values}
    day = (keys or {}).get(PARTITION)
    return AddedFile(
        path=str(Path(path).relative_to(folder)),
        size=size,
        rows=rows,
        order_date=None if day in {None, ORPHANS} else date.fromisoformat(str(day)),
        minimum={column: int(values["min"]) for column, values in exact.items()},
        maximum={column: int(values["max"]) for column, values in exact.items()},
        null_count={column: int(values["null_count"]) for column, values in known.items()},
    )
