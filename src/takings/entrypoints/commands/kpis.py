"""Print published KPIs: `takings kpis`."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from takings.api import Kpis, Shop
from takings.entrypoints import console, kpi_output, legible
from takings.entrypoints.app import print_text
from takings.entrypoints.console import Teller, out
from takings.entrypoints.kpi_grid import show_kpis
from takings.entrypoints.options import SpreadsheetSafe, Store
from takings.errors import UsageError
from takings.queries.published_kpis import By
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
    found = Shop(store, tell=Teller()).kpis(
        by if table_name is None else None, table=table_name, category=category, first=_day(first), last=_day(last)
    )
    if format_ is Format.CSV:
        _write_text(kpi_output.as_csv(found.table, found.rows, for_spreadsheet=spreadsheet_safe), output)
    else:
        _print_kpis(found, format_, output)
    if format_ is not Format.TABLE:
        console.show_incomplete(found.incomplete, to=console.err)
    beside = console.out if format_ is Format.TABLE else console.err
    console.show_stale({} if found.stale is None else {found.table.name: found.stale}, to=beside)
    console.show_warnings({} if found.warning is None else {found.table.name: found.warning}, to=beside)


def _check(store: str, engine: EngineChoice | None) -> None:
    """Check the shop's own tables, and say of each that it is sound."""
    tables, engines = Shop(store, engine=engine).check_tables()
    if not tables:
        out.print("no KPI table of your own: docs/kpis.md says how to define one")
    for table in tables:
        out.print(
            f"{table.name}: sound on {' and '.join(engines)}, one row per {', '.join(table.key)}", highlight=False
        )


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _print_kpis(found: Kpis, format_: Format, output: Path | None) -> None:
    match format_:
        case Format.TABLE:
            if output is not None:
                raise UsageError("--output goes with --format csv, json or parquet.")
            show_kpis(found.table, found.rows, incomplete=found.incomplete)
        case Format.PARQUET:
            assert output is not None
            found.write_parquet(output)
        case Format.JSON:
            _write_text(legible.as_json(found.to_json(), indent=1) + "\n", output)


def _write_text(text: str, output: Path | None) -> None:
    if output is None:
        print_text(text)
    else:
        output.write_bytes(text.encode())
