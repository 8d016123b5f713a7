"""Decide a file's verdict: apply the policy to the findings. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final

from takings.contracts.model import Contract
from takings.intake.arrivals import Arrival
from takings.validation.findings import FileReport, Findings, MadeRows, RecordCounts, Verdict
from takings.validation.structure.values import FileFault, Structure


class RejectionPolicy(StrEnum):
    """What a violation of severity error does."""

    #: it refuses its file; the batch's other files go on
    FILE = "file"
    #: it refuses every file of its batch, and so does an orphan without a parent in batch or lake
    STRICT = "strict"
    #: it sets its row aside, up to a share of the file
    ROW = "row"


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How much of a file may be bad."""

    policy: RejectionPolicy
    #: under policy "row": the largest share of a file's records that may be set aside, in percent
    max_rejected: Decimal

    def judging(self, contract: Contract) -> Tolerance:
        """Return the tolerance for files under this contract: one with part of a delivery would replace a complete one."""
        is_whole = contract.replaces is not None and self.policy is RejectionPolicy.ROW
        return replace(self, policy=RejectionPolicy.FILE) if is_whole else self

    def allows(self, findings: Findings) -> bool:
        """Return whether the file is taken, with or without its bad rows."""
        if not findings.errors:
            return True
        is_about_rows = findings.violating > 0
        share_is_small = 100 * findings.violating <= self.max_rejected * findings.read
        return self.policy is RejectionPolicy.ROW and is_about_rows and share_is_small


#: how a source's file is judged, whatever the policy
FILE_BY_FILE: Final = Tolerance(policy=RejectionPolicy.FILE, max_rejected=Decimal(0))


def duplicate_report(arrival: Arrival, fingerprint: str, original: str) -> FileReport:
    """Report a file whose bytes were accepted before; none of its records counts again."""
    return replace(
        report_on(arrival, fingerprint, arrival.size, Verdict.DUPLICATE, RecordCounts()),
        reason=f"same bytes as {original}, which was accepted before",
        duplicate_of=original,
    )


def unreadable_report(arrival: Arrival, structure: Structure, fault: FileFault) -> FileReport:
    """Refuse a file whose records cannot be separated."""
    counts = RecordCounts(read=structure.records, rejected=structure.records)
    return replace(
        report_on(arrival, structure.fingerprint, structure.size, Verdict.REJECTED, counts),
        errors={fault.rule: 1},
        reason=fault.reason
        if fault.line is None or f"line {fault.line}" in fault.reason
        else f"line {fault.line}: {fault.reason}",
    )


def unread_report(arrival: Arrival, fingerprint: str, deaths: int) -> FileReport:
    """Refuse a file because a process died each time it was read."""
    return replace(
        report_on(arrival, fingerprint, arrival.size, Verdict.REJECTED, RecordCounts()),
        errors={"file|kills_reader": 1},
        reason=f"reading it killed the process {deaths} times, the last time alone. It was not read again.",
    )


def decide_verdict(arrival: Arrival, fingerprint: str, findings: Findings, tolerance: Tolerance) -> FileReport:
    """Apply the policy to the findings in a readable file."""
    is_taken = tolerance.allows(findings)
    rejected = findings.violating if is_taken else findings.read
    copies = findings.identical_duplicates if is_taken else 0
    counts = RecordCounts(
        read=findings.read, accepted=findings.read - rejected - copies, rejected=rejected, identical_duplicates=copies
    )
    return replace(
        report_on(arrival, fingerprint, arrival.size, Verdict.ACCEPTED if is_taken else Verdict.REJECTED, counts),
        errors=dict(findings.errors),
        warnings=dict(findings.warnings),
        reason=summarise(findings, tolerance) if findings.errors else None,
    )


def fail_batch(reports: Sequence[FileReport], cause: str) -> tuple[FileReport, ...]:
    """Refuse every file of a batch under policy "strict"."""
    return tuple(
        report
        if report.verdict is Verdict.REJECTED
        else replace(
            report,
            verdict=Verdict.REJECTED,
            records=RecordCounts(read=report.records.read, rejected=report.records.read),
            reason=f'policy "strict" refuses the whole batch: {cause}',
            duplicate_of=None,
            made={dataset: _refused(rows) for dataset, rows in report.made.items()},
        )
        for report in reports
    )


def _refused(rows: MadeRows) -> MadeRows:
    return replace(rows, records=RecordCounts(read=rows.records.read, rejected=rows.records.read))


def summarise(findings: Findings, tolerance: Tolerance) -> str:
    """Name the most frequently broken rules, in one sentence."""
    named = worst_rules(findings)
    if not findings.violating:
        return f"the file breaks {named}"
    limit = ""
    if tolerance.policy is RejectionPolicy.ROW:
        limit = (
            "; they are in quarantine" if tolerance.allows(findings) else f"; at most {tolerance.max_rejected} % may"
        )
    return f"{findings.violating:,} of {findings.read:,} records break {named}{limit}"


def worst_rules(findings: Findings) -> str:
    """Name the most frequently broken rules and how many records break each."""
    worst = sorted(findings.errors.items(), key=lambda pair: (-pair[1], pair[0]))
    named = ", ".join(f"{rule} ({count:,})" for rule, count in worst[:3])
    more = len(worst) - 3
    return named + (f" and {more} more rule{'s' if more > 1 else ''}" if more > 0 else "")


def report_on(arrival: Arrival, fingerprint: str, size: int, verdict: Verdict, records: RecordCounts) -> FileReport:
    """Return the bare report on an arrival."""
    return FileReport(
        key=arrival.key,
        dataset=arrival.dataset,
        file=arrival.file,
        verdict=verdict,
        fingerprint=fingerprint,
        version=arrival.version,
        size=size,
        records=records,
    )
