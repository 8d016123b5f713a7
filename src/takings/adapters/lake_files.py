"""Define what Delta tables need from the platform that keeps their files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from takings.contracts.model import Dataset


@dataclass(frozen=True, kw_only=True)
class TableAddress:
    """Where delta-rs finds a table."""

    uri: str
    #: endpoint and credentials for its `storage_options`; they may hold secrets
    options: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class ListedFile:
    """A file of a table, as a listing shows it."""

    #: relative to the table's root
    path: str
    #: bytes
    size: int
    written_at: datetime


class LakeFiles(Protocol):
    """The files of the lake's tables; paths are relative to a table's root."""

    def address(self, dataset: Dataset) -> TableAddress:
        """Return where delta-rs finds the table; its options change when credentials are renewed. May be repeated."""

    def folder(self, dataset: Dataset) -> Path:
        """Return the local folder where an engine reads and writes the table's Parquet files, created if needed."""

    def fetch(self, dataset: Dataset, paths: Iterable[str]) -> None:
        """Make Parquet files available in the folder; they never change. May be repeated."""

    def evict(self, dataset: Dataset, paths: Iterable[str]) -> None:
        """Free the disk that copies of Parquet files take; the files stay, and can be fetched again. May be repeated."""

    def put(self, dataset: Dataset, paths: Iterable[str]) -> None:
        """Store Parquet files that were written in the folder, before a commit names them. May be repeated."""

    def read(self, dataset: Dataset, path: str) -> bytes | None:
        """Return a small file's bytes; None where it is absent. May be repeated."""

    def list(self, dataset: Dataset) -> Iterator[ListedFile]:
        """List every file of a table, including its log's. May be repeated."""

    def discard(self, dataset: Dataset, paths: Iterable[str]) -> None:
        """Remove files, and ignore absent ones. May be repeated."""
