"""Keep a batch's verdicts: they are written once, before the first merge; then the batch can only be completed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from takings import layout
from takings.documents import VERDICTS, read_document
from takings.intake.manifest import to_json
from takings.layout import BatchId
from takings.ports import ObjectStore
from takings.validation.findings import FileReport, Verdict
from takings.validation.reports import read_file_report, verdicts_document


@dataclass(frozen=True, kw_only=True)
class BatchVerdicts:
    """The verdicts of a batch; once written, they never change."""

    reports: tuple[FileReport, ...]
    #: keys of the files that were overwritten before they were read, or could not be read: they are pending again
    returned: tuple[str, ...]
    #: why files could not be read, by key
    unread: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_accepted(self) -> bool:
        """Return whether any file was accepted."""
        return any(report.verdict is Verdict.ACCEPTED for report in self.reports)


def has_verdicts(store: ObjectStore, batch_id: BatchId) -> bool:
    """Return whether a batch's verdicts are written."""
    return store.read(layout.verdicts(batch_id)) is not None


def read_verdicts(store: ObjectStore, batch_id: BatchId) -> BatchVerdicts | None:
    """Return a batch's verdicts; None if they are not written yet, CorruptState if they are damaged."""
    document = read_document(store, layout.verdicts(batch_id), VERDICTS)
    if document is None:
        return None
    return BatchVerdicts(
        reports=tuple(read_file_report(file) for file in document["files"]),
        returned=tuple(document["returned"]),
        # Verdicts written before 0.2 lack it.
        unread=document.get("unread", {}),
    )


def write_verdicts(store: ObjectStore, batch_id: BatchId, verdicts: BatchVerdicts) -> bool:
    """Write a batch's verdicts unless another attempt has; return whether they were written."""
    document = verdicts_document(batch_id, verdicts.reports, verdicts.returned, verdicts.unread)
    return store.create(layout.verdicts(batch_id), to_json(document))
