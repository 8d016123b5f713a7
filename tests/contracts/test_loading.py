"""What a user's own contracts may say, and when two sets of contracts mean the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from takings.contracts import (
    Check,
    Column,
    ColumnType,
    Compared,
    Dataset,
    Matches,
    MaxLength,
    Now,
    Operator,
    OtherColumn,
    Severity,
    StartOfDay,
    load_contracts,
    parse_contract,
)

MINIMAL = Path(__file__).parent / "minimal"
PRODUCTS, ORDERS, ITEMS = (
    (MINIMAL / f"{dataset}.odcs.yaml").read_text(encoding="utf-8") for dataset in ("products", "orders", "order_items")
)
COST = "      - name: cost\n        logicalType: number\n"
CREATED = "      - name: created_at\n        logicalType: timestamp\n        required: true\n"


def folder_with(folder: Path, products: str = PRODUCTS, orders: str = ORDERS, items: str = ITEMS) -> Path:
    """Write the three contracts into a folder."""
    for name, text in (("products", products), ("orders", orders), ("order_items", items)):
        (folder / f"{name}.odcs.yaml").write_text(text, encoding="utf-8")
    return folder


def test_a_folder_replaces_the_shipped_contracts() -> None:
    """Nothing of the shipped contracts remains."""
    contracts = load_contracts(MINIMAL)
    assert [column.name for column in contracts[Dataset.PRODUCTS].columns] == ["id", "category", "cost", "retail_price"]


def test_other_files_of_the_folder_are_left_alone(tmp_path: Path) -> None:
    """Only .odcs.yaml and .odcs.yml are contracts."""
    folder = folder_with(tmp_path)
    (folder / "README.md").write_text("# ours", encoding="utf-8")
    (folder / "products.odcs.yaml").rename(folder / "catalogue.odcs.yml")
    assert load_contracts(folder) == load_contracts(MINIMAL)


def test_a_primary_key_is_never_empty_and_never_twice() -> None:
    """The standard says so; `required` and `unique` are not needed."""
    rules = parse_contract(PRODUCTS, "products").rules
    assert [rule.id for rule in rules if rule.column == "id"] == ["id|required", "id|type", "id|unique"]


def test_an_id_may_be_a_string(tmp_path: Path) -> None:
    """A string on the primary key and on the columns that refer to it is kept as it is."""
    products = PRODUCTS.replace("logicalType: integer", "logicalType: string")
    named = "      - name: product_id\n        logicalType: "
    items = ITEMS.replace(f"{named}integer", f"{named}string")
    contracts = load_contracts(folder_with(tmp_path, products=products, items=items))
    assert contracts[Dataset.PRODUCTS].column("id").type is ColumnType.TEXT
    assert contracts[Dataset.ORDER_ITEMS].column("product_id").type is ColumnType.TEXT


def test_a_column_may_be_added() -> None:
    """A column in the contract is optional unless it is required or declared mandatory."""
    more = """\
      - name: weight
        description: In grams.
        logicalType: integer
      - name: colour
        logicalType: string
        customProperties:
          - property: takingsMandatory
            value: true
      - name: supplier_id
        logicalType: integer
        required: true
        customProperties:
          - property: takingsIdentifier
            value: true
          - property: takingsMandatory
            value: false
"""
    contract = parse_contract(PRODUCTS + more, "products")
    assert contract.columns[4:] == (
        Column(
            name="weight",
            type=ColumnType.INTEGER,
            is_mandatory=False,
            is_required=False,
            description="In grams.",
        ),
        Column(name="colour", type=ColumnType.TEXT, is_mandatory=True, is_required=False),
        Column(name="supplier_id", type=ColumnType.IDENTIFIER, is_mandatory=False, is_required=True),
    )


def test_the_rules_of_a_column_have_a_fixed_order() -> None:
    """Reports list a column's rules in the same order, whatever the order of keys in the file."""
    more = """\
      - name: ean
        unique: true
        logicalTypeOptions: {pattern: '[0-9]+', maxLength: 13}
        enum: [{value: '4006381333931'}]
        logicalType: string
        required: true
      - name: weight
        logicalType: number
        logicalTypeOptions: {maximum: 9.50, exclusiveMaximum: 10, minimum: -1, exclusiveMinimum: -1.5}
"""
    rules = parse_contract(PRODUCTS + more, "products").rules
    assert [rule.id for rule in rules if rule.column == "ean"] == [
        "ean|required",
        "ean|type",
        "ean|one_of",
        "ean|max_length",
        "ean|pattern",
        "ean|unique",
    ]
    demands: list[tuple[str, Check, str]] = [
        (rule.kind, rule.check, rule.demand)
        for rule in rules
        if rule.column in ("ean", "weight") and rule.kind not in ("required", "type", "one_of", "unique")
    ]
    assert demands == [
        ("max_length", MaxLength(characters=13), "must have at most 13 characters"),
        ("pattern", Matches(pattern="[0-9]+"), "must match the pattern [0-9]+"),
        (
            "greater_than",
            Compared(operator=Operator.GREATER, bound=Decimal("-1.5")),
            "must be greater than -1.5",
        ),
        ("at_least", Compared(operator=Operator.AT_LEAST, bound=Decimal(-1)), "must be at least -1"),
        ("less_than", Compared(operator=Operator.LESS, bound=Decimal(10)), "must be less than 10"),
        ("at_most", Compared(operator=Operator.AT_MOST, bound=Decimal("9.5")), "must be at most 9.5"),
    ]


EXPRESSIONS = [
    (
        "{lessThan: {column: returned_at}}",
        "less_than_returned_at",
        OtherColumn(name="returned_at"),
        "must be before returned_at",
    ),
    ("{atMost: {now: 0s}}", "at_most_now", Now(), "must not be after now"),
    ("{greaterThan: {now: -2h}}", "greater_than_now", Now(plus=timedelta(hours=-2)), "must be after now - 2 hours"),
    ("{atLeast: {now: +1d}}", "at_least_now", Now(plus=timedelta(days=1)), "must not be before now + 1 day"),
    (
        '{atLeast: {day: "2000-01-01"}}',
        "at_least_2000_01_01",
        StartOfDay(day=date(2000, 1, 1)),
        "must not be before 2000-01-01",
    ),
    ("{atMost: {now: 90s}}", "at_most_now", Now(plus=timedelta(seconds=90)), "must not be after now + 90 seconds"),
]


@pytest.mark.parametrize(("expression", "kind", "bound", "demand"), EXPRESSIONS)
def test_a_timestamp_is_compared_with_another_with_now_or_with_a_day(
    expression: str, kind: str, bound: OtherColumn | Now | StartOfDay, demand: str
) -> None:
    """A rule without a name takes one from its content; without a severity it is an error."""
    entry = f"quality: [{{type: text, customProperties: [{{property: takingsRule, value: {expression}}}]}}]"
    rule = parse_contract(ORDERS.replace(CREATED, f"{CREATED}        {entry}\n"), "orders").rules[-1]
    assert isinstance(rule.check, Compared)
    assert (rule.column, rule.kind, rule.severity, rule.check.bound, rule.demand) == (
        "created_at",
        kind,
        Severity.ERROR,
        bound,
        demand,
    )


def test_a_second_bound_may_only_warn() -> None:
    """A number in a row expression has a name and a severity of its own."""
    entry = """\
        quality:
          - name: plausible
            type: text
            severity: warning
            customProperties:
              - property: takingsRule
                value: {atMost: {number: 10000}}
"""
    rule = parse_contract(PRODUCTS.replace(COST, COST + entry), "products").rules[-1]
    assert (rule.id, rule.severity, rule.demand) == ("cost|plausible", Severity.WARNING, "must be at most 10000")


def test_a_rule_of_the_standards_keys_may_only_warn() -> None:
    """`takingsWarnings` names the kinds of a column's rules that do not refuse anything."""
    entry = """\
        logicalTypeOptions: {minimum: 0}
        customProperties:
          - property: takingsWarnings
            value: [at_least]
"""
    rules = parse_contract(PRODUCTS.replace(COST, COST + entry), "products").rules
    assert {rule.id: rule.severity for rule in rules if rule.column == "cost"} == {
        "cost|type": Severity.ERROR,
        "cost|at_least": Severity.WARNING,
    }


def test_what_only_describes_is_left_alone() -> None:
    """Servers, teams, prices, other tools' properties and quality checks belong to others."""
    top = (
        "team: {name: shop}\nservers: []\ntags: [sales]\ncustomProperties: [{property: owner, value: us, vendor: x}]\n"
    )
    described = """\
        businessName: Purchase price
        examples: [12.5]
        tags: null
        description: null
        quality:
          - {type: custom, engine: soda, implementation: 'missing_count(cost) = 0'}
          - {type: text, description: Prices come without tax.}
"""
    plain = parse_contract(PRODUCTS, "products")
    assert parse_contract(top + PRODUCTS.replace(COST, COST + described), "products") == plain


def test_a_value_is_stored_as_the_contract_spells_it() -> None:
    """A-Z and a-z are the same; other letters are not, because databases and Python disagree about them."""
    more = "      - {name: size, logicalType: string, enum: [{value: Small}, {value: GROß}]}\n"
    contract = parse_contract(PRODUCTS + more, "products")
    assert contract.column("size").values == {"small": "Small", "groß": "GROß"}


def test_the_hash_is_about_meaning() -> None:
    """Comments, layout, descriptions, versions and the order of keys change nothing."""
    products = parse_contract(PRODUCTS, "a")
    text = PRODUCTS.replace("version: 1.0.0", "version: 1.0.1  # newer").replace(
        "      - name: cost\n        logicalType: number\n",
        "\n      - {logicalType: number, description: What it cost., name: cost}\n",
    )
    assert parse_contract(text, "b") == replace(
        products,
        version="1.0.1",
        columns=tuple(
            replace(column, description="What it cost.") if column.name == "cost" else column
            for column in products.columns
        ),
    )


def hash_with(folder: Path, products: str) -> str:
    """Return the hash of the minimal contracts with another one of products."""
    folder.mkdir()
    return load_contracts(folder_with(folder, products=products)).hash


@pytest.mark.parametrize(
    "products",
    [
        PRODUCTS.replace("version: 1.0.0", "version: 1.0.1  # newer"),
        PRODUCTS.replace(COST, "\n      - {logicalType: number, description: What it cost., name: cost}\n"),
        PRODUCTS.replace("primaryKey: true", "primaryKey: true\n        required: true\n        unique: true"),
    ],
)
def test_the_hash_overlooks_what_changes_no_verdict(tmp_path: Path, products: str) -> None:
    """A new comment does not restate every day."""
    assert hash_with(tmp_path / "a", products) == hash_with(tmp_path / "b", PRODUCTS)


def test_the_hash_sees_every_other_change(tmp_path: Path) -> None:
    """Types, obligations, bounds, severities, values and order all count."""
    option = COST + "        logicalTypeOptions: {minimum: %s}\n"
    warning = "        customProperties: [{property: takingsWarnings, value: [%s]}]\n"
    variants = [
        PRODUCTS,
        PRODUCTS.replace(COST, ""),
        PRODUCTS.replace(COST, "") + COST,
        PRODUCTS.replace(COST, COST.replace("number", "string")),
        PRODUCTS.replace(COST, COST + "        required: true\n"),
        PRODUCTS.replace(COST, COST + "        customProperties: [{property: takingsMandatory, value: true}]\n"),
        PRODUCTS.replace(COST, option % "0"),
        PRODUCTS.replace(COST, option % "1"),
        PRODUCTS.replace(COST, option % "1" + warning % "at_least"),
        PRODUCTS.replace(COST, option % "1" + warning % "type"),
    ]
    hashes = {hash_with(tmp_path / str(number), text) for number, text in enumerate(variants)}
    assert len(hashes) == len(variants)
    assert all(len(one) == 64 for one in hashes)


def test_equal_numbers_hash_alike(tmp_path: Path) -> None:
    """0 and 0.00 are one bound."""
    option = COST + "        logicalTypeOptions: {minimum: %s}\n"
    zero, cents = (PRODUCTS.replace(COST, option % number) for number in ("0", "0.00"))
    assert hash_with(tmp_path / "a", zero) == hash_with(tmp_path / "b", cents)
