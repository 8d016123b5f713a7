"""Read files ahead: small ones many at once, because an engine's pass costs more than their rows; others side by side.

If the process dies meanwhile, nobody knows which file killed it. So none becomes a suspect, and the next attempt reads each
file alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
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
from takings.validation.mended import check_mended
from takings.validation.structure.values import Structure
from takings.workers import Workers

#: the rows of a larger file cost as much as its pass
SMALL: Final = 64 << 10
#: fewer small files are not worth it; read alone, a file that kills its reader is found sooner
FEWEST: Final = 16
#: at most this many files are read ahead in one round; small ones together have at most so many bytes
MOST: Final = 250
MOST_BYTES: Final = 1 << 20
#: files smaller than this in all are read sooner alone than by threads
WORTH_THREADS: Final = 4 << 20


@dataclass(frozen=True, kw_only=True)
class Round:
    """The next files of a batch, by their places, and how they are read."""

    #: one pass reads all of these
    together: tuple[int, ...]
    #: a thread reads each of these
    side_by_side: tuple[int, ...]
    #: the place after the round
    end: int


def next_round(
    arrivals: Sequence[Arrival], first: int, is_suspected: Callable[[Arrival], bool], *, workers: int
) -> Round:
    """Return the next files to read ahead; all others of the round are to be read alone."""
    small: list[int] = []
    large: list[int] = []
    end, size = first, 0
    while end < len(arrivals) and len(small) + len(large) < MOST and size < MOST_BYTES:
        arrival = arrivals[end]
        if isinstance(arrival.dataset, Dataset) and not is_suspected(arrival):
            if arrival.size <= SMALL:
                small.append(end)
                size += arrival.size
            else:
                large.append(end)
        end += 1
    is_worth_it = workers > 1 and len(large) > 1 and sum(arrivals[place].size for place in large) >= WORTH_THREADS
    return Round(
        together=tuple(small) if len(small) >= FEWEST else (),
        side_by_side=tuple(large) if is_worth_it else (),
        end=end,
    )


@dataclass(frozen=True, kw_only=True)
class FileAhead:
    """A file to be read ahead."""

    dataset: Dataset
    #: the key after raw-data/<prefix>/
    file: str
    workspace: Path
    staged: Path
    #: returns the path of its bytes; None where it cannot be read: the error is raised again when its turn comes
    fetch: Callable[[], Path | None]


@dataclass
class ReadingAhead:
    """A validation engine that reads some of the files ahead which it will be asked about."""

    engine: ValidationEngine
    contracts: Contracts
    now: datetime
    threads: Workers
    #: by workspace
    _structures: dict[Path, Structure] = field(default_factory=dict)
    _findings: dict[Path, Findings] = field(default_factory=dict)
    _futures: dict[Path, Future[None]] = field(default_factory=dict)

    def read(self, together: Sequence[FileAhead], side_by_side: Sequence[FileAhead], workspace: Path) -> Sequence[str]:
        """Begin to read files ahead, and forget the earlier ones; return the fingerprints that are known by then."""
        self.finish()
        self._structures.clear()
        self._findings.clear()
        self._futures.clear()
        self._read_together(together, workspace)
        # From now on threads add to them.
        known = [structure.fingerprint for structure in self._structures.values()]
        self._futures.update({file.workspace: self.threads.begin(partial(self._read, file)) for file in side_by_side})
        return known

    def finish(self) -> None:
        """Wait until nothing is read ahead any more."""
        for workspace in self._futures:
            self._wait_for(workspace)

    def knows(self, workspace: Path) -> bool:
        """Return whether a file is read ahead; wait until that is done."""
        self._wait_for(workspace)
        return workspace in self._findings

    def _wait_for(self, workspace: Path) -> None:
        """Wait for a file; raise again what its reading raised."""
        if (future := self._futures.get(workspace)) is not None:
            self.threads.result(future)

    def _read_together(self, files: Sequence[FileAhead], workspace: Path) -> None:
        alike: dict[Hashable, list[tuple[ScannedFile, Contract]]] = defaultdict(list)
        for file in files:
            scanned = self._scan(file)
            if scanned is not None and scanned[0].structure.records <= CHUNK:
                structure = scanned[0].structure
                folders = tuple(folders_at(self.contracts[file.dataset], file.file))
                alike[file.dataset, structure.format, structure.header, folders].append(scanned)
        for group in alike.values():
            same, contract = [scanned for scanned, _ in group], group[0][1]
            found = self.engine.validate_together(same, contract, now=self.now, workspace=workspace)
            self._findings.update(
                {file.workspace: findings for file, findings in zip(same, found, strict=True) if findings is not None}
            )

    def _read(self, file: FileAhead) -> None:
        scanned = self._scan(file)
        if scanned is not None:
            found, contract = scanned
            self._findings[file.workspace] = self.engine.validate(
                found.path,
                found.structure,
                contract,
                now=self.now,
                workspace=file.workspace,
                staged=file.staged,
            )

    def _scan(self, file: FileAhead) -> tuple[ScannedFile, Contract] | None:
        """Read a file's structure; return the file with its contract if its records can be validated."""
        self.threads.check_wanted()
        path = file.fetch()
        if path is None:
            return None
        contract = self.contracts[file.dataset]
        structure = self.engine.read_structure(path, file.workspace, contract.file, self.threads.check_wanted)
        self._structures[file.workspace] = structure
        header = structure.header or ()
        contract = contract_at(contract, header, file.file)
        if structure.fault or check_header(contract, header) or check_mended(contract, header):
            return None
        return ScannedFile(path=path, structure=structure, workspace=file.workspace, staged=file.staged), contract

    def read_structure(
        self, path: Path, workspace: Path, file: FileFormat = USUAL, on_block: Callable[[], None] = lambda: None
    ) -> Structure:
        """Return the structure of a file."""
        return self._structures.get(workspace) or self.engine.read_structure(path, workspace, file, on_block)

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

    @property
    def workers(self) -> int:
        """Return how many files the engine reads side by side."""
        return self.engine.workers

    def interrupt(self) -> None:
        """Break off what the engine does in other threads."""
        self.engine.interrupt()
