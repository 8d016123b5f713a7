"""Take one batch through its steps: validate, land, publish, archive, each of which may be repeated after a crash."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from hashlib import file_digest
from pathlib import Path
from typing import Final

from takings import archive, gate, layout
from takings.arrivals import Arrival
from takings.contracts.model import Dataset
from takings.errors import ConflictError, CorruptState, MachineryError, SettingsError, Superseded
from takings.examination import Examination, examine
from takings.gate import Gate, GateState
from takings.lake import Affected, Commit, LakeSnapshot, StagedBatch, StagedFile, everything
from takings.layout import BatchId
from takings.lineage import LineageRecord, begun, ended, given_back
from takings.manifest import Manifest, read_manifest, to_json
from takings.outcome import BatchOutcome, outcome_document
from takings.ports import LandingSession, ObjectStore, Ports
from takings.publishing import Published, current_definition, publish
from takings.validation.findings import FaultyRecord, FileReport, Verdict
from takings.validation.quarantine import broken_lines, quarantine_lines
from takings.validation.reports import (
    chunk_document,
    file_document,
    read_file_report,
    reason_lines,
    verdicts_document,
)
from takings.validation.verdicts import RejectionPolicy, Tolerance, fail_batch, judge_unread

#: a merge that loses to another writer reads again; so often in a row means that something is wrong
_MERGE_TRIES: Final = 20


@dataclass
class Attempt:
    """One attempt at a batch, by the owner of the gate's lease."""

    ports: Ports
    gate: Gate
    #: how the attempt before ended; None for the first
    after: str | None = None
    #: the key of the file that the owner before was reading when it died
    suspect: str | None = None
    manifest: Manifest = field(init=False)

    def run(self) -> BatchOutcome | None:
        """Do every step of the batch; what an earlier attempt has done is not done again.

        None where the batch was given up: the contracts have changed since it was formed, or a file of it has killed its
        reader and is to be tried alone.
        """
        started_at = self.ports.clock.now()
        self.manifest = self._read_manifest()
        self._note(started_at)
        if self.manifest.contracts != self.ports.contracts.hash:
            self._drop_old_contracts()
            return None
        if self.suspect is not None and self._sets_aside(self.suspect):
            return None
        if self.gate.state is GateState.FORMING:
            self.check()
            self.ports.ledger.begin([self._begun(arrival) for arrival in self._arrivals])
            self.change(gate.running)
        reports, returned = self._validate()
        commit = self._land(reports)
        published = self._publish(commit) if commit else Published(keys={}, overtaken=0)
        self._archive(reports, returned)
        outcome = BatchOutcome(
            batch_id=self._id,
            attempt=self.gate.attempt,
            started_at=started_at,
            finished_at=self.ports.clock.now(),
            reports=reports,
            returned=returned,
            commit=commit.number if commit else None,
            published=published.keys,
            overtaken=published.overtaken,
            orphans=self._snapshot_of(commit).orphans if commit else 0,
        )
        self._finish(outcome, commit)
        return outcome

    @property
    def _id(self) -> BatchId:
        return self.manifest.batch_id

    @property
    def _arrivals(self) -> tuple[Arrival, ...]:
        return self.manifest.arrivals

    def _begun(self, arrival: Arrival) -> LineageRecord:
        """Return the record with which the batch took a file up; how it ended is written over it."""
        return begun(arrival, self._id, self.manifest.now)

    def give_up(self, cause: str) -> bool:
        """Give every file back to pending and end the batch.

        False from the point of no return on, and where the batch holds the only copy of bytes that were overwritten.
        """
        if self.ports.store.read(layout.verdicts(self._id)) is not None or self._holds_overwritten_bytes():
            return False
        self.check()
        self.ports.ledger.give_back([given_back(self._begun(arrival)) for arrival in self._arrivals])
        self.ports.store.forget(self._id)
        self.change(lambda current: gate.released(current, last_commit=current.last_commit))
        self.ports.tell("batch.given_up", {"batch_id": self._id, "cause": cause})
        return True

    def _holds_overwritten_bytes(self) -> bool:
        listed = {info.key: info.etag for info in self.ports.store.list(layout.RAW)}
        return any(
            self.ports.store.fetch(arrival.source, arrival.etag, self._id) is not None
            for arrival in self._arrivals
            if arrival.archived_at is None and listed.get(arrival.key) != arrival.etag
        )

    def _drop_old_contracts(self) -> None:
        """Give every file back, so that the next batch checks it by the present contracts."""
        if not self.give_up("the contracts have changed"):
            raise SettingsError(
                f"batch {self._id} was begun under other contracts and has to be finished by them: its files are judged, or"
                " one of them was overwritten meanwhile. Put the contracts back, run again, and change them then."
            )

    def _sets_aside(self, key: str) -> bool:
        """Note that a file killed its reader; tell whether the batch was given up, for the file to be tried alone."""
        arrival = next((arrival for arrival in self._arrivals if arrival.key == key), None)
        if arrival is None or self.ports.store.read(layout.verdicts(self._id)) is not None:
            return False
        self.change(lambda current: gate.suspecting(current, arrival.key, arrival.etag))
        deaths = gate.deaths_of(self.gate, arrival.key, arrival.etag)
        self.ports.tell("file.suspected", {"key": key, "deaths": deaths})
        return len(self._arrivals) > 1 and self.give_up(f"a process died while it read {key}")

    # The gate ---------------------------------------------------------------------------------------------------------

    def check(self) -> Gate:
        """Return the gate, or raise Superseded unless it is still this attempt's; before every step with a side effect."""
        current = self.ports.ledger.gate()
        if (current.batch_id, current.attempt, current.owner) != (
            self.gate.batch_id,
            self.gate.attempt,
            self.gate.owner,
        ):
            self.ports.tell("batch.superseded", {"batch_id": self.gate.batch_id, "attempt": self.gate.attempt})
            raise Superseded(f"batch {self.gate.batch_id}: attempt {self.gate.attempt} lost the gate to a newer one.")
        return current

    def change(self, transition: Callable[[Gate], Gate]) -> None:
        """Change the gate as its owner, whoever renews the lease at the same time."""
        while True:
            checked = self.check()
            try:
                self.gate = self.ports.ledger.change_gate(transition(checked))
            except ConflictError:
                continue
            return

    def renew(self) -> None:
        """Prolong the lease."""
        self.change(lambda current: gate.renewed(current, self.ports.clock.now()))

    def let_go(self) -> None:
        """End the lease, so that the batch can be resumed at once."""
        self.change(lambda current: gate.let_go(current, self.ports.clock.now()))

    def block(self, reason: str) -> None:
        """Stop the batch until somebody unblocks it."""
        self.change(lambda current: gate.blocked(current, reason))

    # Validate ---------------------------------------------------------------------------------------------------------

    def _note(self, began_at: datetime) -> None:
        """Keep who began this attempt, when, and how the one before ended."""
        document = {
            "schema_version": 1,
            "batch_id": self._id,
            "attempt": self.gate.attempt,
            "owner": self.gate.owner,
            "began_at": layout.format_instant(began_at),
            "after": self.after,
        }
        self.ports.store.create(layout.attempt(self._id, self.gate.attempt), to_json(document))

    def _read_manifest(self) -> Manifest:
        key = layout.manifest(BatchId(str(self.gate.batch_id)))
        content = self.ports.store.read(key)
        if content is None:
            raise CorruptState(f"{key} is missing, but the gate names its batch. Restore it from a back-up.")
        return read_manifest(content, key)

    def _validate(self) -> tuple[tuple[FileReport, ...], tuple[str, ...]]:
        """Judge every file, once: an earlier attempt's verdicts stand."""
        settled = self.ports.store.read(layout.verdicts(self._id))
        if settled is not None:
            return self._read_verdicts(settled)
        reports: list[FileReport] = []
        returned: list[str] = []
        for place, arrival in enumerate(self._arrivals):
            self.ports.tell("file.validating", {"key": arrival.key, "place": place, "of": len(self._arrivals)})
            report = self._validate_file(place, arrival, reports)
            if report is None:
                returned.append(arrival.key)
                continue
            reports.append(report)
            self.ports.tell("file.judged", {"key": arrival.key, "verdict": report.verdict.value})
        if self._tolerance.policy is RejectionPolicy.STRICT:
            reports = list(self._judge_strictly(tuple(reports)))
        self.check()
        for report in reports:
            key = layout.file_report(self._id, report.dataset, report.file)
            self.ports.store.create(key, to_json(file_document(report)))
        document = to_json(verdicts_document(self._id, reports, returned))
        if not self.ports.store.create(layout.verdicts(self._id), document):
            return self._validate()
        return tuple(reports), tuple(returned)

    def _judge_strictly(self, reports: tuple[FileReport, ...]) -> tuple[FileReport, ...]:
        """Apply the policy "strict": a refused file, or an orphan without a parent anywhere, refuses the batch."""
        for report in reports:
            if report.verdict is Verdict.REJECTED:
                return fail_batch(reports, f"{report.key} was rejected")
        self.ports.tables.prepare(self.ports.contracts.by_dataset)
        with self.ports.engine.landing(self._staged_batch(reports)) as session:
            orphan = session.first_orphan(self.ports.tables.snapshot())
        if orphan is None:
            return reports
        return fail_batch(
            reports,
            f"{orphan.key} line {orphan.line}: its {orphan.column} is neither in the batch nor in the lake",
        )

    def _read_verdicts(self, content: bytes) -> tuple[tuple[FileReport, ...], tuple[str, ...]]:
        document = json.loads(content)
        return tuple(read_file_report(file) for file in document["files"]), tuple(document["returned"])

    def _validate_file(self, place: int, arrival: Arrival, before: list[FileReport]) -> FileReport | None:
        """Judge one file; None where its bytes were overwritten before they were read."""
        path = self.ports.store.fetch(arrival.source, arrival.etag, self._id)
        if path is None:
            return None
        deaths = gate.deaths_of(self.gate, arrival.key, arrival.etag)
        if deaths >= gate.MOST_DEATHS:
            return judge_unread(arrival, _fingerprint(path), deaths)
        self.change(lambda current: gate.reading(current, arrival.key))
        examination = examine(
            self.ports.validation,
            self.ports.contracts[arrival.dataset],
            arrival,
            path,
            now=self.manifest.now,
            tolerance=self._tolerance,
            workspace=self._workspace(place),
            staged=self._staged(place, arrival).path,
            original_of=lambda fingerprint: self._original_of(arrival, fingerprint, before),
        )
        report = examination.report
        self._report_chunks(arrival, examination)
        if report.records.rejected or report.verdict is Verdict.REJECTED:
            self._explain(place, report, examination.faulty_records())
        if report.verdict is Verdict.ACCEPTED and report.records.rejected:
            self._quarantine(arrival, examination)
        return report

    def _workspace(self, place: int) -> Path:
        return self.ports.store.staging(self._id) / "work" / str(place)

    @property
    def _tolerance(self) -> Tolerance:
        settings = self.manifest.settings
        return Tolerance(policy=RejectionPolicy(settings["policy"]), max_rejected=Decimal(settings["max_rejected"]))

    def _explain(self, place: int, report: FileReport, faulty: Iterable[FaultyRecord]) -> None:
        """Write every line that was refused, and why, for the archive."""
        self.ports.store.create_from(layout.staged_reasons(self._id, place), reason_lines(report, faulty))

    def _quarantine(self, arrival: Arrival, examination: Examination) -> None:
        """Set the bad rows of an accepted file aside, in a form that can be mended and dropped again."""
        key = layout.quarantined(self._id, arrival.dataset, arrival.file)
        rows = quarantine_lines(arrival, examination.structure.header or (), examination.faulty_records())
        self.ports.store.create_from(key, rows)
        self.ports.store.create_from(f"{key}.broken.jsonl", broken_lines(examination.faulty_records()))

    def _original_of(self, arrival: Arrival, fingerprint: str, before: list[FileReport]) -> str | None:
        """Return the accepted file of which this one is a copy, if there is one.

        Only the newest accepted version of its own key counts: older bytes dropped again are a correction.
        """
        accepted = [
            record
            for record in self.ports.ledger.accepted_with([fingerprint])
            # The batch itself, and the same arrival in an earlier one: a replay takes it again.
            if record.batch_id != self._id and (record.file_key, record.version) != (arrival.key, arrival.version)
        ]
        candidates = [(record.file_key, record.version) for record in accepted]
        candidates += [
            (report.key, report.version)
            for report in before
            if report.verdict is Verdict.ACCEPTED and report.fingerprint == fingerprint
        ]
        others = [key for key, _ in candidates if key != arrival.key]
        if others:
            return others[0]
        if not candidates:
            return None
        newest = max(
            record.version
            for record in self.ports.ledger.lineage(file_key=arrival.key)
            if record.verdict is Verdict.ACCEPTED
        )
        return arrival.key if any(version == newest for _, version in candidates) else None

    def _report_chunks(self, arrival: Arrival, examination: Examination) -> None:
        for chunk in examination.chunks:
            key = layout.chunk_report(self._id, arrival.dataset, arrival.file, chunk.chunk)
            self.ports.store.create(key, to_json(chunk_document(chunk)))

    def _staged(self, place: int, arrival: Arrival) -> StagedFile:
        folder = self.ports.store.staging(self._id) / arrival.dataset
        folder.mkdir(parents=True, exist_ok=True)
        return StagedFile(
            dataset=arrival.dataset, key=arrival.key, version=arrival.version, path=folder / f"{place:05d}.parquet"
        )

    # Land -------------------------------------------------------------------------------------------------------------

    def _land(self, reports: tuple[FileReport, ...]) -> Commit | None:
        """Merge the accepted rows into the lake and commit; None where there are none."""
        if not any(report.verdict is Verdict.ACCEPTED for report in reports):
            return None
        last = newest_commit(self.ports.store, self.gate.last_commit)
        if last is not None and last.batch_id == self._id:
            return last
        staged = self._staged_batch(reports)
        self.ports.tables.prepare(self.ports.contracts.by_dataset)
        with self.ports.engine.landing(staged) as session:
            affected = self._affected(session)
            for dataset in Dataset:
                self.ports.tell("lake.merging", {"dataset": dataset.value})
                self._merge(session, dataset, affected)
        return self._commit(last)

    def _staged_batch(self, reports: tuple[FileReport, ...]) -> StagedBatch:
        accepted = {report.key for report in reports if report.verdict is Verdict.ACCEPTED}
        files = (
            self._staged_again(place, arrival)
            for place, arrival in enumerate(self._arrivals)
            if arrival.key in accepted
        )
        return StagedBatch(batch_id=self._id, files=tuple(files))

    def _staged_again(self, place: int, arrival: Arrival) -> StagedFile:
        """Return the file's staged rows; another attempt on this store may find them gone, and makes them again."""
        staged = self._staged(place, arrival)
        if not staged.path.exists() and self._validate_file(place, arrival, []) is None:
            raise MachineryError(
                f"{arrival.key}: its staged rows and the bytes they were read from are gone, so batch {self._id} cannot be"
                " completed. Drop the same file again under its name and run again."
            )
        return staged

    def _affected(self, session: LandingSession) -> Affected:
        """Compute the affected keys from the lake before the first merge, once."""
        key = layout.affected(self._id)
        known = self.ports.store.read(key)
        if known is None:
            self.check()
            affected = session.affected(self.ports.tables.snapshot())
            if not affected.is_everything and self._has_new_meaning():
                affected = everything()
            self.ports.store.create(key, to_json({"schema_version": 1, "batch_id": self._id, **affected.to_json()}))
            known = self.ports.store.read(key)
        return Affected.from_json(json.loads(known or b""))

    def _has_new_meaning(self) -> bool:
        """Tell whether contracts or definitions have changed since the last batch, which may change every number."""
        meaning = current_definition(self.ports)
        if any(self.ports.kpis.definitions(table) - {meaning} for table in self.ports.kpi_tables):
            return True
        last = newest_commit(self.ports.store, self.gate.last_commit)
        key = None if last is None else layout.manifest(last.batch_id)
        content = None if key is None else self.ports.store.read(key)
        return content is not None and read_manifest(content, str(key)).contracts != self.manifest.contracts

    def _merge(self, session: LandingSession, dataset: Dataset, affected: Affected) -> None:
        for _ in range(_MERGE_TRIES):
            current = self.ports.tables.snapshot()
            change = session.merge(dataset, current, affected)
            self.check()
            try:
                self.ports.tables.apply(dataset, change, current[dataset], self._id)
            except ConflictError:
                continue
            return
        raise MachineryError(f"lake/{dataset}: {_MERGE_TRIES} merges in a row lost to another writer. Run again.")

    def _commit(self, last: Commit | None) -> Commit:
        """Write the next commit record; a number that somebody else took is passed over."""
        versions = {dataset: table.version for dataset, table in self.ports.tables.snapshot().tables.items()}
        number = last.number + 1 if last else 1
        while True:
            self.check()
            commit = Commit(number=number, batch_id=self._id, versions=versions)
            if self.ports.store.create(layout.commit(number), to_json(commit.to_json())):
                self.ports.tell("lake.committed", {"batch_id": self._id, "commit": number})
                return commit
            taken = read_commit(self.ports.store, number)
            if taken is not None and taken.batch_id == self._id:
                # A lost attempt of this batch was in the middle of it.
                return taken
            number += 1

    def _snapshot_of(self, commit: Commit) -> LakeSnapshot:
        return self.ports.tables.snapshot(commit.versions)

    # Publish ----------------------------------------------------------------------------------------------------------

    def _publish(self, commit: Commit) -> Published:
        """Publish the keys that the batch may have changed, as of its commit."""
        affected = Affected.from_json(json.loads(self.ports.store.read(layout.affected(self._id)) or b""))
        return publish(self.ports, commit, affected, self.check)

    # Archive ----------------------------------------------------------------------------------------------------------

    def _archive(self, reports: tuple[FileReport, ...], returned: tuple[str, ...]) -> None:
        """File every original away, with its lineage."""
        arrivals = {arrival.key: (place, arrival) for place, arrival in enumerate(self._arrivals)}
        self.ports.ledger.give_back([given_back(self._begun(arrivals[key][1])) for key in returned])
        for report in reports:
            place, arrival = arrivals[report.key]
            self.check()
            self.ports.ledger.record([self._file_away(place, arrival, report)])

    def _file_away(self, place: int, arrival: Arrival, report: FileReport) -> LineageRecord:
        move = archive.plan_move(arrival, report, self._id, self.manifest.now)
        store = self.ports.store
        if move.reason_key is not None:
            self._keep_reasons(place, report, move.reason_key)
        store.file_away(arrival.source, arrival.etag, self._id, move.destination, arrival.version, report.fingerprint)
        self.ports.tell("file.archived", {"key": arrival.key, "archived_at": move.destination})
        return ended(
            self._begun(arrival),
            verdict=report.verdict,
            fingerprint=report.fingerprint,
            records=report.records,
            reason=report.reason,
            archived_at=move.destination,
        )

    def _keep_reasons(self, place: int, report: FileReport, key: str) -> None:
        """Keep the reasons beside a refused file; one without faults of its own has only its report's."""
        if not self.ports.store.copy(layout.staged_reasons(self._id, place), key):
            self.ports.store.create_from(key, reason_lines(report, ()))

    def _finish(self, outcome: BatchOutcome, commit: Commit | None) -> None:
        """Write how the batch ended, clean up, and free the gate."""
        self.check()
        self.ports.store.create(layout.outcome(self._id), to_json(outcome_document(outcome)))
        self.ports.store.forget(self._id)
        landed = {report.dataset for report in outcome.reports if report.verdict is Verdict.ACCEPTED}
        last = commit.number if commit else self.gate.last_commit
        settled = {report.key for report in outcome.reports}
        self.change(lambda current: gate.released(current, last_commit=last, landed=landed, settled=settled))
        self.ports.tell("batch.done", {"batch_id": self._id, "commit": outcome.commit})


def _fingerprint(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def newest_commit(store: ObjectStore, at_least: int = 0) -> Commit | None:
    """Find the newest commit record; the gate's number is where to begin to look."""
    newest = None
    number = max(at_least, 1)
    while (commit := read_commit(store, number)) is not None:
        newest = commit
        number += 1
    return newest


def read_commit(store: ObjectStore, number: int) -> Commit | None:
    """Read a commit record; None where there is none of that number, CorruptState where it is damaged."""
    key = layout.commit(number)
    content = store.read(key)
    if content is None:
        return None
    try:
        return Commit.from_json(json.loads(content))
    except (ValueError, KeyError, TypeError) as broken:
        raise CorruptState(
            f"{key} is no commit record ({broken!r}). Nothing was changed. Restore it from a back-up; it names the tables'"
            " versions."
        ) from broken
