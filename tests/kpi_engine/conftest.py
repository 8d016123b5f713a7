"""The one Spark session for all tests: starting one takes seconds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="package")
def spark() -> Iterator[SparkSession]:
    """Return the session of a local application; every engine opened in the meantime uses it.

    As on a cluster, a task is tried again: once, because four times would take long.
    """
    from takings.adapters.spark.session import open_spark

    with open_spark("local[2, 2]") as session:
        yield session
