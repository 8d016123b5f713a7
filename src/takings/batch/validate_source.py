"""Validate a source's file: structure, header, the rows that its SQL makes, and one verdict on the whole file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import merge
from pathlib import Path

from takings.contracts.model import Contracts, Dataset
from takings.contracts.sources import Source
from takings.intake.arrivals import Arrival
from takings.ports import MadeFile, SourceEngine, ValidationEngine
from takings.validation.findings import FaultyRecord, Findings, no_faulty_records
from takings.validation.folders import contract_at
from takings.validation.recognition import is_misread
from takings.validation.source_columns import check_columns, made_contract
from takings.validation.source_findings import decide_verdict_of_source, findings_of_structure, in_dataset
from takings.validation.structure.values import FileFault, Structure
from takings.validation.validated import ValidatedFile
from takings.validation.verdicts import FILE_BY_FILE, decide_verdict, duplicate_report, unreadable_report


@dataclass(frozen=True, kw_only=True)
class SourceReader:
    """What reads the files of a source."""

    validation: ValidationEngine
    engine: SourceEngine
    contracts: Contracts
    source: Source
    #: "now" for every rule
    now: datetime

    def validate(
        self,
        arrival: Arrival,
        path: Path,
        *,
        workspace: Path,
        staged: Mapping[Dataset, Path],
        original_of: Callable[[Structure], str | None],
    ) -> ValidatedFile:
        """Validate a file whose bytes lie at `path`; the good rows of each dataset are written to its path of `staged`.

        `original_of` returns the key of the accepted file that a file with this structure copies, if there is one.
        """
        structure = self.validation.read_structure(path, workspace, self.source.file)
        original = original_of(structure)
        if original is not None:
            report = duplicate_report(arrival, structure.fingerprint, original)
            return ValidatedFile(report=report, structure=structure, chunks=(), faulty_records=no_faulty_records)
        fault = structure.fault or check_columns(self.source, structure.header or ())
        if fault is None and structure.broken:
            return self._broken(arrival, structure, workspace)
        made = fault or self.engine.make(path, structure, self.source, workspace)
        if isinstance(made, FileFault):
            return self._unreadable(arrival, structure, made, workspace)
        return self._judge(arrival, path, structure, made, staged)

    def _broken(self, arrival: Arrival, structure: Structure, workspace: Path) -> ValidatedFile:
        """Refuse a file with records that cannot be rows: nothing is made of the others."""
        findings = findings_of_structure(structure, lambda: self.validation.broken_records(workspace))
        return ValidatedFile(
            report=decide_verdict(arrival, structure.fingerprint, findings, FILE_BY_FILE),
            structure=structure,
            chunks=findings.chunks,
            faulty_records=findings.faulty_records,
        )

    def _unreadable(self, arrival: Arrival, structure: Structure, fault: FileFault, workspace: Path) -> ValidatedFile:
        records = no_faulty_records if is_misread(fault) else lambda: self.validation.broken_records(workspace)
        return ValidatedFile(
            fault=fault,
            report=unreadable_report(arrival, structure, fault),
            structure=structure,
            chunks=(),
            faulty_records=records,
        )

    def _judge(
        self,
        arrival: Arrival,
        path: Path,
        structure: Structure,
        made: tuple[MadeFile, ...],
        staged: Mapping[Dataset, Path],
    ) -> ValidatedFile:
        """Check each dataset's rows by its contract, and decide about the file as a whole."""
        found = {each.dataset: self._check(arrival, path, each, staged[each.dataset]) for each in made}
        return ValidatedFile(
            report=decide_verdict_of_source(arrival, structure, found),
            structure=structure,
            chunks=(),
            made_chunks={dataset: findings.chunks for dataset, findings in found.items()},
            faulty_records=lambda: _in_order_of_lines(found),
        )

    def _check(self, arrival: Arrival, path: Path, made: MadeFile, staged: Path) -> Findings:
        contract = made_contract(self.source, self.contracts[made.dataset])
        contract = contract_at(contract, made.structure.header or (), arrival.file)
        findings = self.validation.validate(
            path, made.structure, contract, now=self.now, workspace=made.workspace, staged=staged
        )
        # A file of orders alone yields no product, and that is nothing to warn of.
        warnings = {rule: count for rule, count in findings.warnings.items() if rule != "file|no_records"}
        return replace(findings, warnings=warnings)


def _in_order_of_lines(found: Mapping[Dataset, Findings]) -> Iterator[FaultyRecord]:
    """Yield the faulty rows of every dataset by the line of the file from which they were made."""
    return merge(
        *(in_dataset(dataset, findings.faulty_records()) for dataset, findings in found.items()),
        key=lambda record: record.line,
    )
