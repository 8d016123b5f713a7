"""What a contract may say about which rows count; a contract that says nothing means what it always did."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from takings.adapters.duckdb.rules import typed_query
from takings.contracts import load_contracts, parse_contract
from takings.contracts.model import Dataset, SameWithin
from takings.errors import ContractError
from takings.kpis import definition_hash, load_kpi_tables
from takings.time_zones import business_time
from tests.contract_options import write_contracts

MINIMAL = Path(__file__).parent / "minimal"
UPDATED = "      - {name: updated_at, logicalType: timestamp, required: true%s}\n"
CUSTOM = "    customProperties:\n      - property: %s\n        value: %s\n"


def contract_text(dataset: str, *properties: tuple[str, str], columns: str = "") -> str:
    """Return a minimal contract whose table has more properties and columns; the first property is on line 7."""
    text = (MINIMAL / f"{dataset}.odcs.yaml").read_text(encoding="utf-8")
    lines = "".join(
        CUSTOM % pair if place == 0 else (CUSTOM % pair).split("\n", 1)[1] for place, pair in enumerate(properties)
    )
    return text.replace("    properties:\n", f"{lines}    properties:\n", 1) + columns


REFUSED = [
    (
        ("products", ("takingsVersion", "updated")),
        UPDATED % "",
        "9: 'takingsVersion' names the column 'updated', which does not exist",
    ),
    (("products", ("takingsVersion", "category")), "", "9: 'takingsVersion' names 'category', which is text"),
    (
        ("products", ("takingsVersion", "updated_at")),
        "      - {name: updated_at, logicalType: timestamp}\n",
        "9: 'takingsVersion' names 'updated_at', which may be missing",
    ),
    (
        ("products", ("takingsVersion", "updated_at")),
        UPDATED % ", customProperties: [{property: takingsMandatory, value: false}]",
        "9: 'takingsVersion' names 'updated_at', which may be missing",
    ),
    (
        ("products", ("takingsVersion", "updated_at")),
        UPDATED % ", customProperties: [{property: takingsWarnings, value: [type]}]",
        "9: 'takingsVersion' names 'updated_at', so 'updated_at|type' must be an error",
    ),
    (
        ("products", ("takingsVersion", "updated_at")),
        UPDATED
        % (
            ", quality: [{name: version_not_in_future, type: text, customProperties:"
            " [{property: takingsRule, value: {atMost: {now: 1d}}}]}]"
        ),
        "9: the rule 'updated_at|version_not_in_future' comes with 'takingsVersion'",
    ),
    (("orders", ("takingsReplaces", "order_id")), "", "9: 'takingsReplaces' is for order_items"),
    (("order_items", ("takingsReplaces", "user_id")), "", "9: 'takingsReplaces' names 'user_id'"),
    (("order_items", ("takingsReplace", "order_id")), "", "8: unknown custom property 'takingsReplace'. Did you mean"),
]


@pytest.mark.parametrize(("table", "columns", "message"), REFUSED, ids=[message[:60] for _, _, message in REFUSED])
def test_what_cannot_be_kept_is_refused(table: tuple[str, tuple[str, str]], columns: str, message: str) -> None:
    """Each refusal has file, line and remedy."""
    dataset, pair = table
    with pytest.raises(ContractError) as refused:
        parse_contract(contract_text(dataset, pair, columns=columns), "c.yaml")
    assert str(refused.value).startswith(f"c.yaml:{message}")
    assert str(refused.value).rstrip().endswith((".", "?"))


def test_a_property_of_a_table_belongs_to_a_table() -> None:
    """Not to the column it names."""
    column = UPDATED % ", customProperties: [{property: takingsVersion, value: updated_at}]"
    with pytest.raises(ContractError, match="'takingsVersion' belongs to a table, not to a column"):
        parse_contract(contract_text("products", columns=column), "c.yaml")


def test_the_rules_that_come_with_it() -> None:
    """They are errors and follow the contract's own; the primary key must be unique only within a unit."""
    pairs = ("takingsVersion", "updated_at"), ("takingsReplaces", "order_id")
    both = parse_contract(contract_text("order_items", *pairs, columns=UPDATED % ""), "c.yaml")
    assert [rule.id for rule in both.rules[-2:]] == [
        "updated_at|version_not_in_future",
        "updated_at|same_within_order_id",
    ]
    assert both.rules[-1].check == SameWithin(column="order_id")
    assert [rule.demand for rule in both.rules if rule.id == "id|unique"] == ["must be unique within its order_id"]
    assert (both.unit, both.identity, both.unique_in_file) == ("order_id", ("order_id", "id"), ("order_id", "id"))
    instants = parse_contract(contract_text("order_items", pairs[0], columns=UPDATED % ""), "c.yaml")
    assert (instants.unit, instants.identity, instants.unique_in_file) == ("id", ("id",), ("id", "updated_at"))
    plain = parse_contract(contract_text("order_items"), "c.yaml")
    assert (plain.unit, plain.identity, plain.unique_in_file) == ("id", ("id",), ("id",))


def test_each_has_a_hash_of_its_own(tmp_path: Path) -> None:
    """Even if columns and rules are the same."""
    plain = load_contracts(Path(write_contracts(tmp_path / "plain"))).hash
    hashes = {plain}
    for number, (versioned, replaces) in enumerate([((), True), (("orders",), False), (("orders",), True)]):
        folder = write_contracts(tmp_path / str(number), versioned=versioned, replaces=replaces)
        hashes.add(load_contracts(Path(folder)).hash)
    assert (plain, len(hashes)) == (load_contracts().hash, 4)


def test_the_shipped_contracts_mean_what_they_did() -> None:
    """A change to their hash, the SQL that checks a file, or the KPIs' definition would restate every store."""
    contracts = load_contracts()
    assert contracts.hash == "c62847daa41842170468aa868acc30768a81deaa81d05fabb5ca1da3e5979cbe"
    queries = {
        dataset: typed_query(
            contracts[dataset],
            [column.name for column in contracts[dataset].columns],
            "source",
            datetime(2025, 3, 30, 12, tzinfo=UTC),
            business_time("UTC"),
        )
        for dataset in Dataset
    }
    assert {dataset.value: sha256(query.encode()).hexdigest()[:16] for dataset, query in queries.items()} == {
        "products": "b6dd2656fe30d3a6",
        "orders": "c3707711c969b19e",
        "order_items": "a176d2b11e75457a",
    }
    assert definition_hash(load_kpi_tables(), policy="file", time_zone="UTC") == "fa71d186f2adc10e"


def test_the_pages_example_loads() -> None:
    """A reader may copy it as it is."""
    page = (Path(__file__).parents[2] / "docs" / "contracts.md").read_text(encoding="utf-8")
    example = page.split("## Which row counts")[1].split("```yaml\nschema:\n  - name: order_items\n")[1].split("```")[0]
    text = contract_text("order_items", columns=UPDATED % "").replace("    properties:\n", example, 1)
    contract = parse_contract(text, "example")
    assert (contract.version_column, contract.replaces) == ("updated_at", "order_id")
