"""Render validation's documents: chunk and file reports, verdicts, and the reasons next to a failed file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from takings.contracts.datasets import Dataset, kind_of
from takings.documents import VIOLATION, damaged, parse_document
from takings.layout import BatchId, format_instant, parse_instant
from takings.validation.findings import (
    ChunkReport,
    FaultyRecord,
    FileReport,
    MadeRows,
    RecordCounts,
    Verdict,
    Violation,
)

SCHEMA_VERSION = 1


def chunk_document(report: ChunkReport) -> dict[str, Any]:
    """Return the content of chunk-00000.json."""
    return {
        "schema_version": SCHEMA_VERSION,
        "chunk": report.chunk,
        "first_record": report.first_record,
        "records": report.records,
        "violations": dict(report.counts),
        "samples": [violation_document(violation) for violation in report.samples],
    }


def violation_document(violation: Violation) -> dict[str, Any]:
    """Return one violation as reports have it."""
    return {
        "rule": violation.rule,
        "record": violation.record,
        "line": violation.line,
        "column": violation.column,
        "reason": violation.reason,
        "shape": violation.shape,
    }


def file_document(report: FileReport) -> dict[str, Any]:
    """Return a file's report, as in summary.json and verdicts.json."""
    return {
        "key": report.key,
        "dataset": report.dataset.value,
        "file": report.file,
        "verdict": report.verdict.value,
        "fingerprint": report.fingerprint,
        "version": format_instant(report.version),
        "size": report.size,
        "records": records_document(report.records),
        "errors": dict(sorted(report.errors.items())),
        "warnings": dict(sorted(report.warnings.items())),
        "reason": report.reason,
        "duplicate_of": report.duplicate_of,
        **({"datasets": made_document(report.made)} if report.made else {}),
    }


def made_document(made: Mapping[Dataset, MadeRows]) -> dict[str, Any]:
    """Return what a source's file yielded, per dataset."""
    return {
        dataset.value: {
            "records": records_document(rows.records),
            "errors": dict(sorted(rows.errors.items())),
            "warnings": dict(sorted(rows.warnings.items())),
        }
        for dataset, rows in made.items()
    }


def records_document(records: RecordCounts) -> dict[str, int]:
    """Return a file's row accounting."""
    return {
        "read": records.read,
        "accepted": records.accepted,
        "rejected": records.rejected,
        "identical_duplicates": records.identical_duplicates,
    }


def verdicts_document(
    batch_id: BatchId, reports: Sequence[FileReport], returned: Sequence[str], unread: Mapping[str, str]
) -> dict[str, Any]:
    """Return the content of verdicts.json; `returned` are keys whose bytes were not read, `unread` those that could not be."""
    return {
        "schema_version": SCHEMA_VERSION,
        "batch_id": batch_id,
        "files": [file_document(report) for report in reports],
        "returned": list(returned),
        "unread": dict(unread),
    }


def read_file_report(document: Mapping[str, Any]) -> FileReport:
    """Read what `file_document` wrote."""
    return FileReport(
        key=document["key"],
        dataset=kind_of(document["dataset"]),
        file=document["file"],
        verdict=Verdict(document["verdict"]),
        fingerprint=document["fingerprint"],
        version=parse_instant(document["version"]),
        size=document["size"],
        records=RecordCounts(**document["records"]),
        errors=document["errors"],
        warnings=document["warnings"],
        reason=document["reason"],
        duplicate_of=document["duplicate_of"],
        made={
            Dataset(name): MadeRows(
                records=RecordCounts(**rows["records"]), errors=rows["errors"], warnings=rows["warnings"]
            )
            for name, rows in document.get("datasets", {}).items()
        },
    )


def reason_lines(report: FileReport, faulty: Iterable[FaultyRecord]) -> Iterator[str]:
    """Yield the text of <file>.reason.json piece by piece: the report, then every violation with its line."""
    head = json.dumps({"schema_version": SCHEMA_VERSION, **file_document(report)}, indent=1, ensure_ascii=False)
    yield head.removesuffix("\n}") + ',\n "violations": ['
    separator = "\n  "
    for violation in (violation for record in faulty for violation in record.violations):
        yield separator + json.dumps(violation_document(violation), ensure_ascii=False)
        separator = ",\n  "
    yield "\n ]\n}\n"


def violations_in(lines: Iterable[str], key: str) -> Iterator[dict[str, Any]]:
    """Yield the violations of a <file>.reason.json from its lines, without holding all of it in memory.

    Raise CorruptState if one of them is damaged, or if the document ends too early.
    """
    line = ""
    is_among_them = False
    for line in lines:
        if is_among_them and line.startswith("  {"):
            yield parse_document(line.strip().removesuffix(","), key, VIOLATION)
        is_among_them = is_among_them or line.startswith(' "violations": [')
    if line.rstrip("\n") != "}":
        raise damaged(key, VIOLATION, "it ends too early")
