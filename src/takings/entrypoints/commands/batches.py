"""Show past batches, and what became of each file: `takings batches`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import typer
from rich import box
from rich.table import Table

from takings.api import Shop
from takings.entrypoints import violation_output
from takings.entrypoints.app import print_json
from takings.entrypoints.console import Teller, out, show_warnings
from takings.entrypoints.fitting import fitting, say_left_out
from takings.entrypoints.legible import marked
from takings.entrypoints.options import Json, Store
from takings.layout import format_instant
from takings.queries.batches import BatchDetails, BatchSummary, FoundInBatch

_SHOWN: Final = 20
_COLUMNS: Final = ("batch", "state", "files", "verdicts", "records", "rejected", "new", "changed", "commit")
#: what a narrow terminal leaves out, in this order; a batch's id is always whole, since other commands take it
_LESS_IMPORTANT: Final = ("changed", "new", "files", "rejected", "state", "records")


def batches(
    store: Store,
    batch_id: Annotated[str | None, typer.Argument(help="One batch: its files, verdicts and violations.")] = None,
    as_json: Json = False,
) -> None:
    """Show the store's batches, oldest first, or one batch with its files, verdicts, violations and restated days."""
    shop = Shop(store, tell=Teller())
    if batch_id is None:
        found = shop.batches()
        if as_json:
            print_json({"schema_version": 1, "batches": [batch.to_json() for batch in found]})
        else:
            _show_list(found)
        return
    batch = shop.batch(batch_id)
    if as_json:
        print_json(batch.to_json())
    else:
        _show_one(batch)


def _show_list(batches: Sequence[BatchSummary]) -> None:
    if not batches:
        out.print("no batch yet")
        return
    cells = [_cells(found) for found in batches]
    shown = fitting(_COLUMNS, cells, [_COLUMNS.index(name) for name in _LESS_IMPORTANT])
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for place in shown:
        column = _COLUMNS[place]
        table.add_column(column, justify="left" if column in {"batch", "state", "verdicts"} else "right", no_wrap=True)
    for line in cells:
        table.add_row(*(line[place] for place in shown))
    out.print(table)
    say_left_out(_COLUMNS, shown, "--json has all")


def _cells(found: BatchSummary) -> list[str]:
    new, changed = ("–" if found.rows is None else f"{found.rows[name]:,}" for name in ("new", "changed"))
    return [
        found.batch_id,
        _spoken(found.state),
        f"{found.files:,}",
        ", ".join(f"{count} {verdict}" for verdict, count in found.verdicts.items()),
        f"{found.records_read:,}",
        f"{found.records_rejected:,}",
        new,
        changed,
        "–" if found.commit is None else str(found.commit),
    ]


def _spoken(state: str) -> str:
    return state.lower().replace("_", " ")


def _show_one(batch: BatchDetails) -> None:
    commit = "no commit" if batch.summary.commit is None else f"commit {batch.summary.commit}"
    out.print(f"[bold]batch {batch.summary.batch_id}[/]: {_spoken(batch.summary.state)}, {commit}", highlight=False)
    _show_files(batch)
    show_warnings(batch.kpi_warnings)
    for warning in () if batch.changes is None else batch.changes.warnings:
        out.print(f"  [yellow]warning[/] {marked(warning.sentence)}", highlight=False, soft_wrap=True)
    if not batch.reports:
        for record in batch.lineage:
            reason = f": {marked(record.reason)}" if record.reason else ""
            out.print(f"  {record.status:<11} {marked(record.file_key)}{reason}", highlight=False, soft_wrap=True)
    for attempt in batch.attempts if len(batch.attempts) > 1 else ():
        after = f" ({marked(attempt.after)})" if attempt.after else ""
        out.print(
            f"  attempt {attempt.attempt} by {marked(attempt.owner)} from {format_instant(attempt.began_at)}{after}",
            highlight=False,
            soft_wrap=True,
        )
    days = "every day" if batch.restated_everything else f"{len(batch.restated)} days"
    if batch.summary.commit is not None:
        out.print(f"  restated: {days}", highlight=False)
    _show_violations(batch.violations)


def _show_files(batch: BatchDetails) -> None:
    archived_at = {record.file_key: record.archived_at for record in batch.lineage}
    changes = {} if batch.changes is None else batch.changes.files
    for report in batch.reports:
        counts = report.records
        reason = f": {marked(report.reason)}" if report.reason else ""
        out.print(
            f"  {report.verdict:<9} {marked(report.key)} ({counts.read:,} read, {counts.accepted:,} accepted,"
            f" {counts.rejected:,} rejected, {counts.identical_duplicates:,} identical duplicates){reason}",
            highlight=False,
            soft_wrap=True,
        )
        if counted := changes.get(report.key):
            told = ", ".join(f"{number:,} {name}" for name, number in counted.counts.items() if number)
            out.print(f"            {told or 'no row'} compared with the lake before", highlight=False)
        if place := archived_at[report.key]:
            out.print(f"            now at {marked(place)}", highlight=False, soft_wrap=True)


def _show_violations(violations: Sequence[FoundInBatch]) -> None:
    for dataset, file in sorted({(each.dataset, each.file) for each in violations}):
        found = [each.finding for each in violations if (each.dataset, each.file) == (dataset, file)]
        out.print(f"\n{dataset}/{marked(file)}", highlight=False)
        violation_output.show_violations(found[:_SHOWN])
        if len(found) > _SHOWN:
            out.print("… and more; --json has all that the reports show", highlight=False)
