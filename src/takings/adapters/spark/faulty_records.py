"""Keep the faulty records of a file that an executor has read, one JSON document a line, for whoever decides about the file."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from takings.validation.findings import FaultyRecord, Violation


def write_faulty(path: Path, records: Iterable[FaultyRecord]) -> None:
    """Write records; there may be as many as the file has."""
    with gzip.open(path, "wt", encoding="ascii", compresslevel=1) as file:
        file.writelines(json.dumps(_to_json(record)) + "\n" for record in records)


def read_faulty(path: Path) -> Iterator[FaultyRecord]:
    """Yield what `write_faulty` wrote, in its order."""
    with gzip.open(path, "rt", encoding="ascii") as file:
        for line in file:
            yield _from_json(json.loads(line))


def _to_json(record: FaultyRecord) -> dict[str, Any]:
    document = asdict(record)
    if record.raw is not None:
        document["raw"] = base64.b64encode(record.raw).decode("ascii")
    return document


def _from_json(document: dict[str, Any]) -> FaultyRecord:
    fields, raw = document["fields"], document["raw"]
    return FaultyRecord(
        record=document["record"],
        line=document["line"],
        violations=tuple(Violation(**violation) for violation in document["violations"]),
        is_rejected=document["is_rejected"],
        fields=None if fields is None else tuple(fields),
        raw=None if raw is None else base64.b64decode(raw),
    )
