"""Read a batch's staged rows with Spark's executors, each file once for its statistics and then as the merge needs it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from takings.adapters.merging.days import wall_clock_micros
from takings.adapters.merging.rows import name
from takings.adapters.merging.versions import may_share, newest_rows, unit
from takings.adapters.spark.lake import escaped
from takings.adapters.spark.merge_rows import SQL_TYPES, SparkRows
from takings.contracts.model import ColumnType, Dataset
from takings.lake import Range, StagedBatch, StagedFile, TableSnapshot
from takings.ports import BusinessTime
from takings.validation.mended import STEP, VERSION

#: the columns that join a dataset's rows with others in the lake
_KEYS: Final = {
    Dataset.PRODUCTS: ("id",),
    Dataset.ORDERS: ("order_id",),
    Dataset.ORDER_ITEMS: ("id", "order_id", "product_id"),
}
#: names that no contract's column has
_FILE, _PLACE, _SEEN, _KEY = "_takings_file", "_takings_place", "_takings_seen", "_takings_key"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_PART: Final = re.compile(r"[^/]*$")


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What one staged file holds."""

    rows: int
    ranges: dict[str, Range]


@dataclass(frozen=True)
class SparkStaged:
    """The validated rows of one batch, for one session."""

    batch: StagedBatch
    #: where Spark finds each of the batch's files
    paths: Sequence[str]
    rows: SparkRows
    business_time: BusinessTime

    @contextmanager
    def views(self) -> Iterator[None]:
        """Create the views staged_<dataset>: one row per key, its newest version in the batch; every_<dataset> has all rows."""
        self.lay_views()
        yield

    def lay_views(self) -> None:
        """Create the views; they end with the session."""
        for dataset in Dataset:
            if self.batch.of(dataset):
                self._lay_read(dataset)
        for dataset in Dataset:
            self._lay(dataset)

    def _lay(self, dataset: Dataset) -> None:
        if not self.batch.of(dataset):
            empty = self.rows.of_lake(dataset, TableSnapshot(version=0, files=()))
            rows = self.rows.session.sql(empty).drop("filename")
            self.rows.lay(f"staged_{dataset}", rows)
            return
        every, contract = self._every(dataset), self.rows.contracts[dataset]
        self.rows.lay(f"every_{dataset}", every)
        if not (may_share(self.ranges(dataset, contract.unit)) or self._repeats_keys(dataset)):
            self.rows.lay(f"staged_{dataset}", every, is_kept=True)
            return
        query = newest_rows(contract, self.rows.columns(dataset), f"select * from every_{dataset}")
        self.rows.lay(f"staged_{dataset}", self.rows.session.sql(query), is_kept=True)

    def _repeats_keys(self, dataset: Dataset) -> bool:
        """Tell whether a file holds a key more than once, which only its several instants allow."""
        contract = self.rows.contracts[dataset]
        if contract.unique_in_file == contract.identity:
            return False
        repeated = f"select 1 from every_{dataset} group by {unit(contract)} having count(*) > 1 limit 1"
        return self.rows.execute(repeated).fetchone() is not None

    def ranges(self, dataset: Dataset, column: str) -> Sequence[Range]:
        """Return the ranges of a key column's values, one of each file that has rows."""
        return [facts.ranges[column] for facts in self._facts[dataset]]

    def count(self, dataset: Dataset) -> int:
        """Count the staged rows of a dataset."""
        return sum(facts.rows for facts in self._facts[dataset])

    @cached_property
    def _facts(self) -> dict[Dataset, list[_Facts]]:
        return {dataset: list(self._read_facts(dataset)) for dataset in Dataset}

    def _read_facts(self, dataset: Dataset) -> Iterator[_Facts]:
        if not self.batch.of(dataset):
            return
        keys = _KEYS[dataset]
        ends = ", ".join(f"{of}({name(key)}) as {of}_{key}" for key in keys for of in ("min", "max"))
        found = self.rows.session.sql(f"select count(*) as rows, {ends} from read_{dataset} group by {_FILE}")
        for row in found.collect():
            yield _Facts(rows=row["rows"], ranges={key: (row[f"min_{key}"], row[f"max_{key}"]) for key in keys})

    def _files(self, dataset: Dataset) -> list[tuple[StagedFile, str]]:
        both = zip(self.batch.files, self.paths, strict=True)
        return [(file, path) for file, path in both if file.dataset is dataset]

    def _lay_read(self, dataset: Dataset) -> None:
        """Create the view read_<dataset>: the rows as they were staged, with file name and place in it.

        They have NULL in a column that a file lacks.
        """
        schema = StructType()
        kinds = self.rows.contracts[dataset].stored | {"_line": ColumnType.INTEGER, VERSION: ColumnType.TIMESTAMP}
        for column, kind in kinds.items():
            schema.add(column, SQL_TYPES[kind])
        read = self.rows.session.read.schema(schema).parquet(*(escaped(path) for _, path in self._files(dataset)))
        places = (f"_metadata.file_name as {_FILE}", f"_metadata.row_index as {_PLACE}")
        read.selectExpr("*", *places).createOrReplaceTempView(f"read_{dataset}")

    def _every(self, dataset: Dataset) -> DataFrame:
        """Return all staged rows of a dataset as the lake keeps them, with their origin."""
        self._lay_origins(dataset)
        contract = self.rows.contracts[dataset]
        step = f"interval '{STEP.microseconds / 10**6:.6f}' second"
        columns = [
            *map(name, contract.stored),
            f"coalesce({name(VERSION)} + {step}, timestamp_micros({_SEEN})) as _version",
            f"{_KEY} as _source",
            f"coalesce(_line, {_PLACE} + 2) as _line",
            f"'{self.batch.batch_id}' as _batch",
        ]
        if dataset is Dataset.ORDERS:
            shown = wall_clock_micros("unix_micros(created_at)", self.business_time)
            columns.append(f"cast(timestamp_micros({shown}) as date) as order_date")
        return self.rows.session.sql(
            f"select /*+ broadcast(o) */ {', '.join(columns)} from read_{dataset} r join origins_{dataset} o using ({_FILE})"
        )

    def _lay_origins(self, dataset: Dataset) -> None:
        """Create the view origins_<dataset>: name, version and key of each staged file.

        No row needs Python to read it, and no name is a part of a statement.
        """
        files = [
            {_FILE: _name_of(path), _SEEN: (file.version - _EPOCH) // timedelta(microseconds=1), _KEY: file.key}
            for file, path in self._files(dataset)
        ]
        types = f"array<struct<{_FILE}: string, {_SEEN}: bigint, {_KEY}: string>>"
        rows = self.rows.session.sql(f"select inline(from_json(:files, '{types}'))", {"files": json.dumps(files)})
        rows.createOrReplaceTempView(f"origins_{dataset}")


def _name_of(path: str) -> str:
    found = _LAST_PART.search(path)
    assert found is not None
    return found[0]
