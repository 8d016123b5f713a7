"""List batches, files and violations for the API and the pages; read ended batches only once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

from takings import layout
from takings.archive.lineage import LineageRecord
from takings.composition.stores import Shop
from takings.documents import VERDICTS, read_document
from takings.layout import BatchId, format_instant
from takings.queries import batches as batch_documents
from takings.validation.findings import Verdict

#: how many ended batches' documents are cached; they never change
_MOST_KEPT: Final = 2000
#: how many batches are searched for violations
MOST_BATCHES: Final = 500


class History:
    """What became of batches and files."""

    def __init__(self) -> None:
        self._summaries: dict[BatchId, dict[str, Any]] = {}
        self._reports: dict[BatchId, tuple[Mapping[str, Any], ...]] = {}
        self._lock = threading.Lock()

    def batches(self, shop: Shop) -> list[BatchId]:
        """Return every batch, newest first."""
        return batch_documents.batch_ids(shop.ports)[::-1]

    def summary(self, shop: Shop, batch_id: BatchId) -> dict[str, Any]:
        """Return a batch as a list shows it."""
        if (known := self._summaries.get(batch_id)) is not None:
            return known
        found = batch_documents.summary(shop.ports, batch_id).to_json()
        if found["state"] == "DONE":
            self._keep(self._summaries, batch_id, found)
        return found

    def reports(self, shop: Shop, batch_id: BatchId) -> tuple[Mapping[str, Any], ...]:
        """Return the report on each file of a batch; none before its verdicts."""
        if (known := self._reports.get(batch_id)) is not None:
            return known
        verdicts = read_document(shop.ports.store, layout.verdicts(batch_id), VERDICTS)
        if verdicts is None:
            return ()
        found = tuple(verdicts["files"])
        self._keep(self._reports, batch_id, found)
        return found

    def violations(self, shop: Shop, wanted: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield how many records of each file break which rule, newest batch first."""
        for batch_id in self.batches(shop)[:MOST_BATCHES] if wanted is None else [BatchId(wanted)]:
            reports = [report for report in self.reports(shop, batch_id) if report["errors"] or report["warnings"]]
            now = self.summary(shop, batch_id)["now"] if reports else None
            for report in reports:
                for severity, counts in (("error", report["errors"]), ("warning", report["warnings"])):
                    for rule, records in counts.items():
                        yield {
                            "batch_id": batch_id,
                            "now": now,
                            **{name: report[name] for name in ("dataset", "key", "verdict")},
                            "rule": rule,
                            "severity": severity,
                            "records": records,
                        }

    def _keep(self, kept: dict[BatchId, Any], batch_id: BatchId, found: object) -> None:
        with self._lock:
            kept[batch_id] = found
            while len(kept) > _MOST_KEPT:
                kept.pop(next(iter(kept)))


def files(shop: Shop, *, key: str | None = None, search: str | None = None) -> list[LineageRecord]:
    """Return every file in every batch, newest first; only those of a key, or of keys that contain a text."""
    found = shop.ports.ledger.lineage(file_key=key)[::-1]
    wanted = (search or "").casefold()
    return [record for record in found if wanted in record.file_key.casefold()]


def has_set_aside(record: LineageRecord) -> bool:
    """Return whether a file was accepted without some of its rows."""
    return record.verdict is Verdict.ACCEPTED and record.records is not None and record.records.rejected > 0


def file_document(record: LineageRecord) -> dict[str, Any]:
    """Return a lineage record as JSON shows it."""
    return {
        "key": record.file_key,
        "dataset": record.dataset.value,
        "batch_id": record.batch_id,
        "processing_date": format_instant(record.processing_date),
        "status": record.status.value,
        "verdict": None if record.verdict is None else record.verdict.value,
        "size": record.size,
        "version": format_instant(record.version),
        "fingerprint": record.fingerprint,
        "records": None if record.records is None else asdict(record.records),
        "reason": record.reason,
        "archived_at": record.archived_at,
    }
