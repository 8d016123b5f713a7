"""Validate one file: structure, header, rows, verdict. The commands `run` and `validate` share this path."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from takings.contracts.model import Contracts, Dataset
from takings.intake.arrivals import Arrival
from takings.ports import ValidationEngine
from takings.validation.findings import no_faulty_records
from takings.validation.folders import contract_at
from takings.validation.header import check_header
from takings.validation.mended import check_mended
from takings.validation.recognition import explain, is_misread
from takings.validation.structure.values import Structure
from takings.validation.validated import ValidatedFile
from takings.validation.verdicts import Tolerance, decide_verdict, duplicate_report, unreadable_report


def validate_file(
    validation: ValidationEngine,
    contracts: Contracts,
    arrival: Arrival,
    path: Path,
    *,
    now: datetime,
    tolerance: Tolerance,
    workspace: Path,
    staged: Path,
    original_of: Callable[[Structure], str | None],
) -> ValidatedFile:
    """Validate the file at `path` and write its good rows to `staged`.

    `original_of` returns the key of the accepted file that a file with this structure copies, if there is one.
    """
    dataset = Dataset(arrival.dataset)
    contract = contracts[dataset]
    structure = validation.read_structure(path, workspace, contract.file)
    header = structure.header or ()
    contract = contract_at(contract, header, arrival.file)
    original = original_of(structure)
    fault = structure.fault or check_header(contract, header) or check_mended(contract, header)
    if original is not None:
        report = duplicate_report(arrival, structure.fingerprint, original)
        return ValidatedFile(report=report, structure=structure, chunks=(), faulty_records=lambda: iter(()))
    if fault is not None:
        fault = explain(fault, structure, contracts, dataset)
        return ValidatedFile(
            fault=fault,
            report=unreadable_report(arrival, structure, fault),
            structure=structure,
            chunks=(),
            faulty_records=no_faulty_records if is_misread(fault) else lambda: validation.broken_records(workspace),
        )
    findings = validation.validate(path, structure, contract, now=now, workspace=workspace, staged=staged)
    return ValidatedFile(
        report=decide_verdict(arrival, structure.fingerprint, findings, tolerance.judging(contract)),
        structure=structure,
        chunks=findings.chunks,
        faulty_records=findings.faulty_records,
    )
