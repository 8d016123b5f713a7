"""Keep the files of the lake's tables in the store's folder, where engines read and write them in place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from takings import layout
from takings.adapters.lake_files import TableAddress
from takings.contracts.model import Dataset


class FolderLakeFiles:
    """The lake's files in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def address(self, dataset: Dataset) -> TableAddress:
        """Return the table's folder."""
        return TableAddress(uri=str(self._place(dataset)))

    def folder(self, dataset: Dataset) -> Path:
        """Return the table's folder; it exists."""
        folder = self._place(dataset)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def fetch(self, dataset: Dataset, paths: Iterable[str]) -> None:
        """Do nothing: files are read where they lie."""

    def put(self, dataset: Dataset, paths: Iterable[str]) -> None:
        """Do nothing: files were written where they belong."""

    def read(self, dataset: Dataset, path: str) -> bytes | None:
        """Return a file's bytes; None where it is absent."""
        try:
            return (self._place(dataset) / path).read_bytes()
        except FileNotFoundError:
            return None

    def list(self, dataset: Dataset) -> Iterator[tuple[str, datetime]]:
        """List every file of a table with the time it was written."""
        folder = self._place(dataset)
        for path in folder.rglob("*"):
            if path.is_file():
                yield path.relative_to(folder).as_posix(), datetime.fromtimestamp(path.stat().st_mtime, UTC)

    def discard(self, dataset: Dataset, paths: Iterable[str]) -> None:
        """Remove files; their folders stay, for a writer may be about to use them."""
        for path in paths:
            (self._place(dataset) / path).unlink(missing_ok=True)

    def _place(self, dataset: Dataset) -> Path:
        return self._root / layout.table(dataset)
