"""Report what became of batches, as `takings batches`, the API and the pages show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from takings import layout
from takings.archive.lineage import LineageRecord
from takings.batch.merge import read_changes
from takings.contracts.datasets import Dataset, DropKind, kind_of
from takings.documents import AFFECTED, ATTEMPT, CHUNK_REPORT, MANIFEST, OUTCOME, VERDICTS, need_document, read_document
from takings.lake import BatchChanges
from takings.layout import BatchId
from takings.ports import Ports
from takings.validation.findings import FileReport, Finding
from takings.validation.remedies import remedy_in
from takings.validation.reports import file_document, read_file_report, violation_document


def batch_ids(ports: Ports) -> list[BatchId]:
    """Return the batches that were ever formed, oldest first."""
    return sorted({BatchId(info.key.split("/")[1]) for info in ports.store.list("batches/")})


@dataclass(frozen=True, kw_only=True)
class BatchSummary:
    """A batch as the list of batches shows it."""

    batch_id: BatchId
    #: DONE, GIVEN_UP, NOT_STARTED, or the gate's state while the batch is in flight
    state: str
    #: the instant that its manifest fixes
    now: datetime | None
    #: how many files it was made of
    files: int
    #: verdict -> files; empty while the batch is in flight
    verdicts: Mapping[str, int]
    records_read: int
    records_rejected: int
    #: new, changed, unchanged and older rows, compared with the lake before; None where nothing was merged
    rows: Mapping[str, int] | None
    warnings: int
    #: None where no file was accepted
    commit: int | None
    attempt: int | None
    started_at: datetime | None
    finished_at: datetime | None

    def to_json(self) -> dict[str, Any]:
        """Return it as `takings batches --json` prints it."""
        cells = {field.name: getattr(self, field.name) for field in fields(BatchSummary)}
        return {
            name: layout.format_instant(cell)
            if isinstance(cell, datetime)
            else dict(cell)
            if name == "verdicts"
            else cell
            for name, cell in cells.items()
        }


def summary(ports: Ports, batch_id: BatchId) -> BatchSummary:
    """Return a batch as the list of batches shows it."""
    store = ports.store
    manifest = read_document(store, layout.manifest(batch_id), MANIFEST) or {}
    outcome = read_document(store, layout.outcome(batch_id), OUTCOME) or {}
    changes = read_changes(store, batch_id)
    return BatchSummary(
        batch_id=batch_id,
        state="DONE" if outcome else _state(ports, batch_id),
        now=_instant(manifest.get("now")),
        files=len(manifest.get("files", ())),
        verdicts=dict(sorted(Counter(file["verdict"] for file in outcome.get("files", ())).items())),
        records_read=sum(file["records"]["read"] for file in outcome.get("files", ())),
        records_rejected=sum(file["records"]["rejected"] for file in outcome.get("files", ())),
        rows=None if changes is None else changes.in_all.counts,
        warnings=len(changes.warnings) if changes else 0,
        commit=outcome.get("commit"),
        attempt=outcome.get("attempt"),
        started_at=_instant(outcome.get("started_at")),
        finished_at=_instant(outcome.get("finished_at")),
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else layout.parse_instant(text)


def _state(ports: Ports, batch_id: BatchId) -> str:
    """Return the state of a batch without an outcome: in flight, given up, or never begun because another was first."""
    gate = ports.ledger.gate()
    if gate.batch_id == batch_id:
        return gate.state.value
    return "GIVEN_UP" if ports.ledger.lineage(batch_id=batch_id) else "NOT_STARTED"


@dataclass(frozen=True, kw_only=True)
class BatchAttempt:
    """One attempt at a batch."""

    attempt: int
    owner: str | None
    began_at: datetime
    #: how the previous attempt ended; None for the first
    after: str | None

    def to_json(self) -> dict[str, Any]:
        """Return it as `takings batches --json` prints it."""
        return {
            "attempt": self.attempt,
            "owner": self.owner,
            "began_at": layout.format_instant(self.began_at),
            "after": self.after,
        }


@dataclass(frozen=True, kw_only=True)
class FoundInBatch:
    """A violation in one of the batch's files."""

    dataset: DropKind
    file: str
    finding: Finding


@dataclass(frozen=True, kw_only=True)
class BatchDetails:
    """One batch: its files, verdicts, violations and the days that it restated."""

    summary: BatchSummary
    #: what its manifest fixes
    settings: Mapping[str, str] | None
    time_zone: str | None
    #: keys that went back to pending; those that could not be read, with the reason
    returned: tuple[str, ...]
    unread: Mapping[str, str]
    #: oldest first
    attempts: tuple[BatchAttempt, ...]
    #: the ledger's record of each file
    lineage: tuple[LineageRecord, ...]
    #: the report on each file; none before the verdicts
    reports: tuple[FileReport, ...]
    #: it restated every day
    restated_everything: bool
    #: business days that it restated, otherwise
    restated: tuple[date, ...]
    #: how its rows compared with the lake before; None where nothing was merged
    changes: BatchChanges | None
    #: keys published again, per KPI table
    published: Mapping[str, int]
    #: KPI table of the shop's own -> which check that only warns did not hold
    kpi_warnings: Mapping[str, str]
    #: those that the chunk reports show
    violations: tuple[FoundInBatch, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as `takings batches STORE BATCH --json` prints it."""
        ledger = {record.file_key: record for record in self.lineage}
        return {
            "schema_version": 1,
            **self.summary.to_json(),
            "settings": self.settings,
            "time_zone": self.time_zone,
            "returned": list(self.returned),
            "unread": dict(self.unread),
            "attempts": [attempt.to_json() for attempt in self.attempts],
            "lineage": [
                {
                    "key": record.file_key,
                    "status": record.status.value,
                    "reason": record.reason,
                    "archived_at": record.archived_at,
                }
                for record in self.lineage
            ],
            "file_reports": [
                {
                    **file_document(report),
                    "status": ledger[report.key].status.value,
                    "archived_at": ledger[report.key].archived_at,
                }
                for report in self.reports
            ],
            "restated": {"everything": self.restated_everything, "days": [day.isoformat() for day in self.restated]},
            "changes": self.changes and self.changes.to_json(),
            "published": dict(self.published),
            **({"kpi_warnings": dict(self.kpi_warnings)} if self.kpi_warnings else {}),
            "violations": [
                {"dataset": each.dataset.value, "file": each.file, **violation_document(each.finding)}
                for each in self.violations
            ],
        }


def details(ports: Ports, batch_id: BatchId) -> BatchDetails:
    """Return one batch: its files, verdicts, violations and the days that it restated."""
    store = ports.store
    manifest = read_document(store, layout.manifest(batch_id), MANIFEST) or {}
    verdicts = read_document(store, layout.verdicts(batch_id), VERDICTS) or {}
    affected = read_document(store, layout.affected(batch_id), AFFECTED) or {}
    outcome = read_document(store, layout.outcome(batch_id), OUTCOME) or {}
    return BatchDetails(
        summary=summary(ports, batch_id),
        settings=manifest.get("settings"),
        time_zone=manifest.get("time_zone"),
        returned=tuple(verdicts.get("returned", ())),
        unread=verdicts.get("unread", {}),
        attempts=_attempts(ports, batch_id),
        lineage=tuple(ports.ledger.lineage(batch_id=batch_id)),
        reports=tuple(map(read_file_report, verdicts.get("files", ()))),
        restated_everything=affected.get("everything", False),
        restated=tuple(map(date.fromisoformat, affected.get("days", ()))),
        changes=read_changes(store, batch_id),
        published=outcome.get("published", {}),
        kpi_warnings=outcome.get("kpi_warnings", {}),
        violations=tuple(_samples(ports, batch_id)),
    )


def _attempts(ports: Ports, batch_id: BatchId) -> tuple[BatchAttempt, ...]:
    """Return who attempted the batch, when, and how the previous attempt ended; oldest first."""
    keys = [info.key for info in ports.store.list(f"batches/{batch_id}/") if "/attempt-" in info.key]
    found = [need_document(ports.store, key, ATTEMPT) for key in keys]
    attempts = [
        BatchAttempt(
            attempt=each["attempt"],
            owner=each["owner"],
            began_at=layout.parse_instant(each["began_at"]),
            after=each["after"],
        )
        for each in found
    ]
    return tuple(sorted(attempts, key=lambda each: each.attempt))


def _samples(ports: Ports, batch_id: BatchId) -> list[FoundInBatch]:
    """Return the violations that the chunk reports show, each with its file and its remedy."""
    samples = []
    for info in sorted(ports.store.list(f"validation-reports/{batch_id}/"), key=lambda info: info.key):
        if "/chunk-" in info.key:
            dataset, file, made = layout.read_chunk_key(info.key)
            report = read_document(ports.store, info.key, CHUNK_REPORT) or {}
            found = report.get("samples", ())
            named = found if made is None else [_named_with(made, sample) for sample in found]
            kind = kind_of(dataset)
            samples += [
                FoundInBatch(dataset=kind, file=file, finding=_finding(ports, kind, sample)) for sample in named
            ]
    return samples


def _finding(ports: Ports, kind: DropKind, sample: Mapping[str, Any]) -> Finding:
    known = {name: sample[name] for name in ("rule", "record", "line", "column", "reason", "shape")}
    return Finding(**known, remedy=remedy_in(ports.contracts, kind, known["rule"]))


def _named_with(made: Dataset, sample: dict[str, Any]) -> dict[str, Any]:
    """Return a violation with its rule and column as the report on a source's file names them."""
    column = sample["column"]
    return {
        **sample,
        "rule": f"{made}.{sample['rule']}",
        "column": None if column is None else f"{made}.{column}",
    }
