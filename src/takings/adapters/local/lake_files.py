"""Keep the files of the lake's tables in the store's folder; engines read and write them in place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from takings import layout
from takings.adapters.lake_files import ListedFile, TableAddress
from takings.contracts.model import Dataset


class FolderLakeFiles:
    """The lake's files in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def address(self, dataset: Dataset) -> TableAddress:
        """Return the table's folder."""
        return TableAddress(uri=str(self._place(dataset)))

    def folder(self, dataset: Dataset) -> Path:
        """Return the table's folder, created if needed."""
        folder = self._place(dataset)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def fetch(self, dataset: Dataset, paths: Iterable[str]) -> None:
        """Do nothing: files are read in place."""

    def evict(self, dataset: Dataset, paths: Iterable[str]) -> None:
        """Do nothing: there are no copies."""

    def put(self, dataset: Dataset, paths: Iterable[str]) -> None:
        """Do nothing: files were written in place."""

    def read(self, dataset: Dataset, path: str) -> bytes | None:
        """Return a file's bytes; None where it is absent."""
        try:
            return (self._place(dataset) / path).read_bytes()
        except FileNotFoundError:
            return None

    def list(self, dataset: Dataset) -> Iterator[ListedFile]:
        """List every file of a table."""
        folder = self._place(dataset)
        for path in folder.rglob("*"):
            if path.is_file():
                found = path.stat()
                yield ListedFile(
                    path=path.relative_to(folder).as_posix(),
                    size=found.st_size,
                    written_at=datetime.fromtimestamp(found.st_mtime, UTC),
                )

    def discard(self, dataset: Dataset, paths: Iterable[str]) -> None:
        """Remove files; their folders stay, because a writer may be about to use them."""
        for path in paths:
            (self._place(dataset) / path).unlink(missing_ok=True)

    def _place(self, dataset: Dataset) -> Path:
        return self._root / layout.table(dataset)
