"""Let executors validate a batch's files, all at once; what follows from the findings is decided here, in the manifest's order.

This process reads no file itself, so the gate names none that it might die of. An executor that dies is another matter: while
several files are read, nobody knows which one killed it, so each of those that it took along is tried once more, alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from takings.batch.claim import Claim
from takings.batch.reading_here import Reader
from takings.batch.staging import file_to_validate, staged_paths
from takings.errors import ReaderDied
from takings.ports import Executors
from takings.validation.findings import no_faulty_records
from takings.validation.structure.values import Structure
from takings.validation.validated import ValidatedFile
from takings.validation.verdicts import duplicate_report
from takings.workers import Workers

#: what reads a file's findings; None where there are none
_Findings = Callable[[], ValidatedFile] | None


@contextmanager
def reading_elsewhere(claim: Claim) -> Iterator[Reader]:
    """Read the batch's files with executors."""
    executors = claim.ports.executors
    assert executors is not None
    with Workers(executors.begin(), executors.interrupt) as threads:
        yield _ReadingElsewhere(claim=claim, executors=executors, threads=threads)


@dataclass(kw_only=True)
class _ReadingElsewhere:
    """Reads files by executors, each of which a thread waits for."""

    claim: Claim
    executors: Executors
    threads: Workers
    #: by place, the files that were begun together and are not decided yet
    _begun: dict[int, Future[_Findings]] = field(default_factory=dict)

    def come_to(self, place: int) -> None:
        """Begin all files before the first is decided, except those that have killed a reader."""
        if place > 0:
            return
        gate = self.claim.gate
        sound = [
            each for each, arrival in enumerate(self.claim.arrivals) if not gate.deaths_of(arrival.key, arrival.etag)
        ]
        if len(sound) > 1:
            self._begun = {each: self._begin(each) for each in sound}

    def read(self, place: int, original_of: Callable[[Structure], str | None]) -> ValidatedFile | None:
        """Take what an executor found in a file; ReaderDied where the file was read alone and killed its reader."""
        found = self._found(place)
        if found is None:
            return None
        validated = found()
        original = original_of(validated.structure)
        if original is None:
            return validated
        return ValidatedFile(
            report=duplicate_report(self.claim.arrivals[place], validated.structure.fingerprint, original),
            structure=validated.structure,
            chunks=(),
            faulty_records=no_faulty_records,
        )

    def _found(self, place: int) -> _Findings:
        begun = self._begun.pop(place, None)
        if begun is not None:
            with suppress(ReaderDied):
                return self.threads.result(begun)
        # Alone: if its reader dies now, this file is to blame. What another one's reading raises is raised in its turn.
        self.threads.await_all(self._begun.values())
        return self.threads.result(self._begin(place))

    def _begin(self, place: int) -> Future[_Findings]:
        claim, arrival = self.claim, self.claim.arrivals[place]
        file, staged = file_to_validate(claim, place, arrival), staged_paths(claim, place, arrival)
        return self.threads.begin(partial(self.executors.validate, file, staged))
