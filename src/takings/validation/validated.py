"""Describe what the validation of one file made: its report, and what the report was decided from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from takings.contracts.datasets import Dataset
from takings.validation.findings import ChunkReport, FaultyRecord, FileReport
from takings.validation.structure.values import FileFault, Structure


@dataclass(frozen=True, kw_only=True)
class ValidatedFile:
    """What was found in a file, and its verdict."""

    report: FileReport
    structure: Structure
    chunks: tuple[ChunkReport, ...]
    #: for a source's file: of the rows of each dataset that were made
    made_chunks: Mapping[Dataset, tuple[ChunkReport, ...]] = field(default_factory=dict)
    #: why the whole file is refused, where its records could not be checked
    fault: FileFault | None = None
    #: every faulty record in the order of the file; may be called again until the next file is validated
    faulty_records: Callable[[], Iterator[FaultyRecord]]
