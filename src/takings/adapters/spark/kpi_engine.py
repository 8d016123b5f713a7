"""Compute measures with Spark over the lake's Parquet files: for lakes that outgrow one machine.

The SQL in takings.kpis is shared with DuckDB; this module creates its views. It reads only the files that a snapshot names,
never a folder, because a folder also holds replaced rows.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Final, TypeVar

from py4j.protocol import Py4JError, Py4JNetworkError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import lit
from pyspark.sql.types import StructType

from takings.adapters.delta.lake_tables import column_types
from takings.adapters.own_samples import Sample
from takings.adapters.spark.own_check import cause, check_samples
from takings.adapters.spark.session import end_of_jvm, open_spark
from takings.contracts.model import Contracts, Dataset
from takings.errors import ContractError, MachineryError, OutOfDisk, OutOfMemory, OwnKpiFailure
from takings.kpis.definitions import KpiTable, Measures
from takings.lake import LakeSnapshot, TableSnapshot
from takings.ports import LakeTables
from takings.refusals import code_in, is_full

Done = TypeVar("Done")
#: the characters of a file's name that Hadoop would read as a pattern
_PATTERN: Final = re.compile(r"[\\*?\[\]{}]")
_OUT_OF_MEMORY: Final = "java.lang.OutOfMemoryError"
#: the error of a job whose JVM is ending; it ends within seconds
_SHUT_DOWN: Final = "SparkContext was shut down"
_END_SECONDS: Final = 30
#: how a JVM ends without enough memory: by itself (Spark's SparkExitCode.OOM), or killed by the kernel
_MEMORY_ENDS: Final = {52, -signal.SIGKILL}
#: the prefix of the lake's tables where own SQL has views of their names
_LAKE: Final = "lake_"
#: from this number of files on, Spark lists them in tasks
_LOOKS: Final = "spark.sql.sources.parallelPartitionDiscovery.threshold"


class SparkEngine:
    """Spark for measures; the session begins with the first call and ends with `close`."""

    def __init__(
        self, tables: LakeTables, contracts: Contracts, open_session: Callable[[], AbstractContextManager[SparkSession]]
    ) -> None:
        self._tables = tables
        self._contracts = contracts
        self._open_session = open_session
        self._session: SparkSession | None = None
        self._open = ExitStack()

    def measures(
        self, tables: Iterable[KpiTable], snapshot: LakeSnapshot, days: Collection[date] | None
    ) -> Mapping[str, Sequence[Measures]]:
        """Compute each KPI table's measures on `days` (None: all days) from exactly this snapshot."""
        return self._in_session(lambda session: self._measured(session, tuple(tables), snapshot.counted(days)))

    def check(self, samples: Sequence[Sample]) -> None:
        """Raise ContractError for the first own table that Spark cannot run, or computes otherwise than DuckDB."""
        self._in_session(lambda session: check_samples(session, samples, self._contracts))

    def _in_session(self, do: Callable[[SparkSession], Done]) -> Done:
        """Use the session, which begins with the first use; close it where the machinery fails."""
        try:
            with spark_faults():
                if self._session is None:
                    self._session = self._open.enter_context(self._open_session())
                return do(self._session)
        except (OwnKpiFailure, ContractError):
            raise
        except MachineryError:
            # An application that has lost its master or its JVM does not recover; the next attempt starts another.
            with suppress(MachineryError):
                self.close()
            raise
        except Exception:
            raise
        except BaseException as interrupted:
            self._session = None
            self._open.__exit__(type(interrupted), interrupted, interrupted.__traceback__)
            raise

    def _measured(
        self, session: SparkSession, tables: Sequence[KpiTable], counted: LakeSnapshot
    ) -> dict[str, Sequence[Measures]]:
        """Compute tables; OwnKpiFailure where the SQL of an own one cannot be run on the rows that there are."""
        shipped = [table for table in tables if table.own is None]
        if shipped:
            self._lay_views(session, counted, prefix="")
        found: dict[str, Sequence[Measures]] = {table.name: _rows_of(session, table) for table in shipped}
        for table in tables:
            if table.own is None:
                continue
            self._lay_views(session, counted, prefix=_LAKE)
            for view, text in table.own.views.over({dataset: f"{_LAKE}{dataset}" for dataset in Dataset}).items():
                session.sql(text).createOrReplaceTempView(view)
            try:
                found[table.name] = _rows_of(session, table)
            except PySparkException as failed:
                if _lacked_memory(failed):
                    raise
                raise OwnKpiFailure(f"{cause(failed)}. Correct {table.own.kept(table.own.sql_file)}.") from failed
        return found

    def _lay_views(self, session: SparkSession, counted: LakeSnapshot, *, prefix: str) -> None:
        for dataset, part in counted.tables.items():
            self._rows(session, dataset, part).createOrReplaceTempView(f"{prefix}{dataset}")

    def close(self) -> None:
        """End the session, if one was begun."""
        self._session = None
        with spark_faults():
            self._open.close()

    def _rows(self, session: SparkSession, dataset: Dataset, table: TableSnapshot) -> DataFrame:
        """Return a table's rows, with NULL in a column that an older file lacks."""
        schema = StructType()
        for name, kind in column_types(dataset, self._contracts[dataset]).items():
            schema.add(name, kind)
        if not table.files:
            return session.range(0).select(*(lit(None).cast(field.dataType).alias(field.name) for field in schema))
        self._tables.fetch(dataset, table.files)
        root = spark_path(str(self._tables.folder(dataset)))
        if root.startswith("file:"):
            # Only in S3 is a look at a file a request; here the driver is done before a task would begin.
            session.conf.set(_LOOKS, str(len(table.files)))
        paths = (_PATTERN.sub(r"\\\g<0>", f"{root}/{file.path}") for file in table.files)
        return session.read.schema(schema).option("basePath", root).parquet(*paths)


def _rows_of(session: SparkSession, table: KpiTable) -> list[Measures]:
    return [row.asDict() for row in session.sql(table.sql).collect()]


def spark_path(location: str) -> str:
    """Return a folder's name for Spark, on any cluster: `s3://` becomes `s3a://`, a local path becomes absolute."""
    scheme, separator, rest = location.partition("://")
    match scheme if separator else "":
        case "":
            return f"file://{Path(location).absolute()}"
        case "s3" | "s3a":
            return f"s3a://{rest}"
    raise ValueError(f"{location}: a lake is in a folder or in S3")


@contextmanager
def spark_faults() -> Iterator[None]:
    """Raise Takings errors instead of Spark's."""
    try:
        yield
    except (PySparkException, Py4JError, ConnectionError) as failed:
        if _lacked_memory(failed):
            raise OutOfMemory(
                f"Spark could not compute the KPIs: {cause(failed)}. Its JVM ran out of memory: give it more with"
                " `spark.driver.memory`, on a cluster `spark.executor.memory`, and run again; nothing is lost."
            ) from failed
        if is_full(code_in(str(failed))):
            raise OutOfDisk(
                f"Spark could not compute the KPIs: {cause(failed)}. The disk that it spills to is full. Free some space and"
                " run again; nothing is lost."
            ) from failed
        raise MachineryError(
            f"Spark could not compute the KPIs: {cause(failed)}. Check that `spark_master` can be reached and its workers have"
            " memory and disk left, and run again; nothing is lost."
        ) from failed


def _lacked_memory(failed: Exception) -> bool:
    """Return whether an error is about memory, or the JVM ended without enough of it and the error only says that it ended."""
    if _OUT_OF_MEMORY in str(failed):
        return True
    has_ended = isinstance(failed, Py4JNetworkError | ConnectionError) or _SHUT_DOWN in str(failed)
    return end_of_jvm(_END_SECONDS if has_ended else 0) in _MEMORY_ENDS


__all__ = ["SparkEngine", "check_samples", "open_spark", "spark_faults", "spark_path"]
