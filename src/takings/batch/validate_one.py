"""Validate one file of a batch, in whatever process: the commands that run a batch and a cluster's executors share this."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from takings.batch.validate_file import validate_file
from takings.batch.validate_source import SourceReader
from takings.contracts.model import Dataset
from takings.ports import FileToValidate, SourceEngine, ValidationEngine
from takings.validation.structure.values import Structure
from takings.validation.validated import ValidatedFile


def no_original(_: Structure) -> None:
    """Say that a file is no copy, where that is decided elsewhere or known."""


def validate_one(
    file: FileToValidate,
    engine: ValidationEngine,
    sources: SourceEngine,
    path: Path,
    *,
    workspace: Path,
    staged: Mapping[Dataset, Path],
    original_of: Callable[[Structure], str | None] = no_original,
) -> ValidatedFile:
    """Validate a file, whose bytes lie at `path`, as its manifest says, and stage its good rows at `staged`."""
    if file.source is not None:
        reader = SourceReader(
            validation=engine, engine=sources, contracts=file.contracts, source=file.source, now=file.now
        )
        return reader.validate(file.arrival, path, workspace=workspace, staged=staged, original_of=original_of)
    return validate_file(
        engine,
        file.contracts,
        file.arrival,
        path,
        now=file.now,
        tolerance=file.tolerance,
        workspace=workspace,
        staged=staged[Dataset(file.arrival.dataset)],
        original_of=original_of,
    )
