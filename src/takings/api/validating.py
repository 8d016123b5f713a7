"""Validate files as a batch would, without writing anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from takings.composition.dry_runs import Unplaced, open_dry_run
from takings.contracts.datasets import Dataset, DropKind
from takings.contracts.model import Contracts
from takings.errors import UnknownThing, UnreadableFile, UsageError
from takings.layout import format_instant
from takings.validation.findings import Finding, RecordCounts, Verdict, Violation
from takings.validation.remedies import remedy, remedy_in
from takings.validation.reports import made_document, records_document, violation_document
from takings.validation.validated import ValidatedFile

#: enough for a person and for a program that reports them; a broken export may have millions
MOST_VIOLATIONS: Final = 1000

Files = str | Path | Sequence[str | Path]


@dataclass(frozen=True, kw_only=True)
class FileFindings:
    """What was found in a file, and its verdict.

    >>> import takings
    >>> (found,) = takings.validate("bad.csv", dataset="orders")
    >>> found.verdict.value, found.records.read, found.errors
    ('rejected', 2, {'num_of_item|at_least': 1})
    >>> [(each.line, each.column, each.remedy) for each in found.violations]
    [(3, 'num_of_item', 'the value must be at least 1')]
    """

    #: the file as it was named
    key: str
    #: None where nobody can tell
    dataset: DropKind | None
    #: its name, with the folders that its contract uses
    file: str
    verdict: Verdict
    #: SHA-256 of the bytes
    fingerprint: str
    #: when the bytes were written
    version: datetime
    #: bytes
    size: int
    records: RecordCounts
    #: rule -> how many records break it
    errors: Mapping[str, int]
    warnings: Mapping[str, int]
    #: one sentence for people; None if a batch would take the file without remark
    reason: str | None
    #: for a duplicate: the key of the accepted file that it copies
    duplicate_of: str | None
    #: faults of the whole file, then of its records in the order of the file; as many as were asked for
    violations: tuple[Finding, ...]
    #: how many there are
    violations_in_all: int
    #: of a source's file: what was found in the rows that it yields, per dataset
    made: Mapping[str, Any]

    @property
    def is_refused(self) -> bool:
        """Return whether a batch would refuse the file, or one of its records."""
        return self.verdict is Verdict.REJECTED or self.records.rejected > 0

    def to_json(self) -> dict[str, Any]:
        """Return it as `takings validate --format json` prints it (validate.schema.json, below `files`).

        >>> import takings
        >>> takings.validate("bad.csv", dataset="orders")[0].to_json()["verdict"]
        'rejected'
        """
        return {
            "key": self.key,
            "dataset": None if self.dataset is None else self.dataset.value,
            "file": self.file,
            "verdict": self.verdict.value,
            "fingerprint": self.fingerprint,
            "version": format_instant(self.version),
            "size": self.size,
            "records": records_document(self.records),
            "errors": dict(sorted(self.errors.items())),
            "warnings": dict(sorted(self.warnings.items())),
            "reason": self.reason,
            "duplicate_of": self.duplicate_of,
            **({"datasets": dict(self.made)} if self.made else {}),
            "violations": [{**violation_document(found), "remedy": found.remedy} for found in self.violations],
        }


def validate(
    files: Files,
    *,
    dataset: Dataset | str | None = None,
    store: str | Path | None = None,
    most: int | None = MOST_VIOLATIONS,
    **settings: Any,  # noqa: ANN401 - each setting has its own type
) -> tuple[FileFindings, ...]:
    """Validate files as a batch would, on the same code, and write nothing.

    `dataset` is what the files are of; by default, their folder or header tells. `store` has them validated with that store's
    settings, and finds copies of its files. `most` limits the violations that are kept per file; all are counted. `settings`
    are those of docs/settings.md.

    A bad file is a verdict, not an error. UnknownThing where a file or the store does not exist, UnreadableFile where the
    system refuses to read a file, UsageError where neither folder nor header tells a file's dataset, ContractError and
    SettingsError where contracts or settings cannot be used.

    >>> import takings
    >>> [found.verdict.value for found in takings.validate(["bad.csv", "good.csv"], dataset="orders")]
    ['rejected', 'accepted']
    """
    named = [files] if isinstance(files, str | Path) else files
    paths = [Path(file) for file in named]
    for path in paths:
        if (trouble := trouble_with(path)) is not None:
            raise UnreadableFile(f"{path}: it cannot be read: {trouble}. Change its permissions, or check its disk.")
    return tuple(each_validated(paths, dataset, store, most=most, settings=settings))


def trouble_with(file: Path) -> str | None:
    """Return why the system does not let a file be read, if so; UnknownThing where there is no such file."""
    if not file.is_file():
        raise UnknownThing(f"{file} is not a file.")
    try:
        with file.open("rb") as content:
            content.read(1)
    except OSError as refused:
        return refused.strerror or str(refused)
    return None


def each_validated(
    files: Sequence[Path],
    dataset: Dataset | str | None,
    store: str | Path | None,
    *,
    most: int | None,
    settings: Mapping[str, Any],
) -> Iterator[FileFindings]:
    """Validate readable files one after the other."""
    dry_run = open_dry_run(store, settings)
    for validated in dry_run.validate(files, None if dataset is None else _dataset(dataset)):
        if isinstance(validated, Unplaced):
            yield _of_unplaced(validated)
        else:
            yield _of_placed(validated, dry_run.contracts, most)


def _dataset(name: Dataset | str) -> Dataset:
    try:
        return Dataset(name)
    except ValueError as unknown:
        raise UsageError(f"there is no dataset '{name}'. Write one of {', '.join(Dataset)}.") from unknown


def _of_placed(validated: ValidatedFile, contracts: Contracts, most: int | None) -> FileFindings:
    report = validated.report
    violations = _violations(validated)
    kept = tuple(
        Finding.advised(violation, remedy_in(contracts, report.dataset, violation.rule))
        for violation in islice(violations, most)
    )
    return FileFindings(
        key=report.key,
        dataset=report.dataset,
        file=report.file,
        verdict=report.verdict,
        fingerprint=report.fingerprint,
        version=report.version,
        size=report.size,
        records=report.records,
        errors=report.errors,
        warnings=report.warnings,
        reason=report.reason,
        duplicate_of=report.duplicate_of,
        violations=kept,
        violations_in_all=len(kept) + sum(1 for _ in violations),
        made=made_document(report.made),
    )


def _of_unplaced(unplaced: Unplaced) -> FileFindings:
    """Return what was found in a file of an unknown dataset."""
    fault = unplaced.fault
    violation = Violation(
        rule=fault.rule, record=None, line=fault.line, column=None, reason=_reason(fault.rule, fault.reason)
    )
    return FileFindings(
        key=str(unplaced.file),
        dataset=None,
        file=unplaced.file.name,
        verdict=Verdict.REJECTED,
        fingerprint=unplaced.structure.fingerprint,
        version=unplaced.version,
        size=unplaced.structure.size,
        records=RecordCounts(),
        errors={fault.rule: 1},
        warnings={},
        reason=fault.reason,
        duplicate_of=None,
        violations=(Finding.advised(violation, remedy(None, fault.rule)),),
        violations_in_all=1,
        made={},
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
