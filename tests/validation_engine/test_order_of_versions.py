"""If the contract says which rows count, both engines tell rows apart alike, and as a plain reading does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from takings.adapters.duckdb.session import open_duckdb
from takings.contracts import load_contracts
from takings.contracts.model import Contract, Dataset, Unique
from takings.contracts.rules import make_rule
from tests.contract_options import write_contracts
from tests.depth import examples
from tests.shop import csv_of, item
from tests.validation_engine.both_engines import Outcome, Workbench

INSTANTS = (
    "2025-03-01T08:00:00Z",
    "2025-03-01 09:00:00+01:00",
    "2025-03-02T08:00:00Z",
    "",
    "soon",
    "2026-03-02T08:00:00Z",
)
#: the first two are the same instant, the next are not instants, the last is after the batch
READ = {INSTANTS[0]: 1, INSTANTS[1]: 1, INSTANTS[2]: 2, INSTANTS[5]: 3}


@dataclass(frozen=True)
class Line:
    """A line in a file of items."""

    id: int
    order: int
    price: str
    instant: str


LINES = st.lists(
    st.builds(
        Line,
        id=st.integers(1, 3),
        order=st.integers(1, 2),
        price=st.sampled_from(["1.00", "1.0", "2.00", "-1.00"]),
        instant=st.sampled_from(INSTANTS[:3] * 4 + INSTANTS[3:]),
    ),
    min_size=1,
    max_size=8,
)


@cache
def contract_of(*, is_versioned: bool, replaces: bool) -> Contract:
    """Return the contract of items."""
    with TemporaryDirectory() as folder:
        versioned = ("order_items",) if is_versioned else ()
        write_contracts(Path(folder, "contracts"), versioned=versioned, replaces=replaces)
        return load_contracts(Path(folder, "contracts"))[Dataset.ORDER_ITEMS]


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB as Takings does."""
    with closing(open_duckdb("400MB", 1, tmp_path_factory.mktemp("spill"))) as opened:
        yield opened


def broken(lines: Sequence[Line], *, is_versioned: bool, replaces: bool) -> dict[int, set[str]]:
    """Return which rules each line of the file breaks, line by line."""
    found: dict[int, set[str]] = defaultdict(set)
    for number, line in enumerate(lines):
        if line.price == "-1.00":
            found[number].add("sale_price|greater_than")
        if is_versioned and line.instant not in READ:
            found[number].add("updated_at|required" if line.instant == "" else "updated_at|type")
        if is_versioned and READ.get(line.instant) == 3:
            found[number].add("updated_at|version_not_in_future")
    same: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for number, line in enumerate(lines):
        key = (line.order, line.id) if replaces else (line.id,)
        if not is_versioned or replaces:
            same[key].append(number)
        elif line.instant in READ:
            same[*key, READ[line.instant]].append(number)
    for numbers in same.values():
        if len({_content(lines[number], is_versioned=is_versioned) for number in numbers}) > 1:
            for number in numbers:
                found[number].add("id|unique")
    for order in {line.order for line in lines} if is_versioned and replaces else ():
        known = [number for number, line in enumerate(lines) if line.order == order and line.instant in READ]
        if len({READ[lines[number].instant] for number in known}) > 1:
            for number in known:
                found[number].add("updated_at|same_within_order_id")
    return found


def _content(line: Line, *, is_versioned: bool) -> tuple[object, ...]:
    instant = READ.get(line.instant, line.instant) if is_versioned else None
    return line.id, line.order, float(line.price), instant


def violations(outcome: Outcome) -> dict[int, set[str]]:
    """Return which rules each record breaks."""
    return {record.record: {violation.rule for violation in record.violations} for record in outcome.faulty}


@pytest.mark.no_cover
@pytest.mark.parametrize(("is_versioned", "replaces"), [(True, False), (False, True), (True, True)])
def test_both_engines_and_a_plain_reading_agree(
    connection: duckdb.DuckDBPyConnection, *, is_versioned: bool, replaces: bool
) -> None:
    """Alone, together with others, and in chunks of two records."""
    workbench = Workbench(connection=connection, contract=contract_of(is_versioned=is_versioned, replaces=replaces))

    @settings(max_examples=examples(8, 25), deadline=None, suppress_health_check=list(HealthCheck))
    @given(lines=LINES)
    def agree(lines: list[Line]) -> None:
        content = csv_of(*(item(line.id, line.order, 1, line.price, updated_at=line.instant) for line in lines))
        if not is_versioned:
            content = csv_of(*(item(line.id, line.order, 1, line.price) for line in lines))
        found = workbench.duckdb(content)
        assert violations(found) == broken(lines, is_versioned=is_versioned, replaces=replaces)
        assert all(each in (found, None) for each in workbench.together(content))
        assert workbench.pandas(content, chunk_size=2) == found

    agree()


def test_a_record_that_repeats_a_bad_one_is_bad(connection: duckdb.DuckDBPyConnection) -> None:
    """It is not a duplicate: like the one that it repeats, it breaks the rule of another unique column."""
    contract = contract_of(is_versioned=False, replaces=False)
    contract = replace(contract, rules=(*contract.rules, make_rule(contract.column("user_id"), Unique())))
    content = csv_of(item(1, 1), item(1, 1), item(2, 1), item(3, 1, user_id=8))
    workbench = Workbench(connection=connection, contract=contract)
    found = workbench.duckdb(content)
    assert violations(found) == {number: {"user_id|unique"} for number in range(3)}
    assert found.findings is not None
    assert (found.findings.violating, found.findings.identical_duplicates) == (3, 0)
    assert workbench.pandas(content) == found
