"""An item's amount is exact or a violation, on both engines: price times quantity, less discount."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Context, Decimal
from pathlib import Path
from typing import Any, Final, cast

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from takings.adapters.duckdb.session import open_duckdb
from takings.contracts import load_contracts
from takings.contracts.model import Contract, Dataset
from tests.depth import examples
from tests.shop import csv_of, item
from tests.validation_engine.both_engines import Outcome, Workbench
from tests.worths import contracts_of_worth

EXACT: Final = Context(prec=100)
LARGEST: Final = "999999999999.9999999999999999"
PRICES: Final = (
    "0.0000000000000001",
    "0.01",
    "1",
    "10.005",
    "1000",
    "1000.0000010000000009",
    LARGEST,
    "",
    "x",
    "-1",
    "1e3",
)
QUANTITIES: Final = (
    "",
    " ",
    "0",
    "1",
    "2",
    "007",
    "999999999",
    "1000000000",
    "-1",
    "9223372036854775807",
    "x",
    "1.0",
    "-0",
)
DISCOUNTS: Final = ("", "0", "0.0000000000000001", "0.5", "999999999999", LARGEST, "-0.01", "x")


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB as Takings does."""
    with closing(open_duckdb("400MB", 1, tmp_path_factory.mktemp("spill"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    """Return a contract of items with all roles."""
    return load_contracts(Path(contracts_of_worth(tmp_path_factory.mktemp("worth"))))[Dataset.ORDER_ITEMS]


def exact_amount(price: str, quantity: str, discount: str) -> Decimal:
    """Return the amount of valid fields."""
    pieces = Decimal(quantity) if quantity.strip() else Decimal(1)
    return EXACT.subtract(EXACT.multiply(Decimal(price), pieces), Decimal(discount or "0"))


@pytest.mark.no_cover
def test_each_combination_on_both_engines(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Staged amounts are exact; one with more than 12 digits breaks `sale_price|amount`, unless it is unknown."""
    cells = [(price, quantity, discount) for price in PRICES for quantity in QUANTITIES for discount in DISCOUNTS]
    rows = [
        item(id_, 1, sale_price=price, qty=quantity, taken_off=discount, paid_back="")
        for id_, (price, quantity, discount) in enumerate(cells)
    ]
    outcome = agreed(Workbench(connection=connection, contract=contract), csv_of(*rows))
    place = [column for column, _ in outcome.types].index("_amount")
    amounts = {row[0]: row[place] for row in outcome.staged}
    broken = {record.record: {each.rule for each in record.violations} for record in outcome.faulty}
    for id_, (price, quantity, discount) in enumerate(cells):
        is_known = price not in ("", "x", "1e3") and discount != "x" and quantity not in ("x", "1.0")
        is_known = is_known and abs(int(quantity.strip() or 1)) <= 999_999_999
        is_large = is_known and abs(exact_amount(price, quantity, discount)) >= 10**12
        assert ("sale_price|amount" in broken.get(id_, ())) == is_large, (price, quantity, discount)
        if id_ not in broken:
            assert amounts[id_] == exact_amount(price, quantity, discount)
    assert {rule for rules in broken.values() for rule in rules} == {
        *("sale_price|required", "sale_price|type", "sale_price|greater_than", "sale_price|amount"),
        *("qty|type", "qty|at_least", "qty|at_most", "taken_off|type", "taken_off|at_least"),
    }
    assert len(amounts) == len(cells) - len(broken) > 100


@pytest.mark.parametrize("columns", [(), ("qty",), ("taken_off",), ("paid_back",), ("qty", "paid_back")])
def test_columns_may_be_absent(
    connection: duckdb.DuckDBPyConnection, contract: Contract, columns: tuple[str, ...]
) -> None:
    """Then it is one piece without a discount; a price alone always fits."""
    rows = [
        item(id_, 1, sale_price=LARGEST, **cast("Any", dict.fromkeys(columns, value)))
        for id_, value in enumerate(("", "1", "2"))
    ]
    outcome = agreed(Workbench(connection=connection, contract=contract), csv_of(*rows))
    assert [each.rule for record in outcome.faulty for each in record.violations] == (
        ["sale_price|amount"] if "qty" in columns else []
    )


def test_only_a_column_with_a_role_makes_amounts(connection: duckdb.DuckDBPyConnection) -> None:
    """The shipped contracts stage the same as always."""
    workbench = Workbench(connection=connection, contract=load_contracts()[Dataset.ORDER_ITEMS])
    outcome = agreed(workbench, csv_of(item(1, 1, qty="2")))
    assert [column for column, _ in outcome.types] == list(workbench.contract.stored)
    assert "_amount" not in workbench.contract.stored


@pytest.mark.no_cover
def test_what_the_contract_lets_pass_is_never_rounded(
    connection: duckdb.DuckDBPyConnection, contract: Contract
) -> None:
    """For all digits of price, quantity and discount; even without the price's own bound."""
    rules = tuple(rule for rule in contract.rules if rule.id != "sale_price|greater_than")
    workbench = Workbench(connection=connection, contract=replace(contract, rules=rules))
    money = st.integers(0, 10**28 - 1).map(lambda digits: f"{Decimal(digits).scaleb(-16, EXACT):f}")
    signed = st.builds(str.__add__, st.sampled_from(["", "-"]), money | st.sampled_from(["0.1", "1", LARGEST]))
    quantity = st.integers(0, 999_999_999).map(str) | st.sampled_from(["", "0", "1", "3"])

    @settings(max_examples=examples(5, 15), deadline=None, suppress_health_check=list(HealthCheck))
    @given(cells=st.lists(st.tuples(signed, quantity, money | st.sampled_from(["", "0"])), min_size=1, max_size=20))
    def check(cells: list[tuple[str, str, str]]) -> None:
        rows = [
            item(id_, 1, sale_price=price, qty=pieces, taken_off=discount)
            for id_, (price, pieces, discount) in enumerate(cells)
        ]
        outcome = agreed(workbench, csv_of(*rows))
        place = [column for column, _ in outcome.types].index("_amount")
        exact = {id_: exact_amount(*cell) for id_, cell in enumerate(cells)}
        assert {row[0]: row[place] for row in outcome.staged} == {
            id_: amount for id_, amount in exact.items() if abs(amount) < 10**12
        }

    check()


def agreed(workbench: Workbench, content: bytes) -> Outcome:
    """Return what both engines make of a file, alone and with others, with any chunk size."""
    outcome = workbench.duckdb(content)
    assert all(other in (outcome, None) for other in workbench.together(content))
    assert workbench.pandas(content) == workbench.pandas(content, chunk_size=7) == outcome
    return outcome
