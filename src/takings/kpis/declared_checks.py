"""Check a table of the shop's own before it is published, by what its YAML file declares. Pure, on unrounded measures.

revenue >= 0                                              every row, against a number or another column
sum revenue over category = OrderKPIs.total_revenue       every day, against a column of a table by day
sum over category = OrderKPIs.total_revenue               the same: what is summed has the other column's name
"""

from __future__ import annotations

import operator
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from typing import Any, Final

from takings.kpis.columns import KpiColumn, Measures

_Number = int | Decimal | None
_RELATIONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_CHECK: Final = re.compile(
    rf"(?P<sum>sum\s+)?(?P<left>{_NAME})?\s*(?:over\s+(?P<over>{_NAME}(?:\s*,\s*{_NAME})*))?\s*"
    rf"(?P<relation><=|>=|<>|=|<|>)\s*(?:(?P<table>{_NAME})\.)?(?P<right>{_NAME}|-?[0-9]+(?:\.[0-9]+)?)"
)


@dataclass(frozen=True, kw_only=True)
class DeclaredCheck:
    """One relation that must hold between what a table computes."""

    #: as written
    text: str
    #: its line in the YAML file
    line: int
    #: a measure or a column
    left: str
    #: the rows of a day are summed
    is_sum: bool
    #: the grain that the sum goes over, as written
    over: tuple[str, ...]
    relation: str
    #: a measure, a column, or a number
    right: str
    #: the table by day of which `right` is a column; None: this one
    table: str | None
    #: a breach is reported, and the table published all the same
    only_warns: bool


@dataclass(frozen=True, kw_only=True)
class Breach:
    """What contradicts a check on a day."""

    day: date
    phrase: str


def parse_check(text: str, *, line: int, only_warns: bool, known: Collection[str] = ()) -> DeclaredCheck | None:
    """Read a check; None where the text is none. `known` are the names that a sum may leave out."""
    found = _CHECK.fullmatch(text.strip())
    if found is None:
        return None
    over = tuple(re.split(r"\s*,\s*", found["over"])) if found["over"] else ()
    left = found["left"] or (_named_like(found["right"], known) if found["sum"] and over and found["table"] else None)
    if left is None or (over and not found["sum"]):
        return None
    return DeclaredCheck(
        text=text.strip(),
        line=line,
        left=left,
        is_sum=bool(found["sum"]),
        over=over,
        relation=found["relation"],
        right=found["right"],
        table=found["table"],
        only_warns=only_warns,
    )


def _named_like(other: str, known: Collection[str]) -> str | None:
    """Return what is added up to another table's column: what has its name, with `total_` or without; or None."""
    return next((name for name in (other, other.removeprefix("total_")) if name in known), None)


def breaches(
    check: DeclaredCheck,
    columns: Sequence[KpiColumn],
    key: Sequence[str],
    rows: Sequence[Measures],
    by_day: tuple[Sequence[KpiColumn], Iterable[Measures]] | None = None,
) -> list[Breach]:
    """Return what contradicts a check; `by_day` are the columns and rows of the table that it names.

    A relation with an empty value holds.
    """
    place = Place(columns)
    if not check.is_sum:
        return [
            Breach(day=row[key[-1]], phrase=f"{check.text}: it is {_plain(left)} {_where(row, key)}")
            for row in rows
            if not _holds(check, left := place.value(check.left, row), place.value(check.right, row))
        ]
    sums = _sums(check.left, place, rows)
    if check.table is None:
        other = dict.fromkeys(sums, Decimal(check.right))
    else:
        other = {} if by_day is None else _sums(check.right, Place(by_day[0]), by_day[1])
    return [
        Breach(
            day=day,
            phrase=f"{check.text}: the sum is {_plain(sums.get(day, 0))} on {day}, the other side is"
            f" {_plain(other.get(day, 0))}",
        )
        for day in sorted(sums.keys() | other.keys())
        if not _holds(check, sums.get(day, 0), other.get(day, 0))
    ]


@dataclass(frozen=True)
class Place:
    """Where names of a check are looked up."""

    columns: Sequence[KpiColumn]

    def value(self, name: str, row: Measures) -> _Number:
        """Return a number, an unrounded measure, or a column: unrounded where it is a sum or a count."""
        if name[0].isdigit() or name[0] == "-":
            return Decimal(name)
        column = next((column for column in self.columns if column.name == name), None)
        if column is None:
            found: _Number = row[name]
            return found
        if column.kind in {"count", "money"}:
            return column.numerator(row)
        return column.value(row)


def _sums(name: str, place: Place, rows: Iterable[Measures]) -> dict[date, Decimal]:
    sums: dict[date, Decimal] = defaultdict(Decimal)
    with localcontext() as context:
        context.prec = 60
        for row in rows:
            sums[row["order_date"]] += place.value(name, row) or 0
    return dict(sums)


def _holds(check: DeclaredCheck, left: _Number, right: _Number) -> bool:
    return left is None or right is None or _RELATIONS[check.relation](left, right)


def _where(row: Measures, key: Sequence[str]) -> str:
    return "for " + ", ".join(f"{name} {row[name]}" for name in key)


def _plain(amount: _Number) -> str:
    return "empty" if amount is None else f"{Decimal(amount).normalize():f}"
