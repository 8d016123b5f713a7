"""Validate files before they are dropped, and write nothing: `takings validate`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from takings.api.validating import FileFindings, each_validated, trouble_with
from takings.contracts.model import Dataset
from takings.entrypoints import console, violation_output
from takings.entrypoints.app import EXIT_REJECTED, EXIT_UNFINISHED, print_json
from takings.entrypoints.console import err, out
from takings.entrypoints.legible import marked
from takings.entrypoints.options import Contracts
from takings.validation.findings import Verdict

#: enough to see what is wrong with an export; the rest are only counted
_SHOWN: Final = 20


class ReportFormat(StrEnum):
    """How findings are printed."""

    TABLE = "table"
    JSON = "json"


def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", readable=False, help="CSV files, in any folder.")],
    dataset: Annotated[
        Dataset | None, typer.Option(help="The dataset of the files. Default: recognised by folder or header.")
    ] = None,
    store: Annotated[str | None, typer.Option(help="Use this store's settings, and find copies of its files.")] = None,
    contracts: Contracts = None,
    format_: Annotated[
        ReportFormat, typer.Option("--format", help="How to print what was found.")
    ] = ReportFormat.TABLE,
) -> None:
    """Validate files as a batch would, and write nothing: every bad line, what is wrong with it and what to do."""
    readable = [file for file in files if _can_be_read(file)]
    options = {"contracts": None if contracts is None else str(contracts)}
    is_json = format_ is ReportFormat.JSON
    documents = []
    is_refused = False
    for found in each_validated(readable, dataset, store, most=None if is_json else _SHOWN, settings=options):
        is_refused = is_refused or found.is_refused
        if is_json:
            documents.append(found.to_json())
        else:
            _show(found)
    if is_json:
        print_json({"schema_version": 1, "files": documents})
    if len(readable) < len(files):
        raise typer.Exit(EXIT_UNFINISHED)
    if is_refused:
        raise typer.Exit(EXIT_REJECTED)


def _can_be_read(file: Path) -> bool:
    """Return whether the system lets a file be read; if not, say so on stderr, because the others are still validated."""
    trouble = trouble_with(file)
    if trouble is not None:
        err.print(
            f"[red]takings:[/] {marked(file)}: it cannot be read: {trouble}. Change its permissions, or check its"
            " disk; the other files are validated.",
            highlight=False,
            soft_wrap=True,
        )
    return trouble is None


def _show(found: FileFindings) -> None:
    if found.dataset is None:
        out.print(
            f"[bold]{marked(found.key)}[/]: [red]{found.verdict}[/]: {marked(found.reason or '')}",
            highlight=False,
            soft_wrap=True,
        )
        return
    colour = {Verdict.ACCEPTED: "green", Verdict.REJECTED: "red", Verdict.DUPLICATE: "yellow"}[found.verdict]
    out.print(
        f"[bold]{marked(found.key)}[/] ({found.dataset}): [{colour}]{found.verdict}[/], "
        f"{console.count(found.records.read, 'record')}{': ' + marked(found.reason) if found.reason else ''}",
        highlight=False,
        soft_wrap=True,
    )
    # What is wrong with the file as a whole has been said above.
    is_said = len(found.violations) == 1 and found.violations[0].reason in (found.reason or "")
    if found.violations and not is_said:
        violation_output.show_violations(found.violations)
    if more := found.violations_in_all - len(found.violations):
        out.print(f"… and {more:,} more violations; --format json has all", highlight=False)
