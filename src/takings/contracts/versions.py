"""Read what decides which rows count: `takingsVersion`, an instant of the shop's own, and `takingsReplaces`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from takings.contracts.columns import ReadColumn
from takings.contracts.model import ColumnType, Compared, Dataset, Now, Operator, Rule, SameWithin, Severity, Unique
from takings.contracts.rules import a_value_of, make_rule
from takings.contracts.yaml_nodes import Entry, suggestion

#: a clock may be ahead by so much; an instant further off would win until then, whatever came
_AHEAD: Final = timedelta(minutes=5)
_IN_FUTURE: Final = "version_not_in_future"
#: the one column whose rows are replaced together
_ORDER: Final = "order_id"


@dataclass(frozen=True, kw_only=True)
class OrderOfVersions:
    """What decides which rows count, and what that demands of a file."""

    version_column: str | None = None
    replaces: str | None = None
    rules: tuple[Rule, ...] = ()

    def worded(self, rule: Rule, primary_key: str) -> Rule:
        """Return a rule that says within what a primary key is unique."""
        if not isinstance(rule.check, Unique) or rule.column != primary_key:
            return rule
        if self.replaces is not None:
            return replace(rule, demand=f"must be unique within its {self.replaces}")
        if self.version_column is not None:
            return replace(rule, demand=f"must be unique among rows with the same {self.version_column}")
        return rule


def read_order_of_versions(
    dataset: Dataset, custom: Mapping[str, Entry], columns: Mapping[str, ReadColumn], others: Sequence[Rule]
) -> OrderOfVersions:
    """Return what a table's properties say about versions; ContractError if it cannot be kept.

    `others` are the other rules of the contract.
    """
    version = custom.get("takingsVersion")
    replaces = custom.get("takingsReplaces")
    rules: list[Rule] = []
    if version is not None:
        rules.append(_not_in_future(version, columns))
    if replaces is not None:
        _check_replaces(dataset, replaces)
    if version is not None and replaces is not None:
        rules.append(make_rule(columns[version.text()].column, SameWithin(column=_ORDER)))
    taken = {rule.id for rule in others}
    for rule in rules:
        if version is not None and rule.id in taken:
            raise version.error(
                f"the rule '{rule.id}' comes with 'takingsVersion'. Give the one under 'quality' another 'name'."
            )
    return OrderOfVersions(
        version_column=None if version is None else version.text(),
        replaces=None if replaces is None else replaces.text(),
        rules=tuple(rules),
    )


def _not_in_future(entry: Entry, columns: Mapping[str, ReadColumn]) -> Rule:
    """Return the rule that keeps a wrong clock from winning forever; ContractError if a row may have no instant."""
    name = entry.text()
    timestamps = [other for other, read in columns.items() if read.column.type is ColumnType.TIMESTAMP]
    if name not in columns:
        raise entry.error(
            f"'takingsVersion' names the column '{name}', which does not exist.{suggestion(name, timestamps)}"
        )
    read = columns[name]
    if read.column.type is not ColumnType.TIMESTAMP:
        raise entry.error(
            f"'takingsVersion' names '{name}', which is {a_value_of(read.column.type)}: only instants have an order that"
            f" all files share. Name a column of 'logicalType: timestamp'.{suggestion('', timestamps)}"
        )
    if not (read.column.is_required and read.column.is_mandatory):
        raise entry.error(
            f"'takingsVersion' names '{name}', which may be missing: a row without an instant has no place among the"
            f" versions. Write 'required: true' at '{name}', and leave 'takingsMandatory' out."
        )
    for rule in read.rules:
        if rule.kind in ("required", "type") and rule.severity is Severity.WARNING:
            raise entry.error(
                f"'takingsVersion' names '{name}', so '{rule.id}' must be an error. Remove it from 'takingsWarnings'."
            )
    return make_rule(read.column, Compared(operator=Operator.AT_MOST, bound=Now(plus=_AHEAD)), kind=_IN_FUTURE)


def _check_replaces(dataset: Dataset, entry: Entry) -> None:
    if dataset is not Dataset.ORDER_ITEMS:
        raise entry.error(
            f"'takingsReplaces' is for order_items: the lines of an order are one delivery. Leave it out of {dataset}."
        )
    if entry.text() != _ORDER:
        raise entry.error(
            f"'takingsReplaces' names '{entry.text()}': only the lines of one order replace each other. Write"
            f" 'takingsReplaces' with the value '{_ORDER}'."
        )
