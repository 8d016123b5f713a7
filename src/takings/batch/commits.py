"""Read the commits: each is the numbered moment at which a batch's rows are in the lake."""

from __future__ import annotations

from takings import layout
from takings.documents import COMMIT, read_document
from takings.lake import Commit
from takings.ports import ObjectStore


def newest_commit(store: ObjectStore, at_least: int = 0) -> Commit | None:
    """Return the newest commit record; the search begins at `at_least`, the gate's number."""
    newest = None
    number = max(at_least, 1)
    while (commit := read_commit(store, number)) is not None:
        newest = commit
        number += 1
    return newest


def read_commit(store: ObjectStore, number: int) -> Commit | None:
    """Read a commit record; None if the number is not taken, CorruptState if the record is damaged."""
    document = read_document(store, layout.commit(number), COMMIT)
    return None if document is None else Commit.from_json(document)
