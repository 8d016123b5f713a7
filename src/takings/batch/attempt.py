"""Take one batch through its steps: validate, transform (merge and publish), archive. Each may be repeated after a crash.

A local run takes them one after the other; a state machine runs each in its own process (`runs/steps.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from takings import layout
from takings.archive.lineage import given_back
from takings.archive.outcome import BatchOutcome, outcome_document
from takings.batch.archive import FailedFile, archive, failed_files
from takings.batch.claim import Claim
from takings.batch.commits import newest_commit
from takings.batch.gaps import keep_gaps
from takings.batch.merge import Merged, merge, read_changes
from takings.batch.own_kpis import due_tables, given_up, own_tables, publish_due, publish_own
from takings.batch.publish import Published, current_definition, shipped_tables
from takings.batch.publish import publish as publish_keys
from takings.batch.validate import validate
from takings.batch.verdicts import BatchVerdicts, has_verdicts
from takings.errors import ReaderDied, SettingsError, UnreadableFile
from takings.intake.arrivals import Arrival
from takings.intake.gate import Gate, GateState, LeftFile
from takings.intake.manifest import to_json
from takings.lake import Commit, everything
from takings.layout import BatchId
from takings.ports import Ports
from takings.validation.findings import Verdict


@dataclass(frozen=True, kw_only=True)
class Transformed:
    """What merging and publishing a batch did."""

    #: None where nothing was accepted
    commit: Commit | None = None
    published: Published = field(default_factory=lambda: Published(keys={}, overtaken=0))
    #: items that wait in the lake for their order or product
    orphans: int = 0


@dataclass
class Attempt:
    """One attempt at a batch, by the owner of the gate's lease."""

    claim: Claim
    #: how the previous attempt ended; None for the first
    after: str | None = None
    #: what the previous owner was reading when it died: a file's key, or several files
    suspect: str | None = None

    def run(self) -> BatchOutcome | None:
        """Take every step of the batch, except what an earlier attempt has already done.

        None where the batch was given up: the contracts have changed since it was formed, or one of its files killed its
        reader and must be tried alone.
        """
        started_at = self._ports.clock.now()
        verdicts = self.validate(started_at)
        if verdicts is None:
            return None
        return self.archive(verdicts, self.transform(verdicts), started_at=started_at)

    def validate(self, started_at: datetime) -> BatchVerdicts | None:
        """Validate the batch's files; None where the batch was given up instead."""
        if not self._begin(started_at):
            return None
        while True:
            try:
                # Read files one by one if an earlier attempt died or failed.
                return validate(self.claim, reads_ahead=self.suspect is None and self.claim.gate.attempt == 1)
            except ReaderDied as died:
                # A batch of one file goes on: after some deaths the file is refused unread.
                if self._sets_aside(died.key):
                    return None

    def transform(self, verdicts: BatchVerdicts) -> Transformed:
        """Merge the accepted rows into the lake, and publish the KPIs that they change."""
        merged = merge(self.claim, verdicts)
        if merged is None:
            return Transformed() if self.claim.arrivals else Transformed(published=self._publish_due())
        published = self.publish(merged)
        orphans = self._ports.tables.snapshot(merged.commit.versions).orphans
        return Transformed(commit=merged.commit, published=published, orphans=orphans)

    def publish(self, merged: Merged) -> Published:
        """Publish the keys that the batch may have changed, as of its commit."""
        ports, under = self._ports, self.claim.manifest.kpis
        # A resumed batch under other definitions than it was formed under changes every day.
        is_other = under is not None and any(
            under.get(table.name) != current_definition(ports) for table in shipped_tables(ports)
        )
        published = publish_keys(ports, merged.commit, everything() if is_other else merged.affected, self.claim.check)
        published = self._publish_own(merged, published)
        self.claim.check()
        keep_gaps(self._ports, merged.commit, merged.affected)
        return published

    def _publish_own(self, merged: Merged, published: Published) -> Published:
        """Publish the shop's own tables behind the shipped ones, which wait for none of them."""
        if not own_tables(self._ports) and not self.claim.gate.own_tables:
            return published
        before = self.claim.check().own_tables
        own = publish_own(
            self._ports,
            merged.commit,
            merged.affected,
            before,
            self.claim.check,
            formed_under=self.claim.manifest.kpis or {},
        )
        if own.states != before:
            self.claim.change(lambda current: current.with_own_tables(own.states))
        return Published(
            keys={**published.keys, **own.keys},
            overtaken=published.overtaken + own.overtaken,
            warnings=own.warnings,
        )

    def _publish_due(self) -> Published:
        """Publish the shop's own tables that are new or changed: what a batch without files is for."""
        before = self.claim.check().own_tables
        commit = newest_commit(self._ports.store, self.claim.gate.last_commit)
        if commit is None:
            return Published(keys={}, overtaken=0)
        own = publish_due(self._ports, commit, before, due_tables(self._ports, before), self.claim.check)
        self.claim.change(lambda current: current.with_own_tables(own.states))
        return Published(keys=own.keys, overtaken=own.overtaken, warnings=own.warnings)

    def archive(
        self,
        verdicts: BatchVerdicts,
        transformed: Transformed,
        *,
        started_at: datetime,
        has_time: Callable[[], bool] = lambda: True,
        on_failed: Callable[[Sequence[FailedFile]], None] = lambda _: None,
    ) -> BatchOutcome | None:
        """Archive the originals and end the batch; None where the time ran out, and a repetition continues.

        `on_failed` gets the refused files before the batch ends, so that none is forgotten; after a crash it may get them
        again.
        """
        stuck = archive(self.claim, verdicts, has_time)
        if stuck is None:
            return None
        if failed := failed_files(self.claim, verdicts):
            on_failed(failed)
        return self._finish(verdicts, transformed, started_at=started_at, stuck=stuck)

    @property
    def _ports(self) -> Ports:
        return self.claim.ports

    @property
    def _id(self) -> BatchId:
        return self.claim.batch_id

    def _begin(self, started_at: datetime) -> bool:
        """Write lineage and mark the batch as running, unless that is done; False where the batch was given up instead."""
        manifest = self.claim.manifest
        self._note(started_at)
        contracts = self._ports.contracts
        if (manifest.contracts, manifest.sources) != (contracts.hash, contracts.sources.hash):
            self._drop_old_contracts()
            return False
        if not self._is_validated():
            # Once verdicts are written, only these contracts can complete the batch, so the lake must fit them.
            self._ports.tables.check_fit(self._ports.contracts.by_dataset)
        if self.suspect is not None and self._sets_aside(self.suspect):
            return False
        if self.claim.gate.state is GateState.FORMING:
            self.claim.check()
            self._ports.ledger.begin([self.claim.begun(arrival) for arrival in manifest.arrivals])
            self.claim.change(Gate.running)
        return True

    def _is_validated(self) -> bool:
        return has_verdicts(self._ports.store, self._id)

    def _note(self, began_at: datetime) -> None:
        """Keep who began this attempt, when, and how the previous one ended."""
        document = {
            "schema_version": 1,
            "batch_id": self._id,
            "attempt": self.claim.gate.attempt,
            "owner": self.claim.gate.owner,
            "began_at": layout.format_instant(began_at),
            "after": self.after,
        }
        self._ports.store.create(layout.attempt(self._id, self.claim.gate.attempt), to_json(document))

    def _finish(
        self, verdicts: BatchVerdicts, transformed: Transformed, *, started_at: datetime, stuck: Mapping[str, str]
    ) -> BatchOutcome:
        """Write how the batch ended, clean up, and free the gate; `stuck` says why archived drops were not removed."""
        commit = transformed.commit
        outcome = BatchOutcome(
            batch_id=self._id,
            attempt=self.claim.gate.attempt,
            started_at=started_at,
            finished_at=self._ports.clock.now(),
            reports=verdicts.reports,
            returned=verdicts.returned,
            unread=verdicts.unread,
            commit=commit.number if commit else None,
            published=transformed.published.keys,
            overtaken=transformed.published.overtaken,
            orphans=transformed.orphans,
            changes=read_changes(self._ports.store, self._id),
            kpi_warnings=transformed.published.warnings,
        )
        self.claim.check()
        self._ports.store.create(layout.outcome(self._id), to_json(outcome_document(outcome)))
        self._ports.store.forget(self._id)
        landed = self._ports.contracts.sources.yielded(
            report.dataset for report in verdicts.reports if report.verdict is Verdict.ACCEPTED
        )
        last = commit.number if commit else self.claim.gate.last_commit
        settled = {report.key for report in verdicts.reports}
        left = self._left(verdicts, stuck)
        self.claim.change(lambda current: current.released(last_commit=last, landed=landed, settled=settled, left=left))
        self._ports.tell("batch.done", {"batch_id": self._id, "commit": outcome.commit, **self._measured(outcome)})
        return outcome

    def _left(self, verdicts: BatchVerdicts, stuck: Mapping[str, str]) -> tuple[LeftFile, ...]:
        """Return the batch's drops that stay under raw-data/, so that the next look leaves them alone."""
        return tuple(
            LeftFile(
                key=arrival.key,
                etag=arrival.etag,
                reason=stuck.get(arrival.key) or verdicts.unread[arrival.key],
                tried_at=self._ports.clock.now(),
                is_archived=arrival.key in stuck,
            )
            for arrival in self.claim.arrivals
            if arrival.archived_at is None and (arrival.key in stuck or arrival.key in verdicts.unread)
        )

    def _measured(self, outcome: BatchOutcome) -> dict[str, object]:
        """Return the figures worth monitoring of a batch that has ended."""
        verdicts = Counter(report.verdict for report in outcome.reports)
        replayed = {arrival.key for arrival in self.claim.arrivals if arrival.archived_at is not None}
        arrived = [
            report.version
            for report in outcome.reports
            if report.verdict is Verdict.ACCEPTED and report.key not in replayed
        ]
        return {
            "files_accepted": verdicts[Verdict.ACCEPTED],
            "files_rejected": verdicts[Verdict.REJECTED],
            "rows_rejected": sum(report.records.rejected for report in outcome.reports),
            "orphans_waiting": outcome.orphans if outcome.commit else None,
            "arrival_to_publish_seconds": (outcome.finished_at - min(arrived)).total_seconds() if arrived else None,
        }

    def give_up(self, cause: str) -> bool:
        """Give every file back to pending and end the batch.

        False after the point of no return, and where the batch holds the only copy of overwritten bytes. A batch without
        files can always be given up.
        """
        return (not self.claim.arrivals or not self._is_validated()) and self.give_back(cause)

    def give_back(self, cause: str) -> bool:
        """Give back every file of a batch without verdicts; False where it holds the only copy of overwritten bytes."""
        if not self.claim.arrivals:
            self.claim.change(lambda current: given_up(self._ports, current, cause))
            self._ports.store.forget(self._id)
            self._ports.tell("batch.given_up", {"batch_id": self._id, "cause": cause})
            return True
        if self._holds_overwritten_bytes():
            return False
        self.claim.check()
        self._ports.ledger.give_back([given_back(self.claim.begun(arrival)) for arrival in self.claim.arrivals])
        # Only after the gate is ours: a newer attempt may hold the only copy of what it reads.
        self.claim.change(lambda current: current.released(last_commit=current.last_commit))
        self._ports.store.forget(self._id)
        self._ports.tell("batch.given_up", {"batch_id": self._id, "cause": cause})
        return True

    def _holds_overwritten_bytes(self) -> bool:
        listed = {info.key: info.etag for info in self._ports.store.list(layout.RAW)}
        return any(
            self._can_fetch(arrival)
            for arrival in self.claim.arrivals
            if arrival.archived_at is None and listed.get(arrival.key) != arrival.etag
        )

    def _can_fetch(self, arrival: Arrival) -> bool:
        try:
            return self._ports.store.fetch(arrival.source, arrival.etag, self._id) is not None
        except UnreadableFile:
            return False

    def _drop_old_contracts(self) -> None:
        """Give every file back, so that the next batch validates it against the present contracts."""
        if not self.give_up("the contracts have changed"):
            raise SettingsError(
                f"batch {self._id} began under other contracts and must be finished under them: its files have verdicts, or"
                " one of them was overwritten since. Restore those contracts, run again, and change them afterwards."
            )

    def _sets_aside(self, key: str) -> bool:
        """Record that a file killed its reader; return whether the batch was given up so that the file is tried alone."""
        arrival = next((arrival for arrival in self.claim.arrivals if arrival.key == key), None)
        if arrival is None or self._is_validated():
            return False
        self.claim.change(lambda current: current.suspecting(arrival.key, arrival.etag))
        deaths = self.claim.gate.deaths_of(arrival.key, arrival.etag)
        self._ports.tell("file.suspected", {"key": key, "deaths": deaths})
        return len(self.claim.arrivals) > 1 and self.give_up(f"a process died while it read {key}")
