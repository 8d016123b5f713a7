"""What an engine offers so that the lake's SQL runs on it: a session, rows of staged files and of the lake, two expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import resources
from string import Template
from typing import Any, Protocol

from takings.contracts.model import Contract, Contracts, Dataset
from takings.lake import LakeFile, Range, StagedBatch, TableSnapshot


class Result(Protocol):
    """What a statement returns."""

    @property
    def description(self) -> Sequence[Any] | None:
        """Return the columns, each one's name first."""

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row; None after the last."""

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""


class LakeSql(Protocol):
    """The session of one merge, and SQL that reads the lake's rows in it."""

    @property
    def contracts(self) -> Contracts:
        """Return the contracts of the store."""

    @property
    def counted_at_once(self) -> int | None:
        """Return how many rows can be grouped by a key at once; None if memory sets no limit."""

    def execute(self, statement: str) -> Result:
        """Run a query, or one that begins with `create or replace temp`: a view, or a table whose rows are kept."""

    def columns(self, dataset: Dataset) -> list[str]:
        """Return the columns of a lake table, without its partition."""

    def all_columns(self, dataset: Dataset) -> str:
        """Return the columns of a lake table as SQL lists them."""

    def of_lake(self, dataset: Dataset, table: TableSnapshot) -> str:
        """Return a query of a table's rows, with the name of each one's file as `filename`."""

    def file_name(self, dataset: Dataset, file: LakeFile) -> str:
        """Return how `filename` names a file."""

    def content(self, contract: Contract, table: str | None = None) -> str:
        """Return what tells contents of a row apart: a hash of every column but the instant of its version."""

    def identity(self, contract: Contract) -> str:
        """Return what identifies the lake's rows, as one value."""


class StagedSql(Protocol):
    """The staged rows of one batch."""

    @property
    def batch(self) -> StagedBatch:
        """Return the staged files."""

    def views(self) -> AbstractContextManager[None]:
        """Create the views staged_<dataset> until the block ends: one row per key, its newest version in the batch.

        every_<dataset> has all rows of a dataset, if there are any.
        """

    def ranges(self, dataset: Dataset, column: str) -> Sequence[Range]:
        """Return the ranges of a key column's values, one of each file that has rows."""

    def count(self, dataset: Dataset) -> int:
        """Count the staged rows of a dataset."""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """Which columns restatement watches, in the contracts' spelling."""

    #: a change restates the product's categories on every day with an item of it
    products: tuple[str, ...]
    #: a change restates the categories of the order's items
    orders: tuple[str, ...]
    #: own table -> the columns of products that it reads
    own: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def own_columns(self) -> tuple[str, ...]:
        """Return the columns of products that any own table reads."""
        return tuple(sorted(frozenset().union(*self.own.values())))


def sql(file: str, **values: object) -> str:
    """Return one of the lake's SQL files with its placeholders filled in."""
    text = (resources.files("takings.lake") / f"{file}.sql").read_text()
    return Template(text).substitute({key: str(value) for key, value in values.items()})


def name(identifier: str) -> str:
    """Quote an identifier."""
    return '"' + identifier.replace('"', '""') + '"'
