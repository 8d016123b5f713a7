"""Read small files ahead, many at once, because an engine's pass costs more than their rows.

If the process dies meanwhile, nobody knows which file killed it. So none becomes a suspect, and the next attempt reads each
file alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from takings.contracts.file_format import USUAL, FileFormat
from takings.contracts.model import Contract, Contracts, Dataset
from takings.intake.arrivals import Arrival
from takings.ports import ScannedFile, ValidationEngine
from takings.validation.collecting import CHUNK
from takings.validation.findings import FaultyRecord, Findings
from takings.validation.folders import contract_at, folders_at
from takings.validation.header import check_header
from takings.validation.structure.values import Structure

#: the rows of a larger file cost as much as its pass
SMALL: Final = 64 << 10
#: fewer small files are not worth it; read alone, a file that kills its reader is found sooner
FEWEST: Final = 16
#: at most this many files, of this many bytes, are in memory at once
MOST: Final = 250
MOST_BYTES: Final = 1 << 20


def small_files(
    arrivals: Sequence[Arrival], first: int, is_suspected: Callable[[Arrival], bool]
) -> tuple[list[int], int]:
    """Return the places of the next small files to read together, and the place after them; no places if they are few."""
    small: list[int] = []
    end, size = first, 0
    while end < len(arrivals) and len(small) < MOST and size < MOST_BYTES:
        is_of_one_dataset = isinstance(arrivals[end].dataset, Dataset)
        if is_of_one_dataset and arrivals[end].size <= SMALL and not is_suspected(arrivals[end]):
            small.append(end)
            size += arrivals[end].size
        end += 1
    return (small if len(small) >= FEWEST else []), end


@dataclass(frozen=True, kw_only=True)
class SmallFile:
    """A file to be read ahead."""

    dataset: Dataset
    #: the key after raw-data/<prefix>/
    file: str
    path: Path
    workspace: Path
    staged: Path


@dataclass(frozen=True)
class ReadingAhead:
    """A validation engine that has already read some of the files it will be asked about."""

    engine: ValidationEngine
    contracts: Contracts
    #: by workspace
    _structures: dict[Path, Structure] = field(default_factory=dict)
    _findings: dict[Path, Findings] = field(default_factory=dict)

    def read(self, files: Sequence[SmallFile], *, now: datetime, workspace: Path) -> None:
        """Read files ahead, and forget the earlier ones."""
        self._structures.clear()
        self._findings.clear()
        alike: dict[Hashable, list[tuple[ScannedFile, Contract]]] = defaultdict(list)
        for file in files:
            contract = self.contracts[file.dataset]
            structure = self.engine.read_structure(file.path, file.workspace, contract.file)
            self._structures[file.workspace] = structure
            header = structure.header or ()
            folders = tuple(folders_at(contract, file.file))
            contract = contract_at(contract, header, file.file)
            is_sound = structure.fault is None and check_header(contract, header) is None
            if is_sound and structure.records <= CHUNK:
                scanned = ScannedFile(path=file.path, structure=structure, workspace=file.workspace, staged=file.staged)
                alike[file.dataset, structure.format, header, folders].append((scanned, contract))
        for group in alike.values():
            same, contract = [scanned for scanned, _ in group], group[0][1]
            found = self.engine.validate_together(same, contract, now=now, workspace=workspace)
            self._findings.update(
                {file.workspace: findings for file, findings in zip(same, found, strict=True) if findings is not None}
            )

    def knows(self, workspace: Path) -> bool:
        """Return whether everything about a file is known, so that it is not read again."""
        return workspace in self._findings

    def read_structure(self, path: Path, workspace: Path, file: FileFormat = USUAL) -> Structure:
        """Return the structure of a file."""
        return self._structures.get(workspace) or self.engine.read_structure(path, workspace, file)

    def broken_records(self, workspace: Path) -> Iterator[FaultyRecord]:
        """Yield the broken records that `read_structure` found, in the order of the file."""
        return self.engine.broken_records(workspace)

    def validate(
        self, path: Path, structure: Structure, contract: Contract, *, now: datetime, workspace: Path, staged: Path
    ) -> Findings:
        """Return the findings on every sound record of a file."""
        known = self._findings.get(workspace)
        if known is not None:
            return known
        return self.engine.validate(path, structure, contract, now=now, workspace=workspace, staged=staged)

    def validate_together(
        self, files: Sequence[ScannedFile], contract: Contract, *, now: datetime, workspace: Path
    ) -> Sequence[Findings | None]:
        """Validate small files with the same header at once."""
        return self.engine.validate_together(files, contract, now=now, workspace=workspace)
