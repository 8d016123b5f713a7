"""Run the lake's SQL on Spark: executors read the lake's files, and keep what a merge finds in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final
from uuid import uuid4

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from takings.adapters.merging.rows import name
from takings.adapters.spark.lake import SparkLake
from takings.contracts.model import ColumnType, Contract, Contracts, Dataset
from takings.lake import PARTITION, PARTITIONED, LakeFile, TableSnapshot, lake_columns

#: types as both Spark's SQL and its schemas name them
SQL_TYPES: Final = {
    ColumnType.IDENTIFIER: "long",
    ColumnType.INTEGER: "long",
    ColumnType.MONEY: "decimal(28,16)",
    ColumnType.TIMESTAMP: "timestamp",
    ColumnType.TEXT: "string",
}
#: a statement that creates something, behind comments
_CREATE: Final = re.compile(r"(?:\s*--[^\n]*\n)*\s*create or replace temp (?:view|table) (\w+) as\s(.*)", re.DOTALL)
#: the prefix of views of the lake's files
_OF_LAKE: Final = "lake_"


class SparkResult:
    """The rows that a query returns; they are collected when they are asked for."""

    def __init__(self, rows: DataFrame | None) -> None:
        self._rows = rows
        self._left: list[tuple[Any, ...]] | None = None

    @property
    def description(self) -> Sequence[Any] | None:
        """Return the columns, each one's name first."""
        return None if self._rows is None else [(column,) for column in self._rows.columns]

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row; None after the last."""
        left = self._fetched()
        return left.pop(0) if left else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows that are left."""
        left, self._left = self._fetched(), []
        return left

    def _fetched(self) -> list[tuple[Any, ...]]:
        if self._left is None:
            self._left = [] if self._rows is None else [tuple(row) for row in self._rows.collect()]
        return self._left


@dataclass(frozen=True, kw_only=True)
class SparkRows:
    """The session of one merge, and SQL that reads the lake's rows in it."""

    session: SparkSession
    lake: SparkLake
    #: executors spill what does not fit
    counted_at_once: ClassVar[int | None] = None
    #: tables by name; executors hold their rows, or compute them again
    _kept: dict[str, DataFrame] = field(default_factory=dict, init=False)

    @property
    def contracts(self) -> Contracts:
        """Return the contracts of the store."""
        return self.lake.contracts

    def execute(self, statement: str) -> SparkResult:
        """Run a query, or create a temporary view or table."""
        created = _CREATE.fullmatch(statement)
        if created is None:
            return SparkResult(self.session.sql(statement))
        view, query = created.groups()
        # Rows of the lake are read once for each query; all else is small beside it, and many queries build upon it.
        self.lay(view, self.session.sql(query), is_kept=not view.startswith(_OF_LAKE))
        return SparkResult(None)

    def lay(self, view: str, rows: DataFrame, *, is_kept: bool = False) -> None:
        """Give rows a name; the executors keep them if they are needed more than once."""
        before = self._kept.pop(view, None)
        if is_kept:
            self._kept[view] = rows.persist()
            rows = self._with_short_plan(rows)
        rows.createOrReplaceTempView(view)
        if before is not None:
            before.unpersist()

    def _with_short_plan(self, kept: DataFrame) -> DataFrame:
        """Return the same rows as if they were a source: Spark describes the plans of all kept tables in each that reads them.

        These descriptions would double with every step. What a lost executor kept is still computed again.
        """
        java: Any = self.session._jsparkSession
        frame: Any = kept._jdf
        rows = java.internalCreateDataFrame(frame.queryExecution().toRdd(), frame.schema(), False)
        return DataFrame(rows, self.session)

    def end(self) -> None:
        """Let the executors forget what they keep; those of an application that is gone have."""
        with suppress(PySparkException, Py4JError, ConnectionError):
            for rows in self._kept.values():
                rows.unpersist()
        self._kept.clear()

    def columns(self, dataset: Dataset) -> list[str]:
        """Return the columns of a lake table, without its partition."""
        return list(lake_columns(self.contracts[dataset]))

    def all_columns(self, dataset: Dataset) -> str:
        """Return the columns of a lake table as SQL lists them."""
        day = [PARTITION] if dataset in PARTITIONED else []
        return ", ".join(name(column) for column in [*self.columns(dataset), *day])

    def of_lake(self, dataset: Dataset, table: TableSnapshot) -> str:
        """Return a query of a table's rows, with the name of each one's file."""
        rows = self.lake.rows(self.session, dataset, table)
        file = f"substring_index(_metadata.file_path, '/', -{_depth(dataset)})" if table.files else "''"
        view = f"files_{uuid4().hex}"
        rows.selectExpr("*", f"{file} as filename").createOrReplaceTempView(view)
        return f"select {self.all_columns(dataset)}, filename from {view}"

    def file_name(self, dataset: Dataset, file: LakeFile) -> str:
        """Return how `filename` names a file."""
        return "/".join(file.path.split("/")[-_depth(dataset) :])

    def content(self, contract: Contract, table: str | None = None) -> str:
        """Return what tells contents of a row apart: a hash of every column but the instant of its version.

        Spark leaves out NULLs, so what tells a NULL is hashed as well.
        """
        place = "" if table is None else f"{table}."
        columns = [column for column in contract.columns if column.name != contract.version_column]
        typed = (f"cast({place}{name(column.name)} as {SQL_TYPES[column.type]})" for column in columns)
        return f"xxhash64({', '.join(f'{value} is null, {value}' for value in typed)})"

    def identity(self, contract: Contract) -> str:
        """Return what identifies the lake's rows, as one value."""
        columns = [name(column) for column in contract.identity]
        return columns[0] if len(columns) == 1 else f"struct({', '.join(columns)})"


def _depth(dataset: Dataset) -> int:
    """Return of how many parts a file's name in its table consists: a folder for each day, if it has days."""
    return 2 if dataset in PARTITIONED else 1
