"""Own a batch's staged rows: where they are, how another machine finds them, and how lost ones are staged again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final

from takings.batch.claim import Claim
from takings.batch.validate_one import no_original, validate_one
from takings.contracts.datasets import Dataset, SourceName
from takings.contracts.sources import Source
from takings.errors import ContractError, MachineryError
from takings.intake.arrivals import Arrival
from takings.lake import StagedBatch, StagedFile, stand_in_version
from takings.ports import FileToValidate, ValidationEngine
from takings.validation.findings import FileReport, Verdict
from takings.validation.structure.values import Structure
from takings.validation.validated import ValidatedFile
from takings.validation.verdicts import RejectionPolicy, Tolerance
from takings.workers import Workers

#: every reader keeps a file open and some buffers: this many leave room within 256 open files and the smallest memory …
_FILES_AT_ONCE: Final = 64
#: … and this many within hardly any
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
    return validate_one(
        file_to_validate(claim, place, arrival),
        engine,
        claim.ports.sources,
        path,
        workspace=workspace(claim, place),
        staged=staged_paths(claim, place, arrival),
        original_of=original_of,
    )


def file_to_validate(claim: Claim, place: int, arrival: Arrival) -> FileToValidate:
    """Return a file of the batch with what its findings depend on."""
    name = arrival.dataset
    return FileToValidate(
        batch_id=claim.batch_id,
        place=place,
        arrival=arrival,
        contracts=claim.ports.contracts,
        source=source_of(claim, name) if isinstance(name, SourceName) else None,
        now=claim.manifest.now,
        tolerance=tolerance_of(claim),
    )


def tolerance_of(claim: Claim) -> Tolerance:
    """Return which faults the batch tolerates, as set when it was formed."""
    settings = claim.manifest.settings
    return Tolerance(policy=RejectionPolicy(settings["policy"]), max_rejected=Decimal(settings["max_rejected"]))


def workspace(claim: Claim, place: int) -> Path:
    """Return the folder in which a file is validated."""
    return claim.ports.store.staging(claim.batch_id) / "work" / str(place)


def source_of(claim: Claim, name: SourceName) -> Source:
    """Return the source of a file; ContractError if the contracts have lost it since the batch was begun."""
    source = claim.ports.contracts.sources.by_name.get(name)
    if source is None:
        raise ContractError(
            f"batch {claim.batch_id} holds files of the source '{name}', which the contracts do not have. Put the folder"
            f" sources/{name} back and run again."
        )
    return source


def staged_files(claim: Claim, place: int, arrival: Arrival) -> tuple[StagedFile, ...]:
    """Return where a file's rows are staged, one file for each dataset of a source; nothing may lie there yet."""
    if isinstance(arrival.dataset, Dataset):
        return (_staged_file(claim, place, arrival, arrival.dataset, arrival.version),)
    source = source_of(claim, arrival.dataset)
    return tuple(
        _staged_file(
            claim,
            place,
            arrival,
            query.dataset,
            stand_in_version(arrival.version) if query.is_stand_in else arrival.version,
        )
        for query in source.queries
    )


def staged_paths(claim: Claim, place: int, arrival: Arrival) -> dict[Dataset, Path]:
    """Return the path of a file's staged rows of each dataset."""
    return {file.dataset: file.path for file in staged_files(claim, place, arrival)}


def _staged_file(claim: Claim, place: int, arrival: Arrival, dataset: Dataset, version: datetime) -> StagedFile:
    folder = claim.ports.store.staging(claim.batch_id) / dataset
    folder.mkdir(parents=True, exist_ok=True)
    return StagedFile(dataset=dataset, key=arrival.key, version=version, path=folder / f"{place:05d}.parquet")


def as_batch(claim: Claim, files: Iterable[StagedFile]) -> StagedBatch:
    """Return staged files as an engine takes them; after a failed attempt fewer at once, in case too many were the cause."""
    at_once = max(_FEWEST_AT_ONCE, _FILES_AT_ONCE >> 2 * (claim.gate.attempt - 1))
    return StagedBatch(batch_id=claim.batch_id, files=tuple(files), files_at_once=at_once)


def share_staged(claim: Claim, reports: Sequence[FileReport]) -> None:
    """Share the accepted files' rows, so that the batch's next step finds them on any machine; verdicts are written."""
    claim.check()
    files = (file for place, arrival in _accepted(claim, reports) for file in staged_files(claim, place, arrival))
    claim.ports.store.put_staged(claim.batch_id, [file.path for file in files if file.path.exists()])


def staged_batch(claim: Claim, reports: Sequence[FileReport]) -> StagedBatch:
    """Return the staged rows of the accepted files; stage again those that are gone or were never shared."""
    accepted = _accepted(claim, reports)
    found = find_staged(claim, [file for place, arrival in accepted for file in staged_files(claim, place, arrival)])
    files = [file for place, arrival in accepted for file in _staged_again(claim, place, arrival, found)]
    return as_batch(claim, files)


def find_staged(claim: Claim, files: Sequence[StagedFile]) -> frozenset[Path]:
    """Return the paths of those files that the engine finds; bring shared ones here, unless it reads them where they are."""
    paths = [file.path for file in files]
    if claim.ports.engine.reads_shared:
        return claim.ports.store.found_staged(claim.batch_id, paths)
    claim.ports.store.fetch_staged(claim.batch_id, [path for path in paths if not path.exists()])
    return frozenset(path for path in paths if path.exists())


def _accepted(claim: Claim, reports: Sequence[FileReport]) -> list[tuple[int, Arrival]]:
    """Return the accepted files with their places in the batch."""
    accepted = {report.key for report in reports if report.verdict is Verdict.ACCEPTED}
    return [(place, arrival) for place, arrival in enumerate(claim.arrivals) if arrival.key in accepted]


def _staged_again(claim: Claim, place: int, arrival: Arrival, found: frozenset[Path]) -> tuple[StagedFile, ...]:
    """Return an accepted file's staged rows, made again where none are found; MachineryError if its bytes are gone, too."""
    staged = staged_files(claim, place, arrival)
    if found.issuperset(file.path for file in staged):
        return staged
    if not _stage_again(claim, place, arrival):
        raise MachineryError(
            f"{arrival.key}: its staged rows and the bytes they were read from are gone, so batch {claim.batch_id} cannot be"
            " completed. Drop the same file again under its name and run again."
        )
    return staged


def _stage_again(claim: Claim, place: int, arrival: Arrival) -> bool:
    """Stage an accepted file's rows again; return whether its bytes are still there."""
    ports = claim.ports
    if ports.executors is not None:
        ports.executors.begin()
        staged = staged_paths(claim, place, arrival)
        asks = partial(ports.executors.validate, file_to_validate(claim, place, arrival), staged)
        with Workers(1, ports.executors.interrupt) as threads:
            is_there = threads.result(threads.begin(asks)) is not None
        find_staged(claim, staged_files(claim, place, arrival))
        return is_there
    path = ports.store.fetch(arrival.source, arrival.etag, claim.batch_id)
    if path is None:
        return False
    claim.now_reading(arrival.key)
    # It was accepted, so it is not a copy.
    stage(claim, ports.validation, place, arrival, path, original_of=no_original)
    return True
