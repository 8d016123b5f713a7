"""Render rows that were set aside: as CSV to correct and drop again, or in base64 if they are not CSV rows. Pure."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from takings.intake.arrivals import Arrival
from takings.layout import format_instant, parse_instant
from takings.validation.findings import FaultyRecord
from takings.validation.mended import LINE, QUARANTINE_COLUMNS, SOURCE, STEP, VERSION, is_mended


def quarantine_lines(
    arrival: Arrival, header: Sequence[str], faulty: Iterable[FaultyRecord], *, keeps_source: bool = False
) -> Iterator[str]:
    """Yield the header, then each rejected row with its place and reasons; nothing if no row was rejected.

    A row that already came back from quarantine keeps its own version, plus one step; with `keeps_source` also the place
    where it first stood.
    """
    keeps_source = keeps_source and is_mended(header)
    columns = [column for column in header if column not in QUARANTINE_COLUMNS]
    places = [header.index(column) for column in columns]
    is_first = True
    for record in faulty:
        if record.is_rejected and record.fields is not None:
            if is_first:
                yield _csv_line([*columns, *QUARANTINE_COLUMNS])
                is_first = False
            origin = _origin(arrival, header, record)
            if keeps_source:
                origin[:2] = (record.fields[header.index(column)] or "" for column in (SOURCE, LINE))
            yield _csv_line([*(record.fields[place] or "" for place in places), *origin])


def broken_lines(faulty: Iterable[FaultyRecord]) -> Iterator[str]:
    """Yield the records that cannot be CSV rows, one JSON object per line."""
    for record in faulty:
        if record.fields is None:
            yield json.dumps(_broken_document(record), ensure_ascii=False) + "\n"


def _csv_line(fields: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(fields)
    return line.getvalue()


def _origin(arrival: Arrival, header: Sequence[str], record: FaultyRecord) -> list[str]:
    reasons = "; ".join(f"{violation.rule}: {violation.reason}" for violation in record.violations)
    return [arrival.key, str(record.line), reasons, format_instant(_version(arrival, header, record))]


def _version(arrival: Arrival, header: Sequence[str], record: FaultyRecord) -> datetime:
    """Return the version that the row would have had in the lake."""
    if record.fields is None or not is_mended(header):
        return arrival.version
    try:
        return parse_instant(record.fields[header.index(VERSION)] or "") + STEP
    except ValueError:
        return arrival.version


def _broken_document(record: FaultyRecord) -> dict[str, object]:
    return {
        "record": record.record,
        "line": record.line,
        "rule": record.violations[0].rule,
        "reason": record.violations[0].reason,
        "base64": None if record.raw is None else base64.b64encode(record.raw).decode("ascii"),
    }
