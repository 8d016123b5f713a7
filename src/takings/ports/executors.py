"""Define what validates files in other processes than the one that runs the batch, such as those of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from takings.contracts.model import Contracts, Dataset
from takings.contracts.sources import Source
from takings.intake.arrivals import Arrival
from takings.layout import BatchId
from takings.validation.validated import ValidatedFile
from takings.validation.verdicts import Tolerance


@dataclass(frozen=True, kw_only=True)
class FileToValidate:
    """A file of a batch, with everything besides its bytes that its findings depend on; another process can be sent it."""

    batch_id: BatchId
    #: its place in the batch
    place: int
    arrival: Arrival
    contracts: Contracts
    #: for a source's file
    source: Source | None
    #: "now" for every rule
    now: datetime
    tolerance: Tolerance


class Executors(Protocol):
    """What validates files in other processes, several at a time."""

    def begin(self) -> int:
        """Begin what the processes need, in the main thread; return how many files may be asked for at once.

        May be repeated, and has to be before each batch. MachineryError where there are none.
        """

    def validate(self, file: FileToValidate, staged: Mapping[Dataset, Path]) -> Callable[[], ValidatedFile] | None:
        """Validate a file, and stage its good rows at `staged`, here or where the store shares them.

        Return what reads the findings: they stay compressed until then. None where the file's bytes were overwritten before
        they were read. UnreadableFile where it cannot be read; ReaderDied where each process that read it died. Called in a
        thread. May be repeated, with the same outcome.
        """

    def interrupt(self) -> None:
        """Break off validations that other threads wait for, which get an exception. Repeat it until they have ended."""
