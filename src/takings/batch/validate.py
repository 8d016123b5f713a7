"""Validate a batch's files: each once, against its contract, with reports, reasons and staged rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import file_digest
from pathlib import Path

from takings import layout
from takings.batch.claim import Claim
from takings.batch.commits import newest_commit
from takings.batch.gaps import refused_days_document
from takings.batch.reading_elsewhere import reading_elsewhere
from takings.batch.reading_here import Reader, reading_here
from takings.batch.side_by_side import create_all
from takings.batch.staging import as_batch, find_staged, staged_batch, staged_files, tolerance_of
from takings.batch.verdicts import BatchVerdicts, read_verdicts, write_verdicts
from takings.contracts.model import Dataset
from takings.errors import StoreError, UnreadableFile
from takings.intake.arrivals import Arrival
from takings.intake.gate import MOST_DEATHS, MOST_LEFT
from takings.intake.manifest import to_json
from takings.lake import LakeSnapshot, TableSnapshot
from takings.layout import Drop, read_raw_key
from takings.validation.findings import FaultyRecord, FileReport, Verdict
from takings.validation.folders import folders_in, levels_of
from takings.validation.mended import is_mended
from takings.validation.quarantine import broken_lines, quarantine_lines
from takings.validation.reports import (
    chunk_document,
    file_document,
    reason_lines,
)
from takings.validation.structure.values import Structure
from takings.validation.validated import ValidatedFile
from takings.validation.verdicts import RejectionPolicy, fail_batch, unread_report


def validate(claim: Claim, *, reads_ahead: bool = False) -> BatchVerdicts:
    """Validate every file of the batch, once: the verdicts of an earlier attempt are final.

    With `reads_ahead` this process may read several files at once; set it only if no earlier attempt died or failed, as one of
    them may be the cause. ReaderDied where a file that was read alone has killed its reader in another process.
    """
    known = read_verdicts(claim.ports.store, claim.batch_id)
    if known is not None:
        return known
    found = _validate_files(claim, reads_ahead=reads_ahead)
    if tolerance_of(claim).policy is RejectionPolicy.STRICT and claim.arrivals:
        found = replace(found, reports=_validate_strictly(claim, found.reports))
    claim.check()
    _keep_refused_days(claim, found.reports)
    create_all(
        claim.ports.store,
        (
            (layout.file_report(claim.batch_id, report.dataset, report.file), to_json(file_document(report)))
            for report in found.reports
        ),
    )
    return found if write_verdicts(claim.ports.store, claim.batch_id, found) else validate(claim)


def _validate_files(claim: Claim, *, reads_ahead: bool) -> BatchVerdicts:
    """Decide about one file after the other; a file that is gone or cannot be read is given back without a verdict."""
    reports: list[FileReport] = []
    chunks: list[tuple[str, bytes]] = []
    returned: list[str] = []
    unread: dict[str, str] = {}
    reading = (
        reading_here(claim, reads_ahead=reads_ahead) if claim.ports.executors is None else reading_elsewhere(claim)
    )
    with reading as reader:
        for place, arrival in enumerate(claim.arrivals):
            reader.come_to(place)
            claim.ports.tell("file.validating", {"key": arrival.key, "place": place, "of": len(claim.arrivals)})
            try:
                report = _validate_file(claim, reader, place, reports, chunks)
            except UnreadableFile as refused:
                unread[arrival.key] = str(refused)
                claim.ports.tell("file.unread", {"key": arrival.key, "reason": str(refused)})
                _check_number_of(claim, unread)
                report = None
            if report is None:
                returned.append(arrival.key)
                continue
            reports.append(report)
            claim.ports.tell("file.judged", {"key": arrival.key, "verdict": report.verdict.value})
            if len(chunks) >= claim.ports.store.side_by_side():
                _write_chunks(claim, chunks)
    _write_chunks(claim, chunks)
    return BatchVerdicts(reports=tuple(reports), returned=tuple(returned), unread=unread)


def _write_chunks(claim: Claim, chunks: list[tuple[str, bytes]]) -> None:
    """Write the reports on chunks of the files judged since the last time, side by side."""
    create_all(claim.ports.store, chunks)
    chunks.clear()


def _check_number_of(claim: Claim, unread: Mapping[str, str]) -> None:
    """Raise StoreError where too many files cannot be read: the cause is then hardly in the files."""
    if len(unread) + len(claim.gate.left) > MOST_LEFT:
        last = list(unread.values())[-1]
        raise StoreError(
            f"more than {MOST_LEFT} files under raw-data/ cannot be read, most recently this one: {last}"
            " Fix that and run again; nothing is lost."
        )


def _validate_strictly(claim: Claim, reports: tuple[FileReport, ...]) -> tuple[FileReport, ...]:
    """Apply the policy "strict": refuse the batch if a file is refused, or an orphan has no parent anywhere."""
    for report in reports:
        if report.verdict is Verdict.REJECTED:
            return fail_batch(reports, f"{report.key} was rejected")
    with claim.ports.engine.merging(staged_batch(claim, reports)) as session:
        orphan = session.first_orphan(claim.ports.tables.snapshot())
    if orphan is None:
        return reports
    return fail_batch(
        reports,
        f"{orphan.key} line {orphan.line}: its {orphan.column} is neither in the batch nor in the lake",
    )


def _keep_refused_days(claim: Claim, reports: Sequence[FileReport]) -> None:
    """Keep the days that refused files are about, as far as their good rows show, so that these days can be marked."""
    refused = {report.key for report in reports if report.verdict is Verdict.REJECTED}
    if not refused:
        return
    staged = [file for place, arrival in enumerate(claim.arrivals) for file in staged_files(claim, place, arrival)]
    # Items have the days of their orders, whatever became of the file that these came in.
    wanted = [file for file in staged if file.dataset is Dataset.ORDERS or file.key in refused]
    wanted = [file for file in wanted if file.dataset is not Dataset.PRODUCTS]
    is_here = claim.ports.executors is None
    found = {file.path for file in wanted if file.path.exists()} if is_here else find_staged(claim, wanted)
    files = [file for file in wanted if file.path in found]
    days = claim.ports.engine.days_of(as_batch(claim, files), _lake(claim)) if files else {}
    document = refused_days_document(claim.batch_id, {key: days.get(key, ()) for key in refused})
    claim.ports.store.create(layout.refused_days(claim.batch_id), to_json(document))


def _lake(claim: Claim) -> LakeSnapshot:
    """Return the lake as of the newest commit."""
    commit = newest_commit(claim.ports.store, claim.gate.last_commit)
    if commit is None:
        return LakeSnapshot(tables={dataset: TableSnapshot(version=0, files=()) for dataset in Dataset})
    return claim.ports.tables.snapshot(commit.versions)


def _validate_file(
    claim: Claim, reader: Reader, place: int, before: Sequence[FileReport], chunks: list[tuple[str, bytes]]
) -> FileReport | None:
    """Validate one file, and add the reports on its chunks to `chunks`; UnreadableFile if it cannot be read.

    None where its bytes were overwritten before they were read.
    """
    arrival = claim.arrivals[place]
    deaths = claim.gate.deaths_of(arrival.key, arrival.etag)
    if deaths >= MOST_DEATHS:
        path = claim.ports.store.fetch(arrival.source, arrival.etag, claim.batch_id)
        return None if path is None else unread_report(arrival, _fingerprint(path), deaths)
    validated = reader.read(place, lambda structure: _original_of(claim, arrival, structure, before))
    if validated is None:
        return None
    report = validated.report
    chunks += _chunk_reports(claim, arrival, validated)
    if report.records.rejected or report.verdict is Verdict.REJECTED:
        _explain(claim, place, report, validated.faulty_records())
    if report.verdict is Verdict.ACCEPTED and report.records.rejected:
        _quarantine(claim, arrival, validated)
    return report


def _chunk_reports(claim: Claim, arrival: Arrival, validated: ValidatedFile) -> Iterator[tuple[str, bytes]]:
    made = [(dataset, chunk) for dataset, chunks in validated.made_chunks.items() for chunk in chunks]
    for dataset, chunk in [*((None, chunk) for chunk in validated.chunks), *made]:
        key = layout.chunk_report(claim.batch_id, arrival.dataset, arrival.file, chunk.chunk, dataset)
        yield key, to_json(chunk_document(chunk))


def _explain(claim: Claim, place: int, report: FileReport, faulty: Iterable[FaultyRecord]) -> None:
    """Write every refused line with its reasons, for the archive."""
    claim.ports.store.create_from(layout.staged_reasons(claim.batch_id, place), reason_lines(report, faulty))


def _quarantine(claim: Claim, arrival: Arrival, validated: ValidatedFile) -> None:
    """Set the bad rows of an accepted file aside, in a form that can be corrected and dropped again."""
    key = layout.quarantined(claim.batch_id, arrival.dataset, arrival.file)
    # The folders that make a value are those of a row's first drop, however often it comes back.
    keeps_source = any(map(levels_of, claim.ports.contracts.of(arrival.dataset)))
    rows = quarantine_lines(
        arrival, validated.structure.header or (), validated.faulty_records(), keeps_source=keeps_source
    )
    claim.ports.store.create_from(key, rows)
    claim.ports.store.create_from(f"{key}.broken.jsonl", broken_lines(validated.faulty_records()))


def _original_of(claim: Claim, arrival: Arrival, structure: Structure, before: Sequence[FileReport]) -> str | None:
    """Return the accepted file of which this one is a copy, if there is one: same bytes, dataset and folders that count.

    Only the newest accepted version of its own key counts: older bytes dropped again are a correction. With takingsVersion
    a copy under another key is an arrival like any other: its rows' instants keep it from reverting anything, and which of
    equal contents is processed first must not decide what the arrival's version decides between equal instants.
    """
    accepted = [
        record
        for record in claim.accepted_with(structure.fingerprint)
        # The batch itself, and the same arrival in an earlier one: a replay takes it again.
        if record.dataset == arrival.dataset
        and record.batch_id != claim.batch_id
        and (record.file_key, record.version) != (arrival.key, arrival.version)
    ]
    candidates = [(record.file_key, record.version) for record in accepted]
    candidates += [
        (report.key, report.version)
        for report in before
        if report.verdict is Verdict.ACCEPTED
        and report.fingerprint == structure.fingerprint
        and report.dataset == arrival.dataset
    ]
    candidates = [found for found in candidates if _is_alike(claim, arrival, structure, found[0])]
    others = [key for key, _ in candidates if key != arrival.key]
    if others and not all(contract.version_column for contract in claim.ports.contracts.of(arrival.dataset)):
        return others[0]
    own = [version for key, version in candidates if key == arrival.key]
    if not own:
        return None
    newest = max(
        record.version
        for record in claim.ports.ledger.lineage(file_key=arrival.key)
        if record.verdict is Verdict.ACCEPTED
    )
    return arrival.key if newest in own else None


def _is_alike(claim: Claim, arrival: Arrival, structure: Structure, other: str) -> bool:
    """Return whether equal bytes under another key would be the same rows."""
    contracts = claim.ports.contracts
    of_kind = contracts.of(arrival.dataset)
    match read_raw_key(other, contracts.sources.folders):
        case Drop(dataset=arrival.dataset, file=file):
            return is_mended(structure.header or ()) or folders_in(of_kind, file) == folders_in(of_kind, arrival.file)
        case _:
            return False


def _fingerprint(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
