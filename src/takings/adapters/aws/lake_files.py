"""Keep the files of the lake's tables in a bucket, with local copies of those that engines read.

A Parquet file of a Delta table never changes and its name is used only once, so a copy stays valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

from takings import layout
from takings.adapters.aws.bucket import Bucket
from takings.adapters.aws.clients import THREADS
from takings.adapters.lake_files import ListedFile, TableAddress
from takings.contracts.model import Dataset
from takings.errors import StoreError


class BucketLakeFiles:
    """The lake's files in a bucket."""

    def __init__(self, bucket: Bucket, work: Path, options: Callable[[], Mapping[str, str]]) -> None:
        self.bucket = bucket
        self._work = work
        self.options = options

    def address(self, dataset: Dataset) -> TableAddress:
        """Return the table's address; delta-rs commits by conditional writes, without a lock table."""
        return TableAddress(uri=f"{self.bucket}/{layout.table(dataset)}", options=self.options())

    def folder(self, dataset: Dataset) -> Path:
        """Return the local folder of a table's copies, created if needed."""
        folder = self._work / layout.table(dataset)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def fetch(self, dataset: Dataset, paths: Iterable[str]) -> None:
        """Download the files that are not here yet, in parallel."""
        folder = self.folder(dataset)
        missing = [path for path in paths if not (folder / path).exists()]
        if missing:
            with ThreadPoolExecutor(THREADS) as pool:
                list(pool.map(lambda path: self._download(self._key(dataset, path), folder / path), missing))

    def _download(self, key: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{uuid4().hex}")
        try:
            if not self.bucket.download_newest(key, draft):
                raise StoreError(
                    f"{key} is gone, but a table names it. Restore it: the bucket keeps removed versions for some days; or"
                    " rebuild the store from its archive."
                )
            draft.rename(target)
        finally:
            draft.unlink(missing_ok=True)

    def evict(self, dataset: Dataset, paths: Iterable[str]) -> None:
        """Remove the local copies."""
        for path in paths:
            (self.folder(dataset) / path).unlink(missing_ok=True)

    def put(self, dataset: Dataset, paths: Iterable[str]) -> None:
        """Upload files in parallel; one that exists is the same."""
        folder = self.folder(dataset)
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda path: self.bucket.upload(folder / path, self._key(dataset, path)), paths))

    def read(self, dataset: Dataset, path: str) -> bytes | None:
        """Return a small file's bytes; None where it is absent."""
        return self.bucket.read(self._key(dataset, path))

    def list(self, dataset: Dataset) -> Iterator[ListedFile]:
        """List every file of a table."""
        root = self._key(dataset, "")
        for info in self.bucket.list(root):
            yield ListedFile(path=info.key.removeprefix(root), size=info.size, written_at=info.written_at)

    def discard(self, dataset: Dataset, paths: Iterable[str]) -> None:
        """Remove files, here and in the bucket."""
        gone = list(paths)
        self.bucket.delete(self._key(dataset, path) for path in gone)
        for path in gone:
            (self._work / layout.table(dataset) / path).unlink(missing_ok=True)

    def _key(self, dataset: Dataset, path: str) -> str:
        return f"{layout.table(dataset)}/{path}"
