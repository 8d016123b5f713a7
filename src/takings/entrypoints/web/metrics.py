"""Compute metrics for Prometheus from the store's own records; the same as on AWS, named in Prometheus' style."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from takings import layout
from takings.archive.lineage import LineageRecord
from takings.composition.stores import Shop
from takings.documents import MANIFEST, read_document
from takings.entrypoints.web.store_reader import StoreReader
from takings.intake.arrivals import sight
from takings.intake.gate import GateState
from takings.layout import parse_instant
from takings.validation.findings import Verdict

#: how many batches to search for one whose files came from raw-data/
_LOOK_BACK = 20


def exposition(reader: StoreReader, shop: Shop) -> str:
    """Return the metrics in Prometheus' text format."""
    ports = shop.ports
    now = ports.clock.now()
    lineage = ports.ledger.lineage()
    kpis = reader.kpis(shop)
    orphans = ports.tables.snapshot(kpis.commit.versions).orphans if kpis.commit else 0
    drops = sight(ports.store.list(layout.RAW), sources=ports.contracts.sources.folders).drops
    pending = max(((now - info.written_at).total_seconds() for info, _ in drops), default=0.0)
    blocked = ports.ledger.gate().state is GateState.BLOCKED
    lines = [
        *_metric("files_accepted_total", "counter", "Files that were taken.", _verdicts(lineage, Verdict.ACCEPTED)),
        *_metric("files_rejected_total", "counter", "Files that were refused.", _verdicts(lineage, Verdict.REJECTED)),
        *_metric("rows_rejected_total", "counter", "Records that were refused.", _rejected(lineage)),
        *_metric("oldest_pending_seconds", "gauge", "How long the oldest pending file has waited.", max(pending, 0.0)),
        *_metric("batches_blocked", "gauge", "1 while the batch waits for a person.", blocked),
        *_metric("orphans_waiting", "gauge", "Items that wait for their order or product.", orphans),
    ]
    seconds = _arrival_to_publish(reader, shop)
    if seconds is not None:
        meaning = "From the writing of the newest batch's oldest accepted file until it is published and archived."
        lines += _metric("arrival_to_publish_seconds", "gauge", meaning, seconds)
    return "\n".join(lines) + "\n"


def _metric(name: str, kind: str, meaning: str, value: float) -> list[str]:
    name = f"takings_{name}"
    return [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}", f"{name} {value:.10g}"]


def _verdicts(lineage: Sequence[LineageRecord], verdict: Verdict) -> int:
    return sum(record.verdict is verdict for record in lineage)


def _rejected(lineage: Sequence[LineageRecord]) -> int:
    return sum(record.records.rejected for record in lineage if record.records is not None)


def _arrival_to_publish(reader: StoreReader, shop: Shop) -> float | None:
    """Return the seconds of the newest batch that is not a replay: a replay's files arrived long before."""
    for batch_id in reader.records.batches(shop)[:_LOOK_BACK]:
        found = reader.records.summary(shop, batch_id)
        if found["commit"] is None or found["finished_at"] is None:
            continue
        manifest = read_document(shop.ports.store, layout.manifest(batch_id), MANIFEST) or {"files": []}
        replayed = {file["key"] for file in manifest["files"] if "archived_at" in file}
        arrived: list[datetime] = [
            parse_instant(report["version"])
            for report in reader.records.reports(shop, batch_id)
            if report["verdict"] == Verdict.ACCEPTED and report["key"] not in replayed
        ]
        if arrived:
            return (parse_instant(found["finished_at"]) - min(arrived)).total_seconds()
    return None
