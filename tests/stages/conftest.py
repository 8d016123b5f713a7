"""What tests of several stages start from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import duckdb
import pytest

from tests.stages.literal_lake import Lake


@pytest.fixture
def lake() -> Iterator[Lake]:
    """Return an empty database."""
    with closing(duckdb.connect(config={"threads": 1})) as connection:
        connection.execute("set timezone = 'UTC'")
        yield Lake(connection)
