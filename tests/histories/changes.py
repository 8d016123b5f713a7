"""Compute how each file's rows compare with the lake before its batch: new, older, or replacing another row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from tests.oracle.kpis import Item, Row

#: what a row may be; "present" is changed or unchanged, which the oracle's columns do not show
Kind = Literal["new", "present", "older"]
Place = tuple[datetime, datetime, str, int]
Unit = tuple[str, str]


def kinds_of(batches: Iterable[Mapping[str, Sequence[Row]]], *, replaces: bool) -> list[dict[str, Counter[Kind]]]:
    """Return how many rows of each file are of each kind, batch by batch; a batch is its accepted files' rows by key."""
    lake: dict[Unit, Place] = {}
    keys: dict[Unit, set[str]] = {}
    found = []
    for files in batches:
        rows = {key: _distinct(each, replaces=replaces) for key, each in files.items()}
        newest: dict[Unit, Place] = {}
        for row in (row for each in rows.values() for row in each):
            unit, place = _unit(row, replaces=replaces), _place(row, replaces=replaces)
            newest[unit] = max(place, newest.get(unit, place))
        found.append(
            {
                key: Counter(_kind(row, lake, keys, newest, replaces=replaces) for row in each)
                for key, each in rows.items()
            }
        )
        for unit, place in newest.items():
            if unit not in lake or place > lake[unit]:
                lake[unit] = place
                lines = (row for each in rows.values() for row in each if _unit(row, replaces=replaces) == unit)
                keys[unit] = {row.id for row in lines if _place(row, replaces=replaces) == place}
    return found


def _kind(
    row: Row, lake: Mapping[Unit, Place], keys: Mapping[Unit, set[str]], newest: Mapping[Unit, Place], *, replaces: bool
) -> Kind:
    unit, place = _unit(row, replaces=replaces), _place(row, replaces=replaces)
    if place < newest[unit] or (unit in lake and place < lake[unit]):
        return "older"
    return "present" if row.id in keys.get(unit, ()) else "new"


def _unit(row: Row, *, replaces: bool) -> Unit:
    """Return what is replaced as a whole."""
    is_line = replaces and isinstance(row, Item)
    return type(row).__name__, f"order {row.order_id}" if is_line and isinstance(row, Item) else row.id


def _place(row: Row, *, replaces: bool) -> Place:
    instant, version, source, line = row.place
    return instant, version, source, 0 if replaces and isinstance(row, Item) else line


def _distinct(rows: Sequence[Row], *, replaces: bool) -> list[Row]:
    """Leave out identical duplicates: in a valid file, rows with the same key and the same instant."""
    return list({(_unit(row, replaces=replaces), row.id, row.instant): row for row in reversed(rows)}.values())
