"""Read the store's documents: one reader for all, which distinguishes a damaged document from a fault of the program.

A document is written whole, once, and never changed. So if it cannot be read, or lacks a field, it was damaged from outside.
Retrying does not help: CorruptState names the file, what is wrong with it, and the remedy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final, Protocol

from takings.contracts.datasets import Dataset, kind_of
from takings.errors import CorruptState
from takings.layout import parse_instant

#: What a value must be: a type; a function that raises ValueError for another value; {"field": shape} (extra fields are
#: fine, "field?" may be absent); {str: shape}, any names; [shape], a list of such; (shape, …), one of them; None, null.
Shape = Any


class Reader(Protocol):
    """The one part of a store that reading documents needs."""

    def read(self, key: str) -> bytes | None:
        """Return a document's bytes; None if it is absent."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of document."""

    #: its name in a sentence: "a manifest"
    name: str
    shape: Shape
    #: what a person can do about a damaged or lost one
    remedy: str


def read_document(store: Reader, key: str, kind: Kind) -> dict[str, Any] | None:
    """Return a document, or None if it is absent; raise CorruptState if it is damaged. May be repeated."""
    content = store.read(key)
    return None if content is None else parse_document(content, key, kind)


def need_document(store: Reader, key: str, kind: Kind) -> dict[str, Any]:
    """Return a document that must be there; raise CorruptState if it is absent or damaged. May be repeated."""
    content = store.read(key)
    if content is None:
        raise CorruptState(f"{key} is missing. Nothing was changed. {kind.remedy}")
    return parse_document(content, key, kind)


def parse_document(content: bytes | str, key: str, kind: Kind) -> dict[str, Any]:
    """Return the document in these bytes; raise CorruptState if they are not a document of this kind."""
    try:
        document: dict[str, Any] = json.loads(content)
    except (ValueError, RecursionError) as torn:
        raise damaged(key, kind, f"not JSON: {_first_line(torn)}") from torn
    if (fault := _fault("the document", document, kind.shape)) is not None:
        raise damaged(key, kind, fault)
    return document


def damaged(key: str, kind: Kind, fault: str) -> CorruptState:
    """Return the error for a damaged document."""
    return CorruptState(f"{key} is damaged: no {kind.name} ({fault}). Nothing was changed. {kind.remedy}")


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]


def _fault(place: str, value: object, shape: Shape) -> str | None:
    """Return the first difference between a value and a shape; None if there is none."""
    match shape:
        case dict():
            return _fault_of_object(place, value, shape)
        case [each]:
            if not isinstance(value, list):
                return f"{place} is not a list"
            faults = (_fault(f"{place}[{at}]", item, each) for at, item in enumerate(value))
            return next((fault for fault in faults if fault is not None), None)
        case None:
            return None if value is None else f"{place} is not null"
        case type():
            is_other = type(value) is not shape
            return f"{place} is not {_WORDS[shape]}" if is_other else None
        case _:
            return _fault_of_value(place, value, shape)


def _fault_of_object(place: str, value: object, shape: Mapping[Any, Shape]) -> str | None:
    if not isinstance(value, dict):
        return f"{place} is not an object"
    if str in shape:
        faults = (_fault(f"{place}.{name}", each, shape[str]) for name, each in value.items())
        return next((fault for fault in faults if fault is not None), None)
    for field, each in shape.items():
        name = field.removesuffix("?")
        if name not in value:
            if not field.endswith("?"):
                return f"{name} is missing" if place == "the document" else f"{place}.{name} is missing"
        elif fault := _fault(name if place == "the document" else f"{place}.{name}", value[name], each):
            return fault
    return None


def _fault_of_value(place: str, value: object, check: Callable[[Any], object]) -> str | None:
    try:
        check(value)
    except (ValueError, TypeError, AttributeError, KeyError, ArithmeticError):
        return f"{place} is not {check.__name__.strip('_').replace('_', ' ')}"
    return None


_WORDS: Final[Mapping[type, str]] = {str: "text", int: "a whole number", bool: "true or false"}


def _an_instant(value: str) -> object:
    return parse_instant(value)


def _an_instant_or_null(value: str | None) -> object:
    return None if value is None else parse_instant(value)


def _a_day(value: str) -> object:
    return date.fromisoformat(value)


def _a_day_of_a_category(value: list[str]) -> object:
    category, day = value
    return category.encode(), date.fromisoformat(day)


def _an_amount(value: str) -> object:
    amount = Decimal(value)
    if not amount.is_finite():
        raise ValueError(value)
    return amount


def _a_doubt(value: str) -> None:
    known = {"another_order", "item_of_another_order", "more_items_than_stated", "same_time"}
    if value not in known | {"item_in_two_orders", "order_in_two_files"}:
        raise ValueError(value)


def _an_identifier(value: object) -> None:
    if type(value) not in {int, str}:
        raise TypeError(value)


def _a_dataset(value: str) -> object:
    return kind_of(value)


def _a_verdict(value: str) -> None:
    if value not in {"accepted", "rejected", "duplicate"}:
        raise ValueError(value)


def _text_or_null(value: object) -> None:
    if value is not None and not isinstance(value, str):
        raise TypeError(value)


def _a_count_or_null(value: object) -> None:
    if value is not None and type(value) is not int:
        raise TypeError(value)


def _a_sound_row_accounting(value: Mapping[str, int]) -> None:
    if value.keys() != {"read", "accepted", "rejected", "identical_duplicates"}:
        raise ValueError(value)
    if value["read"] != value["accepted"] + value["rejected"] + value["identical_duplicates"]:
        raise ValueError(value)


_FROM_BACK_UP: Final = "Restore it from a back-up."
_COUNTS: Final = {str: int}
_MADE_ROWS: Final = {"records": _a_sound_row_accounting, "errors": _COUNTS, "warnings": _COUNTS}
_FILE_REPORT: Final = {
    "key": str,
    "dataset": _a_dataset,
    "file": str,
    "verdict": _a_verdict,
    "fingerprint": str,
    "version": _an_instant,
    "size": int,
    "records": _a_sound_row_accounting,
    "errors": _COUNTS,
    "warnings": _COUNTS,
    "reason": _text_or_null,
    "duplicate_of": _text_or_null,
    "datasets?": {f"{dataset}?": _MADE_ROWS for dataset in Dataset},
}
_VIOLATION: Final = {
    "rule": str,
    "record": _a_count_or_null,
    "line": _a_count_or_null,
    "column": _text_or_null,
    "reason": str,
    "shape": _text_or_null,
}

MANIFEST: Final = Kind(
    name="manifest",
    shape={
        "batch_id": str,
        "now": _an_instant,
        "package_version": str,
        "time_zone": str,
        "contracts": str,
        "sources?": _text_or_null,
        "kpis?": {str: str},
        "settings": {str: str},
        "files": [
            {
                "key": str,
                "dataset": _a_dataset,
                "size": int,
                "etag": str,
                "version": _an_instant,
                "archived_at?": _text_or_null,
            }
        ],
    },
    remedy=("Restore it from a back-up, or take the store's originals from processed/ and raw-data/ into a new store."),
)
ATTEMPT: Final = Kind(
    name="record of an attempt",
    shape={"attempt": int, "owner": _text_or_null, "began_at": _an_instant, "after": _text_or_null},
    remedy=_FROM_BACK_UP,
)
VERDICTS: Final = Kind(
    name="verdicts of a batch",
    shape={"files": [_FILE_REPORT], "returned": [str], "unread?": {str: str}},
    remedy=_FROM_BACK_UP,
)
AFFECTED: Final = Kind(
    name="list of the days that a batch changes",
    shape={
        "everything": bool,
        "days": [_a_day],
        "category_days": [_a_day_of_a_category],
        "own_days?": {str: [_a_day]},
    },
    remedy=_FROM_BACK_UP,
)
_GAP: Final = {"waiting_items": int, "waiting_worth": _an_amount, "orders_without_items": int}
_EXAMPLE: Final = {
    "id": _an_identifier,
    "key": str,
    "line": int,
    "stated": _a_count_or_null,
    "items": _a_count_or_null,
}
CHANGES: Final = Kind(
    name="count of the rows that a batch changes",
    shape={
        "files": [{"key": str, "new": int, "changed": int, "unchanged": int, "older": int}],
        "warnings": [{"warning": _a_doubt, "count": int, "examples": [_EXAMPLE]}],
    },
    remedy="Restore it from a back-up, or remove it: the batch then has no counts.",
)
GAPS: Final = Kind(
    name="list of what days lack",
    shape={"days": [{"day": _a_day, **_GAP}], "undated": _GAP},
    remedy="Restore it from a back-up, or remove it: the next batch finds again what waits.",
)
REFUSED_DAYS: Final = Kind(
    name="list of the days of refused files",
    shape={"files": [{"key": str, "days": [_a_day]}]},
    remedy="Restore it from a back-up, or remove it: only which days these files are about is lost.",
)
PUBLISHED: Final = Kind(
    name="record of a publication",
    shape={"commit": _a_count_or_null, "published": _COUNTS, "overtaken": int, "orphans": int, "warnings?": {str: str}},
    remedy=_FROM_BACK_UP,
)
OUTCOME: Final = Kind(
    name="outcome of a batch",
    shape={
        "attempt": int,
        "started_at": _an_instant,
        "finished_at": _an_instant,
        "commit": _a_count_or_null,
        "published": _COUNTS,
        "overtaken": int,
        "orphans": int,
        "kpi_warnings?": {str: str},
        "files": [_FILE_REPORT],
        "returned": [str],
        "unread?": {str: str},
    },
    remedy=_FROM_BACK_UP,
)
COMMIT: Final = Kind(
    name="commit record",
    shape={"commit": int, "batch_id": str, "tables": {each.value: int for each in Dataset}},
    remedy="Restore it from a back-up; it names the tables' versions.",
)
LAKE_FORMAT: Final = Kind(
    name="format of a store",
    shape={"format": int, "time_zone": str, "takingsVersion?": {str: str}, "takingsReplaces?": {str: str}},
    remedy='Restore it from a back-up: it holds {"format": 1, "time_zone": "…"}.',
)
NOTICE: Final = Kind(
    name="note of what was told",
    shape={"at": _an_instant},
    remedy="Restore it from a back-up, or remove it: then it is told again.",
)
CHUNK_REPORT: Final = Kind(
    name="report of a chunk",
    shape={"samples": [_VIOLATION]},
    remedy="Restore it from a back-up, or remove it: only what `takings batches` shows of these records is lost.",
)
VIOLATION: Final = Kind(
    name="reason of a refused file", shape=_VIOLATION, remedy="Restore it from a back-up; nothing else depends on it."
)
