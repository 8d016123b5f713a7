"""Print published KPIs: `takings kpis`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from takings.composition import stores
from takings.composition.stores import open_store_to_look
from takings.entrypoints import console, kpi_output
from takings.entrypoints.app import print_text
from takings.entrypoints.console import Teller, out
from takings.entrypoints.kpi_grid import show_kpis
from takings.entrypoints.options import SpreadsheetSafe, Store
from takings.errors import UnknownThing, UsageError
from takings.kpis import KpiRow, KpiTable
from takings.kpis.publication import visible
from takings.queries.incomplete import Incomplete, find_incomplete
from takings.queries.published_kpis import By, kpi_table, kpi_warnings, named_table, stale_tables
from takings.settings import EngineChoice


class Format(StrEnum):
    """How KPIs are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def kpis(
    store: Store,
    by: Annotated[By, typer.Option(help="Per day, or per category and day.")] = By.DAY,
    table_name: Annotated[
        str | None, typer.Option("--table", metavar="NAME", help="A KPI table by its name, such as one of your own.")
    ] = None,
    category: Annotated[str | None, typer.Option(help="Only this category.")] = None,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, inclusive.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="How to print them.")] = Format.TABLE,
    spreadsheet_safe: SpreadsheetSafe = False,
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of stdout.")] = None,
    is_check: Annotated[
        bool,
        typer.Option("--check", help="Print nothing, and check the KPI tables of your own on a small sample shop."),
    ] = False,
    engine: Annotated[
        EngineChoice | None, typer.Option("--engine", help="With --check: spark computes the sample shop too.")
    ] = None,
) -> None:
    """Print the published KPIs."""
    if is_check:
        _check(store, engine)
        return
    if engine is not None:
        raise UsageError("--engine goes with --check: what is printed is published already.")
    if table_name is not None and by is not By.DAY:
        raise UsageError("--table and --by both name a table. Keep one of them.")
    if table_name is None and category is not None and by is By.DAY:
        raise UsageError("--category needs --by category: a day's KPIs cover the whole site.")
    if format_ is Format.PARQUET and output is None:
        raise UsageError("--format parquet needs --output FILE.")
    if spreadsheet_safe and format_ is not Format.CSV:
        raise UsageError("--spreadsheet-safe goes with --format csv.")
    if output is not None and not output.parent.is_dir():
        raise UsageError(f"--output {output}: there is no folder {output.parent}.")
    with open_store_to_look(store, Teller()) as shop:
        tables = shop.ports.kpi_tables
        table = kpi_table(tables, by) if table_name is None else named_table(tables, table_name)
        if category is not None and "category" not in table.key:
            raise UsageError(f"--category: {table.name} is by {', '.join(table.key)}.")
        rows = list(visible(shop.ports.kpis.rows(table, first=_day(first), last=_day(last), category=category)))
        incomplete = find_incomplete(shop.ports).between(_day(first), _day(last))
        stale = stale_tables(shop.ports).get(table.name)
        warning = kpi_warnings(shop.ports).get(table.name)
    if category is not None and not rows:
        raise UnknownThing(f"no KPIs of category '{category}' in that range. Write the name exactly.")
    if format_ is Format.CSV:
        _write_text(kpi_output.as_csv(table, rows, for_spreadsheet=spreadsheet_safe), output)
    else:
        _print_kpis(table, rows, incomplete, format_, output, {"stale": stale, "warning": warning})
    if format_ is not Format.TABLE:
        console.show_incomplete(incomplete, to=console.err)
    beside = console.out if format_ is Format.TABLE else console.err
    console.show_stale({} if stale is None else {table.name: stale}, to=beside)
    console.show_warnings({} if warning is None else {table.name: warning}, to=beside)


def _check(store: str, engine: EngineChoice | None) -> None:
    """Check the shop's own tables, and say of each that it is sound."""
    tables, engines = stores.check_own_tables(store, {"engine": engine})
    if not tables:
        out.print("no KPI table of your own: docs/kpis.md says how to define one")
    for table in tables:
        out.print(
            f"{table.name}: sound on {' and '.join(engines)}, one row per {', '.join(table.key)}", highlight=False
        )


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _print_kpis(
    table: KpiTable,
    rows: list[KpiRow],
    incomplete: Incomplete,
    format_: Format,
    output: Path | None,
    told: Mapping[str, str | None],
) -> None:
    match format_:
        case Format.TABLE:
            if output is not None:
                raise UsageError("--output goes with --format csv, json or parquet.")
            show_kpis(table, rows, incomplete=incomplete)
            return
        case Format.PARQUET:
            assert output is not None
            stores.write_kpi_parquet(table, rows, output)
            return
        case Format.JSON:
            _write_text(kpi_output.as_json(table, rows, incomplete, told), output)


def _write_text(text: str, output: Path | None) -> None:
    if output is None:
        print_text(text)
    else:
        output.write_bytes(text.encode())
