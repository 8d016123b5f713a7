"""Make rules: the kinds that the standard gives every column, and the words in which each states its demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, assert_never

from takings.contracts.model import (
    AmountFits,
    Bound,
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
    SameWithin,
    Severity,
    StartOfDay,
    Typed,
    Unique,
    for_every_check,
)
from takings.contracts.origins import FolderPart

_TYPE_DEMANDS: Mapping[ColumnType, str] = {
    ColumnType.IDENTIFIER: "must be digits without sign or leading zeros, at most 9223372036854775807",
    ColumnType.INTEGER: "must be a whole number of at most 64 bits",
    ColumnType.MONEY: "must be a number like 12.50, with at most 12 digits before the point and 16 after it",
    ColumnType.TIMESTAMP: "must be a date and time like 2025-03-30T16:14:26",
    ColumnType.TEXT: "must be at most 1,024 bytes of text",
}
_NUMBER_WORDS = {
    Operator.GREATER: "greater than",
    Operator.AT_LEAST: "at least",
    Operator.LESS: "less than",
    Operator.AT_MOST: "at most",
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
        demand=_WORDS[type(check)].demand(column, check),
    )


def kind_of(check: Check) -> str:
    """Return the name that a check has in `column|kind` unless its author gives another."""
    return _WORDS[type(check)].kind(check)


def type_demand(column: Column) -> str:
    """Return what a field of the column must be, as a phrase after its name."""
    demand = column.written.demand if column.written else _TYPE_DEMANDS[column.type]
    if column.origin and column.origin.is_guarded:
        demand += f", with '{column.origin.separator}' in none of its parts but the first"
    return demand


def _required_demand(column: Column) -> str:
    levels = [part.level for part in column.origin.parts if isinstance(part, FolderPart)] if column.origin else []
    return f"must not be empty, and is made of folder {levels[0]} of the file's path" if levels else "must not be empty"


def a_value_of(type_: ColumnType) -> str:
    """Return the name of a value in a sentence: "an identifier", "money"."""
    if type_ in (ColumnType.MONEY, ColumnType.TEXT):
        return type_.value
    return f"{'an' if type_.value[0] in 'aeiou' else 'a'} {type_.value}"


def _bound_suffix(bound: Bound) -> str:
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


def _bound_words(bound: Bound) -> str:
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


@dataclass(frozen=True, kw_only=True)
class _Words:
    """How reports speak of a kind of check."""

    #: the names that the standard's own keys give it
    standard: tuple[str, ...] = ()
    #: its name in `column|kind`
    kind: Callable[[Any], str]
    #: what must hold, as a phrase that follows the column's name
    demand: Callable[[Column, Any], str]


def _compared_kind(check: Compared) -> str:
    return _NUMBER_WORDS[check.operator].replace(" ", "_") + _bound_suffix(check.bound)


def _compared_demand(column: Column, check: Compared) -> str:
    if column.type is ColumnType.TIMESTAMP:
        return f"{_TIME_WORDS[check.operator]} {_bound_words(check.bound)}"
    return f"must be {_NUMBER_WORDS[check.operator]} {_bound_words(check.bound)}"


def _amount_demand(check: AmountFits) -> str:
    times = f"times {check.quantity} " if check.quantity else ""
    less = f"less {check.discount} " if check.discount else ""
    return f"{times}{less}must have at most 12 digits before the point"


def _always(kind: str, demand: Callable[[Column, Any], str]) -> _Words:
    """Return the words of a check that has one name, which a key of the standard gives it."""
    return _Words(standard=(kind,), kind=lambda _: kind, demand=demand)


_WORDS: Final = for_every_check(
    {
        Required: _always("required", lambda column, _: _required_demand(column)),
        Typed: _always("type", lambda column, _: type_demand(column)),
        OneOf: _always("one_of", lambda column, _: f"must be one of {', '.join(column.values or ())}"),
        MaxLength: _always("max_length", lambda _, check: f"must have at most {check.characters} characters"),
        Matches: _always("pattern", lambda _, check: f"must match the pattern {check.pattern}"),
        Compared: _Words(
            standard=tuple(words.replace(" ", "_") for words in _NUMBER_WORDS.values()),
            kind=_compared_kind,
            demand=_compared_demand,
        ),
        Unique: _always("unique", lambda *_: "must be unique"),
        InDataset: _Words(
            standard=tuple(f"in_{dataset}" for dataset in Dataset),
            kind=lambda check: f"in_{check.dataset}",
            demand=lambda _, check: f"must be the {check.column} of a row in {check.dataset}",
        ),
        PresentWhen: _Words(
            kind=lambda check: f"present_when_{check.column}_{check.value}",
            demand=lambda _, check: f"must not be empty when {check.column} is {check.value}",
        ),
        AmountFits: _Words(kind=lambda _: "amount", demand=lambda _, check: _amount_demand(check)),
        SameWithin: _Words(
            kind=lambda check: f"same_within_{check.column}",
            demand=lambda _, check: f"must be the same in every row of the file with the same {check.column}",
        ),
    },
    by=__name__,
)
#: Rules that the standard's own keys make; no row expression may take such a name.
STANDARD_KINDS: Final = tuple(kind for words in _WORDS.values() for kind in words.standard)
