"""Faults that the harnesses found and that were corrected since, as short as possible."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from takings.adapters.local.object_store import FolderStore
from takings.errors import StoreError
from takings.layout import BatchId
from tests.reliability.keys import bounded
from tests.shop import csv_of, drop, drop_all, expected, item, published, run


def test_a_bad_file_with_the_longest_name_is_refused(root: Path) -> None:
    """Or left alone; in any case, the store continues."""
    drop_all(root)
    drop_long(root, "x" * 251 + ".csv")
    run(root)
    assert published(root) == expected(root)


def test_a_bad_file_beside_a_folder_named_as_its_reasons_is_refused(root: Path) -> None:
    """Or one of the two is left alone; in any case, the store continues."""
    drop_all(root)
    drop(root, "orders/b.csv", b"x\n1\n")
    drop(root, "orders/b.csv.reason.json/b.csv", b"y\n1\n")
    run(root)
    assert published(root) == expected(root)


def test_a_file_and_a_folder_of_one_name_under_both_prefixes_are_taken(root: Path) -> None:
    """order-items/ and order_items/ are one dataset, so both would have the same place in the archive."""
    drop_all(root)
    drop(root, "order-items/x.csv", csv_of(item(8, 1)))
    drop(root, "order_items/x.csv/b.csv", csv_of(item(9, 1)))
    run(root)
    assert published(root) == expected(root)


def test_a_file_that_has_become_a_pipe_is_gone(root: Path) -> None:
    """Between listing and reading; nobody waits for a pipe that may never be written to."""
    (root / "raw-data" / "orders").mkdir()
    os.mkfifo(root / "raw-data" / "orders" / "a.csv")
    with bounded(seconds=1):
        assert FolderStore(root).fetch("raw-data/orders/a.csv", "1-2-3", BatchId("b")) is None


def test_a_key_that_is_no_text_is_refused(root: Path) -> None:
    """The error says so."""
    with pytest.raises(StoreError):
        FolderStore(root).create("raw-data/orders/\ud800.csv", b"")


def test_no_key_leads_through_a_link_out_of_the_store(root: Path) -> None:
    """Not for writing there, and not for removing."""
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "a.csv").touch()
    (root / "raw-data" / "orders").symlink_to(outside)
    store = FolderStore(root)
    with pytest.raises(StoreError):
        store.create("raw-data/orders/b.csv", b"")
    with pytest.raises(StoreError):
        store.discard(["raw-data/orders/a.csv"])
    assert [path.name for path in outside.iterdir()] == ["a.csv"]


def drop_long(root: Path, name: str) -> None:
    """Drop a bad file whose name is too long for a draft next to it."""
    draft = root / "raw-data" / "orders" / ".draft"
    draft.write_bytes(b"x\n1\n")
    draft.rename(draft.with_name(name))
