"""The one Spark session for all tests: starting one takes seconds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: these tests compute little: thorough compilation would take longer than running
QUICK: Final = {
    "PYSPARK_SUBMIT_ARGS": "--conf spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 pyspark-shell",
}


@pytest.fixture(scope="package")
def spark() -> Iterator[SparkSession]:
    """Return the session of a local application; every engine opened in the meantime uses it."""
    from takings.adapters.spark.session import open_spark

    with pytest.MonkeyPatch.context() as environment:
        for name, value in QUICK.items():
            environment.setenv(name, value)
        with open_spark("local[2]") as session:
            yield session
