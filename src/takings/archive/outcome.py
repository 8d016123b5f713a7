"""Describe how a batch ended, as outcome.json and `takings run` show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from takings.lake import BatchChanges
from takings.layout import BatchId, format_instant
from takings.validation.findings import FileReport, Verdict
from takings.validation.reports import file_document


@dataclass(frozen=True, kw_only=True)
class BatchOutcome:
    """How a batch ended."""

    batch_id: BatchId
    attempt: int
    started_at: datetime
    finished_at: datetime
    reports: tuple[FileReport, ...]
    #: keys that went back to pending, because their bytes changed before they were read or could not be read
    returned: tuple[str, ...]
    #: the reasons of those that could not be read
    unread: Mapping[str, str]
    #: None if no file was accepted
    commit: int | None
    #: keys published again, per KPI table
    published: Mapping[str, int]
    #: publications that a newer commit has overtaken
    overtaken: int
    orphans: int
    #: how the rows compared with the lake before; None if nothing was merged, or an older version of Takings began the merge
    changes: BatchChanges | None = None
    #: KPI table of the shop's own -> which check that only warns does not hold for what was published
    kpi_warnings: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_rejections(self) -> bool:
        """Return whether a file or a row was refused."""
        return any(report.verdict is Verdict.REJECTED or report.records.rejected for report in self.reports)

    def to_json(self) -> dict[str, object]:
        """Return it as outcome.json and `takings run --json` show it."""
        return outcome_document(self)


def outcome_document(outcome: BatchOutcome) -> dict[str, object]:
    """Return the content of outcome.json; `--json` shows a batch the same way."""
    return {
        "schema_version": 1,
        "batch_id": outcome.batch_id,
        "attempt": outcome.attempt,
        "started_at": format_instant(outcome.started_at),
        "finished_at": format_instant(outcome.finished_at),
        "commit": outcome.commit,
        "published": dict(outcome.published),
        "overtaken": outcome.overtaken,
        "orphans": outcome.orphans,
        "changes": outcome.changes and outcome.changes.to_json(),
        **({"kpi_warnings": dict(outcome.kpi_warnings)} if outcome.kpi_warnings else {}),
        "files": [file_document(report) for report in outcome.reports],
        "returned": list(outcome.returned),
        "unread": dict(outcome.unread),
    }
