"""Report what became of batches, as `takings batches --json`, the API and the pages show it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from takings import layout
from takings.batch.merge import read_changes
from takings.contracts.datasets import Dataset
from takings.documents import AFFECTED, ATTEMPT, CHUNK_REPORT, MANIFEST, OUTCOME, VERDICTS, need_document, read_document
from takings.layout import BatchId
from takings.ports import Ports


def batch_ids(ports: Ports) -> list[BatchId]:
    """Return the batches that were ever formed, oldest first."""
    return sorted({BatchId(info.key.split("/")[1]) for info in ports.store.list("batches/")})


def summary(ports: Ports, batch_id: BatchId) -> dict[str, Any]:
    """Return a batch as the list of batches shows it."""
    store = ports.store
    manifest = read_document(store, layout.manifest(batch_id), MANIFEST) or {}
    outcome = read_document(store, layout.outcome(batch_id), OUTCOME) or {}
    changes = read_changes(store, batch_id)
    state = "DONE" if outcome else _state(ports, batch_id)
    return {
        "batch_id": batch_id,
        "state": state,
        "now": manifest.get("now"),
        "files": len(manifest.get("files", ())),
        "verdicts": dict(sorted(Counter(file["verdict"] for file in outcome.get("files", ())).items())),
        "records_read": sum(file["records"]["read"] for file in outcome.get("files", ())),
        "records_rejected": sum(file["records"]["rejected"] for file in outcome.get("files", ())),
        "rows": changes and changes.in_all.counts,
        "warnings": len(changes.warnings) if changes else 0,
        "commit": outcome.get("commit"),
        "attempt": outcome.get("attempt"),
        "started_at": outcome.get("started_at"),
        "finished_at": outcome.get("finished_at"),
    }


def _state(ports: Ports, batch_id: BatchId) -> str:
    """Return the state of a batch without an outcome: in flight, given up, or never begun because another was first."""
    gate = ports.ledger.gate()
    if gate.batch_id == batch_id:
        return gate.state.value
    return "GIVEN_UP" if ports.ledger.lineage(batch_id=batch_id) else "NOT_STARTED"


def details(ports: Ports, batch_id: BatchId) -> dict[str, Any]:
    """Return one batch: its files, verdicts, violations and the days that it restated."""
    store = ports.store
    manifest = read_document(store, layout.manifest(batch_id), MANIFEST) or {}
    verdicts = read_document(store, layout.verdicts(batch_id), VERDICTS) or {}
    affected = read_document(store, layout.affected(batch_id), AFFECTED) or {}
    outcome = read_document(store, layout.outcome(batch_id), OUTCOME) or {}
    changes = read_changes(store, batch_id)
    lineage = {record.file_key: record for record in ports.ledger.lineage(batch_id=batch_id)}
    files = [
        {**file, "status": lineage[file["key"]].status.value, "archived_at": lineage[file["key"]].archived_at}
        for file in verdicts.get("files", ())
    ]
    return {
        "schema_version": 1,
        **summary(ports, batch_id),
        "settings": manifest.get("settings"),
        "time_zone": manifest.get("time_zone"),
        "returned": verdicts.get("returned", []),
        "unread": verdicts.get("unread", {}),
        "attempts": _attempts(ports, batch_id),
        "lineage": [
            {
                "key": record.file_key,
                "status": record.status.value,
                "reason": record.reason,
                "archived_at": record.archived_at,
            }
            for record in lineage.values()
        ],
        "file_reports": files,
        "restated": {"everything": affected.get("everything", False), "days": affected.get("days", [])},
        "changes": changes and changes.to_json(),
        "published": outcome.get("published", {}),
        **({"kpi_warnings": warnings} if (warnings := outcome.get("kpi_warnings")) else {}),
        "violations": _samples(ports, batch_id),
    }


def _attempts(ports: Ports, batch_id: BatchId) -> list[dict[str, Any]]:
    """Return who attempted the batch, when, and how the previous attempt ended; oldest first."""
    keys = [info.key for info in ports.store.list(f"batches/{batch_id}/") if "/attempt-" in info.key]
    found = [need_document(ports.store, key, ATTEMPT) for key in keys]
    told = ("attempt", "owner", "began_at", "after")
    return sorted(({name: each[name] for name in told} for each in found), key=lambda each: int(each["attempt"]))


def _samples(ports: Ports, batch_id: BatchId) -> list[dict[str, Any]]:
    """Return the violations that the chunk reports show, each with its file."""
    samples = []
    for info in sorted(ports.store.list(f"validation-reports/{batch_id}/"), key=lambda info: info.key):
        if "/chunk-" in info.key:
            dataset, file, made = layout.read_chunk_key(info.key)
            report = read_document(ports.store, info.key, CHUNK_REPORT) or {}
            found = report.get("samples", ())
            named = found if made is None else [_named_with(made, sample) for sample in found]
            samples += [{"dataset": dataset, "file": file, **sample} for sample in named]
    return samples


def _named_with(made: Dataset, sample: dict[str, Any]) -> dict[str, Any]:
    """Return a violation with its rule and column as the report on a source's file names them."""
    column = sample["column"]
    return {
        **sample,
        "rule": f"{made}.{sample['rule']}",
        "column": None if column is None else f"{made}.{column}",
    }
