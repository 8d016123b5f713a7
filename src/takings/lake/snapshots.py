"""Describe what the lake consists of at one moment, and what a merge changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from takings.contracts.model import ColumnType, Contract, Dataset
from takings.layout import BatchId

#: the columns whose ranges show which rows a file may hold
KEYS: Final = frozenset({"id", "order_id", "product_id"})
#: tables with one folder per day
PARTITIONED: Final = (Dataset.ORDERS, Dataset.ORDER_ITEMS)
#: the business day that such a folder holds
PARTITION: Final = "order_date"
#: what every row has in addition to its contract's columns
ORIGIN: Final = {
    "_version": ColumnType.TIMESTAMP,
    "_source": ColumnType.TEXT,
    "_line": ColumnType.INTEGER,
    "_batch": ColumnType.TEXT,
}
#: the smallest and the largest value
Range = tuple[Any, Any]
#: column -> the ranges of the wanted values
Ranges = Mapping[str, Sequence[Range]]


def lake_columns(contract: Contract) -> dict[str, ColumnType]:
    """Return the type of each column of a lake table but its partition, in the order of the table."""
    return contract.stored | ORIGIN


@dataclass(frozen=True, kw_only=True)
class LakeFile:
    """One Parquet file of a table."""

    #: relative to the table's root, with its partition folder
    path: str
    rows: int
    #: None for products, which is not partitioned, and for the orphan partition
    order_date: date | None
    #: key column -> its smallest and largest value, if known
    ranges: Mapping[str, Range] = field(default_factory=dict)

    def may_hold(self, wanted: Ranges) -> bool:
        """Return whether a row may have a value within one of these ranges, in any of the columns."""
        return any(
            column not in self.ranges or (low <= self.ranges[column][1] and high >= self.ranges[column][0])
            for column, each in wanted.items()
            for low, high in each
        )


@dataclass(frozen=True, kw_only=True)
class TableSnapshot:
    """One table at one version."""

    version: int
    files: tuple[LakeFile, ...]
    #: the table has gained a column that older files lack
    is_widened: bool = False
    #: the table's columns; None if they were not read. A contract may have gained others since
    columns: frozenset[str] | None = field(default=None, compare=False)

    def near(self, wanted: Ranges) -> TableSnapshot:
        """Return the table without the files that hold no value within these ranges."""
        return replace(self, files=tuple(file for file in self.files if file.may_hold(wanted)))

    def on(self, days: Collection[date] | None) -> TableSnapshot:
        """Return the table without other days (None: all days) and without the orphan partition."""
        files = (file for file in self.files if file.order_date is not None)
        return replace(self, files=tuple(file for file in files if days is None or file.order_date in days))

    def after(self, change: TableChange) -> TableSnapshot:
        """Return the table at its next version, after the change."""
        added = {file.path: file.as_lake_file() for file in change.added}
        gone = {file.path for file in change.removed} | added.keys()
        kept = [file for file in self.files if file.path not in gone]
        files = sorted([*kept, *added.values()], key=lambda file: file.path)
        return replace(self, version=self.version + 1, files=tuple(files))

    @property
    def rows(self) -> int:
        """Count the rows of the table."""
        return sum(file.rows for file in self.files)


@dataclass(frozen=True, kw_only=True)
class LakeSnapshot:
    """The three tables, each at one version."""

    tables: Mapping[Dataset, TableSnapshot]

    def __getitem__(self, dataset: Dataset) -> TableSnapshot:
        return self.tables[dataset]

    def counted(self, days: Collection[date] | None) -> LakeSnapshot:
        """Return the part of the lake that counts on these days (None: on all days): no waiting orphans, no other day."""
        return LakeSnapshot(
            tables={
                dataset: table.on(days) if dataset in PARTITIONED else table for dataset, table in self.tables.items()
            }
        )

    @property
    def is_empty(self) -> bool:
        """Return whether no table holds a row."""
        return all(not table.files for table in self.tables.values())

    @property
    def orphans(self) -> int:
        """Count the items that wait for an order or a product."""
        return sum(file.rows for file in self.tables[Dataset.ORDER_ITEMS].files if file.order_date is None)


@dataclass(frozen=True, kw_only=True)
class StagedFile:
    """The validated rows of one accepted file."""

    dataset: Dataset
    #: the arrival's key
    key: str
    version: datetime
    #: a local Parquet file with the contract's columns, and `_line` unless record i is on line i + 2
    path: Path


@dataclass(frozen=True, kw_only=True)
class StagedBatch:
    """Everything that a batch brings into the lake."""

    batch_id: BatchId
    files: tuple[StagedFile, ...]
    #: how many of the files an engine may open at once
    files_at_once: int

    def of(self, dataset: Dataset) -> tuple[StagedFile, ...]:
        """Return the staged files of one dataset."""
        return tuple(file for file in self.files if file.dataset is dataset)


@dataclass(frozen=True, kw_only=True)
class Orphan:
    """A staged item without a parent."""

    #: the arrival's key
    key: str
    line: int
    #: order_id or product_id
    column: str


@dataclass(frozen=True, kw_only=True)
class AddedFile:
    """A Parquet file that an engine wrote for a table, not committed yet."""

    path: str
    size: int
    rows: int
    order_date: date | None
    #: column -> smallest and largest value, as JSON values; only if exact
    minimum: Mapping[str, Any]
    maximum: Mapping[str, Any]
    null_count: Mapping[str, int]

    def as_lake_file(self) -> LakeFile:
        """Return the file as in a snapshot of the table."""
        ranges = {
            column: (self.minimum[column], self.maximum[column])
            for column in sorted(KEYS)
            if column in self.minimum and column in self.maximum
        }
        return LakeFile(path=self.path, rows=self.rows, order_date=self.order_date, ranges=ranges)


@dataclass(frozen=True, kw_only=True)
class TableChange:
    """What a merge does to one table, atomically."""

    added: tuple[AddedFile, ...]
    removed: tuple[LakeFile, ...]
    #: only files change, not rows
    is_compaction: bool = False

    @property
    def is_empty(self) -> bool:
        """Return whether the table stays as it is."""
        return not (self.added or self.removed)


@dataclass(frozen=True, kw_only=True)
class Commit:
    """The numbered moment at which a batch's rows are in the lake."""

    number: int
    batch_id: BatchId
    #: the version of each table
    versions: Mapping[Dataset, int]

    def to_json(self) -> dict[str, Any]:
        """Return the content of lake/commits/<n>.json."""
        return {
            "schema_version": 1,
            "commit": self.number,
            "batch_id": self.batch_id,
            "tables": {dataset.value: version for dataset, version in sorted(self.versions.items())},
        }

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Commit:
        """Read what `to_json` wrote."""
        return Commit(
            number=document["commit"],
            batch_id=BatchId(document["batch_id"]),
            versions={Dataset(name): version for name, version in document["tables"].items()},
        )
