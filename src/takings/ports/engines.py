"""Define what reads files, merges batches and computes numbers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol

from takings.contracts.file_format import USUAL, FileFormat
from takings.contracts.model import Contract, Dataset
from takings.contracts.sources import Source
from takings.kpis.definitions import KpiTable, Measures
from takings.lake import (
    Affected,
    BatchChanges,
    Gaps,
    LakeFile,
    LakeSnapshot,
    Orphan,
    StagedBatch,
    TableChange,
    TableSnapshot,
)
from takings.validation.findings import FaultyRecord, Findings
from takings.validation.structure.values import FileFault, Structure

#: all rows
NO_CONDITION: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class ScannedFile:
    """A file whose structure has been read and is sound enough to validate its records."""

    path: Path
    structure: Structure
    #: where `read_structure` kept its broken records
    workspace: Path
    #: the Parquet file to write its rows to
    staged: Path


class ValidationEngine(Protocol):
    """What reads files, validates every row and stages the good ones."""

    @property
    def workers(self) -> int:
        """Return how many files it can read and validate side by side, each in a thread of its own."""

    def interrupt(self) -> None:
        """Break off queries that run in other threads, which get an exception. Repeat it until they have ended."""

    def read_structure(
        self, path: Path, workspace: Path, file: FileFormat = USUAL, on_block: Callable[[], None] = lambda: None
    ) -> Structure:
        """Read the structure of a file that is written as its contract says; broken records are kept in the workspace.

        `on_block` is called now and then; what it raises ends the reading. May be repeated.
        """

    def broken_records(self, workspace: Path) -> Iterator[FaultyRecord]:
        """Yield the broken records that `read_structure` found, in the order of the file. May be repeated."""

    def validate(
        self, path: Path, structure: Structure, contract: Contract, *, now: datetime, workspace: Path, staged: Path
    ) -> Findings:
        """Validate every sound record of a file, and write those without an error to the Parquet file `staged`.

        May be repeated, with the same outcome.
        """

    def validate_together(
        self, files: Sequence[ScannedFile], contract: Contract, *, now: datetime, workspace: Path
    ) -> Sequence[Findings | None]:
        """Check small files of one header and format as `validate` would each, at once; None for one to be checked alone.

        May be repeated, with the same outcome.
        """


@dataclass(frozen=True, kw_only=True)
class MadeFile:
    """The rows of one dataset that were made of a source's file, in normal form."""

    dataset: Dataset
    structure: Structure
    #: where they lie as `normal.csv`, with no broken records
    workspace: Path


class SourceEngine(Protocol):
    """What makes the rows of several datasets of a source's file."""

    def make(
        self, path: Path, structure: Structure, source: Source, workspace: Path
    ) -> tuple[MadeFile, ...] | FileFault:
        """Make the rows of every dataset of a sound file; a fault where the SQL fails on its records.

        May be repeated, with the same outcome.
        """


class MergeSession(Protocol):
    """The merge of one batch into the lake."""

    def affected(self, base: LakeSnapshot) -> Affected:
        """Compute the keys whose KPIs the batch may change, from the lake before its first merge."""

    def changes(self, base: LakeSnapshot) -> BatchChanges:
        """Count what the batch's rows change in the lake before its first merge, and find what looks wrong.

        A row that loses to a newer one of the same batch is not counted.
        """

    def first_orphan(self, current: LakeSnapshot) -> Orphan | None:
        """Return the first item, by key and line, whose order or product is neither in the batch nor in the lake."""

    def merge(self, dataset: Dataset, current: LakeSnapshot, affected: Affected) -> TableChange:
        """Write the Parquet files of one table's merge; readers see nothing until the change is applied.

        Products are merged first, then orders, then items. May be repeated on any newer snapshot.
        """


class LakeEngine(Protocol):
    """What merges batches into the lake, and finds rows in it."""

    @property
    def reads_shared(self) -> bool:
        """Return whether it reads staged rows where the store shares them, so that they need not be brought here."""

    def merging(self, staged: StagedBatch) -> AbstractContextManager[MergeSession]:
        """Begin the merge of a batch."""

    def compact(self, dataset: Dataset, table: TableSnapshot, files: Sequence[LakeFile]) -> TableChange:
        """Write the rows of these files as one file per day. The rows stay the same, so readers see no difference."""

    def rows_behind(
        self, snapshot: LakeSnapshot, day: date, category: str | None, of: Mapping[str, str] = NO_CONDITION
    ) -> Sequence[Mapping[str, Any]]:
        """Return the rows behind the KPIs of a day (or of a category on it), by order and item; see rows_behind.sql.

        `of` are columns of `items` or `orders`, as own KPI tables see them, and the text of their values; "" is an empty one.
        UnknownThing where there is no such column.
        """

    def orphans_since(self, snapshot: LakeSnapshot) -> datetime | None:
        """Return the version of the item that has waited longest for its order or product; None where no item waits."""

    def gaps(self, snapshot: LakeSnapshot, days: Collection[date] | None) -> Gaps:
        """Return all waiting items, and the orders without items on `days` (None: all days) and on days of waiting items."""

    def days_of(self, staged: StagedBatch, current: LakeSnapshot) -> Mapping[str, frozenset[date]]:
        """Return, per key of a staged file of orders or items, the days of its rows; an item has its order's day.

        A row whose order is neither staged nor in the lake has no day.
        """

    def orphans(self, snapshot: LakeSnapshot, most: int) -> Sequence[Mapping[str, Any]]:
        """Return the items that have waited longest: item_id, order_id, product_id, what it lacks, since, key, line."""


class KpiEngine(Protocol):
    """What computes measures from the lake's rows; every engine returns the same."""

    def measures(
        self, tables: Iterable[KpiTable], snapshot: LakeSnapshot, days: Collection[date] | None
    ) -> Mapping[str, Sequence[Measures]]:
        """Compute each KPI table's measures on `days` (None: all days) from exactly this snapshot. May be repeated."""
