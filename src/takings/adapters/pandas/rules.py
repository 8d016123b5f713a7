"""Apply a contract's rules to a chunk of records: one bit of a mask for each broken rule.

A rule is valid, invalid or unknown for a record; a value that is None makes it unknown, which breaks nothing.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice, repeat
from typing import Any, Final, assert_never

import numpy as np
from numpy.typing import NDArray

from takings.adapters.pandas.typing import Reader, Value, is_blank, is_too_long, microseconds, reader_of
from takings.contracts.model import (
    ColumnType,
    Compared,
    Contract,
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
    StartOfDay,
    Typed,
    Unique,
)
from takings.time_zones import BusinessTime

Flags = NDArray[np.bool_]

_HOLDS: Final[Mapping[Operator, Callable[[Any, Any], bool]]] = {
    Operator.LESS: operator.lt,
    Operator.AT_MOST: operator.le,
    Operator.GREATER: operator.gt,
    Operator.AT_LEAST: operator.ge,
}


@dataclass(frozen=True, kw_only=True)
class TypedColumn:
    """What a chunk has in one column, record by record."""

    #: None where the field is empty or could not be read
    values: Sequence[Value | None]
    is_empty: Flags
    is_unknown: Flags
    #: a text of more bytes than a text may have
    is_too_long: Flags


def type_column(fields: Sequence[str], type_: ColumnType, read: Reader) -> TypedColumn:
    """Read the fields of one column."""
    values = [read(field) for field in fields]
    return TypedColumn(
        values=values,
        is_empty=_flags(map(is_blank, fields)),
        is_unknown=_flags(value is None for value in values),
        is_too_long=_flags(map(is_too_long, fields)) if type_ is ColumnType.TEXT else np.zeros(len(fields), np.bool_),
    )


class Rules:
    """A contract's columns and rules, ready for the chunks of a file."""

    def __init__(
        self, contract: Contract, header: Collection[str], *, now: datetime, business_time: BusinessTime
    ) -> None:
        #: the columns that both the contract and the header have; rules on others are not checked
        self.columns = {column.name: column for column in contract.columns if column.name in header}
        self._readers = {name: reader_of(column, business_time) for name, column in self.columns.items()}
        self._rules = [(bit, rule) for bit, rule in enumerate(contract.rules) if rule.column in self.columns]
        self._now = now
        self._business_time = business_time

    def type_chunk(self, fields: Mapping[str, Sequence[str]]) -> dict[str, TypedColumn]:
        """Read the fields of every column."""
        return {
            name: type_column(fields[name], column.type, self._readers[name]) for name, column in self.columns.items()
        }

    def broken(self, typed: Mapping[str, TypedColumn], records: int) -> NDArray[np.uint64]:
        """Return, for each record, the bits of the rules that it breaks by itself."""
        mask = np.zeros(records, np.uint64)
        for bit, rule in self._rules:
            is_broken = self._is_broken(rule, typed)
            if is_broken is not None:
                mask |= is_broken.astype(np.uint64) << np.uint64(bit)
        return mask

    def _is_broken(self, rule: Rule, typed: Mapping[str, TypedColumn]) -> Flags | None:
        """Return which records break a rule; None where no record can break it by itself."""
        column = typed[rule.column]
        match rule.check:
            case Required():
                return column.is_empty
            case Typed() if self.columns[rule.column].type is ColumnType.TEXT:
                return column.is_too_long & ~column.is_empty
            case Typed():
                return column.is_unknown & ~column.is_empty
            case OneOf():
                return column.is_unknown & ~column.is_empty & ~column.is_too_long
            case Matches(pattern=pattern):
                matches = re.compile(pattern, re.ASCII).fullmatch
                return _flags(value is not None and not matches(str(value)) for value in column.values)
            case MaxLength(characters=most):
                return _flags(value is not None and len(str(value)) > most for value in column.values)
            case Compared(operator=relation, bound=bound):
                return _is_out_of_bounds(column, relation, self._bounds(bound, typed))
            case PresentWhen(column=other, value=stored):
                return column.is_empty & _flags(
                    value == stored for value in islice(_values(typed, other), len(column.values))
                )
            case Unique() | InDataset():
                return None
            case _:
                assert_never(rule.check)

    def _bounds(
        self, bound: Decimal | OtherColumn | Now | StartOfDay, typed: Mapping[str, TypedColumn]
    ) -> Iterable[Value | None]:
        match bound:
            case Decimal():
                return repeat(bound)
            case Now(plus=plus):
                return repeat(microseconds(self._now + plus))
            case StartOfDay(day=day):
                return repeat(microseconds(self._business_time.start_of(day)))
            case OtherColumn(name=other):
                return _values(typed, other)
            case _:
                assert_never(bound)


def _is_out_of_bounds(column: TypedColumn, relation: Operator, bounds: Iterable[Value | None]) -> Flags:
    holds = _HOLDS[relation]
    return _flags(
        value is not None and bound is not None and not holds(value, bound)
        for value, bound in zip(column.values, bounds, strict=False)
    )


def _values(typed: Mapping[str, TypedColumn], column: str) -> Iterable[Value | None]:
    return typed[column].values if column in typed else repeat(None)


def _flags(answers: Iterable[bool]) -> Flags:
    return np.fromiter(answers, np.bool_)
