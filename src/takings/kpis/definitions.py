"""Load each KPI table: the SQL of its measures and the definition of its published columns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from takings.contracts.worth import USUAL_WORTH, Worth
from takings.kpis.columns import KpiColumn, KpiValue, Measures, divide, exact, round_money
from takings.kpis.declared_checks import DeclaredCheck
from takings.kpis.items import fill_in_items
from takings.kpis.own_views import OwnViews


@dataclass(frozen=True, kw_only=True)
class OwnTable:
    """What a table of the shop's own has that a shipped one has not."""

    #: the files of its SQL and of its columns, as errors name them
    sql_file: str
    yaml_file: str
    #: the line of each column in the YAML file, and of `key`
    lines: Mapping[str, int]
    views: OwnViews
    checks: tuple[DeclaredCheck, ...] = ()

    def kept(self, file: str) -> str:
        """Return a file's name as a reason keeps it: the contracts of a bucket lie in another folder each time."""
        return "/".join(Path(file).parts[-2:])


@dataclass(frozen=True, kw_only=True)
class KpiTable:
    """One published table: keys, columns and the SQL of its measures."""

    name: str
    key: tuple[str, ...]
    columns: tuple[KpiColumn, ...]
    #: portable SQL over the views orders, order_items and products; of an own table, over orders and items
    sql: str
    #: what a table of the shop's own has beside; None for a shipped one
    own: OwnTable | None = None

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
    meaning = [_meaning(table) for table in tables]
    text = json.dumps([meaning, policy, time_zone], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _meaning(table: KpiTable) -> list[object]:
    """Return what a table's numbers depend on; an own one's also on what an item is worth, and on its checks.

    A changed check is then applied to every day, and not only to days that change later.
    """
    meaning: list[object] = [table.name, table.key, [column.meaning for column in table.columns], table.sql]
    if table.own is None:
        return meaning
    checks = [(check.text, check.only_warns) for check in table.own.checks]
    return [*meaning, table.own.views.meaning, *([checks] if checks else [])]


__all__ = [
    "KpiColumn",
    "KpiTable",
    "KpiValue",
    "Measures",
    "OwnTable",
    "definition_hash",
    "divide",
    "exact",
    "load_kpi_tables",
    "parse_kpi_table",
    "round_money",
]
