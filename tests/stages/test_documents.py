"""One reader for all of the store's documents: damage is not a program error; the error names file and remedy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from takings import documents
from takings.documents import Kind, need_document, parse_document, read_document
from takings.errors import CorruptState
from takings.validation.reports import violations_in
from tests.shop import csv_of, drop, drop_all, item, new_store, run

#: where a store keeps one of each kind, after a batch with a refused file
PLACES: Final[Mapping[str, Kind]] = {
    "batches/*/manifest.json": documents.MANIFEST,
    "batches/*/attempt-1.json": documents.ATTEMPT,
    "batches/*/verdicts.json": documents.VERDICTS,
    "batches/*/affected.json": documents.AFFECTED,
    "batches/*/outcome.json": documents.OUTCOME,
    "lake/commits/1.json": documents.COMMIT,
    "lake/format.json": documents.LAKE_FORMAT,
    "validation-reports/*/order_items/bad.csv/chunk-00000.json": documents.CHUNK_REPORT,
}
#: of a type that no field has
STRANGE: Final = 1.5


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with one of each kind."""
    root = drop_all(new_store(tmp_path_factory.mktemp("documents") / "shop"))
    drop(root, "order-items/bad.csv", csv_of(item(9, 1, sale_price="0")))
    run(root)
    return root


def damages(document: Any, shape: Any) -> Iterator[tuple[Any, str]]:
    """Yield the document with each field missing, or of another type, together with the field's name."""
    match document, shape:
        case dict(), dict() if str not in shape:
            for name, each in shape.items():
                field = name.removesuffix("?")
                if field not in document:
                    continue
                if field == name:
                    yield {key: value for key, value in document.items() if key != field}, field
                yield document | {field: STRANGE}, field
                for damaged, where in damages(document[field], each):
                    yield document | {field: damaged}, where
        case [first, *rest], [each]:
            for damaged, where in damages(first, each):
                yield [damaged, *rest], where


@pytest.mark.parametrize("place", PLACES)
def test_a_document_is_read_as_it_was_written(store: Path, place: str) -> None:
    """Unknown fields are not damage: a newer version may have written them."""
    (path,) = store.glob(place)
    written = json.loads(path.read_bytes())
    content = json.dumps(written | {"a newer field": 1}).encode()
    assert parse_document(content, "key", PLACES[place]) == written | {"a newer field": 1}


@pytest.mark.parametrize("place", PLACES)
def test_damage_is_corrupt_state_with_file_and_remedy(store: Path, place: str) -> None:
    """Cut off anywhere, empty, binary, endlessly nested, of another type, or with any field missing or wrong."""
    (path,) = store.glob(place)
    whole, kind = path.read_bytes(), PLACES[place]
    torn = [whole[:at] for at in range(0, len(whole.rstrip()), 7)]
    for content in (*torn, b"\xff\xfe", b"[" * 100_000, b"[]", b"null", b"7", b'"text"', b"{}"):
        with pytest.raises(CorruptState) as corrupt:
            parse_document(content, "the/key.json", kind)
        assert str(corrupt.value).startswith(f"the/key.json is damaged: no {kind.name} (")
        assert str(corrupt.value).endswith(f"Nothing was changed. {kind.remedy}")
    found = list(damages(json.loads(whole), kind.shape))
    assert len(found) >= len(kind.shape)
    for document, field in found:
        with pytest.raises(CorruptState, match=rf"the/key\.json is damaged: no {kind.name} \([^()]*{field}[^()]*\)\. "):
            parse_document(json.dumps(document), "the/key.json", kind)


def test_the_publication_of_a_step_of_its_own_is_checked_as_well() -> None:
    """Only a state machine's steps write one."""
    kept = {"commit": 1, "published": {"OrderKPIs": 2}, "overtaken": 0, "orphans": 0}
    assert parse_document(json.dumps(kept), "key", documents.PUBLISHED) == kept
    for document, field in damages(kept, documents.PUBLISHED.shape):
        with pytest.raises(CorruptState, match=field):
            parse_document(json.dumps(document), "key", documents.PUBLISHED)


def test_an_absent_document_is_none_or_corrupt_state() -> None:
    """The caller says whether it must exist."""

    class Empty:
        def read(self, _: str) -> bytes | None:
            return None

    assert read_document(Empty(), "a.json", documents.COMMIT) is None
    with pytest.raises(CorruptState) as missing:
        need_document(Empty(), "a.json", documents.COMMIT)
    assert str(missing.value) == (
        "a.json is missing. Nothing was changed. Restore it from a back-up; it names the tables' versions."
    )


def test_records_that_do_not_add_up_are_damage() -> None:
    """Records read are accepted, rejected or identical duplicates, in verdicts as well."""
    report = {
        "key": "raw-data/orders/a.csv",
        "dataset": "orders",
        "file": "a.csv",
        "verdict": "accepted",
        "fingerprint": "f",
        "version": "2025-03-30T12:00:00Z",
        "size": 1,
        "records": {"read": 3, "accepted": 1, "rejected": 1, "identical_duplicates": 0},
        "errors": {},
        "warnings": {},
        "reason": None,
        "duplicate_of": None,
    }
    with pytest.raises(CorruptState, match=r"\(files\[0\]\.records is not a sound row accounting\)"):
        parse_document(json.dumps({"files": [report], "returned": []}), "key", documents.VERDICTS)


def test_reasons_are_read_line_by_line(store: Path) -> None:
    """A large one is never in memory as a whole; a torn one is damage, wherever it ends."""
    (path,) = store.glob("failed/**/bad.csv.reason.json")
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    assert [found["rule"] for found in violations_in(lines, "key")] == ["sale_price|greater_than"]
    for end in range(len(lines)):
        with pytest.raises(CorruptState, match="key is damaged: no reason of a refused file"):
            list(violations_in(lines[:end], "key"))
    torn = [line[: len(line) // 2] if "sale_price|" in line and '"line"' in line else line for line in lines]
    with pytest.raises(CorruptState, match="key is damaged: no reason of a refused file"):
        list(violations_in(torn, "key"))
