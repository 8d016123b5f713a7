"""Let executors write a table's Parquet files, and give those of tasks that succeeded their names in the table's folder.

Spark's own committer moves what a task wrote only when the task has succeeded, into a folder of this write alone. So what
other attempts wrote is never named, and a write that is broken off leaves only what `takings maintain` removes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from shutil import rmtree
from typing import Any, Final
from uuid import uuid4

from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from takings.adapters.delta.lake_tables import column_types
from takings.adapters.merging.rows import name
from takings.adapters.spark.lake import SparkLake, escaped
from takings.contracts.model import ColumnType, Dataset
from takings.errors import MachineryError
from takings.lake import PARTITION, PARTITIONED, AddedFile
from takings.layout import ORPHANS

#: the folder in a table's folder for files that have no name there yet
_WRITING: Final = "_writing"
#: how rows find the task that writes them: small days come together in one, and a large day is divided
_TOGETHER: Final = {
    dataset: f"/*+ rebalance{f'({PARTITION})' if dataset in PARTITIONED else ''} */" for dataset in Dataset
}
_ADAPTIVE: Final = "spark.sql.adaptive.enabled"
#: requests to S3 in parallel; each of them mostly waits
_THREADS: Final = 16


@dataclass(frozen=True, kw_only=True)
class SparkWriter:
    """Writes the files of a table."""

    session: SparkSession
    lake: SparkLake
    #: the prefix of the files' names
    prefix: str

    def write(self, dataset: Dataset, query: str) -> tuple[AddedFile, ...]:
        """Write the rows of a query as Parquet files, one folder per day; without rows, no file remains."""
        root = self.lake.root(self.session, dataset)
        with _folder(self.session, f"{root}/{_WRITING}/{uuid4().hex}") as (folder, move):
            self._write(query, dataset, folder)
            found = self._described(dataset, folder)
            with ThreadPoolExecutor(_THREADS) as pool:
                list(pool.map(lambda each: move(f"{folder}/{each[0]}", f"{root}/{each[1].path}"), found))
        return tuple(file for _, file in found)

    def _write(self, query: str, dataset: Dataset, folder: str) -> None:
        before = str(self.session.conf.get(_ADAPTIVE))
        # Otherwise each task of a shuffle writes a file of its own, however small.
        self.session.conf.set(_ADAPTIVE, "true")
        try:
            rows = self.session.sql(f"select {_TOGETHER[dataset]} * from ({query})")
            rows.write.partitionBy(*_days(dataset)).parquet(folder)
        finally:
            self.session.conf.set(_ADAPTIVE, before)

    def _described(self, dataset: Dataset, folder: str) -> list[tuple[str, AddedFile]]:
        """Return the path of each written file in the folder, and what the table's log will say about it."""
        schema = StructType()
        for column, kind in column_types(dataset, self.lake.contracts[dataset]).items():
            schema.add(column, kind)
        integers = [
            column.name
            for column in self.lake.contracts[dataset].columns
            if column.type in {ColumnType.IDENTIFIER, ColumnType.INTEGER}
        ]
        days = _days(dataset)
        read = self.session.read.schema(schema).option("basePath", folder).parquet(escaped(folder))
        path = f"substring_index(_metadata.file_path, '/', -{len(days) + 1}) as _path"
        view = f"written_{uuid4().hex}"
        read.selectExpr("*", path, "_metadata.file_size as _size").createOrReplaceTempView(view)
        measured = [
            f"{measure.format(name(column))} as {what}_{place}"
            for place, column in enumerate(integers)
            for what, measure in _MEASURES.items()
        ]
        keys, values = ", ".join(["_path", *days]), ", ".join(["max(_size) as _size", "count(*) as _rows", *measured])
        found = self.session.sql(f"select {keys}, {values} from {view} group by {keys}").collect()
        self.session.catalog.dropTempView(view)
        return [(row["_path"], self._added(row.asDict(), integers, days)) for row in found]

    def _added(self, found: Mapping[str, Any], integers: list[str], days: list[str]) -> AddedFile:
        ends = {
            what: {
                column: found[f"{what}_{place}"]
                for place, column in enumerate(integers)
                if found[f"{what}_{place}"] is not None
            }
            for what in _MEASURES
        }
        day: date | None = found[PARTITION] if days else None
        folder = f"{PARTITION}={ORPHANS if day is None else day.isoformat()}/" if days else ""
        return AddedFile(
            path=f"{folder}{self.prefix}-{uuid4()}.parquet",
            size=found["_size"],
            rows=found["_rows"],
            order_date=day,
            minimum=ends["min"],
            maximum=ends["max"],
            null_count=ends["null"],
        )


_MEASURES: Final = {"min": "min({})", "max": "max({})", "null": "count_if({} is null)"}


def _days(dataset: Dataset) -> list[str]:
    return [PARTITION] if dataset in PARTITIONED else []


Move = Callable[[str, str], None]


@contextmanager
def _folder(session: SparkSession, folder: str) -> Iterator[tuple[str, Move]]:
    """Yield a folder and what moves a file out of it; remove the folder in the end."""
    if folder.startswith("file://"):
        # Hadoop's local file system would move a checksum beside each file.
        try:
            yield folder, _move_here
        finally:
            rmtree(_local(folder), ignore_errors=True)
            with suppress(OSError):
                # Another merge may be writing.
                _local(folder).parent.rmdir()
        return
    context: Any = session.sparkContext
    path_of = context._jvm.org.apache.hadoop.fs.Path
    system = path_of(folder).getFileSystem(context._jsc.hadoopConfiguration())

    def move(source: str, target: str) -> None:
        system.mkdirs(path_of(target).getParent())
        if not system.rename(path_of(source), path_of(target)):
            raise MachineryError(f"{source} could not be moved to {target}. Run again; nothing is lost.")

    try:
        yield folder, move
    finally:
        system.delete(path_of(folder), True)


def _move_here(source: str, target: str) -> None:
    _local(target).parent.mkdir(parents=True, exist_ok=True)
    _local(source).rename(_local(target))


def _local(location: str) -> Path:
    return Path(location.removeprefix("file://"))
