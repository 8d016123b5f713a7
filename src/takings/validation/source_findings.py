"""Sum up what was found in a source's file: its own structure, and the rows of each dataset made of it. Pure.

In a report on the whole file a rule is named with its dataset: `orders.status|one_of`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from takings.contracts.model import Dataset
from takings.intake.arrivals import Arrival
from takings.validation.collecting import CHUNK, report_chunks
from takings.validation.findings import FaultyRecord, FileReport, Findings, MadeRows, RecordCounts, Verdict
from takings.validation.structure.values import Structure
from takings.validation.verdicts import report_on, worst_rules


def findings_of_structure(structure: Structure, broken: Callable[[], Iterator[FaultyRecord]]) -> Findings:
    """Return what is wrong with a file's structure, as an engine would find it."""
    errors: Counter[str] = Counter()
    per_chunk: dict[int, Counter[str]] = defaultdict(Counter)
    for record in broken():
        for violation in record.violations:
            errors[violation.rule] += 1
            per_chunk[record.record // CHUNK][violation.rule] += 1
    return Findings(
        read=structure.records,
        violating=structure.broken,
        identical_duplicates=0,
        errors=dict(errors),
        warnings={},
        chunks=report_chunks(structure.records, per_chunk, broken()),
        faulty_records=broken,
    )


def decide_verdict_of_source(arrival: Arrival, structure: Structure, found: Mapping[Dataset, Findings]) -> FileReport:
    """Decide about a source's file: one row that breaks an error rule refuses all of it, whatever the policy."""
    is_taken = not any(findings.errors for findings in found.values())
    records = structure.records
    counts = RecordCounts(read=records, accepted=records if is_taken else 0, rejected=0 if is_taken else records)
    verdict = Verdict.ACCEPTED if is_taken else Verdict.REJECTED
    warnings = _of_the_file({dataset: findings.warnings for dataset, findings in found.items()})
    return replace(
        report_on(arrival, structure.fingerprint, arrival.size, verdict, counts),
        errors=_of_the_file({dataset: findings.errors for dataset, findings in found.items()}),
        warnings=warnings if records else {**warnings, "file|no_records": 1},
        reason=None if is_taken else _reason(found),
        made={dataset: _made_rows(findings, is_taken=is_taken) for dataset, findings in found.items()},
    )


def in_dataset(dataset: Dataset, faulty: Iterator[FaultyRecord]) -> Iterator[FaultyRecord]:
    """Yield faulty rows with their rules and columns named with their dataset."""
    for record in faulty:
        violations = tuple(
            replace(
                violation,
                rule=f"{dataset}.{violation.rule}",
                column=None if violation.column is None else f"{dataset}.{violation.column}",
            )
            for violation in record.violations
        )
        yield replace(record, violations=violations)


def _of_the_file(counts: Mapping[Dataset, Mapping[str, int]]) -> dict[str, int]:
    return {f"{dataset}.{rule}": count for dataset, rules in counts.items() for rule, count in rules.items()}


def _made_rows(findings: Findings, *, is_taken: bool) -> MadeRows:
    copies = findings.identical_duplicates if is_taken else 0
    rejected = 0 if is_taken else findings.read
    return MadeRows(
        records=RecordCounts(
            read=findings.read,
            accepted=findings.read - rejected - copies,
            rejected=rejected,
            identical_duplicates=copies,
        ),
        errors=dict(findings.errors),
        warnings=dict(findings.warnings),
    )


def _reason(found: Mapping[Dataset, Findings]) -> str:
    """Name, per dataset, the most frequently broken rules, in one sentence."""
    parts = [
        f"{findings.violating:,} of {findings.read:,} rows of {dataset} break {worst_rules(findings)}"
        for dataset, findings in found.items()
        if findings.errors
    ]
    return "; ".join(parts)
