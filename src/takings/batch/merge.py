"""Land a batch's accepted rows in the lake, as its next commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from takings import layout
from takings.batch.claim import Claim
from takings.batch.commits import newest_commit, read_commit
from takings.batch.publish import current_definition
from takings.batch.validate import Judged, Judging
from takings.contracts.model import Dataset
from takings.documents import AFFECTED, CHANGES, need_document, read_document
from takings.errors import ConflictError, MachineryError
from takings.intake.manifest import read_manifest, to_json
from takings.lake import Affected, BatchChanges, Commit, everything
from takings.layout import BatchId
from takings.ports import LandingSession, ObjectStore, Ports
from takings.validation.findings import Verdict

#: a merge that loses to another writer reads again; so often in a row means that something is wrong
_MERGE_TRIES: Final = 20


def read_changes(store: ObjectStore, batch_id: BatchId) -> BatchChanges | None:
    """Return what a batch's rows were to the lake before its first merge; None where that was not counted.

    CorruptState where the document is damaged.
    """
    document = read_document(store, layout.changes(batch_id), CHANGES)
    return None if document is None else BatchChanges.from_json(document)


@dataclass(frozen=True)
class Landing:
    """The merge of one batch."""

    claim: Claim
    judging: Judging

    def land(self, judged: Judged) -> Commit | None:
        """Merge the accepted rows into the lake and commit; None where there are none."""
        if not judged.has_accepted:
            return None
        last = newest_commit(self._ports.store, self.claim.gate.last_commit)
        if last is not None and last.batch_id == self._id:
            return last
        staged = self.judging.staged_batch(judged.reports)
        self._ports.tables.prepare(self._ports.contracts.by_dataset)
        with self._ports.engine.landing(staged) as session:
            self._keep_changes(session, judged)
            affected = self._affected(session)
            for dataset in Dataset:
                self._ports.tell("lake.merging", {"dataset": dataset.value})
                self._merge(session, dataset, affected)
        return self._commit(last)

    @property
    def _ports(self) -> Ports:
        return self.claim.ports

    @property
    def _id(self) -> BatchId:
        return self.claim.batch_id

    def _keep_changes(self, session: LandingSession, judged: Judged) -> None:
        """Count, once, what the rows are to the lake before the first merge; nothing where a merge may have begun."""
        store = self._ports.store
        if store.read(layout.changes(self._id)) is not None or store.read(layout.affected(self._id)) is not None:
            return
        self.claim.check()
        accepted = {
            report.key: report.records.accepted for report in judged.reports if report.verdict is Verdict.ACCEPTED
        }
        changes = session.changes(self._ports.tables.snapshot()).accounted(accepted)
        store.create(
            layout.changes(self._id), to_json({"schema_version": 1, "batch_id": self._id, **changes.to_json()})
        )

    def _affected(self, session: LandingSession) -> Affected:
        """Compute the affected keys from the lake before the first merge, once."""
        key = layout.affected(self._id)
        known = read_document(self._ports.store, key, AFFECTED)
        if known is None:
            self.claim.check()
            affected = session.affected(self._ports.tables.snapshot())
            if not affected.is_everything and self._has_new_meaning():
                affected = everything()
            self._ports.store.create(key, to_json({"schema_version": 1, "batch_id": self._id, **affected.to_json()}))
            known = need_document(self._ports.store, key, AFFECTED)
        return Affected.from_json(known)

    def _has_new_meaning(self) -> bool:
        """Tell whether contracts or definitions have changed since the last batch, which may change every number."""
        meaning = current_definition(self._ports)
        if any(self._ports.kpis.definitions(table) - {meaning} for table in self._ports.kpi_tables):
            return True
        last = newest_commit(self._ports.store, self.claim.gate.last_commit)
        key = None if last is None else layout.manifest(last.batch_id)
        content = None if key is None else self._ports.store.read(key)
        return content is not None and read_manifest(content, str(key)).contracts != self.claim.manifest.contracts

    def _merge(self, session: LandingSession, dataset: Dataset, affected: Affected) -> None:
        for _ in range(_MERGE_TRIES):
            current = self._ports.tables.snapshot()
            change = session.merge(dataset, current, affected)
            self.claim.check()
            try:
                self._ports.tables.apply(dataset, change, current[dataset], self._id)
            except ConflictError:
                continue
            return
        raise MachineryError(f"lake/{dataset}: {_MERGE_TRIES} merges in a row lost to another writer. Run again.")

    def _commit(self, last: Commit | None) -> Commit:
        """Write the next commit record; a number that somebody else took is passed over."""
        versions = {dataset: table.version for dataset, table in self._ports.tables.snapshot().tables.items()}
        number = last.number + 1 if last else 1
        while True:
            self.claim.check()
            commit = Commit(number=number, batch_id=self._id, versions=versions)
            if self._ports.store.create(layout.commit(number), to_json(commit.to_json())):
                self._ports.tell("lake.committed", {"batch_id": self._id, "commit": number})
                return commit
            taken = read_commit(self._ports.store, number)
            if taken is not None and taken.batch_id == self._id:
                # A lost attempt of this batch was in the middle of it.
                return taken
            number += 1
