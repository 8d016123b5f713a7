"""Compute a lake from a local store's archived originals, following docs/store.md only, without reading the store's lake."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.oracle.kpis import NO_ROLES, Lake, Row, fields, lake_of, read_rows, records


class DamagedArchive(Exception):
    """An original is missing, has other bytes, or other records than its verdict says."""


def read_store(folder: Path, roles: Mapping[str, str] = NO_ROLES) -> Lake:
    """Return the lake of the accepted originals in all finished or committed batches."""
    replaces = kept_format(folder).get("takingsReplaces", {})
    return lake_of(rows_of_store(folder, roles), business_time_zone(folder), replaces_lines="order_items" in replaces)


def rows_of_store(folder: Path, roles: Mapping[str, str] = NO_ROLES) -> Iterator[Row]:
    """Yield every accepted row of every such batch, including older and replaced ones."""
    committed = {read_json(path)["batch_id"] for path in (folder / "lake" / "commits").glob("*.json")}
    for batch in sorted((folder / "batches").glob("*")):
        is_committed = batch.name in committed
        if is_committed or (batch / "outcome.json").exists():
            yield from rows_of_batch(folder, read_json(batch / "manifest.json"), roles, is_committed=is_committed)


def rows_of_batch(
    folder: Path, manifest: dict[str, Any], roles: Mapping[str, str], *, is_committed: bool
) -> Iterator[Row]:
    """Yield the rows of the batch's accepted files, without those that policy "row" set aside."""
    arrivals = {arrival["key"]: arrival for arrival in manifest["files"]}
    for verdict in read_verdicts(folder, manifest, is_committed=is_committed):
        if verdict["verdict"] != "accepted":
            continue
        key, dataset = verdict["key"], verdict["dataset"]
        data = original(folder, manifest, verdict, is_committed=is_committed)
        if data is None:
            continue
        set_aside = quarantined_lines(folder, manifest, verdict) if manifest["settings"]["policy"] == "row" else set()
        rows = read_rows(
            dataset,
            without_broken(folder, manifest, verdict, gzip.decompress(data) if key.endswith(".gz") else data),
            datetime.fromisoformat(arrivals[key]["version"]),
            key,
            manifest["time_zone"],
            without=set_aside,
            roles=roles,
            versioned_by=kept_format(folder).get("takingsVersion", {}).get(dataset),
        )
        said = verdict["records"]["accepted"] + verdict["records"]["identical_duplicates"]
        if len(rows) != said:
            raise DamagedArchive(
                f"{key} of batch {manifest['batch_id']}: the verdict says {said} records were accepted or identical "
                f"duplicates, its original without the quarantined lines holds {len(rows)}."
            )
        yield from rows


def read_verdicts(folder: Path, manifest: dict[str, Any], *, is_committed: bool) -> list[dict[str, Any]]:
    """Return the batch's verdicts; a batch that was given up before its commit may have none."""
    path = folder / "batches" / manifest["batch_id"] / "verdicts.json"
    if not path.exists() and not is_committed:
        return []
    verdicts: list[dict[str, Any]] = read_json(path)["files"]
    return verdicts


def original(folder: Path, manifest: dict[str, Any], verdict: dict[str, Any], *, is_committed: bool) -> bytes | None:
    """Return the bytes of an accepted file, checked against its fingerprint; None if its batch was given up.

    A batch that is committed but not archived yet still has them in raw-data/; a replayed one may have them under the batch
    that took them first. What is neither archived nor committed never counted.
    """
    year, month, day = manifest["now"][:4], manifest["now"][5:7], manifest["now"][8:10]
    inside = Path(verdict["dataset"], file_of(verdict["key"]))
    place: Path = folder / "processed" / year / month / day / manifest["batch_id"] / inside
    if place.exists():
        data = place.read_bytes()
        if fingerprint(data) != verdict["fingerprint"]:
            raise DamagedArchive(f"{place}: the fingerprint is {fingerprint(data)}, not {verdict['fingerprint']}.")
        return data
    if not is_committed:
        return None
    elsewhere: list[Path] = [folder / verdict["key"]]
    for root in ("processed", "failed"):
        elsewhere += [batch / inside for batch in sorted((folder / root).glob("*/*/*/*"))]
    for candidate in elsewhere:
        if candidate.exists() and fingerprint(data := candidate.read_bytes()) == verdict["fingerprint"]:
            return data
    raise DamagedArchive(f"{place}: the original is gone, and no other place holds {verdict['fingerprint']}.")


def quarantined_lines(folder: Path, manifest: dict[str, Any], verdict: dict[str, Any]) -> set[int]:
    """Return the physical lines of the bad rows that were set aside."""
    name = file_of(verdict["key"])
    place = folder / "quarantine" / manifest["batch_id"] / verdict["dataset"]
    lines = set()
    if (place / name).exists():
        data = (place / name).read_bytes()
        (_, header), *body = records(gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data)
        column = fields(header).index("_takings_line")
        lines |= {int(fields(record)[column]) for _, record in body}
    return lines


def without_broken(folder: Path, manifest: dict[str, Any], verdict: dict[str, Any], data: bytes) -> bytes:
    """Return a file's bytes; the physical lines of each record that cannot be a CSV row are emptied."""
    place = folder / "quarantine" / manifest["batch_id"] / verdict["dataset"]
    path = place / f"{file_of(verdict['key'])}.broken.jsonl"
    if not path.exists():
        return data
    lines = data.split(b"\n")
    for entry in path.read_text(encoding="utf-8").split("\n"):
        if entry:
            broken = json.loads(entry)
            first = int(broken["line"]) - 1
            for line in range(first, first + base64.b64decode(broken["base64"] or "").count(b"\n") + 1):
                lines[line] = b""
    return b"\n".join(lines)


def business_time_zone(folder: Path) -> str:
    """Return the time zone of the business days: the lake's; in a store without a lake, its manifests'."""
    for path in [folder / "lake" / "format.json", *sorted((folder / "batches").glob("*/manifest.json"), reverse=True)]:
        if path.exists():
            return str(read_json(path)["time_zone"])
    return "UTC"


def kept_format(folder: Path) -> Any:
    """Return what the store keeps about its lake: the order of versions, and what is replaced together."""
    path = folder / "lake" / "format.json"
    return read_json(path) if path.exists() else {}


def file_of(key: str) -> str:
    """Return the part of the key after raw-data/<prefix>/."""
    _, _, file = key.split("/", maxsplit=2)
    return file


def fingerprint(data: bytes) -> str:
    """Return the SHA-256 of the bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def read_json(path: Path) -> Any:
    """Return the content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
