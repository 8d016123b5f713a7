"""Read a batch's files in this process, some of them ahead; the gate says which, in case the process dies over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from takings.batch.claim import Claim
from takings.batch.reading_ahead import FileAhead, ReadingAhead, next_round
from takings.batch.staging import stage, staged_files, workspace
from takings.errors import UnreadableFile
from takings.intake.arrivals import Arrival
from takings.validation.structure.values import Structure
from takings.validation.validated import ValidatedFile
from takings.workers import Workers

#: stands for what is being read when it is several files; it is not a key, so no file becomes a suspect
_TOGETHER: Final = "several files at once"


class Reader(Protocol):
    """What validates a batch's files for the one who decides about them, in the order of the manifest."""

    def come_to(self, place: int) -> None:
        """Begin what is worth beginning before a file is decided; called for each file once, in order."""

    def read(self, place: int, original_of: Callable[[Structure], str | None]) -> ValidatedFile | None:
        """Validate a file; None where its bytes were overwritten before they were read.

        `original_of` returns the key of the accepted file that a file with this structure copies, if there is one.
        UnreadableFile if it cannot be read.
        """


@contextmanager
def reading_here(claim: Claim, *, reads_ahead: bool) -> Iterator[Reader]:
    """Read the batch's files with this process's engine; with `reads_ahead` several at once."""
    engine = claim.ports.validation
    with Workers(engine.workers, engine.interrupt) as workers:
        ahead = ReadingAhead(engine, claim.ports.contracts, claim.manifest.now, workers)
        yield _ReadingHere(claim=claim, ahead=ahead, read_until=0 if reads_ahead else len(claim.arrivals))


@dataclass(kw_only=True)
class _ReadingHere:
    """Reads files in this process."""

    claim: Claim
    ahead: ReadingAhead
    #: the place before which the files to be read ahead have been begun
    read_until: int

    def come_to(self, place: int) -> None:
        """Bring the next files, and begin to read some of them ahead."""
        at_a_time = self.claim.ports.store.side_by_side()
        if place % at_a_time == 0:
            self._prefetch(self.claim.arrivals[place : place + at_a_time])
        if place == self.read_until:
            self.read_until = self._read_ahead(place)

    def read(self, place: int, original_of: Callable[[Structure], str | None]) -> ValidatedFile | None:
        """Validate a file, or take what was found when it was read ahead."""
        claim, arrival = self.claim, self.claim.arrivals[place]
        path = claim.ports.store.fetch(arrival.source, arrival.etag, claim.batch_id)
        if path is None:
            return None
        is_known = self.ahead.knows(workspace(claim, place))
        if not is_known:
            # If the process dies now, this file alone is to blame.
            self.ahead.finish()
        claim.now_reading(_TOGETHER if is_known else arrival.key)
        return stage(claim, self.ahead, place, arrival, path, original_of)

    def _read_ahead(self, first: int) -> int:
        """Begin to read the next files ahead, if that is worth it; return the place after the last one considered."""
        claim = self.claim
        found = next_round(
            claim.arrivals,
            first,
            lambda arrival: claim.gate.deaths_of(arrival.key, arrival.etag) > 0,
            workers=claim.ports.validation.workers,
        )
        if found.together or found.side_by_side:
            claim.now_reading(_TOGETHER)
            self._prefetch([claim.arrivals[place] for place in found.together])
            known = self.ahead.read(
                [_file_ahead(claim, place) for place in found.together],
                [_file_ahead(claim, place) for place in found.side_by_side],
                workspace(claim, first),
            )
            # One after the other, a bucket's files would take as long as the network for each.
            claim.look_up(known)
        return found.end

    def _prefetch(self, arrivals: Sequence[Arrival]) -> None:
        store = self.claim.ports.store
        store.prefetch([(arrival.source, arrival.etag) for arrival in arrivals], self.claim.batch_id)


def _file_ahead(claim: Claim, place: int) -> FileAhead:
    arrival = claim.arrivals[place]
    (staged,) = staged_files(claim, place, arrival)

    def fetch() -> Path | None:
        try:
            return claim.ports.store.fetch(arrival.source, arrival.etag, claim.batch_id)
        except UnreadableFile:
            return None

    return FileAhead(
        dataset=staged.dataset,
        file=arrival.file,
        workspace=workspace(claim, place),
        staged=staged.path,
        fetch=fetch,
    )
