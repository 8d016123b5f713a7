"""Use a cluster from this process, as a driver that stays."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from takings.adapters.spark.session import open_spark
from tests.cluster.standalone import FOR_FEW_ROWS, environment, standalone


@contextmanager
def session_on_a_cluster(folder: Path) -> Iterator[tuple[SparkSession, dict[str, Any]]]:
    """Start a cluster and an application on it; yield the session, and the options of stores that use it."""
    before = dict(os.environ)
    wanted = environment(FOR_FEW_ROWS)
    for name in before.keys() - wanted.keys():
        del os.environ[name]
    os.environ.update(wanted)
    try:
        with standalone(folder) as cluster, open_spark(cluster.url) as session:
            yield session, {"engine": "spark", "spark_master": cluster.url}
    finally:
        os.environ.clear()
        os.environ.update(before)
