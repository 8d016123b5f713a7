"""Noise in a file with other words and formats gets the same result from both engines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Final

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from takings.adapters.duckdb.session import open_duckdb
from takings.contracts.model import Dataset
from takings.validation.header import check_header
from tests.depth import DEPTH, examples
from tests.mapped_contracts import Columns, mapped
from tests.validation_engine.both_engines import Workbench

# Tracing every line makes these half as fast; other tests cover what they run.
pytestmark = pytest.mark.no_cover

COLUMNS: Final[Columns] = {
    "order_id": {
        "logicalType": "string",
        "physicalType": "VARCHAR",
        "takingsFrom": {"concat": ["Order", "Line", {"constant": "a"}], "separator": "-"},
    },
    "user_id": {"physicalName": "Kunde Nr.", "takingsAliases": ["Customer"]},
    "status": {"takingsDefault": "complete"},
    "created_at": {"takingsFrom": {"dateTime": ["Day", "Time"]}, "logicalTypeOptions": {"format": "d.M.yy h:mm a"}},
    "returned_at": {"logicalType": "date", "logicalTypeOptions": {"defaultTimezone": "America/New_York"}},
    "total": {"logicalType": "number", "takingsCurrency": ["$", "USD"]},
}
CONTENT: Final = """Order,Line,Kunde Nr.,status,Day,Time,returned_at,num_of_item,total
1,1,7,shipped,3.2.25,9:05 AM,,1,$5
A-2,23,7,NULL,30.12.24,12:00 PM,2025-03-01,"1.000","-1.234,50 $"
3,1,8,Returned,1.1.00,12:59 am,2025-02-28,2,"USD 0,5"
3,1,8,Returned,1.1.00,12:59 am,2025-02-28,2,"USD 0,5"
"""
SPECIAL: Final = [
    "",
    ",",
    '"',
    "\n",
    "\r",
    "\0",
    "0",
    "1",
    "-",
    " ",
    ".",
    "$",
    "x",
    "NULL",
    "\u00a0",
    "é",
    "1.000",
    " PM",
]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """Return both engines with a contract that maps nearly every column."""
    file = {"decimal": ",", "thousands": ".", "nullWords": ["NULL"]}
    with closing(open_duckdb("400MB", 1, tmp_path_factory.mktemp("noise") / "spill")) as connection:
        yield Workbench(connection=connection, contract=mapped(Dataset.ORDERS, COLUMNS, file))


@given(
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.sampled_from(SPECIAL)), max_size=5),
    chunk_size=st.integers(1, 4),
)
@settings(
    max_examples=examples(12, 30),
    derandomize=DEPTH == 1,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_noise_is_judged_alike(bench: Workbench, edits: list[tuple[float, int, str]], chunk_size: int) -> None:
    """No engine raises, every record is accounted for, and engine and chunk size make no difference."""
    content = CONTENT
    for where, removed, inserted in edits:
        at = int(where * len(content))
        content = content[:at] + inserted + content[at + removed :]
    note(content)
    one = bench.duckdb(content.encode())
    assert bench.pandas(content.encode(), chunk_size=chunk_size) == one
    assert all(outcome in (one, None) for outcome in bench.together(content.encode()))
    if not edits:
        assert check_header(bench.contract, one.structure.header or ()) is None
        assert (len(one.staged), one.faulty) == (3, [])
    if one.findings is not None:
        rejected = sum(record.is_rejected for record in one.faulty)
        assert one.findings.read == len(one.staged) + rejected + one.findings.identical_duplicates
