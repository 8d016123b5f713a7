"""Rebuild lake, KPIs and ledger from an archive: run every batch again, in order, from its manifest and originals."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

from takings import layout
from takings.archive.moves import plan_move
from takings.archive.outcome import BatchOutcome
from takings.batch.publish import definitions
from takings.documents import MANIFEST, OUTCOME, VERDICTS, need_document, read_document
from takings.errors import CorruptState
from takings.intake.arrivals import Arrival
from takings.intake.gate import MOST_DEATHS
from takings.intake.manifest import Manifest, manifest_of
from takings.layout import BatchId
from takings.ports import ObjectStore, Ports
from takings.runs.pipeline import free_gate, start
from takings.validation.findings import FileReport, Verdict
from takings.validation.reports import read_file_report


@dataclass(frozen=True, kw_only=True)
class ArchivedBatch:
    """One batch as the archive holds it."""

    manifest: Manifest
    #: the verdicts on its files at the time
    reports: tuple[FileReport, ...]
    #: files of its manifest that it never archived; they are still drops, or were dropped again
    unarchived: tuple[str, ...]
    #: the commit of its rows; None where it has no rows or has not ended
    commit: int | None


@dataclass(frozen=True, kw_only=True)
class Change:
    """A file whose verdict under the present contracts differs from the one at the time."""

    batch_id: BatchId
    before: FileReport
    #: None where the file was not validated again
    after: FileReport | None


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """What a rebuild did."""

    batches: int
    files: int
    #: files of batches that were not completed; no archive has them
    unarchived: tuple[str, ...]
    #: files that were pending in the old store; no archive has them either
    pending: int
    changes: tuple[Change, ...]


def read_archive(store: ObjectStore) -> tuple[ArchivedBatch, ...]:
    """Read every batch of a store in the order in which they ran; one without verdicts is left out.

    CorruptState where an original or a document is missing or damaged: an incomplete archive is not rebuilt in part.
    """
    documents = {info.key for info in store.list(layout.BATCHES)}
    ids = sorted({BatchId(key.split("/")[1]) for key in documents})
    judged = [batch_id for batch_id in ids if layout.verdicts(batch_id) in documents]
    # A batch may end meanwhile. Its outcome is written after its originals are archived, so outcomes are read before these.
    outcomes = {batch_id: read_document(store, layout.outcome(batch_id), OUTCOME) for batch_id in judged}
    originals = {info.key for folder in layout.ARCHIVES for info in store.list(folder)}
    batches = [_read_batch(store, batch_id, originals, outcomes[batch_id]) for batch_id in judged]
    # A batch without files only published; the others publish the same.
    return _in_order([batch for batch in batches if batch.manifest.arrivals])


def _in_order(batches: Sequence[ArchivedBatch]) -> tuple[ArchivedBatch, ...]:
    """Sort batches by their commits: ids give the order only if all clocks agreed.

    The order in which files were accepted decides which one is a copy; a batch that accepted none keeps its place.
    """
    taken = [any(report.verdict is Verdict.ACCEPTED for report in batch.reports) for batch in batches]
    following = iter(sorted(compress(batches, taken), key=lambda batch: (batch.commit is None, batch.commit or 0)))
    return tuple(next(following) if has_accepted else batch for batch, has_accepted in zip(batches, taken, strict=True))


def _read_batch(
    store: ObjectStore, batch_id: BatchId, originals: Collection[str], outcome: Mapping[str, Any] | None
) -> ArchivedBatch:
    manifest = manifest_of(need_document(store, layout.manifest(batch_id), MANIFEST))
    verdicts = need_document(store, layout.verdicts(batch_id), VERDICTS)
    reports = tuple(read_file_report(file) for file in verdicts["files"])
    absent = [
        report
        for report in reports
        if plan_move(_arrival(manifest, report.key), report, batch_id, manifest.now).destination not in originals
    ]
    if absent and outcome is not None:
        raise CorruptState(
            f"batch {batch_id}: the original of {absent[0].key} is gone from the archive ({len(absent)} missing in this"
            " batch). Nothing was rebuilt. Restore it from a back-up."
        )
    return ArchivedBatch(
        manifest=manifest,
        reports=tuple(report for report in reports if report not in absent),
        unarchived=tuple(report.key for report in absent),
        commit=None if outcome is None else outcome["commit"],
    )


def _arrival(manifest: Manifest, key: str) -> Arrival:
    for arrival in manifest.arrivals:
        if arrival.key == key:
            return arrival
    raise CorruptState(
        f"batch {manifest.batch_id}: verdicts.json lists {key}, but manifest.json does not. Nothing was rebuilt."
        " Restore both from a back-up."
    )


def rebuild(source: ObjectStore, batches: tuple[ArchivedBatch, ...], ports: Ports) -> Rebuilt:
    """Run every batch again into an empty store, with the contracts and the time zone of that store."""
    changes: list[Change] = []
    files = 0
    for batch in batches:
        ports.tell("batch.rebuilding", {"batch_id": batch.manifest.batch_id, "of": len(batches)})
        outcome = _run_again(source, batch, ports)
        files += len(batch.reports)
        changes += _changes(batch.manifest.batch_id, batch.reports, outcome)
    return Rebuilt(
        batches=len(batches),
        files=files,
        unarchived=tuple(key for batch in batches for key in batch.unarchived),
        pending=sum(1 for _ in source.list(layout.RAW)),
        changes=tuple(changes),
    )


def _run_again(source: ObjectStore, batch: ArchivedBatch, ports: Ports) -> BatchOutcome:
    manifest = replace(
        batch.manifest,
        time_zone=ports.time_zone,
        contracts=ports.contracts.hash,
        sources=ports.contracts.sources.hash,
        kpis=definitions(ports),
        arrivals=tuple(each for each in batch.manifest.arrivals if each.key not in batch.unarchived),
    )
    for report in batch.reports:
        arrival = _arrival(manifest, report.key)
        place = plan_move(arrival, report, manifest.batch_id, manifest.now).destination
        with source.borrow(place) as original:
            ports.store.supply(original, arrival.source, manifest.batch_id)
        if "file|kills_reader" in report.errors:
            _keep_unread(ports, arrival)
    outcome = start(ports, free_gate(ports), manifest)
    if outcome is None:
        raise CorruptState(
            f"batch {manifest.batch_id} could not be run again: another process works on the new store. End it, and begin again"
            " with an empty store."
        )
    return outcome


def _keep_unread(ports: Ports, arrival: Arrival) -> None:
    """Record as many deaths for a file as it had at the time, so that it does not kill a process again."""
    for _ in range(MOST_DEATHS):
        ports.ledger.change_gate(ports.ledger.gate().suspecting(arrival.key, arrival.etag))


def _changes(batch_id: BatchId, before: tuple[FileReport, ...], outcome: BatchOutcome) -> Iterator[Change]:
    after = {report.key: report for report in outcome.reports}
    for report in before:
        again = after.get(report.key)
        if again is None or (again.verdict, again.records) != (report.verdict, report.records):
            yield Change(batch_id=batch_id, before=report, after=again)
