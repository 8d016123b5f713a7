"""Describe a source: files under one folder of raw-data/ that yield rows of several datasets by SQL.

A source's name stands wherever a dataset's does for an ordinary file: in keys, reports, lineage and manifests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Final

from takings.contracts.datasets import Dataset, DropKind, SourceName
from takings.contracts.file_format import USUAL, FileFormat

#: what the SQL reads
ROWS: Final = "rows"
#: the number of a record in its file, and its physical line; the SQL has to return both
RECORD: Final = "_record"
LINE: Final = "_line"


@dataclass(frozen=True, kw_only=True)
class SourceQuery:
    """The SQL that makes a dataset's rows of a source's records."""

    dataset: Dataset
    sql: str
    #: names the SQL's file in errors
    place: str
    #: any real row outranks a row that is made
    is_stand_in: bool = False


@dataclass(frozen=True, kw_only=True)
class Source:
    """Files that yield rows of several datasets."""

    name: SourceName
    #: the folder under raw-data/
    folder: str
    #: the names in the header that the SQL may use
    columns: tuple[str, ...]
    #: those of them that a file may lack: their fields are null then
    optional: tuple[str, ...] = ()
    file: FileFormat = USUAL
    #: in the order of the datasets
    queries: tuple[SourceQuery, ...]

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        """Return the datasets that the source yields."""
        return tuple(query.dataset for query in self.queries)


@dataclass(frozen=True)
class Sources:
    """The sources of a store."""

    by_name: Mapping[SourceName, Source] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.by_name)

    @cached_property
    def folders(self) -> Mapping[str, SourceName]:
        """Return folder under raw-data/ -> name of its source."""
        return {source.folder: name for name, source in self.by_name.items()}

    @cached_property
    def hash(self) -> str | None:
        """Return SHA-256, in hex, over all that decides what a source's file yields; None if there is no source."""
        if not self.by_name:
            return None
        meaning = {
            source.name: {
                "folder": source.folder,
                "columns": source.columns,
                **({"optional": source.optional} if source.optional else {}),
                "file": asdict(source.file),
                "queries": {query.dataset: [query.sql, query.is_stand_in] for query in source.queries},
            }
            for source in self.by_name.values()
        }
        return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode("ascii")).hexdigest()

    def yielded(self, kinds: Iterable[DropKind]) -> frozenset[Dataset]:
        """Return the datasets of files of these kinds: a source's file counts as one of each dataset that it yields."""
        return frozenset(dataset for kind in set(kinds) for dataset in self._datasets(kind))

    def _datasets(self, kind: DropKind) -> Collection[Dataset]:
        if isinstance(kind, Dataset):
            return (kind,)
        source = self.by_name.get(kind)
        return () if source is None else source.datasets


NO_SOURCES: Final = Sources()
