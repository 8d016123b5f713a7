"""docs/contracts.md shows every rule kind with an example that loads."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from takings.contracts import Contracts, load_contracts, parse_contract
from takings.contracts.rules import STANDARD_KINDS

PAGE = (Path(__file__).parents[2] / "docs" / "contracts.md").read_text(encoding="utf-8")
PRODUCTS = (Path(__file__).parent / "minimal" / "products.odcs.yaml").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(- name: .*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize("columns", EXAMPLES)
def test_every_example_loads(columns: str) -> None:
    """A reader may copy the columns as they are."""
    contract = parse_contract(PRODUCTS + textwrap.indent(columns, " " * 6), "example")
    assert [column.name for column in contract.columns[4:]] == re.findall("^- name: (.*)$", columns, flags=re.MULTILINE)


def test_every_rule_kind_has_an_example() -> None:
    """Every kind of rule is shown; for foreign keys, the shipped contract's own lines."""
    text = PRODUCTS + "".join(textwrap.indent(columns, " " * 6) for columns in EXAMPLES)
    shown = {rule.kind for rule in parse_contract(text, "examples").rules}
    assert set(STANDARD_KINDS) - shown == {"in_products", "in_orders", "in_order_items"}
    assert "to: products.id" in PAGE


@pytest.fixture(scope="module")
def shipped() -> Contracts:
    return load_contracts()


def test_the_table_has_every_column_and_rule_of_the_shipped_contracts(shipped: Contracts) -> None:
    """A data engineer reads the table first, so it leaves nothing out."""
    table = PAGE.split("## What the shipped contracts say")[1].split("A rule is named")[0]
    for contract in shipped.by_dataset.values():
        rows = table.split(f"| {contract.dataset} |")[1]
        for column in contract.columns:
            row = next(line for line in rows.splitlines() if f"`{column.name}`" in line)
            assert f"| {column.type} |" in row
            missing = [
                rule.kind
                for rule in contract.rules
                if rule.column == column.name and rule.kind not in ("required", "type") and f"`{rule.kind}`" not in row
            ]
            assert missing == []
