"""The one Spark session of all tests: starting one takes seconds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from takings.adapters.spark_session import open_spark


@pytest.fixture(scope="package")
def spark() -> Iterator[SparkSession]:
    """Return the session of a local application, which every engine that is opened meanwhile uses."""
    with pytest.MonkeyPatch.context() as environment:
        # What these tests compute is small: compiling it thoroughly would take longer than running it.
        quick = "--conf spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 pyspark-shell"
        environment.setenv("PYSPARK_SUBMIT_ARGS", quick)
        with open_spark("local[2]") as session:
            yield session
