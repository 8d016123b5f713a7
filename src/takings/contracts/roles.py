"""Read `takingsRole`: which columns say what an item is worth, and the rules that keep its amount exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from takings.contracts.columns import ReadColumn
from takings.contracts.model import (
    AmountFits,
    Check,
    Column,
    ColumnType,
    Compared,
    Dataset,
    Operator,
    Required,
    Rule,
    Severity,
    Typed,
)
from takings.contracts.rules import make_rule
from takings.contracts.worth import LARGEST_QUANTITY, Role
from takings.contracts.yaml_nodes import Entry, suggestion

_TYPES: Final = {Role.QUANTITY: ColumnType.INTEGER, Role.DISCOUNT: ColumnType.MONEY, Role.REFUND: ColumnType.MONEY}
_LOGICAL: Final = {ColumnType.INTEGER: "integer", ColumnType.MONEY: "number"}
_RANGES: Final = {
    Role.QUANTITY: f"from 0 to {LARGEST_QUANTITY:,}",
    Role.DISCOUNT: "0 or more",
    Role.REFUND: "0 or more",
}
_PRICE: Final = "sale_price"
_ORDER: Final = (Operator.GREATER, Operator.AT_LEAST, Operator.LESS, Operator.AT_MOST)


def read_roles(dataset: Dataset, columns: Mapping[str, ReadColumn]) -> dict[str, ReadColumn]:
    """Return the columns with the rules that their roles demand; raise ContractError for a role that cannot be meant."""
    taken: dict[Role, Entry] = {}
    read: dict[str, ReadColumn] = {}
    for name, column in columns.items():
        read[name] = column
        if column.role is None:
            continue
        role = _role(column.role, dataset, column)
        if role in taken:
            raise column.role.error(
                f"another column has the role '{role}' already, on line {taken[role].line}. Keep one of them."
            )
        taken[role] = column.role
        read[name] = _with_role(column, role)
        _check_bounds(read[name], role)
    return read


def amount_rules(columns: Mapping[str, Column], rules: Sequence[Rule], place: Entry) -> list[Rule]:
    """Return the rule that an item's amount is money; none where it is the sale_price itself."""
    named = {column.role: column.name for column in columns.values()}
    quantity, discount = named.get(Role.QUANTITY), named.get(Role.DISCOUNT)
    if _PRICE not in columns or not (quantity or discount):
        return []
    rule = make_rule(columns[_PRICE], AmountFits(quantity=quantity, discount=discount))
    if rule.id in {other.id for other in rules}:
        raise place.error(
            f"the rule '{rule.id}' is already taken by the item's amount. Give your own rule another 'name'."
        )
    return [rule]


def _role(entry: Entry, dataset: Dataset, read: ReadColumn) -> Role:
    written = entry.text()
    if written not in list(Role):
        raise entry.error(f"unknown role '{written}'.{suggestion(written, Role)}")
    role, column = Role(written), read.column
    if dataset is not Dataset.ORDER_ITEMS:
        raise entry.error(f"'takingsRole' is for columns of order_items, not of {dataset}. Leave it out.")
    if column.name == _PRICE:
        raise entry.error(f"'{_PRICE}' is already the price of one piece. Give the role to another column.")
    if column.type is not _TYPES[role]:
        logical = _LOGICAL[_TYPES[role]]
        raise entry.error(
            f"the role '{role}' needs {_TYPES[role]}, but '{column.name}' is {column.type}. "
            f"Write 'logicalType: {logical}'."
        )
    return role


def _with_role(read: ReadColumn, role: Role) -> ReadColumn:
    """Return a column with the bounds of its role, each at its place among the rules."""
    column = replace(read.column, role=role)
    own = [rule for rule in read.rules if isinstance(rule.check, Compared)]
    added = [make_rule(column, check) for check in _demanded(role) if not _is_held(own, check)]
    added = [rule for rule in added if rule.kind not in {other.kind for other in own}]
    bounds = sorted([*own, *added], key=lambda rule: _ORDER.index(_operator(rule.check)))
    first = [rule for rule in read.rules if isinstance(rule.check, Required | Typed)]
    last = [rule for rule in read.rules if rule not in first and rule not in own]
    return replace(read, column=column, rules=(*first, *bounds, *last))


def _check_bounds(read: ReadColumn, role: Role) -> None:
    """Refuse a column that would take a value outside its role's range, or one that cannot be read."""
    assert read.role is not None
    name = read.column.name
    for check in _demanded(role):
        if not _is_held(read.rules, check):
            raise read.role.error(
                f"a {role} is {_RANGES[role]}, and the bounds of '{name}' allow others. Remove them from "
                "'logicalTypeOptions' and 'takingsWarnings'; a bound that only warns may go under 'quality'."
            )
    if any(isinstance(rule.check, Typed) and rule.severity is Severity.WARNING for rule in read.rules):
        raise read.role.error(f"a {role} that cannot be read must be an error. Remove 'type' from 'takingsWarnings'.")


def _demanded(role: Role) -> list[Compared]:
    smallest = Compared(operator=Operator.AT_LEAST, bound=Decimal(0))
    largest = Compared(operator=Operator.AT_MOST, bound=Decimal(LARGEST_QUANTITY))
    return [smallest, largest] if role is Role.QUANTITY else [smallest]


def _is_held(rules: Sequence[Rule], demanded: Compared) -> bool:
    """Return whether an error rule keeps values within a bound."""
    assert isinstance(demanded.bound, Decimal)
    for rule in rules:
        check = rule.check
        if rule.severity is Severity.WARNING or not isinstance(check, Compared) or not isinstance(check.bound, Decimal):
            continue
        is_lower = check.operator in (Operator.GREATER, Operator.AT_LEAST)
        if is_lower and demanded.operator is Operator.AT_LEAST and check.bound >= demanded.bound:
            return True
        if not is_lower and demanded.operator is Operator.AT_MOST and check.bound <= demanded.bound:
            return True
    return False


def _operator(check: Check) -> Operator:
    assert isinstance(check, Compared)
    return check.operator
