"""Create one view per dataset over a batch's staged files, and keep their statistics so that nothing is read twice.

A query over many files has one reader for each, with buffers and an open file. So many files are first merged into fewer, a
few at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeVar

from takings.adapters.duckdb.lake_files import LakeRows
from takings.adapters.duckdb.sql import literal, path_literal
from takings.adapters.duckdb.typing import business_day
from takings.adapters.merging.rows import name
from takings.adapters.merging.versions import may_share, newest_rows, unit
from takings.contracts.model import Dataset
from takings.lake import Range, StagedBatch, StagedFile, TableSnapshot
from takings.ports import BusinessTime
from takings.validation.mended import STEP, VERSION

#: the columns that join a dataset's rows with others in the lake
_KEYS: Final = {
    Dataset.PRODUCTS: ("id",),
    Dataset.ORDERS: ("order_id",),
    Dataset.ORDER_ITEMS: ("id", "order_id", "product_id"),
}
#: so few files of a dataset are read in place, by one query each: copying large ones would cost more
_MOST_READ_IN_PLACE: Final = 16
#: the column that distinguishes the readers of staged files
_OPTIONAL: Final = ("_line", VERSION)
_File = TypeVar("_File", StagedFile, Path)


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
    _grouped: set[Dataset] = field(default_factory=set, init=False)

    @contextmanager
    def views(self) -> Iterator[None]:
        """Create the views staged_<dataset> until the block ends: one row per key, its newest version in the batch.

        every_<dataset> has all rows of a dataset, if there are any.
        """
        with TemporaryDirectory(prefix="takings-together-", dir=self._folder, ignore_cleanup_errors=True) as together:
            for dataset in Dataset:
                query = self._rows_of(dataset, Path(together))
                self.rows.cursor.execute(f"create or replace temp view staged_{dataset} as {query}")
            yield

    @property
    def _folder(self) -> Path | None:
        """Return the folder for copies, next to the staged files; None if there are no staged files."""
        return self.batch.files[0].path.parent if self.batch.files else None

    def _rows_of(self, dataset: Dataset, together: Path) -> str:
        """Return the query of a dataset's staged rows."""
        files = self.batch.of(dataset)
        if not files:
            empty = self.rows.of_lake(dataset, TableSnapshot(version=0, files=()))
            return f"select * exclude (filename) from ({empty})"
        if len(files) <= min(_MOST_READ_IN_PLACE, self.batch.files_at_once):
            query = "\nunion all\n".join(self._query([file]) for file in files)
        else:
            query = f"select * from read_parquet([{_list(self._copy_together(dataset, together))}])"
        self.rows.cursor.execute(f"create or replace temp view every_{dataset} as {query}")
        if may_share(self.ranges(dataset, self.rows.contracts[dataset].unit)) or self._repeats_keys(dataset):
            self._grouped.add(dataset)
            query = newest_rows(self.rows.contracts[dataset], self.rows.columns(dataset), query)
        return query

    def is_grouped(self, dataset: Dataset) -> bool:
        """Tell whether a dataset's view groups its rows, so that each query of a part reads and groups all of them."""
        return dataset in self._grouped

    def _copy_together(self, dataset: Dataset, together: Path) -> Sequence[Path]:
        """Copy the rows of a dataset's staged files into fewer files, some at a time, and return the new files."""
        at_once = self.batch.files_at_once
        alike: dict[frozenset[str], list[StagedFile]] = defaultdict(list)
        for file in self.batch.of(dataset):
            alike[self._facts[dataset, file.key].columns.intersection(_OPTIONAL)].append(file)
        queries = (self._query(some) for files in alike.values() for some in _rounds(files, at_once))
        copies = [self._copy(query, together / f"{dataset}-{place}.parquet") for place, query in enumerate(queries)]
        while len(copies) > at_once:
            # A query over all copies also has a reader for each.
            queries = (f"select * from read_parquet([{_list(some)}])" for some in _rounds(copies, at_once))
            fewer = [
                self._copy(query, together / f"{copies[0].stem}-{place}.parquet") for place, query in enumerate(queries)
            ]
            for copy in copies:
                copy.unlink()
            copies = fewer
        return copies

    def _copy(self, query: str, target: Path) -> Path:
        self.rows.cursor.execute(f"copy ({query}) to {literal(str(target))} (format parquet)")
        return target

    def ranges(self, dataset: Dataset, column: str) -> Sequence[Range]:
        """Return the ranges of a key column's values, one of each file that has rows."""
        every = (self._facts[dataset, file.key].ranges for file in self.batch.of(dataset))
        return [ranges[column] for ranges in every if column in ranges]

    def count(self, dataset: Dataset) -> int:
        """Count the staged rows of a dataset."""
        return sum(self._facts[dataset, file.key].rows for file in self.batch.of(dataset))

    @cached_property
    def _facts(self) -> dict[tuple[Dataset, str], StagedFacts]:
        return {(dataset, key): facts for dataset in Dataset for key, facts in self._read_facts(dataset)}

    def _read_facts(self, dataset: Dataset) -> Iterator[tuple[str, StagedFacts]]:
        for some in _rounds(self.batch.of(dataset), self.batch.files_at_once):
            yield from self._read_facts_of(dataset, some)

    def _read_facts_of(self, dataset: Dataset, some: Sequence[StagedFile]) -> Iterator[tuple[str, StagedFacts]]:
        files = {str(file.path): file for file in some}
        paths = f"[{_list([file.path for file in some])}]"
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
        for path, present in columns:
            rows, ranges = known.get(path, (0, {}))
            yield files[path].key, StagedFacts(rows=rows, columns=frozenset(present), ranges=ranges)

    def _query(self, files: Sequence[StagedFile]) -> str:
        """Return the query of the rows of staged files that have the same columns."""
        contract = self.rows.contracts[files[0].dataset]
        present = self._facts[files[0].dataset, files[0].key].columns
        line = "_line" if "_line" in present else "file_row_number + 2"
        versions = ", ".join(f"timestamptz {literal(file.version.isoformat(sep=' '))}" for file in files)
        keys = ", ".join(literal(file.key) for file in files)
        version, source = (versions, keys) if len(files) == 1 else (_nth(versions), _nth(keys))
        if VERSION in present:
            version = f"{VERSION} + interval '{STEP.microseconds} microseconds'"
        columns = ", ".join(name(column) for column in contract.stored)
        day = f", {business_day('created_at', self.business_time)} as order_date"
        return (
            f"select {columns}, {version} as _version,"
            f" {source} as _source, {line} as _line, {literal(self.batch.batch_id)} as _batch"
            f"{day if contract.dataset is Dataset.ORDERS else ''}"
            f" from read_parquet([{_list([file.path for file in files])}])"
        )

    def _repeats_keys(self, dataset: Dataset) -> bool:
        """Tell whether a file holds a key more than once, which only its several instants allow."""
        contract = self.rows.contracts[dataset]
        if contract.unique_in_file == contract.identity:
            return False
        repeated = f"select 1 from every_{dataset} group by {unit(contract)} having count(*) > 1 limit 1"
        return self.rows.cursor.execute(repeated).fetchone() is not None


def _nth(values: str) -> str:
    """Return the value of a row's file."""
    return f"([{values}])[cast(file_index as bigint) + 1]"


def _list(paths: Sequence[Path]) -> str:
    return ", ".join(path_literal(path) for path in paths)


def _rounds(files: Sequence[_File], size: int) -> Iterator[Sequence[_File]]:
    return (files[first : first + size] for first in range(0, len(files), size))
