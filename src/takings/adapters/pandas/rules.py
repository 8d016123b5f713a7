"""Apply a contract's rules to a chunk of records: one bit of a mask for each broken rule.

A rule is valid, invalid or unknown for a record; a value of None makes it unknown, and an unknown rule is not broken.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal
from itertools import islice, repeat
from typing import Any, Final, assert_never

import numpy as np
from numpy.typing import NDArray

from takings.adapters.pandas.typing import Reader, Value, is_blank, is_too_long, microseconds, reader_of
from takings.contracts.model import (
    AmountFits,
    Bound,
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
    SameWithin,
    StartOfDay,
    Typed,
    Unique,
    for_every_check,
)
from takings.contracts.worth import AMOUNT, LARGEST_QUANTITY
from takings.time_zones import BusinessTime
from takings.validation.texts import texts_of

Flags = NDArray[np.bool_]

#: holds a price of 28 digits times a quantity of 9, less a discount
_EXACT: Final = Context(prec=60)
_TOO_LARGE: Final = Decimal(10) ** 12
_HOLDS: Final[Mapping[Operator, Callable[[Any, Any], bool]]] = {
    Operator.LESS: operator.lt,
    Operator.AT_MOST: operator.le,
    Operator.GREATER: operator.gt,
    Operator.AT_LEAST: operator.ge,
}


@dataclass(frozen=True, kw_only=True)
class TypedColumn:
    """One column of a chunk, record by record."""

    #: None if the field is empty or could not be read
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
        self, contract: Contract, header: Sequence[str], *, now: datetime, business_time: BusinessTime
    ) -> None:
        #: the columns that both the contract and the header have; rules on others are not checked
        self.columns = {name: contract.column(name) for name in texts_of(contract, header)}
        self._readers = {name: reader_of(column, business_time) for name, column in self.columns.items()}
        self._rules = [(bit, rule) for bit, rule in enumerate(contract.rules) if rule.column in self.columns]
        self._worth = contract.worth if AMOUNT in contract.stored else None
        self._now = now
        self._business_time = business_time

    def type_chunk(self, fields: Mapping[str, Sequence[str]]) -> dict[str, TypedColumn]:
        """Read the fields of every column, and compute an item's amount where a column has a role."""
        typed = {
            name: type_column(fields[name], column.type, self._readers[name]) for name, column in self.columns.items()
        }
        if self._worth:
            exact = _exact_amounts(typed, self._worth.quantity, self._worth.discount)
            typed[AMOUNT] = _amount_column(exact)
        return typed

    def broken(self, typed: Mapping[str, TypedColumn], records: int) -> NDArray[np.uint64]:
        """Return, for each record, the bits of the rules that it breaks by itself."""
        mask = np.zeros(records, np.uint64)
        for bit, rule in self._rules:
            is_broken = self._is_broken(rule, typed)
            if is_broken is not None:
                mask |= is_broken.astype(np.uint64) << np.uint64(bit)
        return mask

    def _is_broken(self, rule: Rule, typed: Mapping[str, TypedColumn]) -> Flags | None:
        """Return which records break a rule; None if no record can break it by itself."""
        answer = _ANSWERS[type(rule.check)]
        if answer is None:
            return None
        is_text = self.columns[rule.column].type is ColumnType.TEXT
        chunk = _Chunk(typed=typed, now=self._now, business_time=self._business_time)
        return answer(rule.check, _Place(column=typed[rule.column], is_text=is_text, chunk=chunk))


@dataclass(frozen=True, kw_only=True)
class _Chunk:
    """The values that a rule may compare a column with."""

    typed: Mapping[str, TypedColumn]
    now: datetime
    business_time: BusinessTime

    def values(self, column: str) -> Iterable[Value | None]:
        """Return a column's values; endless None if the file has no such column."""
        return self.typed[column].values if column in self.typed else repeat(None)

    def bounds(self, bound: Bound) -> Iterable[Value | None]:
        """Return a bound for each record."""
        match bound:
            case Decimal():
                return repeat(bound)
            case Now(plus=plus):
                return repeat(microseconds(self.now + plus))
            case StartOfDay(day=day):
                return repeat(microseconds(self.business_time.start_of(day)))
            case OtherColumn(name=other):
                return self.values(other)
            case _:
                assert_never(bound)


@dataclass(frozen=True, kw_only=True)
class _Place:
    """The column that a rule is about."""

    column: TypedColumn
    is_text: bool
    chunk: _Chunk


def _is_unreadable(_: Typed, at: _Place) -> Flags:
    return (at.column.is_too_long if at.is_text else at.column.is_unknown) & ~at.column.is_empty


def _is_unlisted(_: OneOf, at: _Place) -> Flags:
    return at.column.is_unknown & ~at.column.is_empty & ~at.column.is_too_long


def _is_unlike(check: Matches, at: _Place) -> Flags:
    matches = re.compile(check.pattern, re.ASCII).fullmatch
    return _flags(value is not None and not matches(str(value)) for value in at.column.values)


def _is_longer(check: MaxLength, at: _Place) -> Flags:
    return _flags(value is not None and len(str(value)) > check.characters for value in at.column.values)


def _is_out_of_bounds(check: Compared, at: _Place) -> Flags:
    holds = _HOLDS[check.operator]
    return _flags(
        value is not None and bound is not None and not holds(value, bound)
        for value, bound in zip(at.column.values, at.chunk.bounds(check.bound), strict=False)
    )


def _is_missing(check: PresentWhen, at: _Place) -> Flags:
    others = islice(at.chunk.values(check.column), len(at.column.values))
    return at.column.is_empty & _flags(value == check.value for value in others)


def _is_too_large(check: AmountFits, at: _Place) -> Flags:
    exact = _exact_amounts(at.chunk.typed, check.quantity, check.discount)
    return _flags(amount is not None and abs(amount) >= _TOO_LARGE for amount in exact)


def _exact_amounts(
    typed: Mapping[str, TypedColumn], quantity: str | None, discount: str | None
) -> Iterator[Decimal | None]:
    """Yield price x quantity - discount of each record, unrounded; None if one of them cannot be read or used."""
    pieces, less = (_filled(typed.get(column or ""), empty) for column, empty in ((quantity, 1), (discount, 0)))
    for price, of_pieces, taken_off in zip(typed["sale_price"].values, pieces, less, strict=False):
        if price is None or of_pieces is None or taken_off is None or abs(int(of_pieces)) > LARGEST_QUANTITY:
            yield None
        else:
            yield _EXACT.subtract(_EXACT.multiply(Decimal(price), Decimal(of_pieces)), Decimal(taken_off))


def _filled(column: TypedColumn | None, empty: int) -> Iterable[Value | None]:
    """Return a column's values, `empty` where a field is empty, None if it cannot be read."""
    if column is None:
        return repeat(empty)
    cells = zip(column.values, column.is_empty, strict=True)
    return (empty if value is None and is_empty else value for value, is_empty in cells)


def _amount_column(exact: Iterable[Decimal | None]) -> TypedColumn:
    """Return amounts as a column: None for one that is not money."""
    values = [None if amount is None or abs(amount) >= _TOO_LARGE else amount for amount in exact]
    nowhere = np.zeros(len(values), np.bool_)
    is_unknown = _flags(value is None for value in values)
    return TypedColumn(values=values, is_empty=nowhere, is_unknown=is_unknown, is_too_long=nowhere)


def _flags(answers: Iterable[bool]) -> Flags:
    return np.fromiter(answers, np.bool_)


_Answer = Callable[[Any, _Place], Flags]
#: which records break a kind of check; None if it needs all records of a file
_ANSWERS: Final[Mapping[type[Any], _Answer | None]] = for_every_check(
    {
        Required: lambda _, at: at.column.is_empty,
        Typed: _is_unreadable,
        OneOf: _is_unlisted,
        Matches: _is_unlike,
        MaxLength: _is_longer,
        Compared: _is_out_of_bounds,
        PresentWhen: _is_missing,
        Unique: None,
        InDataset: None,
        AmountFits: _is_too_large,
        SameWithin: None,
    },
    by=__name__,
)
