"""Write the statements that let Athena read a store: KPIs from exports, rows from the lake."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import Final

from takings import layout
from takings.adapters.aws.exports import Export
from takings.contracts.model import Dataset
from takings.contracts.worth import USUAL_WORTH, Worth
from takings.errors import UsageError
from takings.kpis import KpiTable
from takings.kpis.items import items_query

#: names that need no quotes in Hive's DDL nor in Trino's
_PLAIN: Final = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement; Athena takes one at a time."""

    #: the database, table or view that the statement creates
    makes: str
    sql: str


def athena_statements(
    database: str,
    bucket: str,
    exports: Iterable[tuple[KpiTable, Export]],
    worth: Worth = USUAL_WORTH,
) -> Iterator[Statement]:
    """Yield the statements in the order in which they run; each may be repeated. UsageError for a name to be quoted."""
    if not _PLAIN.fullmatch(database):
        raise UsageError(f"--database {database}: write a name of small letters, digits and underscores, for Athena.")
    yield Statement(makes=database, sql=f"create database if not exists {database}")
    for table, export in exports:
        yield from _of_export(database, table, export) if table.own is None else _of_own(database, table, export)
    for dataset in Dataset:
        name = f"{database}.{dataset}"
        yield _statement(name, "lake_table", table=name, location=f"s3://{bucket}/{layout.table(dataset)}/")
    yield _counted_items(database, worth)


def _counted_items(database: str, worth: Worth) -> Statement:
    name = f"{database}.counted_items"
    if worth.is_usual:
        return _statement(name, "counted_items", database=database)
    items = items_query(worth, place=f"{database}.", quote='"')
    return _statement(name, "counted_items_by_worth", database=database, items=_without_comments(items))


def _of_export(database: str, table: KpiTable, export: Export) -> Iterator[Statement]:
    """Yield a separate table for each export, and the view, so that it switches between exports at once."""
    view = f"{database}.{_plain(table.name)}"
    exported = f"{view}_{_plain(export.id)}"
    types = dict.fromkeys(table.key, "S") | {column.name: "N" for column in table.columns}
    fields = (f"{name}:struct<{type_}:string>" for name, type_ in types.items())
    yield _statement(exported, "export_table", table=exported, fields=_lines(",\n", fields, 8), location=export.data)
    values = {part: _key(part) for part in table.key} | {
        column.name: f"cast(item.{column.name}.n as {column.sql_type})" for column in table.columns
    }
    yield _statement(
        view,
        "kpi_view",
        view=view,
        table=exported,
        columns=_lines(",\n", (f"{value} as {name}" for name, value in values.items()), 4),
        shown=_lines("\nor ", (f"{values[column.name]} <> 0" for column in table.columns), 4),
    )


def _of_own(database: str, table: KpiTable, export: Export) -> Iterator[Statement]:
    """Yield a table over the export of all own tables with this one's columns, and its view."""
    view = f"{database}.own_{_plain(table.name)}"
    exported = f"{view}_{_plain(export.id)}"
    types = dict.fromkeys(("kpi_table", *table.key), "S") | dict.fromkeys(
        ("row_count", *(column.name for column in table.columns)), "N"
    )
    fields = (f"{name}:struct<{type_}:string>" for name, type_ in types.items())
    yield _statement(exported, "export_table", table=exported, fields=_lines(",\n", fields, 8), location=export.data)
    values = {part: _key(part) for part in table.key} | {
        column.name: f"cast(item.{column.name}.n as {column.sql_type})" for column in table.columns
    }
    yield _statement(
        view,
        "own_kpi_view",
        view=view,
        table=exported,
        columns=_lines(",\n", (f"{value} as {name}" for name, value in values.items()), 4),
        name=table.name,
    )


def _key(part: str) -> str:
    return f"cast(item.{part}.s as date)" if part == "order_date" else f"item.{part}.s"


def _plain(name: str) -> str:
    """Return a name in small letters: OrderKPIs becomes order_kpis."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[^A-Za-z0-9]", "_", name).lower()


def _lines(joint: str, parts: Iterable[str], indent: int) -> str:
    return joint.replace("\n", "\n" + " " * indent).join(parts)


def _statement(makes: str, file: str, **values: str) -> Statement:
    """Fill in a statement; the comments of its file are for those who read that."""
    text = _without_comments((resources.files(__package__) / f"{file}.sql").read_text(encoding="utf-8"))
    filled: Mapping[str, str] = values
    return Statement(makes=makes, sql=Template(text).substitute(filled))


def _without_comments(sql: str) -> str:
    """Return SQL without the lines that only say something."""
    return "\n".join(line for line in sql.splitlines() if not line.lstrip().startswith("--"))
