"""Lay one view per dataset over a batch's staged files, and know what the files hold without reading them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from itertools import pairwise
from string import Template
from typing import Final

from takings.adapters.duckdb_lake_files import LakeRows
from takings.contracts.model import Dataset
from takings.lake import Range, StagedBatch, StagedFile, TableSnapshot
from takings.ports import BusinessTime
from takings.validation.mended import STEP, VERSION
from takings.validation.sql import business_day, literal, name, path_literal

#: the columns by which a dataset's rows find others in the lake
_KEYS: Final = {
    Dataset.PRODUCTS: ("id",),
    Dataset.ORDERS: ("order_id",),
    Dataset.ORDER_ITEMS: ("id", "order_id", "product_id"),
}


@dataclass(frozen=True, kw_only=True)
class StagedFacts:
    """What one staged file holds."""

    rows: int
    columns: frozenset[str]
    #: key column -> its smallest and largest value
    ranges: Mapping[str, Range]


@dataclass(frozen=True)
class StagedRows:
    """The validated rows of one batch, for one session."""

    batch: StagedBatch
    rows: LakeRows
    business_time: BusinessTime

    def lay_views(self) -> None:
        """Make the views staged_<dataset>: one row per key, its newest version in the batch."""
        for dataset in Dataset:
            files = self.batch.of(dataset)
            if files:
                query = "\nunion all\n".join(self._query(file) for file in files)
                self.rows.cursor.execute(f"create or replace temp view every_{dataset} as {query}")
                if self._share_keys(dataset):
                    key = name(self.rows.contracts[dataset].primary_key)
                    query = sql("newest", key=key, rows=query)
            else:
                empty = self.rows.of_lake(dataset, TableSnapshot(version=0, files=()))
                query = f"select * exclude (filename) from ({empty})"
            self.rows.cursor.execute(f"create or replace temp view staged_{dataset} as {query}")

    def ranges(self, dataset: Dataset, column: str) -> Sequence[Range]:
        """Return the ranges of a key column's values, one of each file that has rows."""
        every = (self._facts[file.key].ranges for file in self.batch.of(dataset))
        return [ranges[column] for ranges in every if column in ranges]

    def count(self, dataset: Dataset) -> int:
        """Count the staged rows of a dataset."""
        return sum(self._facts[file.key].rows for file in self.batch.of(dataset))

    @cached_property
    def _facts(self) -> dict[str, StagedFacts]:
        return {key: facts for dataset in Dataset for key, facts in self._read_facts(dataset)}

    def _read_facts(self, dataset: Dataset) -> Sequence[tuple[str, StagedFacts]]:
        files = {str(file.path): file for file in self.batch.of(dataset)}
        if not files:
            return []
        paths = f"[{', '.join(path_literal(file.path) for file in files.values())}]"
        columns = self.rows.cursor.execute(
            f"select file_name, list(name) from parquet_schema({paths}) group by file_name"
        ).fetchall()
        keys = _KEYS[dataset]
        ends = ", ".join(f"min({key}), max({key})" for key in keys)
        counted = self.rows.cursor.execute(
            f"select filename, count(*), {ends} from read_parquet({paths}, filename = true) group by filename"
        ).fetchall()
        known = {
            path: (rows, dict(zip(keys, zip(found[::2], found[1::2], strict=True), strict=True)))
            for path, rows, *found in counted
        }
        return [
            (
                files[path].key,
                StagedFacts(rows=known[path][0], columns=frozenset(present), ranges=known[path][1])
                if path in known
                else StagedFacts(rows=0, columns=frozenset(present), ranges={}),
            )
            for path, present in columns
        ]

    def _query(self, file: StagedFile) -> str:
        contract = self.rows.contracts[file.dataset]
        present = self._facts[file.key].columns
        line = "_line" if "_line" in present else "file_row_number + 2"
        version = f"timestamptz {literal(file.version.isoformat(sep=' '))}"
        if VERSION in present:
            version = f"{VERSION} + interval '{STEP.microseconds} microseconds'"
        columns = ", ".join(name(column.name) for column in contract.columns)
        day = f", {business_day('created_at', self.business_time)} as order_date"
        return (
            f"select {columns}, {version} as _version,"
            f" {literal(file.key)} as _source, {line} as _line, {literal(self.batch.batch_id)} as _batch"
            f"{day if file.dataset is Dataset.ORDERS else ''}"
            f" from read_parquet({path_literal(file.path)})"
        )

    def _share_keys(self, dataset: Dataset) -> bool:
        """Tell whether two files of a batch may hold the same key, from the ranges of their keys."""
        ranges = sorted(self.ranges(dataset, self.rows.contracts[dataset].primary_key))
        return any(following[0] <= before[1] for before, following in pairwise(ranges))


def sql(file: str, **values: object) -> str:
    """Return one of the lake's SQL files with its places filled in."""
    text = (resources.files("takings.lake") / f"{file}.sql").read_text()
    return Template(text).substitute({key: str(value) for key, value in values.items()})
