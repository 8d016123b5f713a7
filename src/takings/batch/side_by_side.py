"""Part what a store can do side by side into the groups of one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from takings.ports import ObjectStore

_Each = TypeVar("_Each")


def groups(store: ObjectStore, items: Iterable[_Each]) -> Iterator[tuple[_Each, ...]]:
    """Yield the items in groups, each as large as one call of the store should be."""
    rest, most = iter(items), store.side_by_side()
    while group := tuple(islice(rest, most)):
        yield group


def create_all(store: ObjectStore, documents: Iterable[tuple[str, bytes]]) -> None:
    """Write documents, each unless its key exists."""
    for group in groups(store, documents):
        store.create_each(group)
