"""Validate files before they are dropped, and write nothing: `takings validate`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from takings.batch.validate_file import ValidatedFile
from takings.composition.dry_runs import Unplaced, open_dry_run
from takings.contracts.model import Contracts as AllContracts
from takings.contracts.model import Dataset
from takings.entrypoints import console, violation_output
from takings.entrypoints.app import EXIT_REJECTED, EXIT_UNFINISHED, print_json
from takings.entrypoints.console import err, out
from takings.entrypoints.legible import marked
from takings.entrypoints.options import Contracts
from takings.errors import UnknownThing
from takings.layout import format_instant
from takings.validation.findings import RecordCounts, Verdict, Violation
from takings.validation.remedies import remedy, remedy_in
from takings.validation.reports import file_document, records_document, violation_document

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
    for file in files:
        if not file.is_file():
            raise UnknownThing(f"{file} is not a file.")
    readable = [file for file in files if _can_be_read(file)]
    dry_run = open_dry_run(store, {"contracts": None if contracts is None else str(contracts)})
    documents = []
    is_rejected = False
    for validated in dry_run.validate(readable, dataset):
        if isinstance(validated, Unplaced):
            is_rejected = True
            if format_ is ReportFormat.JSON:
                documents.append(_document_of_unplaced(validated))
            else:
                _show_unplaced(validated)
            continue
        report = validated.report
        is_rejected = is_rejected or report.verdict is Verdict.REJECTED or report.records.rejected > 0
        if format_ is ReportFormat.JSON:
            documents.append(_document(validated, dry_run.contracts))
        else:
            _show(validated, dry_run.contracts)
    if format_ is ReportFormat.JSON:
        print_json({"schema_version": 1, "files": documents})
    if len(readable) < len(files):
        raise typer.Exit(EXIT_UNFINISHED)
    if is_rejected:
        raise typer.Exit(EXIT_REJECTED)


def _can_be_read(file: Path) -> bool:
    """Return whether the system lets a file be read; if not, say so on stderr, because the others are still validated."""
    try:
        with file.open("rb") as content:
            content.read(1)
    except OSError as refused:
        err.print(
            f"[red]takings:[/] {marked(file)}: it cannot be read: {refused.strerror}. Change its permissions, or check its"
            " disk; the other files are validated.",
            highlight=False,
            soft_wrap=True,
        )
        return False
    return True


def _document(validated: ValidatedFile, contracts: AllContracts) -> dict[str, Any]:
    kind = validated.report.dataset
    violations = [
        {**violation_document(violation), "remedy": remedy_in(contracts, kind, violation.rule)}
        for violation in _violations(validated)
    ]
    return {**file_document(validated.report), "violations": violations}


def _document_of_unplaced(unplaced: Unplaced) -> dict[str, Any]:
    """Return what `_document` does, for a file of an unknown dataset."""
    fault = unplaced.fault
    violation = Violation(
        rule=fault.rule, record=None, line=fault.line, column=None, reason=_reason(fault.rule, fault.reason)
    )
    return {
        "key": str(unplaced.file),
        "dataset": None,
        "file": unplaced.file.name,
        "verdict": Verdict.REJECTED.value,
        "fingerprint": unplaced.structure.fingerprint,
        "version": format_instant(unplaced.version),
        "size": unplaced.structure.size,
        "records": records_document(RecordCounts()),
        "errors": {fault.rule: 1},
        "warnings": {},
        "reason": fault.reason,
        "duplicate_of": None,
        "violations": [{**violation_document(violation), "remedy": remedy(None, fault.rule)}],
    }


def _show_unplaced(unplaced: Unplaced) -> None:
    out.print(
        f"[bold]{marked(unplaced.file)}[/]: [red]{Verdict.REJECTED}[/]: {marked(unplaced.fault.reason)}",
        highlight=False,
        soft_wrap=True,
    )


def _violations(validated: ValidatedFile) -> Iterator[Violation]:
    """Yield what is wrong with the whole file, then with its records."""
    report = validated.report
    fault = validated.fault
    records = iter(validated.faulty_records())
    first = next(records, None)
    for rule in {**report.errors, **report.warnings}:
        # An unterminated quote is a fault of the file and of its last record; the record is listed.
        if _is_about_the_file(rule) and (first is None or not rule.endswith("|unterminated_quote")):
            yield Violation(
                rule=rule,
                record=None,
                line=fault.line if fault else 1,
                column=None if rule.startswith("file|") else rule.partition("|")[0],
                reason=_reason(rule, report.reason),
            )
    if first is not None:
        yield from first.violations
    for record in records:
        yield from record.violations


def _is_about_the_file(rule: str) -> bool:
    return rule.startswith("file|") or rule.endswith(("|missing", "|extra_column"))


def _reason(rule: str, reason: str | None) -> str:
    if rule.endswith("|extra_column"):
        return "is not in the contract and stays out of the lake"
    if rule == "file|no_records":
        return "has a header but no record"
    return re.sub(r"^line [0-9]+: ", "", reason or "")


def _show(validated: ValidatedFile, contracts: AllContracts) -> None:
    report = validated.report
    colour = {Verdict.ACCEPTED: "green", Verdict.REJECTED: "red", Verdict.DUPLICATE: "yellow"}[report.verdict]
    out.print(
        f"[bold]{marked(report.key)}[/] ({report.dataset}): [{colour}]{report.verdict}[/], "
        f"{console.count(report.records.read, 'record')}{': ' + marked(report.reason) if report.reason else ''}",
        highlight=False,
        soft_wrap=True,
    )
    violations = _violations(validated)
    shown = list(islice(violations, _SHOWN))
    if shown:
        violation_output.show_violations(shown, contracts, report.dataset)
    if more := sum(1 for _ in violations):
        out.print(f"… and {more:,} more violations; --format json has all", highlight=False)
