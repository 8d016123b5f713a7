"""Merge a batch's accepted rows into the lake, as its next commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from takings import layout
from takings.batch.claim import Claim
from takings.batch.commits import newest_commit, read_commit
from takings.batch.publish import current_definition, shipped_tables
from takings.batch.staging import staged_batch
from takings.batch.verdicts import BatchVerdicts
from takings.contracts.model import Dataset
from takings.documents import AFFECTED, CHANGES, need_document, read_document
from takings.errors import ConflictError, MachineryError
from takings.intake.manifest import read_manifest, to_json
from takings.lake import Affected, BatchChanges, Commit, everything
from takings.layout import BatchId
from takings.ports import MergeSession, ObjectStore
from takings.validation.findings import Verdict

#: a merge that loses to another writer reads the table again; this many losses in a row mean that something is wrong
_MERGE_TRIES: Final = 20


@dataclass(frozen=True, kw_only=True)
class Merged:
    """A batch whose rows are in the lake."""

    commit: Commit
    #: the keys whose KPIs its rows may have changed
    affected: Affected


def merge(claim: Claim, verdicts: BatchVerdicts) -> Merged | None:
    """Merge the accepted rows into the lake and commit; None where there are none."""
    if not verdicts.has_accepted:
        return None
    ports = claim.ports
    last = newest_commit(ports.store, claim.gate.last_commit)
    if last is not None and last.batch_id == claim.batch_id:
        return Merged(commit=last, affected=_kept_affected(claim))
    staged = staged_batch(claim, verdicts.reports)
    ports.tables.prepare(ports.contracts.by_dataset)
    with ports.engine.merging(staged) as session:
        _keep_changes(claim, session, verdicts)
        affected = _affected(claim, session)
        for dataset in Dataset:
            ports.tell("lake.merging", {"dataset": dataset.value})
            _merge_table(claim, session, dataset, affected)
    return Merged(commit=_commit(claim, last), affected=affected)


def read_changes(store: ObjectStore, batch_id: BatchId) -> BatchChanges | None:
    """Return what a batch's rows changed in the lake before its first merge; None where that was not counted.

    CorruptState where the document is damaged.
    """
    document = read_document(store, layout.changes(batch_id), CHANGES)
    return None if document is None else BatchChanges.from_json(document)


def _keep_changes(claim: Claim, session: MergeSession, verdicts: BatchVerdicts) -> None:
    """Count, once, what the rows change in the lake before the first merge; do nothing if a merge may have begun."""
    store, batch_id = claim.ports.store, claim.batch_id
    if store.read(layout.changes(batch_id)) is not None or store.read(layout.affected(batch_id)) is not None:
        return
    claim.check()
    accepted = {report.key: report.rows_accepted for report in verdicts.reports if report.verdict is Verdict.ACCEPTED}
    changes = session.changes(claim.ports.tables.snapshot()).accounted(accepted)
    store.create(layout.changes(batch_id), to_json({"schema_version": 1, "batch_id": batch_id, **changes.to_json()}))


def _affected(claim: Claim, session: MergeSession) -> Affected:
    """Compute the affected keys, once, from the lake before the first merge; those of an earlier attempt are final."""
    store, batch_id = claim.ports.store, claim.batch_id
    known = read_document(store, layout.affected(batch_id), AFFECTED)
    if known is not None:
        return Affected.from_json(known)
    claim.check()
    affected = session.affected(claim.ports.tables.snapshot())
    if not affected.is_everything and _has_new_meaning(claim):
        affected = everything()
    document = {"schema_version": 1, "batch_id": batch_id, **affected.to_json()}
    return affected if store.create(layout.affected(batch_id), to_json(document)) else _kept_affected(claim)


def _kept_affected(claim: Claim) -> Affected:
    """Return the affected keys that another attempt kept; CorruptState where they are lost or damaged."""
    return Affected.from_json(need_document(claim.ports.store, layout.affected(claim.batch_id), AFFECTED))


def _has_new_meaning(claim: Claim) -> bool:
    """Return whether contracts or definitions have changed since the last batch: then every number may change."""
    ports = claim.ports
    meaning = current_definition(ports)
    if any(ports.kpis.definitions(table) - {meaning} for table in shipped_tables(ports)):
        return True
    last = newest_commit(ports.store, claim.gate.last_commit)
    key = None if last is None else layout.manifest(last.batch_id)
    content = None if key is None else ports.store.read(key)
    return content is not None and read_manifest(content, str(key)).contracts != claim.manifest.contracts


def _merge_table(claim: Claim, session: MergeSession, dataset: Dataset, affected: Affected) -> None:
    tables = claim.ports.tables
    for _ in range(_MERGE_TRIES):
        current = tables.snapshot()
        change = session.merge(dataset, current, affected)
        claim.check()
        try:
            tables.apply(dataset, change, current[dataset], claim.batch_id)
        except ConflictError:
            continue
        return
    raise MachineryError(f"lake/{dataset}: {_MERGE_TRIES} merges in a row lost to another writer. Run again.")


def _commit(claim: Claim, last: Commit | None) -> Commit:
    """Write the next commit record; skip a number that somebody else has taken."""
    store, batch_id = claim.ports.store, claim.batch_id
    versions = {dataset: table.version for dataset, table in claim.ports.tables.snapshot().tables.items()}
    number = last.number + 1 if last else 1
    while True:
        claim.check()
        commit = Commit(number=number, batch_id=batch_id, versions=versions)
        if store.create(layout.commit(number), to_json(commit.to_json())):
            claim.ports.tell("lake.committed", {"batch_id": batch_id, "commit": number})
            return commit
        taken = read_commit(store, number)
        if taken is not None and taken.batch_id == batch_id:
            # An attempt of this batch that lost the gate was writing it.
            return taken
        number += 1
