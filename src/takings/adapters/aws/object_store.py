"""Keep a store in an S3 bucket.

A batch works on a local copy of each file, and an ETag names what it reads. The bucket keeps every version, so any attempt on
any host finds the same bytes again, whatever happens to the drop meanwhile. The copy in the archive has version and
fingerprint as metadata.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import uuid4

from takings import layout
from takings.adapters.aws.bucket import Bucket, ObjectVersion
from takings.adapters.aws.clients import SIDE_BY_SIDE
from takings.adapters.aws.faults import refused_to_be_read, refused_to_be_removed
from takings.adapters.text_files import open_text
from takings.archive.moves import Original
from takings.errors import ConflictError, StoreError, StuckFile, UnreadableFile
from takings.intake.arrivals import ObjectInfo
from takings.layout import BatchId

#: metadata of an archived original: the place of its rows in the order of writes …
VERSION: Final = "takings-version"
#: … and the SHA-256 of its bytes
FINGERPRINT: Final = "takings-fingerprint"


class BucketStore:
    """An object store in a bucket, with a local working folder for batches."""

    def __init__(self, bucket: Bucket, work: Path) -> None:
        self._bucket = bucket
        self._work = work

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """List all objects under a prefix; objects appear whole, so all are settled."""
        return self._bucket.list(prefix)

    def check_writable(self, keys: Iterable[str]) -> None:
        """Do nothing: only a try shows what a bucket refuses."""

    def read(self, key: str) -> bytes | None:
        """Return an object's bytes; None where it is absent."""
        return self._bucket.read(self._checked(key))

    def create(self, key: str, content: bytes) -> bool:
        """Write an object unless it exists."""
        return self._bucket.create(self._checked(key), content)

    def create_each(self, documents: Iterable[tuple[str, bytes]]) -> None:
        """Write objects side by side."""
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            list(pool.map(lambda document: self.create(*document), documents))

    def create_from(self, key: str, pieces: Iterable[str]) -> bool:
        """Write an object piece by piece unless it exists; it appears whole or not at all."""
        self._checked(key)
        rest = iter(pieces)
        first = next(rest, None)
        if first is None:
            return False
        with self._draft() as draft:
            with open_text(draft, is_compressed=key.lower().endswith(".gz")) as file:
                file.write(first)
                file.writelines(rest)
            return self._bucket.upload(draft, key)

    def copy(self, key: str, destination: str) -> bool:
        """Copy an object unless the destination exists; return whether the destination exists now."""
        if self._bucket.newest(self._checked(destination)) is not None:
            return True
        source = self._bucket.newest(self._checked(key))
        if source is None:
            return False
        self._bucket.copy(source, destination, source.metadata)
        return True

    def fetch(self, key: str, etag: str, batch_id: BatchId) -> Path | None:
        """Return a copy of exactly the bytes that the ETag names; None where no version of the key has them."""
        fetched = self._fetched(key, batch_id)
        if fetched.exists():
            return fetched
        with self._draft() as draft, refused_to_be_read(self._checked(key)):
            if self._bucket.fetch_small(key, draft, etag):
                _place(draft, fetched)
                return fetched
        with refused_to_be_read(key):
            version = self._bucket.find(key, etag)
        if version is None:
            return None
        with self._draft() as draft, refused_to_be_read(key):
            self._bucket.download(version, draft)
            _place(draft, fetched)
        return fetched

    def side_by_side(self) -> int:
        """Return how many requests may be under way."""
        return SIDE_BY_SIDE

    def prefetch(self, files: Sequence[tuple[str, str]], batch_id: BatchId) -> None:
        """Download small files side by side."""
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            list(pool.map(lambda file: self._prefetch(file[0], file[1], batch_id), files))

    def _prefetch(self, key: str, etag: str, batch_id: BatchId) -> None:
        fetched = self._fetched(key, batch_id)
        if fetched.exists():
            return
        # Trouble with one file is raised when it is fetched alone.
        with self._draft() as draft, suppress(UnreadableFile), refused_to_be_read(key):
            if self._bucket.fetch_small(key, draft, etag):
                _place(draft, fetched)

    def supply(self, path: Path, key: str, batch_id: BatchId) -> None:
        """Copy a local file to the place of a key's fetched bytes."""
        with self._draft() as draft:
            shutil.copyfile(path, draft)
            _place(draft, self._fetched(key, batch_id))

    @contextmanager
    def borrow(self, key: str) -> Iterator[Path]:
        """Lend a copy of an object, and remove it when the block ends."""
        with self._draft() as draft:
            if not self._bucket.download_newest(self._checked(key), draft):
                raise StoreError(f"{key} is not in the store {self._bucket}.")
            yield draft

    def archive(
        self, key: str, etag: str, batch_id: BatchId, destination: str, version: datetime, fingerprint: str
    ) -> None:
        """Copy exactly these bytes to their destination, then put a delete marker on the key if it still holds them."""
        self._archive_slowly(key, etag, batch_id, destination, version, fingerprint)
        self._remove(key, etag)

    def archive_each(self, batch_id: BatchId, originals: Sequence[Original]) -> Sequence[str | None]:
        """Archive originals side by side, each usually with two requests: a conditional copy and a conditional removal.

        S3 removes many objects with one request, and checks each one's ETag. But whether that satisfies the role's condition
        `s3:if-match` is not documented, and without it the role might remove any drop.
        """
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            return list(pool.map(lambda original: self._archive_one(batch_id, original), originals))

    def _archive_one(self, batch_id: BatchId, original: Original) -> str | None:
        metadata = {VERSION: layout.format_instant(original.version), FINGERPRINT: original.fingerprint}
        key, etag, destination = self._checked(original.key), original.etag, self._checked(original.destination)
        if not self._bucket.copy_present(key, etag, original.size, destination, metadata):
            self._archive_slowly(key, etag, batch_id, destination, original.version, original.fingerprint)
        try:
            self._remove(key, etag)
        except StuckFile as refused:
            return str(refused)
        return None

    def _remove(self, key: str, etag: str) -> None:
        if key.startswith(layout.RAW):
            with refused_to_be_removed():
                self._bucket.delete_unchanged(key, etag)

    def _archive_slowly(
        self, key: str, etag: str, batch_id: BatchId, destination: str, version: datetime, fingerprint: str
    ) -> None:
        """Copy these bytes to their destination, wherever they still are, or check that they are there already."""
        present = self._bucket.newest(self._checked(destination))
        if present is None:
            metadata = {VERSION: layout.format_instant(version), FINGERPRINT: fingerprint}
            if not self._archive(key, etag, batch_id, destination, metadata):
                # Another attempt archived it meanwhile.
                present = self._bucket.newest(destination)
        if present is not None and self._fingerprint_of(present) != fingerprint:
            raise ConflictError(
                f"{destination} already holds other bytes; {key} was not moved. Move that file away and run again."
            )

    def _archive(self, key: str, etag: str, batch_id: BatchId, destination: str, metadata: dict[str, str]) -> bool:
        """Write an original to its destination unless that exists; return whether it was written."""
        original = self._bucket.find(self._checked(key), etag)
        if original is not None:
            return self._bucket.copy(original, destination, metadata)
        fetched = self._fetched(key, batch_id)
        if not fetched.exists():
            raise StoreError(f"{key}: the bytes that batch {batch_id} read are gone, and {destination} is not there.")
        return self._bucket.upload(fetched, destination, metadata)

    def _fingerprint_of(self, present: ObjectVersion) -> str:
        return present.metadata.get(FINGERPRINT) or self._bucket.fingerprint(present.key)

    def discard(self, keys: Iterable[str]) -> None:
        """Remove objects; the bucket's life cycle removes their versions."""
        self._bucket.delete(self._checked(key) for key in keys)

    def staging(self, batch_id: BatchId) -> Path:
        """Return a local folder for the batch's staged rows."""
        folder = self._work / layout.staging(batch_id)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def put_staged(self, batch_id: BatchId, files: Iterable[Path]) -> None:
        """Upload files of the staging folder in parallel, except those that another attempt has uploaded."""
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            list(pool.map(lambda file: self._bucket.upload(file, self._staged_key(file)), files))

    def fetch_staged(self, batch_id: BatchId, files: Iterable[Path]) -> None:
        """Download files into the staging folder, in parallel; what the bucket lacks stays absent."""
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            list(pool.map(self._fetch_staged, files))

    def _fetch_staged(self, file: Path) -> None:
        if file.exists():
            return
        key = self._staged_key(file)
        with self._draft() as draft:
            if not self._bucket.fetch_small(key, draft):
                version = self._bucket.newest(key)
                if version is None:
                    return
                # Download a version, so that no concurrent removal or write can truncate it.
                self._bucket.download(version, draft)
            _place(draft, file)

    def found_staged(self, batch_id: BatchId, files: Iterable[Path]) -> frozenset[Path]:
        """Return those that are here or in the bucket, which is listed once."""
        wanted = list(files)
        shared = {info.key for info in self.list(layout.staging(batch_id))}
        return frozenset(file for file in wanted if file.exists() or self._staged_key(file) in shared)

    def _staged_key(self, file: Path) -> str:
        return self._checked(file.relative_to(self._work).as_posix())

    def take_staged(self, batch_id: BatchId, files: Mapping[Path, Path]) -> None:
        """Copy objects within the bucket, in parallel, except those that another attempt has copied."""
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            list(pool.map(lambda file: self._take_staged(*file), files.items()))

    def _take_staged(self, source: Path, target: Path) -> None:
        key = self._staged_key(source)
        if not self.copy(key, self._staged_key(target)):
            raise StoreError(
                f"{key} is not in the store {self._bucket}, although an executor wrote it. Run again; nothing is lost."
            )

    def shared_at(self, file: Path) -> str:
        """Return its place in the bucket."""
        return f"{self._bucket}/{self._staged_key(file)}"

    def forget(self, batch_id: BatchId) -> None:
        """Remove the staged rows of a batch that has ended, here and in the bucket, and its fetched bytes."""
        self.discard(info.key for info in self.list(layout.staging(batch_id)))
        for folder in (self._work / layout.staging(batch_id), self._work / "fetched" / batch_id):
            with suppress(FileNotFoundError):
                shutil.rmtree(folder)

    def _fetched(self, key: str, batch_id: BatchId) -> Path:
        # On some disks, keys that differ only in case are the same name.
        unique = sha256(self._checked(key).encode()).hexdigest()[:32]
        return self._work / "fetched" / batch_id / unique / key.rpartition("/")[2]

    def _checked(self, key: str) -> str:
        if not layout.is_key(key):
            raise StoreError(f"{key!a} is not a key of the store {self._bucket}.")
        return key

    @contextmanager
    def _draft(self) -> Iterator[Path]:
        draft = self._work / "drafts" / uuid4().hex
        draft.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield draft
        finally:
            draft.unlink(missing_ok=True)


def _place(draft: Path, target: Path) -> None:
    """Give a draft its name unless another attempt on this host was first."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.link(draft, target)
