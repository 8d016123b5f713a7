"""Make rules: the kinds that the standard gives every column, and the words in which each states its demand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import assert_never

from takings.contracts.model import (
    Check,
    Column,
    ColumnType,
    Compared,
    Dataset,
    InDataset,
    Matches,
    MaxLength,
    Now,
    OneOf,
    Operator,
    OtherColumn,
    PresentWhen,
    Required,
    Rule,
    Severity,
    StartOfDay,
    Typed,
    Unique,
)

#: The kinds of rules from the standard's own keys; no row expression may have such a name.
STANDARD_KINDS = (
    "required",
    "type",
    "one_of",
    "max_length",
    "pattern",
    "greater_than",
    "at_least",
    "less_than",
    "at_most",
    "unique",
    *(f"in_{dataset}" for dataset in Dataset),
)

_TYPE_DEMANDS: Mapping[ColumnType, str] = {
    ColumnType.IDENTIFIER: "must be digits without sign or leading zeros, at most 9223372036854775807",
    ColumnType.INTEGER: "must be a whole number of at most 64 bits",
    ColumnType.MONEY: "must be a number like 12.50, with at most 12 digits before the point and 16 behind it",
    ColumnType.TIMESTAMP: "must be a date and time like 2025-03-30T16:14:26",
    ColumnType.TEXT: "must be at most 1,024 bytes of text",
}
_NUMBER_WORDS = {
    Operator.LESS: ("less_than", "less than"),
    Operator.AT_MOST: ("at_most", "at most"),
    Operator.GREATER: ("greater_than", "greater than"),
    Operator.AT_LEAST: ("at_least", "at least"),
}
_TIME_WORDS = {
    Operator.LESS: "must be before",
    Operator.AT_MOST: "must not be after",
    Operator.GREATER: "must be after",
    Operator.AT_LEAST: "must not be before",
}


def make_rule(column: Column, check: Check, *, kind: str | None = None, severity: Severity = Severity.ERROR) -> Rule:
    """Return a rule of a column; without a given kind, it is derived from the check."""
    return Rule(
        column=column.name,
        kind=kind or kind_of(check),
        severity=severity,
        check=check,
        demand=_demand(column, check),
    )


def kind_of(check: Check) -> str:
    """Return a check's name in `column|kind`, unless its author gives another."""
    match check:
        case Required():
            return "required"
        case Typed():
            return "type"
        case OneOf():
            return "one_of"
        case MaxLength():
            return "max_length"
        case Matches():
            return "pattern"
        case Unique():
            return "unique"
        case InDataset(dataset=dataset):
            return f"in_{dataset}"
        case Compared(operator=operator, bound=bound):
            return _NUMBER_WORDS[operator][0] + _bound_suffix(bound)
        case PresentWhen(column=other, value=value):
            return f"present_when_{other}_{value}"
        case _:
            assert_never(check)


def a_value_of(type_: ColumnType) -> str:
    """Return the name of a value in a sentence: "an identifier", "money"."""
    if type_ in (ColumnType.MONEY, ColumnType.TEXT):
        return type_.value
    return f"{'an' if type_.value[0] in 'aeiou' else 'a'} {type_.value}"


def _demand(column: Column, check: Check) -> str:
    match check:
        case Required():
            return "must not be empty"
        case Typed():
            return _TYPE_DEMANDS[column.type]
        case OneOf():
            return f"must be one of {', '.join(column.values or ())}"
        case MaxLength(characters=characters):
            return f"must have at most {characters} characters"
        case Matches(pattern=pattern):
            return f"must match the pattern {pattern}"
        case Unique():
            return "must be unique"
        case InDataset(dataset=dataset, column=parent):
            return f"must be the {parent} of a row in {dataset}"
        case Compared(operator=operator, bound=bound) if column.type is ColumnType.TIMESTAMP:
            return f"{_TIME_WORDS[operator]} {_bound_words(bound)}"
        case Compared(operator=operator, bound=bound):
            return f"must be {_NUMBER_WORDS[operator][1]} {_bound_words(bound)}"
        case PresentWhen(column=other, value=value):
            return f"must not be empty when {other} is {value}"
        case _:
            assert_never(check)


def _bound_suffix(bound: Decimal | OtherColumn | Now | StartOfDay) -> str:
    match bound:
        case Decimal():
            return ""
        case OtherColumn(name=name):
            return f"_{name}"
        case Now():
            return "_now"
        case StartOfDay(day=day):
            return f"_{day:%Y_%m_%d}"
        case _:
            assert_never(bound)


def _bound_words(bound: Decimal | OtherColumn | Now | StartOfDay) -> str:
    match bound:
        case Decimal():
            return f"{bound:f}"
        case OtherColumn(name=name):
            return name
        case StartOfDay(day=day):
            return day.isoformat()
        case Now(plus=plus) if not plus:
            return "now"
        case Now(plus=plus):
            return f"now {'+' if plus > timedelta(0) else '-'} {_duration_words(abs(plus))}"
        case _:
            assert_never(bound)


def _duration_words(duration: timedelta) -> str:
    """Return `5 minutes`: the duration in the largest unit that divides it evenly."""
    seconds = duration // timedelta(seconds=1)
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds % size == 0:
            return f"{seconds // size} {unit}{'' if seconds == size else 's'}"
    raise AssertionError(duration)
