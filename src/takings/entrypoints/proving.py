"""Prove and repair published numbers: explain, verify, restate."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import typer
from rich import box
from rich.table import Table

from takings.batch.store_format import check_lake
from takings.composition.stores import open_store, open_store_to_look
from takings.entrypoints import explain_output
from takings.entrypoints.app import EXIT_REJECTED, Engine, Json, SpreadsheetSafe, Store, app, print_json, print_text
from takings.entrypoints.console import Teller, count, most_of_a_name, out
from takings.entrypoints.explain_output import exact
from takings.entrypoints.legible import cut, marked
from takings.errors import UsageError
from takings.queries.verification import Difference, Explanation, Verification
from takings.queries.verification import explain as find_rows
from takings.queries.verification import verify as compare
from takings.runs.restate import restate as publish_again

_SHOWN: Final = 50

Day = Annotated[datetime, typer.Argument(metavar="DATE", formats=["%Y-%m-%d"], help="The business day.")]
First = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")]
Last = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, inclusive.")]


class RowFormat(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


@app.command()
def explain(
    store: Store,
    day: Day,
    category: Annotated[str | None, typer.Option(help="Only the rows behind this category's numbers.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many rows; 50 in a table.")] = None,
    format_: Annotated[RowFormat, typer.Option("--format", help="How to print them.")] = RowFormat.TABLE,
    spreadsheet_safe: SpreadsheetSafe = False,
) -> None:
    """Show the rows behind a day's numbers, with file and line, and their exact sum."""
    if spreadsheet_safe and format_ is not RowFormat.CSV:
        raise UsageError("--spreadsheet-safe goes with --format csv.")
    with open_store_to_look(store, Teller()) as shop:
        explanation = find_rows(shop.ports, day.date(), category)
    match format_:
        case RowFormat.CSV:
            print_text(explain_output.as_csv(explanation.rows[:limit], for_spreadsheet=spreadsheet_safe))
        case RowFormat.JSON:
            print_json(explain_output.as_document(explanation, explanation.rows[:limit]))
        case RowFormat.TABLE:
            _show_rows(explanation, limit or _SHOWN)


def _show_rows(explanation: Explanation, limit: int) -> None:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("category", "order", "item", "status", "sale_price", "counted as", "file", "line"):
        # A long name takes no room from the numbers; a file's name is needed whole, so it is broken into lines.
        table.add_column(
            column,
            justify="right" if column in {"sale_price", "line"} else "left",
            no_wrap=column != "file",
            overflow="fold",
        )
    for row in explanation.rows[:limit]:
        price = "" if row.sale_price is None else exact(row.sale_price)
        category = None if row.category is None else cut(row.category, most_of_a_name())
        cells = (category, row.order_id, row.item_id, row.status, price, row.counted_as, row.key, row.line)
        table.add_row(*("–" if cell is None else marked(cell) for cell in cells))
    out.print(table)
    items = sum(row.item_id is not None for row in explanation.rows)
    out.print(
        f"{items:,} items, {exact(explanation.revenue)} in all, as of commit {explanation.commit}", highlight=False
    )
    if len(explanation.rows) > limit:
        out.print(f"… the table shows {limit} of {len(explanation.rows):,} rows; --format csv has all", highlight=False)


@app.command()
def verify(store: Store, as_json: Json = False, engine: Engine = None) -> None:
    """Recompute every KPI from the lake and compare it with what is published; changes nothing."""
    with open_store_to_look(store, Teller(), {"engine": engine}) as shop:
        check_lake(shop.ports)
        verification = compare(shop.ports)
    if as_json:
        print_json(_verification_document(verification))
    else:
        _show_verification(verification)
    if verification.differences:
        raise typer.Exit(EXIT_REJECTED)


def _verification_document(verification: Verification) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "commit": verification.commit,
        "rows": verification.rows,
        "differences": [
            {field.name: _plain(getattr(found, field.name)) for field in fields(Difference)}
            for found in verification.differences
        ],
    }


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [exact(part) for part in value]
    return None if value is None else exact(value)


def _show_verification(verification: Verification) -> None:
    if verification.commit is None:
        out.print("nothing is published yet")
        return
    redefined = [found for found in verification.differences if found.column == "definition"]
    for found in [found for found in verification.differences if found.column != "definition"][:_SHOWN]:
        key = ", ".join(str(part) for part in found.key)
        out.print(
            f"{found.table} {marked(key)}: {found.column} is {marked(_plain(found.published))},"
            f" the lake says {marked(_plain(found.recomputed))}",
            highlight=False,
            soft_wrap=True,
        )
    if redefined:
        out.print(
            f"{len(redefined):,} rows were published under another definition ({redefined[0].published}; SQL, policy and time"
            f" zone now make it {redefined[0].recomputed})",
            highlight=False,
            soft_wrap=True,
        )
    if verification.differences:
        out.print(
            f"{len(verification.differences):,} differences in {verification.rows:,} rows."
            " `takings restate STORE` publishes them again.",
            highlight=False,
        )
    else:
        out.print(
            f"no difference: {verification.rows:,} published rows as of commit {verification.commit}", highlight=False
        )


@app.command()
def restate(store: Store, first: First = None, last: Last = None, engine: Engine = None) -> None:
    """Publish KPIs again from the lake, after a changed definition or contract."""
    if first is not None and last is not None and last < first:
        raise UsageError(f"--from {first.date()} lies after --to {last.date()}.")
    tell = Teller()
    with open_store(store, tell, {"engine": engine}) as shop:
        check_lake(shop.ports)
        try:
            done = publish_again(shop.ports, first and first.date(), last and last.date())
        finally:
            tell.be_quiet()
    shown = ", ".join(f"{count(keys, 'key')} of {table}" for table, keys in done.published.items())
    out.print(f"published again as of commit {done.commit}: {shown}", highlight=False)
