"""Define the metrics worth watching: their units, and the events that they come from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from takings.composition.functions import METRICS

#: every metric and its unit in CloudWatch's words
UNITS: Final[Mapping[str, str]] = {
    #: of a batch that has ended
    "FilesAccepted": "Count",
    "FilesRejected": "Count",
    "RowsRejected": "Count",
    #: from the writing of a batch's oldest accepted file until the batch is published and archived
    "ArrivalToPublishSeconds": "Seconds",
    #: items that wait for their order or product, as of a batch's commit
    "OrphansWaiting": "Count",
    #: the age of the oldest file under raw-data/, at each look that lists it
    "OldestPendingSeconds": "Seconds",
    #: the age of the batch in flight, at each look; 0 without one
    "BatchAgeSeconds": "Seconds",
    #: 1 while the store's batch waits for a person, at each look
    "BatchesBlocked": "Count",
    #: lake files that maintenance removed
    "LakeFilesVacuumed": "Count",
}
_OF_A_BATCH: Final[Mapping[str, str]] = {
    "FilesAccepted": "files_accepted",
    "FilesRejected": "files_rejected",
    "RowsRejected": "rows_rejected",
    "ArrivalToPublishSeconds": "arrival_to_publish_seconds",
    "OrphansWaiting": "orphans_waiting",
}


def embedded_metrics(store: str, service: str, values: Mapping[str, float]) -> dict[str, object]:
    """Return what makes a line of a log a measurement, in CloudWatch's embedded metric format."""
    described = {
        "Namespace": METRICS,
        "Dimensions": [["store", "service"]],
        "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in values],
    }
    stamp = {"Timestamp": int(datetime.now(UTC).timestamp() * 1000), "CloudWatchMetrics": [described]}
    return {"_aws": stamp, "store": store, "service": service, **values}


def measured(fact: str, known: Mapping[str, object]) -> dict[str, float]:
    """Return the metrics of an event; most have none. A batch without a commit has no count of orphans."""
    if fact != "batch.done":
        return {}
    values = {name: known.get(field) for name, field in _OF_A_BATCH.items()}
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
