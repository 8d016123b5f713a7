"""Let DynamoDB export a store's tables: `takings aws export`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from takings.composition.aws_setup import export_on_aws
from takings.entrypoints.app import print_json
from takings.entrypoints.console import Teller, count, out
from takings.entrypoints.options import Json, Store
from takings.errors import StoreError
from takings.layout import format_instant

if TYPE_CHECKING:
    from takings.composition.aws_setup import Export


class ExportedTable(StrEnum):
    """The tables of a store on AWS."""

    ORDER_KPIS = "OrderKPIs"
    CATEGORY_KPIS = "CategoryKPIs"
    OWN_KPIS = "OwnKPIs"
    PROCESSED_FILES = "ProcessedFiles"
    PENDING_BATCHES = "PendingBatches"


def export(
    store: Store,
    tables: Annotated[
        list[ExportedTable] | None,
        typer.Option(
            "--table",
            help="A table; may be repeated. Default: every table with KPIs, your own too.",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", help="s3://bucket/folder instead of the store's exports/.", show_default=False)
    ] = None,
    is_again: Annotated[
        bool, typer.Option("--again", help="Begin a new export, even if one began in the current hour.")
    ] = False,
    is_waiting: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until DynamoDB is done.")] = True,
    as_json: Json = False,
) -> None:
    """Let DynamoDB export tables to S3; repeated within the hour, it is the same export."""
    tell = Teller()
    try:
        # Neither the order of the tables nor a repetition means anything.
        wanted = list(dict.fromkeys(tables or ()))
        exports = export_on_aws(store, wanted, to=to, is_again=is_again, is_waiting=is_waiting, tell=tell)
    finally:
        tell.be_quiet()
    if as_json:
        print_json({"schema_version": 1, "exports": [_document(each) for each in exports]})
    else:
        for each in exports:
            out.print(_line(each), highlight=False, soft_wrap=True, markup=False)
    failed = [f"{each.table}: {each.failure or 'without a reason'}" for each in exports if _has_failed(each)]
    if failed:
        raise StoreError(f"DynamoDB could not export {'; '.join(failed)}. Remove the cause, then export with --again.")


def _has_failed(export: Export) -> bool:
    return export.status == "FAILED"


def _line(export: Export) -> str:
    as_of = "" if export.as_of is None else f" as of {format_instant(export.as_of)}"
    match export.status:
        case "COMPLETED":
            items = "all items" if export.items is None else count(export.items, "item")
            return f"{export.table}: {items}{as_of} in {export.data}\n  manifest: {export.manifest}"
        case "IN_PROGRESS":
            return f"{export.table}: on its way{as_of} to {export.data}\n  the same command with --wait waits for it"
    return f"{export.table}: {export.status.lower()}{as_of}"


def _document(export: Export) -> dict[str, Any]:
    is_done = export.status == "COMPLETED"
    return {
        "table": export.table,
        "export_arn": export.arn,
        "status": export.status,
        "as_of": None if export.as_of is None else format_instant(export.as_of),
        "items": export.items,
        "data": export.data,
        "manifest": export.manifest if is_done else None,
        "failure": export.failure,
    }
