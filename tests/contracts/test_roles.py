"""Columns with roles: what a contract may say about an item's worth, what it may leave out, and what is refused."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from takings.contracts import Contract, Dataset, Severity, load_contracts, parse_contract
from takings.contracts.meaning import hash_of
from takings.contracts.worth import USUAL_WORTH, Role, Worth
from takings.errors import ContractError
from takings.kpis import definition_hash, load_kpi_tables
from tests.worths import ROLES, items_contract, role_column

MINIMAL = (Path(__file__).parent / "minimal" / "order_items.odcs.yaml").read_text(encoding="utf-8")


def read(*columns: str, without: tuple[str, ...] = (), optional: tuple[str, ...] = (), text: str = MINIMAL) -> Contract:
    """Return a minimal contract of items with more columns."""
    return parse_contract(items_contract(text, {}, without, optional) + "".join(columns), "order_items.odcs.yaml")


def refusal(*columns: str, without: tuple[str, ...] = (), optional: tuple[str, ...] = (), text: str = MINIMAL) -> str:
    """Return the loader's message about such a contract."""
    with pytest.raises(ContractError) as caught:
        read(*columns, without=without, optional=optional, text=text)
    return str(caught.value).removeprefix("order_items.odcs.yaml:")


# What does not change


def test_the_shipped_contracts_mean_what_they_always_did() -> None:
    """With another hash of theirs or of the KPIs' definition, every store would publish every day again."""
    contracts = load_contracts()
    assert contracts.hash == "c62847daa41842170468aa868acc30768a81deaa81d05fabb5ca1da3e5979cbe"
    assert contracts[Dataset.ORDER_ITEMS].worth == USUAL_WORTH
    tables = load_kpi_tables(contracts[Dataset.ORDER_ITEMS].worth)
    assert definition_hash(tables, policy="file", time_zone="UTC") == "fa71d186f2adc10e"


def test_a_usual_contract_stores_its_columns_alone() -> None:
    """An amount is kept only if a column has a role."""
    for dataset in Dataset:
        contract = load_contracts()[dataset]
        assert contract.stored == {column.name: column.type for column in contract.columns}
    assert list(read(role_column("refund", "back")).stored)[-2:] == ["back", "_amount"]


# What a role adds


def test_a_role_adds_its_bounds_as_errors() -> None:
    """In the order of every report; the amount's rule comes last, and only if it can be violated."""
    contract = read(*(role_column(role, name) for role, name in ROLES.items()))
    rules = [rule.id for rule in contract.rules]
    assert rules[rules.index("qty|type") :] == [
        *("qty|type", "qty|at_least", "qty|at_most", "taken_off|type", "taken_off|at_least"),
        *("paid_back|type", "paid_back|at_least", "sale_price|amount"),
    ]
    assert {rule.severity for rule in contract.rules if rule.column in ROLES.values()} == {Severity.ERROR}
    assert contract.rules[-1].demand == "times qty less taken_off must have at most 12 digits before the point"
    assert contract.worth == Worth(quantity="qty", discount="taken_off", refund="paid_back")
    assert "sale_price|amount" not in {rule.id for rule in read(role_column("refund", "back")).rules}


def test_a_contracts_own_bounds_stay() -> None:
    """Narrower ones replace the role's."""
    quantity = role_column("quantity", "qty", "unique: true", "logicalTypeOptions: {exclusiveMinimum: 0, maximum: 12}")
    discount = role_column("discount", "less", "logicalTypeOptions: {minimum: 1, maximum: 5}")
    rules = {rule.id: rule.demand for rule in read(quantity, discount).rules if rule.column in ("qty", "less")}
    assert rules == {
        "qty|type": "must be a whole number of at most 64 bits",
        "qty|greater_than": "must be greater than 0",
        "qty|at_most": "must be at most 12",
        "qty|unique": "must be unique",
        "less|type": rules["less|type"],
        "less|at_least": "must be at least 1",
        "less|at_most": "must be at most 5",
    }


def test_roles_are_part_of_the_hash() -> None:
    """A column that gains a role, or another one, is another contract."""
    plain = role_column("discount", "less", "logicalTypeOptions: {minimum: 0}").partition("        customProperties")[0]
    columns = (plain, role_column("discount", "less"), role_column("refund", "less"))
    assert len({hash_of({Dataset.ORDER_ITEMS: read(column)}) for column in columns}) == 3


def test_a_definition_names_the_columns_that_it_reads() -> None:
    """Each kind of worth has its own hash; the published columns are the same."""
    worths = (
        USUAL_WORTH,
        *(Worth(**{role.value: "a"}) for role in Role),  # type: ignore[arg-type]  # the roles are names of its fields
        Worth(quantity="b"),
        Worth(may_lack_status=True),
        Worth(may_lack_status=True, has_status=False),
        Worth(may_lack_status=True, has_status=False, has_returned_at=False),
    )
    hashes = {definition_hash(load_kpi_tables(worth), policy="file", time_zone="UTC") for worth in worths}
    # The amount, which is stored, already includes a discount.
    assert len(hashes) == len(worths)
    headers = {tuple(table.header for table in load_kpi_tables(worth)) for worth in worths}
    assert len(headers) == 1


def test_the_pages_example_loads() -> None:
    """A reader may copy it as it is."""
    page = (Path(__file__).parents[2] / "docs" / "contracts.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n# order_items.odcs.yaml\n(- name: quantity\n.*?)```", page, flags=re.DOTALL)
    assert read(textwrap.indent(example, " " * 6)).worth == Worth(quantity="quantity")


# Items without a status


def test_items_may_do_without_a_status() -> None:
    """Then they have the order's status; a contract without the column may lack returned_at as well."""
    assert read().worth == USUAL_WORTH
    assert read(optional=("status",)).worth == Worth(may_lack_status=True)
    assert read(without=("status",)).worth == Worth(may_lack_status=True, has_status=False)
    assert not read(without=("status", "returned_at")).worth.has_returned_at
    assert not read(role_column("refund", "back"), without=("returned_at",)).worth.has_returned_at


@pytest.mark.parametrize(("custom", "value"), [("takingsMandatory", "false"), ("takingsWarnings", "[required]")])
def test_a_status_that_a_row_may_lack_is_optional(custom: str, value: str) -> None:
    """Whichever way the contract says so."""
    status = "      - name: status\n"
    text = MINIMAL.replace(status, f"{status}        customProperties: [{{property: {custom}, value: {value}}}]\n")
    assert read(text=text).worth == Worth(may_lack_status=True)


# What is refused


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            [role_column("quantity", "qty").replace("value: quantity", "value: quantities")],
            "37: unknown role 'quantities'. Did you mean 'quantity'?",
        ),
        (
            [role_column("refund", "a"), role_column("refund", "b")],
            "42: another column has the role 'refund' already, on line 37. Keep one of them.",
        ),
        (
            [role_column("quantity", "qty").replace("integer", "number")],
            "37: the role 'quantity' needs integer, but 'qty' is money. Write 'logicalType: integer'.",
        ),
        (
            [role_column("discount", "less").replace("number", "string")],
            "37: the role 'discount' needs money, but 'less' is text. Write 'logicalType: number'.",
        ),
        (
            [role_column("quantity", "qty") + "          - {property: takingsIdentifier, value: true}\n"],
            "37: the role 'quantity' needs integer, but 'qty' is identifier. Write 'logicalType: integer'.",
        ),
        (
            [role_column("quantity", "qty", "logicalTypeOptions: {minimum: -1}")],
            (
                "38: a quantity is from 0 to 999,999,999, and the bounds of 'qty' allow others. Remove them from "
                "'logicalTypeOptions' and 'takingsWarnings'; a bound that only warns may go under 'quality'."
            ),
        ),
        (
            [role_column("quantity", "qty", "logicalTypeOptions: {maximum: 1000000000}")],
            (
                "38: a quantity is from 0 to 999,999,999, and the bounds of 'qty' allow others. Remove them from "
                "'logicalTypeOptions' and 'takingsWarnings'; a bound that only warns may go under 'quality'."
            ),
        ),
        (
            [
                role_column("refund", "back", "logicalTypeOptions: {minimum: 0}")
                + "          - {property: takingsWarnings, value: [at_least]}\n"
            ],
            (
                "38: a refund is 0 or more, and the bounds of 'back' allow others. Remove them from "
                "'logicalTypeOptions' and 'takingsWarnings'; a bound that only warns may go under 'quality'."
            ),
        ),
        (
            [role_column("discount", "less") + "          - {property: takingsWarnings, value: [type]}\n"],
            "37: a discount that cannot be read must be an error. Remove 'type' from 'takingsWarnings'.",
        ),
    ],
)
def test_refuses_a_role_that_cannot_be_meant(columns: list[str], message: str) -> None:
    """A value that is not a quantity, discount or refund would make a wrong amount."""
    assert refusal(*columns) == message


def test_a_price_has_no_other_role() -> None:
    """It is always the price of one piece."""
    price = "        logicalType: number\n"
    role = f"{price}        customProperties: [{{property: takingsRole, value: discount}}]\n"
    assert refusal(text=MINIMAL.replace(price, role)) == (
        "30: 'sale_price' is already the price of one piece. Give the role to another column."
    )


def test_only_items_have_roles() -> None:
    """An order has no pieces."""
    text = (Path(__file__).parent / "minimal" / "orders.odcs.yaml").read_text(encoding="utf-8")
    with pytest.raises(
        ContractError, match=r"'takingsRole' is for columns of order_items, not of orders\. Leave it out\."
    ):
        parse_contract(text + role_column("refund", "back"), "orders.odcs.yaml")


def test_the_amounts_rule_keeps_its_name() -> None:
    """No other rule may take it; without a role, the name is free."""
    price = "        logicalType: number\n"
    own = (
        f"{price}        quality: [{{type: text, name: amount, customProperties:"
        " [{property: takingsRule, value: {atMost: {number: 9}}}]}]\n"
    )
    text = MINIMAL.replace(price, own)
    assert "sale_price|amount" in {rule.id for rule in read(text=text).rules}
    assert refusal(role_column("quantity", "qty"), text=text) == (
        "6: the rule 'sale_price|amount' is already taken by the item's amount. Give your own rule another 'name'."
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            MINIMAL.replace("name: status", "name: stauts"),
            "6: the KPIs need the column 'status' of order_items. Add it, with 'logicalType: string'. Did you mean 'stauts'?",
        ),
        (
            MINIMAL.replace("          - value: returned\n", ""),
            (
                "21: the KPIs need 'status' of order_items to be stored as 'returned' for some spelling."
                " Add 'enum: [{value: returned}]'."
            ),
        ),
        (
            MINIMAL.replace(
                "      - name: status\n",
                "      - name: status\n        customProperties: [{property: takingsWarnings, value: [type]}]\n",
            ),
            (
                "21: the KPIs need 'status' of order_items right in every row: 'status|type' must be an error."
                " Remove it from 'takingsWarnings'."
            ),
        ),
    ],
)
def test_refuses_a_status_that_is_none(text: str, message: str) -> None:
    """A misspelt status would silently become the order's."""
    assert refusal(text=text) == message


def test_returned_at_is_needed_where_nothing_else_tells_of_a_return() -> None:
    """An item's own status says that it came back, but rarely when; a contract without the time may be an oversight."""
    assert refusal(without=("returned_at",)) == (
        "6: the KPIs need the column 'returned_at' of order_items. Add it, with 'logicalType: timestamp'."
    )
