"""Load each KPI table: the SQL of its measures and the definition of its published columns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import cache
from importlib import resources
from typing import Any, Final

import yaml

from takings.contracts.worth import USUAL_WORTH, Worth
from takings.kpis.items import fill_in_items

#: one row of measures: key columns, counts (int) and sums (Decimal), by name
Measures = Mapping[str, Any]
#: a published value; None if a ratio has no denominator
KpiValue = int | Decimal | None

_CENT: Final = Decimal("0.01")
#: SQL types by kind: wide enough for sums, and for rates up to 100, and known to every engine
_SQL_TYPES: Final = {
    "count": "bigint",
    "money": "decimal(38, 2)",
    "percent": "decimal(5, 2)",
    "average": "decimal(38, 2)",
}


def round_money(value: Decimal) -> Decimal:
    """Round half-up to 2 places, exactly; a negative zero becomes zero."""
    with localcontext() as context:
        context.prec = 60
        return value.quantize(_CENT, rounding=ROUND_HALF_UP) + Decimal("0.00")


def exact(value: Decimal) -> str:
    """Write an amount with all its digits, at least two after the point, and never as 0E-16."""
    whole, _, fraction = f"{value:f}".partition(".")
    return f"{whole}.{fraction.rstrip('0'):0<2}"


def divide(numerator: Decimal | int, denominator: int) -> Decimal | None:
    """Divide and round half-up to 2 places; return None if the denominator is zero.

    The quotient is rounded once, from the exact ratio: with 38-digit sums, 60 digits suffice to recognise an exact half.
    """
    if denominator == 0:
        return None
    with localcontext() as context:
        context.prec = 60
        return round_money(Decimal(numerator) / denominator)


@dataclass(frozen=True, kw_only=True)
class KpiColumn:
    """One published column, and how it is computed from measures."""

    name: str
    #: count, money, percent or average
    kind: str
    measure: str
    #: the denominator of a percent or an average
    per: str | None = None
    #: measures to subtract from a sum of money
    less: tuple[str, ...] = ()

    def value(self, measures: Measures) -> KpiValue:
        """Derive the published value from unrounded measures."""
        match self.kind:
            case "count":
                return int(measures[self.measure])
            case "money":
                with localcontext() as context:
                    context.prec = 60
                    return round_money(measures[self.measure] - sum((measures[name] for name in self.less), Decimal(0)))
            case "percent":
                return divide(100 * int(measures[self.measure]), measures[str(self.per)])
            case "average":
                return divide(measures[self.measure], measures[str(self.per)])
        raise AssertionError(f"{self.name}: no kind '{self.kind}'")

    @property
    def sql_type(self) -> str:
        """Return the type of the published value in SQL."""
        return _SQL_TYPES[self.kind]

    @property
    def zero(self) -> KpiValue:
        """Return the column's value for a key that no longer has rows."""
        zeros: dict[str, KpiValue] = {"count": 0, "money": Decimal("0.00")}
        return zeros.get(self.kind)


@dataclass(frozen=True, kw_only=True)
class KpiTable:
    """One published table: keys, columns and the SQL of its measures."""

    name: str
    key: tuple[str, ...]
    columns: tuple[KpiColumn, ...]
    #: portable SQL over the views orders, order_items and products
    sql: str

    @property
    def header(self) -> tuple[str, ...]:
        """Return the names of key and columns in display order."""
        return self.key + tuple(column.name for column in self.columns)


@cache
def load_kpi_tables(worth: Worth = USUAL_WORTH) -> tuple[KpiTable, ...]:
    """Load every KPI table: each YAML definition in this folder, with its SQL; coarsest grain first.

    The SQL is the file of the same name, or the one beside it where an item's contract gives it another worth.
    """
    folder = resources.files(__package__)
    tables = (
        parse_kpi_table(file.read_text(), _measures(file.name.removesuffix(".yaml"), worth))
        for file in folder.iterdir()
        if file.name.endswith(".yaml")
    )
    return tuple(sorted(tables, key=lambda table: (len(table.key), table.name)))


def _measures(name: str, worth: Worth) -> str:
    """Return a table's SQL; a definition's hash depends on every character of it."""
    folder = resources.files(__package__)
    if worth.is_usual:
        return (folder / f"{name}.sql").read_text()
    return fill_in_items((folder / f"{name}_by_worth.sql").read_text(), worth)


def parse_kpi_table(definition: str, sql: str) -> KpiTable:
    """Read one table's YAML definition, with its SQL."""
    document = yaml.safe_load(definition)
    columns = tuple(_parse_column(name, how) for name, how in document["columns"].items())
    return KpiTable(name=document["table"], key=tuple(document["key"]), columns=columns, sql=sql)


def _parse_column(name: str, how: Mapping[str, Any]) -> KpiColumn:
    kind = next(kind for kind in ("count", "money", "percent", "average") if kind in how)
    return KpiColumn(
        name=name,
        kind=kind,
        measure=how[kind],
        per=how.get("of", how.get("per")),
        less=tuple(how.get("less", ())),
    )


def definition_hash(tables: tuple[KpiTable, ...], *, policy: str, time_zone: str) -> str:
    """Return 16 hex digits that change whenever the meaning of a published number may have changed."""
    meaning = [[table.name, table.key, [vars(column) for column in table.columns], table.sql] for table in tables]
    text = json.dumps([meaning, policy, time_zone], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
