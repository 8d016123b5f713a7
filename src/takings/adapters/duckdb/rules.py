"""Compile a contract to the SQL of one typed pass over a file: typed columns and a mask of broken rules.

A field that is empty or unreadable is NULL, which makes rules on it unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, assert_never

from takings.adapters.duckdb.sql import SQL_TYPES, literal, name
from takings.adapters.duckdb.texts import with_texts
from takings.adapters.duckdb.typing import blank, typed_field, with_first_readings
from takings.contracts.model import (
    MAX_TEXT_BYTES,
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
from takings.contracts.worth import AMOUNT
from takings.time_zones import BusinessTime
from takings.validation.texts import texts_of


def typed_query(
    contract: Contract, header: Sequence[str], source: str, now: datetime, business_time: BusinessTime, keep: str = ""
) -> str:
    """Return the query that types and validates every record of `source`.

    `source` yields the raw fields of the header's columns as `_r0`, `_r1` …, NULL where empty; `keep` names further columns
    of it to hand through. The result has what the contract stores and `_mask` (bit i: the contract's rule i is broken).
    """
    raw, source = with_texts(texts_of(contract, header), source)
    typed = ",\n        ".join(
        f"{typed_field(column, raw, business_time)} as {name(column.name)}" for column in contract.columns
    )
    columns = ", ".join(_amount(contract) if column == AMOUNT else name(column) for column in contract.stored)
    pass_ = _Pass(contract=contract, raw=raw, now=now, business_time=business_time)
    return f"""
select {keep}{columns}, {_mask(pass_)} as _mask
from (
    select *,
        {typed}
    from {with_first_readings(contract, raw, source, business_time)}
)"""


def _amount(contract: Contract) -> str:
    worth = contract.worth
    exact = _exact_amount(worth.quantity, worth.discount)
    return f"try_cast({exact} as {SQL_TYPES[ColumnType.MONEY]}) as {AMOUNT}"


def _exact_amount(quantity: str | None, discount: str | None) -> str:
    """Return an item's amount, with more digits than money may have; NULL where the quantity has more than 9."""
    pieces = f" * try_cast(coalesce({name(quantity)}, 1) as decimal(9, 0))" if quantity else ""
    less = f" - coalesce({name(discount)}, cast(0 as {SQL_TYPES[ColumnType.MONEY]}))" if discount else ""
    return f"(sale_price{pieces}{less})"


def told_apart(contract: Contract, rule: Rule) -> Sequence[str]:
    """Return the columns whose values no two records of a file may share under a rule `unique`, as SQL writes them."""
    columns = contract.unique_in_file if rule.column == contract.primary_key else (rule.column,)
    return [name(column) for column in columns]


@dataclass(frozen=True, kw_only=True)
class _Pass:
    """One typed pass over a file."""

    contract: Contract
    #: the field with the text of each column of the contract that the file has
    raw: Mapping[str, str]
    #: the value of `now` in a rule
    now: datetime
    business_time: BusinessTime


def _mask(of: _Pass) -> str:
    """Return the mask's expression: a cheap test of every row, and the exact bits only for suspicious rows."""
    compiled = [(bit, rule, _broken(rule, of)) for bit, rule in enumerate(of.contract.rules)]
    broken = [(bit, condition) for bit, _, condition in compiled if condition is not None]
    if not broken:
        return "cast(0 as ubigint)"
    suspects = [
        f"({name(column.name)} is null"
        + ("" if column.is_required else f" and {of.raw[column.name]} is not null")
        + ")"
        for column in of.contract.columns
        if column.name in of.raw
    ]
    # A test of the fields covers rules that only an empty or unreadable field breaks; test every other condition itself.
    others = [
        condition
        for _, rule, condition in compiled
        if condition is not None and not _ANSWERS[type(rule.check)].is_seen_in_the_field
    ]
    anything = " or ".join(suspects + others)
    bits = "\n        + ".join(
        f"case when {condition} then {1 << bit}::ubigint else 0 end" for bit, condition in broken
    )
    return f"case when {anything}\n        then {bits}\n        else 0::ubigint end"


def _broken(rule: Rule, of: _Pass) -> str | None:
    """Return the condition of a row that breaks a rule; None if one row cannot show it or the column is absent."""
    answer = _ANSWERS[type(rule.check)]
    if rule.column not in of.raw or answer.broken is None:
        return None
    return answer.broken(rule.check, _Place(column=rule.column, of=of))


@dataclass(frozen=True, kw_only=True)
class _Place:
    """The column that a rule is about."""

    column: str
    of: _Pass

    @property
    def field(self) -> str:
        """Return the raw field."""
        return self.of.raw[self.column]

    @property
    def value(self) -> str:
        """Return the typed value, NULL where the field is empty or unreadable."""
        return name(self.column)

    @property
    def is_text(self) -> bool:
        """Return whether the column holds text."""
        return self.of.contract.column(self.column).type is ColumnType.TEXT


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """How DuckDB decides a kind of check."""

    #: the condition of a row that breaks it; None if it needs all rows of a file
    broken: Callable[[Any, _Place], str] | None
    #: whether only an empty or unreadable field breaks it
    is_seen_in_the_field: bool = False


def _is_unreadable(_: Typed, at: _Place) -> str:
    if at.is_text:
        return f"(strlen({at.field}) > {MAX_TEXT_BYTES} and not {blank(at.field)})"
    return f"({at.value} is null and not {blank(at.field)})"


def _is_unlisted(_: OneOf, at: _Place) -> str:
    return f"({at.value} is null and not {blank(at.field)} and strlen({at.field}) <= {MAX_TEXT_BYTES})"


def _is_out_of_bounds(check: Compared, at: _Place) -> str:
    return f"not ({at.value} {check.operator} {_bound(check.bound, at.of)})"


def _is_missing(check: PresentWhen, at: _Place) -> str:
    return f"({blank(at.field)} and {name(check.column)} = {literal(check.value)})"


def _is_too_large(check: AmountFits, at: _Place) -> str:
    unreadable = [
        f" and not ({name(column)} is null and not {blank(at.of.raw[column])})"
        for column in (check.quantity, check.discount)
        if column and column in at.of.raw
    ]
    return f"(abs{_exact_amount(check.quantity, check.discount)} >= 1000000000000{''.join(unreadable)})"


def _bound(bound: Bound, of: _Pass) -> str:
    match bound:
        case Decimal():
            return f"{bound:f}"
        case OtherColumn(name=other):
            return name(other)
        case Now(plus=plus):
            return f"timestamptz '{(of.now + plus).isoformat(sep=' ')}'"
        case StartOfDay(day=day):
            return f"timestamptz '{of.business_time.start_of(day).isoformat(sep=' ')}'"
        case _:
            assert_never(bound)


_ANSWERS: Final = for_every_check(
    {
        Required: _Answer(broken=lambda _, at: blank(at.field), is_seen_in_the_field=True),
        Typed: _Answer(broken=_is_unreadable, is_seen_in_the_field=True),
        OneOf: _Answer(broken=_is_unlisted, is_seen_in_the_field=True),
        Matches: _Answer(broken=lambda check, at: f"not regexp_full_match({at.value}, {literal(check.pattern)})"),
        MaxLength: _Answer(broken=lambda check, at: f"length({at.value}) > {check.characters}"),
        Compared: _Answer(broken=_is_out_of_bounds),
        PresentWhen: _Answer(broken=_is_missing),
        Unique: _Answer(broken=None),
        InDataset: _Answer(broken=None),
        AmountFits: _Answer(broken=_is_too_large),
        SameWithin: _Answer(broken=None),
    },
    by=__name__,
)
