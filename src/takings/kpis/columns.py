"""Derive a published column from measures: counts, sums of money, rates, averages and shares, in exact decimals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any, Final

#: one row of measures: key columns, counts (int) and sums (Decimal), by name
Measures = Mapping[str, Any]
#: a published value; None if a ratio has no denominator
KpiValue = int | Decimal | None

_CENT: Final = Decimal("0.01")
#: wide enough for sums, and known to every engine
_SUM: Final = "decimal(38, 2)"
#: SQL types by kind; rates of the shipped tables are at most 100
_SQL_TYPES: Final = {"count": "bigint", "money": _SUM, "percent": "decimal(5, 2)", "average": _SUM, "share": _SUM}
#: every kind of column
KINDS: Final = tuple(_SQL_TYPES)


def round_money(value: Decimal) -> Decimal:
    """Round half-up to 2 places, exactly; a negative zero becomes zero."""
    with localcontext() as context:
        context.prec = 60
        return value.quantize(_CENT, rounding=ROUND_HALF_UP) + Decimal("0.00")


def exact(value: Decimal) -> str:
    """Write an amount with all its digits, at least two after the point, and never as 0E-16."""
    whole, _, fraction = f"{value:f}".partition(".")
    return f"{whole}.{fraction.rstrip('0'):0<2}"


def divide(numerator: Decimal | int, denominator: Decimal | int) -> Decimal | None:
    """Divide and round half-up to 2 places; return None if the denominator is zero.

    The quotient is rounded once, from the exact ratio: with 38-digit sums, 60 digits suffice to recognise an exact half.
    """
    if denominator == 0:
        return None
    with localcontext() as context:
        context.prec = 60
        return round_money(Decimal(numerator) / Decimal(denominator))


@dataclass(frozen=True, kw_only=True)
class KpiColumn:
    """One published column, and how it is computed from measures."""

    name: str
    #: count, money, percent, average or share
    kind: str
    measure: str
    #: the denominator of a percent or an average
    per: str | None = None
    #: measures to subtract from the first one
    less: tuple[str, ...] = ()
    #: a percent is of parts of a whole, at most 100
    is_bounded: bool = True

    @property
    def measures(self) -> tuple[str, ...]:
        """Return the measures that the column is made of."""
        return (self.measure, *self.less, *([] if self.per is None else [self.per]))

    def numerator(self, measures: Measures) -> int | Decimal:
        """Return the unrounded measure, less what is to be subtracted."""
        with localcontext() as context:
            context.prec = 60
            found: int | Decimal = measures[self.measure]
            for name in self.less:
                found -= measures[name]
            return found

    def value(self, measures: Measures, whole: Decimal | int = 0) -> KpiValue:
        """Derive the published value from unrounded measures; `whole` is what a share is of."""
        amount = self.numerator(measures)
        match self.kind:
            case "count":
                return int(amount)
            case "money":
                return round_money(Decimal(amount))
            case "percent":
                return divide(_hundredfold(amount), measures[str(self.per)])
            case "share":
                return divide(_hundredfold(amount), whole)
            case "average":
                return divide(amount, measures[str(self.per)])
        raise AssertionError(f"{self.name}: no kind '{self.kind}'")

    @property
    def sql_type(self) -> str:
        """Return the type of the published value in SQL."""
        return _SUM if self.kind == "percent" and not self.is_bounded else _SQL_TYPES[self.kind]

    @property
    def zero(self) -> KpiValue:
        """Return the column's value for a key that no longer has rows."""
        zeros: dict[str, KpiValue] = {"count": 0, "money": Decimal("0.00")}
        return zeros.get(self.kind)

    @property
    def meaning(self) -> dict[str, object]:
        """Return what the hash of a definition covers."""
        return {
            "name": self.name,
            "kind": self.kind,
            "measure": self.measure,
            "per": self.per,
            "less": self.less,
        }


def _hundredfold(amount: Decimal | int) -> Decimal | int:
    """Return 100 times an amount, with every digit."""
    with localcontext() as context:
        context.prec = 60
        return 100 * amount
