"""No kind of rule is forgotten: what an engine does not know is a fault, not a rule that nobody checks."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import takings
from takings.adapters.duckdb.rules import typed_query
from takings.contracts import load_contracts
from takings.contracts.model import Dataset
from takings.time_zones import business_time
from takings.validation.remedies import remedy
from tests.shop import csv_of, drop, drop_all, item, run

NOW = datetime(2025, 3, 30, tzinfo=UTC)
HEADER = ("id", "order_id", "product_id", "user_id", "status", "sale_price")


class TestUnknownKinds:
    """A kind that somebody adds to the model, and to no engine."""

    def contract(self) -> Any:
        """Return the items' contract with one."""
        contract = load_contracts()[Dataset.ORDER_ITEMS]
        unknown: Any = object()
        return replace(contract, rules=(*contract.rules, replace(contract.rules[0], check=unknown)))

    def test_sql_refuses_them(self) -> None:
        """The shipped contract compiles, the other one does not."""
        typed_query(load_contracts()[Dataset.ORDER_ITEMS], HEADER, "source", NOW, business_time("UTC"))
        with pytest.raises(AssertionError, match="unreachable"):
            typed_query(self.contract(), HEADER, "source", NOW, business_time("UTC"))

    def test_pandas_refuses_them(self) -> None:
        """As soon as a chunk is checked."""
        rules = pytest.importorskip("takings.adapters.pandas.rules")
        checked = rules.Rules(self.contract(), HEADER, now=NOW, business_time=business_time("UTC"))
        typed = checked.type_chunk({column: ["1"] for column in HEADER})
        with pytest.raises(AssertionError, match="unreachable"):
            checked.broken(typed, 1)


def test_every_rule_of_records_and_files_has_a_remedy_of_its_own() -> None:
    """None falls back to "correct the value"."""
    source = Path(takings.__file__).parent
    known = {
        rule for path in source.rglob("*.py") for rule in re.findall(r'"((?:record|file)\|[a-z_]+)"', path.read_text())
    }
    assert len(known) > 12
    contract = load_contracts()[Dataset.ORDERS]
    assert [rule for rule in sorted(known) if remedy(contract, rule) == "correct the value"] == []


@pytest.mark.parametrize("engine", ["duckdb", "pandas"])
def test_a_bound_is_exact_to_the_last_digit(root: Path, tmp_path: Path, engine: str) -> None:
    """1E-16 in SQL would be a floating-point number."""
    contracts = tmp_path / "contracts"
    contracts.mkdir()
    for file in (Path(takings.__file__).parent / "contracts").glob("*.odcs.yaml"):
        text = file.read_text(encoding="utf-8")
        text = text.replace(
            "exclusiveMinimum: 0\n", "exclusiveMinimum: 0.0000000000000001\n", 1 if "items" in file.name else 0
        )
        (contracts / file.name).write_text(text, encoding="utf-8")
    drop_all(root)
    drop(root, "order-items/b.csv", csv_of(item(4, 1, sale_price="0.0000000000000001")))
    drop(root, "order-items/c.csv", csv_of(item(5, 1, sale_price="0.0000000000000002")))
    (batch,) = run(root, contracts=str(contracts), validation_engine=engine).batches
    assert {
        report.file: (report.verdict.value, dict(report.errors)) for report in batch.reports if report.file != "a.csv"
    } == {
        "b.csv": ("rejected", {"sale_price|greater_than": 1}),
        "c.csv": ("accepted", {}),
    }
