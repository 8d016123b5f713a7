"""Hold what the lake consists of at one moment, and what a merge changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from takings.contracts.model import Dataset
from takings.layout import BatchId


@dataclass(frozen=True, kw_only=True)
class LakeFile:
    """One Parquet file of a table."""

    #: relative to the table's root, with its partition folder
    path: str
    rows: int
    #: None in products, which is not partitioned, and for the orphan partition
    order_date: date | None


@dataclass(frozen=True, kw_only=True)
class TableSnapshot:
    """One table at one version."""

    version: int
    files: tuple[LakeFile, ...]
    #: the table has gained a column, which older files do not have
    is_widened: bool = False

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

    @property
    def is_empty(self) -> bool:
        """Tell whether no table holds a row."""
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
    #: a local Parquet file: the contract's columns; `_line` unless record i stands on line i + 2
    path: Path


@dataclass(frozen=True, kw_only=True)
class StagedBatch:
    """Everything that a batch brings into the lake."""

    batch_id: BatchId
    files: tuple[StagedFile, ...]

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
    """A Parquet file that an engine wrote for a table and that is not committed yet."""

    path: str
    size: int
    rows: int
    order_date: date | None
    #: column -> smallest and largest value, as JSON values; only where they are exact
    minimum: Mapping[str, Any]
    maximum: Mapping[str, Any]
    null_count: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class TableChange:
    """What a merge does to one table, atomically."""

    added: tuple[AddedFile, ...]
    removed: tuple[LakeFile, ...]
    #: the rows stay the same; only their files change
    is_compaction: bool = False

    @property
    def is_empty(self) -> bool:
        """Tell whether the table stays as it is."""
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
