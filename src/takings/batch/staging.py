"""Own a batch's staged rows: where they lie, how another machine finds them, and how they are made again once they are gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

from takings.batch.claim import Claim
from takings.batch.validate_file import ValidatedFile, validate_file
from takings.errors import MachineryError
from takings.intake.arrivals import Arrival
from takings.lake import StagedBatch, StagedFile
from takings.ports import ValidationEngine
from takings.validation.findings import FileReport, Verdict
from takings.validation.structure.values import Structure
from takings.validation.verdicts import RejectionPolicy, Tolerance

#: a reader keeps a file open and some buffers: these leave room within 256 open files and the smallest memory …
_FILES_AT_ONCE: Final = 64
#: … and these within hardly any
_FEWEST_AT_ONCE: Final = 4


def stage(
    claim: Claim,
    engine: ValidationEngine,
    place: int,
    arrival: Arrival,
    path: Path,
    original_of: Callable[[Structure], str | None],
) -> ValidatedFile:
    """Validate a file of the batch, whose bytes lie at `path`, as the manifest says, and stage its good rows."""
    return validate_file(
        engine,
        claim.ports.contracts,
        arrival,
        path,
        now=claim.manifest.now,
        tolerance=tolerance_of(claim),
        workspace=workspace(claim, place),
        staged=staged_file(claim, place, arrival).path,
        original_of=original_of,
    )


def tolerance_of(claim: Claim) -> Tolerance:
    """Return which faults the batch tolerates: what was set when it was formed."""
    settings = claim.manifest.settings
    return Tolerance(policy=RejectionPolicy(settings["policy"]), max_rejected=Decimal(settings["max_rejected"]))


def workspace(claim: Claim, place: int) -> Path:
    """Return the folder in which a file is validated."""
    return claim.ports.store.staging(claim.batch_id) / "work" / str(place)


def staged_file(claim: Claim, place: int, arrival: Arrival) -> StagedFile:
    """Return where a file's rows are staged; nothing may lie there yet."""
    folder = claim.ports.store.staging(claim.batch_id) / arrival.dataset
    folder.mkdir(parents=True, exist_ok=True)
    return StagedFile(
        dataset=arrival.dataset, key=arrival.key, version=arrival.version, path=folder / f"{place:05d}.parquet"
    )


def as_batch(claim: Claim, files: Iterable[StagedFile]) -> StagedBatch:
    """Return staged files as an engine takes them: fewer at once for each attempt that has failed, maybe of too many."""
    at_once = max(_FEWEST_AT_ONCE, _FILES_AT_ONCE >> 2 * (claim.gate.attempt - 1))
    return StagedBatch(batch_id=claim.batch_id, files=tuple(files), files_at_once=at_once)


def share_staged(claim: Claim, reports: Sequence[FileReport]) -> None:
    """Let the batch's next step find the accepted files' rows on whatever machine it runs; the verdicts are written."""
    claim.check()
    paths = (staged_file(claim, place, arrival).path for place, arrival in _accepted(claim, reports))
    claim.ports.store.put_staged(claim.batch_id, [path for path in paths if path.exists()])


def staged_batch(claim: Claim, reports: Sequence[FileReport]) -> StagedBatch:
    """Return the staged rows of the accepted files; those that are gone, or that nobody has shared, are made again."""
    accepted = _accepted(claim, reports)
    paths = (staged_file(claim, place, arrival).path for place, arrival in accepted)
    claim.ports.store.fetch_staged(claim.batch_id, [path for path in paths if not path.exists()])
    return as_batch(claim, [_staged_again(claim, place, arrival) for place, arrival in accepted])


def _accepted(claim: Claim, reports: Sequence[FileReport]) -> list[tuple[int, Arrival]]:
    """Return the accepted files with their places in the batch."""
    accepted = {report.key for report in reports if report.verdict is Verdict.ACCEPTED}
    return [(place, arrival) for place, arrival in enumerate(claim.arrivals) if arrival.key in accepted]


def _staged_again(claim: Claim, place: int, arrival: Arrival) -> StagedFile:
    """Return an accepted file's staged rows, made again where they are gone; MachineryError where its bytes are gone, too."""
    staged = staged_file(claim, place, arrival)
    if staged.path.exists():
        return staged
    path = claim.ports.store.fetch(arrival.source, arrival.etag, claim.batch_id)
    if path is None:
        raise MachineryError(
            f"{arrival.key}: its staged rows and the bytes they were read from are gone, so batch {claim.batch_id} cannot be"
            " completed. Drop the same file again under its name and run again."
        )
    claim.now_reading(arrival.key)
    # It was accepted, so it is no copy.
    stage(claim, claim.ports.validation, place, arrival, path, original_of=lambda _: None)
    return staged
