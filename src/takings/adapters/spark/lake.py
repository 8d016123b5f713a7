"""Read the lake's Parquet files with Spark, each worker by itself: in the store's folder, or in its bucket.

It reads only the files that a snapshot names, never a folder, because a folder also holds replaced rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from takings.adapters.delta.lake_tables import column_types
from takings.adapters.merging.rows import name
from takings.adapters.spark.session import is_local
from takings.contracts.model import Contracts, Dataset
from takings.errors import SettingsError
from takings.lake import TableSnapshot
from takings.ports import LakeTables, Tell

#: the characters of a file's name that Hadoop would read as a pattern
_PATTERN: Final = re.compile(r"[\\*?\[\]{}]")
#: from this number of files on, Spark lists them in tasks
_LOOKS: Final = "spark.sql.sources.parallelPartitionDiscovery.threshold"


@dataclass(frozen=True, kw_only=True)
class SparkLake:
    """The lake's tables, as Spark reads them."""

    tables: LakeTables
    contracts: Contracts
    #: the name under which Spark's workers know S3: `s3a`, or `s3` on EMR
    s3: str
    tell: Tell
    #: places of which this process reads copies, as it has told
    _copied: set[str] = field(default_factory=set, init=False)

    def rows(self, session: SparkSession, dataset: Dataset, table: TableSnapshot) -> DataFrame:
        """Return a table's rows, with NULL in a column that an older file lacks."""
        types = column_types(dataset, self.contracts[dataset])
        if not table.files:
            # One call to the JVM; with functions of PySpark, each column is several.
            nothing = ", ".join(f"cast(null as {kind}) as {name(column)}" for column, kind in types.items())
            return session.sql(f"select {nothing} from range(0)")
        schema = StructType()
        for column, kind in types.items():
            schema.add(column, kind)
        root = self.root(session, dataset)
        if root.startswith("file:"):
            self.tables.fetch(dataset, table.files)
            # Only in S3 is a look at a file a request; here the driver is done before a task would begin.
            session.conf.set(_LOOKS, str(len(table.files)))
        paths = (escaped(f"{root}/{file.path}") for file in table.files)
        return session.read.schema(schema).option("basePath", root).parquet(*paths)

    def root(self, session: SparkSession, dataset: Dataset) -> str:
        """Return where Spark finds a table; SettingsError for a bucket that the workers of a cluster cannot reach.

        A local master without a connector to S3 reads copies, which the process fetches for itself: it is its only worker. It
        tells that once.
        """
        location = spark_path(self.tables.location(dataset), self.s3)
        scheme = location.partition(":")[0]
        if scheme == "file" or _has_file_system(session, scheme):
            return location
        if is_local(str(session.sparkContext.master)):
            lake = location.rpartition("/")[0]
            if lake not in self._copied:
                self._copied.add(lake)
                self.tell("spark.reads_copies", {"lake": lake, "scheme": scheme})
            return spark_path(str(self.tables.folder(dataset)), self.s3)
        raise SettingsError(
            f"Spark cannot read {location}: no file system for {scheme}:// is on its class path. Add S3's connector"
            " (spark.jars.packages=org.apache.hadoop:hadoop-aws:3.3.4), or name the platform's own with spark_s3; see"
            " docs/spark.md."
        )


def spark_path(location: str, s3: str = "s3a") -> str:
    """Return a place's name for Spark, on any cluster: S3 has the scheme that its workers know, a local path is absolute."""
    scheme, separator, rest = location.partition("://")
    match scheme if separator else "":
        case "":
            return f"file://{Path(location).absolute()}"
        case "s3" | "s3a":
            return f"{s3}://{rest}"
    raise ValueError(f"{location}: a lake is in a folder or in S3")


def escaped(path: str) -> str:
    """Return a path as Spark's readers take it, which would read some characters as a pattern."""
    return _PATTERN.sub(r"\\\g<0>", path)


def _has_file_system(session: SparkSession, scheme: str) -> bool:
    """Return whether Hadoop has a file system for a scheme, by its settings or on the class path."""
    context: Any = session.sparkContext
    try:
        context._jvm.org.apache.hadoop.fs.FileSystem.getFileSystemClass(scheme, context._jsc.hadoopConfiguration())
    except Py4JJavaError:
        return False
    return True
