"""Check the shop's own KPI tables on Spark: it has to compute of the small shop exactly what DuckDB does."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from takings.adapters.delta.lake_tables import column_types
from takings.adapters.own_samples import Rows, Sample, first_difference
from takings.adapters.spark.application import cause_of
from takings.adapters.spark.session import end_of_jvm
from takings.contracts.model import Contracts, Dataset
from takings.errors import ContractError

_PREFIX: Final = "sample_"
_DAY: Final = "order_date"
#: what errors say that are not about the SQL
_MACHINERY: Final = ("OutOfMemoryError", "SparkContext was shut down")


def check_samples(session: SparkSession, samples: Sequence[Sample], contracts: Contracts) -> None:
    """Raise ContractError, with file, line and remedy, for the first table that Spark cannot run or computes otherwise."""
    shop = _rows_of_shop(session, samples[0].shop, contracts) if samples else {}
    for sample in samples:
        for day, expected in sample.expected.items():
            _lay_views(session, sample, shop, day)
            difference = first_difference(expected, _rows_of(session, sample))
            if difference is not None:
                of_duckdb, of_spark = difference
                raise _error(
                    sample,
                    1,
                    f"on a small sample shop DuckDB computes {of_duckdb}, and Spark {of_spark}. Keep to what docs/kpis.md"
                    " lists, with texts, whole numbers and decimals as they are.",
                )


def _rows_of_shop(
    session: SparkSession, shop: Mapping[Dataset, Rows], contracts: Contracts
) -> Mapping[Dataset, DataFrame]:
    """Return the shop's rows as the driver hands them out: workers may not see this machine's files."""
    found: dict[Dataset, DataFrame] = {}
    for dataset, rows in shop.items():
        types = column_types(dataset, contracts[dataset])
        schema = StructType()
        for name in (*contracts[dataset].stored, *(() if dataset is Dataset.PRODUCTS else (_DAY,))):
            schema.add(name, types[name])
        # In one part, so that no query has to shuffle a hundred rows.
        found[dataset] = session.createDataFrame([tuple(row) for row in rows], schema).coalesce(1)
    return found


def _lay_views(session: SparkSession, sample: Sample, shop: Mapping[Dataset, DataFrame], day: date | None) -> None:
    """Create the views that the table reads, with the rows of every day or of one."""
    for dataset, rows in shop.items():
        is_limited = day is not None and dataset is not Dataset.PRODUCTS
        shown = rows.where(f"{_DAY} = date '{day}'") if is_limited else rows
        shown.createOrReplaceTempView(f"{_PREFIX}{dataset}")
    assert sample.table.own is not None
    views = sample.table.own.views.over({dataset: f"{_PREFIX}{dataset}" for dataset in Dataset})
    for view, text in views.items():
        session.sql(text).createOrReplaceTempView(view)


def _rows_of(session: SparkSession, sample: Sample) -> Rows:
    try:
        return [tuple(row) for row in session.sql(sample.table.sql).collect()]
    except (PySparkException, Py4JJavaError) as failed:
        if end_of_jvm(0) is not None or any(word in str(failed) for word in _MACHINERY):
            raise
        found = re.search(r"\bline (\d+)", str(failed))
        raise _error(
            sample, int(found[1]) if found else 1, f"Spark cannot run it: {cause_of(failed)}. Correct the SQL."
        ) from failed


def _error(sample: Sample, line: int, problem: str) -> ContractError:
    assert sample.table.own is not None
    return ContractError(f"{sample.table.own.sql_file}:{line}: {problem}")
