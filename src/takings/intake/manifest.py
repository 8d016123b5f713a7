"""Record what a batch is made of, and every setting that can change its outcome; written once, read by every attempt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from takings.contracts.datasets import kind_of
from takings.documents import MANIFEST, parse_document
from takings.intake.arrivals import Arrival
from takings.layout import BatchId, file_of, format_instant, parse_instant


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What one batch is made of."""

    batch_id: BatchId
    #: "now" for every rule
    now: datetime
    package_version: str
    time_zone: str
    #: hash of the contracts
    contracts: str
    #: hash of the sources; None where there are none
    sources: str | None = None
    #: the definition of each KPI table, by name; None in a manifest of before
    kpis: Mapping[str, str] | None = None
    #: settings that can change the outcome, by name
    settings: Mapping[str, str]
    #: in the order of their versions
    arrivals: tuple[Arrival, ...]


def write_manifest(manifest: Manifest) -> bytes:
    """Return the content of manifest.json."""
    document = {
        "schema_version": 1,
        "batch_id": manifest.batch_id,
        "now": format_instant(manifest.now),
        "package_version": manifest.package_version,
        "time_zone": manifest.time_zone,
        "contracts": manifest.contracts,
        **({} if manifest.sources is None else {"sources": manifest.sources}),
        **({} if manifest.kpis is None else {"kpis": dict(manifest.kpis)}),
        "settings": dict(manifest.settings),
        "files": [
            {
                "key": arrival.key,
                "dataset": arrival.dataset.value,
                "size": arrival.size,
                "etag": arrival.etag,
                "version": format_instant(arrival.version),
                **({} if arrival.archived_at is None else {"archived_at": arrival.archived_at}),
            }
            for arrival in manifest.arrivals
        ],
    }
    return to_json(document)


def read_manifest(content: bytes, key: str) -> Manifest:
    """Read manifest.json; raise CorruptState if it is not a manifest of this version."""
    return manifest_of(parse_document(content, key, MANIFEST))


def manifest_of(document: Mapping[str, Any]) -> Manifest:
    """Return the manifest that a document describes."""
    return Manifest(
        batch_id=BatchId(document["batch_id"]),
        now=parse_instant(document["now"]),
        package_version=document["package_version"],
        time_zone=document["time_zone"],
        contracts=document["contracts"],
        sources=document.get("sources"),
        kpis=document.get("kpis"),
        settings=document["settings"],
        arrivals=tuple(_read_arrival(file) for file in document["files"]),
    )


def _read_arrival(file: Mapping[str, Any]) -> Arrival:
    return Arrival(
        key=file["key"],
        dataset=kind_of(file["dataset"]),
        file=file_of(file["key"]),
        size=file["size"],
        etag=file["etag"],
        version=parse_instant(file["version"]),
        archived_at=file.get("archived_at"),
    )


def to_json(document: object) -> bytes:
    """Render a document as all documents of the store are rendered."""
    return (json.dumps(document, indent=1, ensure_ascii=False, sort_keys=False) + "\n").encode()
