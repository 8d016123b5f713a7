"""Keep a store in a folder.

A batch works on its own copy of each file, under `.takings/fetched`: the archived bytes are the bytes that were read, whatever
happens to the drop meanwhile. A drop is settled if no process has it open for writing. Where the system does not know that, it
is settled if two looks at it, some time apart, show the same size and time of last change.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import uuid4

from takings import layout
from takings.adapters.local.listing import Listing
from takings.adapters.local.placing import OWN, place, same_bytes
from takings.adapters.local.reading import (
    NO_FILE_THERE,
    SOUND,
    UNSURE,
    copy_drop,
    is_read_only,
    look_at,
    may_write,
)
from takings.adapters.local.removing import Removal, etag_of, remove_empty_folders
from takings.adapters.text_files import open_text
from takings.archive.moves import Original
from takings.errors import ConflictError, StoreError, StuckFile, UnreadableFile
from takings.intake.arrivals import ObjectInfo
from takings.layout import BatchId

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: written often and easily made again, so not worth waiting for the disk
_NOT_SYNCED = ("validation-reports/",)
#: the time between two looks; a writer that pauses longer has most likely ended
_LOOKS_APART_SECONDS = 1.0
#: the folders that a batch writes to; each may be a link or a separate file system
_WRITTEN: Final = (".takings", "batches", "failed", "lake", "processed", "quarantine", "staging", "validation-reports")


class FolderStore:
    """An object store in a folder."""

    def __init__(self, root: Path, pause: Callable[[float], None] = time.sleep) -> None:
        self._root = root
        self._private = root / ".takings"
        self._pause = pause
        #: the ETags of drops that two looks found unchanged
        self._quiet: dict[str, str] = {}

    def path(self, key: str) -> Path:
        """Return the path of a key; StoreError for a key that leads out of the store, even through a link."""
        parts = key.split("/")
        if not layout.is_key(key):
            raise StoreError(f"{key!a} is not a key of the store {self._root}.")
        path = self._root.joinpath(*parts)
        # The first folder may be a link, for people who keep raw-data/ elsewhere.
        for folder in path.parents[: max(0, len(parts) - 2)]:
            if folder.is_symlink():
                raise StoreError(
                    f"{key!a}: {folder} is a link, which may lead out of the store. Put a folder in its place."
                )
        return path

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """List all regular files under a prefix; under raw-data/, also list anything else, with its trouble.

        StoreError if the folder raw-data/ itself is not available.
        """
        listing = Listing(self._root)
        if not prefix.startswith(layout.RAW):
            yield from (info for _, info in listing.files(prefix))
            return
        self._check_link(layout.RAW.rstrip("/"))
        unsure = []
        for path, info, look in listing.drops(prefix):
            if look is SOUND or info.trouble is not None:
                # This is so for nearly all; copying a hundred thousand entries would take too long.
                yield info
            elif look is UNSURE:
                unsure.append((path, info))
            else:
                yield replace(info, is_settled=not look.is_being_written, trouble=look.trouble)
        if unsure:
            yield from self._look_twice(unsure)

    def _check_link(self, name: str) -> None:
        """Raise StoreError if a folder of the store is a link to nothing, such as to a disk that is not mounted."""
        folder = self._root / name
        if folder.is_symlink() and not os.path.isdir(folder):  # noqa: PTH112
            raise StoreError(
                f"{folder} is a link to {folder.readlink()}, but there is no folder. Mount the disk that it leads to, or create"
                " the folder, and run again; nothing is lost."
            )

    def check_writable(self, keys: Iterable[str]) -> None:
        """Raise StoreError if the system says that a batch could not be written or its drops not removed."""
        for name in _WRITTEN:
            self._check_link(name)
            folder = self._root / name
            self._check_folder(folder if folder.exists() else self._root)
        for folder in sorted({self.path(key).parent for key in keys if key.startswith(layout.RAW)}):
            if folder.exists():
                self._check_folder(folder)

    def _check_folder(self, folder: Path) -> None:
        if may_write(folder):
            return
        why = (
            "the file system is mounted read-only. Mount it writable"
            if is_read_only(folder)
            else "it may not be written to. Let the user that runs Takings write to it (chmod, chown)"
        )
        raise StoreError(f"{folder}: {why} and run again. No batch was begun; nothing is lost.")

    def _look_twice(self, unsure: Sequence[tuple[str, ObjectInfo]]) -> Iterator[ObjectInfo]:
        """List files for which the system does not know whether they are being written: settled is what does not change."""
        quiet = {info.key: info.etag for _, info in unsure if self._quiet.get(info.key) == info.etag}
        if len(quiet) < len(unsure):
            self._pause(_LOOKS_APART_SECONDS)
            for path, info in unsure:
                with suppress(FileNotFoundError):
                    if etag_of(os.lstat(path)) == info.etag:
                        quiet[info.key] = info.etag
        self._quiet = quiet
        for _, info in unsure:
            yield replace(info, is_settled=quiet.get(info.key) == info.etag)

    def read(self, key: str) -> bytes | None:
        """Return a file's bytes; None if it is absent."""
        try:
            return self.path(key).read_bytes()
        except FileNotFoundError:
            return None

    def create(self, key: str, content: bytes) -> bool:
        """Write a file unless it exists; it appears whole or not at all."""
        with self._draft() as draft:
            with draft.open("wb") as file:
                file.write(content)
                if not key.startswith(_NOT_SYNCED):
                    file.flush()
                    os.fsync(file.fileno())
            return self._link(draft, self.path(key), is_draft=True)

    def create_from(self, key: str, pieces: Iterable[str]) -> bool:
        """Write a file piece by piece unless it exists; it appears whole or not at all."""
        rest = iter(pieces)
        first = next(rest, None)
        if first is None:
            return False
        with self._draft() as draft:
            with open_text(draft, is_compressed=key.lower().endswith(".gz")) as file:
                file.write(first)
                file.writelines(rest)
            return self._link(draft, self.path(key), is_draft=True)

    def copy(self, key: str, destination: str) -> bool:
        """Link a file to a destination unless that exists; return whether it exists now."""
        source, target = self.path(key), self.path(destination)
        if source.exists() and not target.exists():
            self._link(source, target)
        return target.exists()

    @contextmanager
    def _draft(self) -> Iterator[Path]:
        draft = self._private / "drafts" / uuid4().hex
        draft.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    def _link(self, source: Path, target: Path, *, is_draft: bool = False) -> bool:
        return place(source, target, is_draft=is_draft)

    def fetch(self, key: str, etag: str, batch_id: BatchId) -> Path | None:
        """Return a copy of exactly the bytes that the ETag names; None if they are gone or still change."""
        fetched, source = self._fetched(key, batch_id), self.path(key)
        if fetched.exists():
            return fetched
        with self._draft() as draft:
            try:
                if not copy_drop(source, draft) or etag_of(source.lstat()) != etag:
                    return None
                found = look_at(source)
            except UnreadableFile as refused:
                raise UnreadableFile(f"{key}: {refused}") from refused
            except OSError as gone:
                if gone.errno not in NO_FILE_THERE:
                    raise
                return None
            if found is None or found[0].is_being_written:
                return None
            self._link(draft, fetched, is_draft=True)
        return fetched

    @contextmanager
    def borrow(self, key: str) -> Iterator[Path]:
        """Lend the file itself."""
        path = self.path(key)
        if not path.is_file():
            raise StoreError(f"{key} is not in the store {self._root}.")
        yield path

    def supply(self, path: Path, key: str, batch_id: BatchId) -> None:
        """Copy a local file to the place of a key's fetched bytes."""
        with self._draft() as draft:
            try:
                is_there = copy_drop(path, draft)
            except UnreadableFile as refused:
                raise StoreError(f"{path}: {refused}") from refused
            if not is_there:
                raise StoreError(f"{path} is no longer a file. Run again; nothing is lost.")
            self._link(draft, self._fetched(key, batch_id), is_draft=True)

    def archive(
        self, key: str, etag: str, batch_id: BatchId, destination: str, version: datetime, fingerprint: str
    ) -> None:
        """Link the fetched bytes to their destination, then remove the key if it still holds them.

        The time of last change keeps their version; the batch's verdicts have the fingerprint.
        """
        fetched, target = self._fetched(key, batch_id), self.path(destination)
        if fetched.exists():
            moment = (version - _EPOCH) // timedelta(microseconds=1) * 1000
            os.utime(fetched, ns=(moment, moment))
            if not self._link(fetched, target) and not same_bytes(fetched, target):
                raise ConflictError(
                    f"{destination} already holds other bytes; {key} was not moved. Move that file away and run again."
                )
        elif not target.exists():
            raise StoreError(f"{key}: the bytes that batch {batch_id} read are gone, and {destination} is not there.")
        if key.startswith(layout.RAW):
            self._remove(key, etag, batch_id, target)

    def side_by_side(self) -> int:
        """Return 1: a disk does not wait for a network."""
        return 1

    def archive_each(self, batch_id: BatchId, originals: Sequence[Original]) -> Sequence[str | None]:
        """Archive originals one after the other."""
        return [self._stuck(batch_id, original) for original in originals]

    def _stuck(self, batch_id: BatchId, original: Original) -> str | None:
        try:
            self.archive(
                original.key, original.etag, batch_id, original.destination, original.version, original.fingerprint
            )
        except StuckFile as refused:
            return str(refused)
        return None

    def prefetch(self, files: Sequence[tuple[str, str]], batch_id: BatchId) -> None:
        """Do nothing: files are near."""

    def create_each(self, documents: Iterable[tuple[str, bytes]]) -> None:
        """Write files one after the other."""
        for key, content in documents:
            self.create(key, content)

    def discard(self, keys: Iterable[str]) -> None:
        """Remove files, and the folders that they leave empty; continue after one that cannot be removed."""
        refusals = []
        for key in keys:
            path = self.path(key)
            try:
                path.unlink(missing_ok=True)
            except OSError as refused:
                refusals.append(f"{key} could not be removed: {refused.strerror}")
                continue
            remove_empty_folders(path, self._root)
        if refusals:
            more = f" (and {len(refusals) - 1} more)" if len(refusals) > 1 else ""
            raise StoreError(
                f"{self._root}: {refusals[0]}{more}. Change the permissions and run again; nothing is lost."
            )

    def staging(self, batch_id: BatchId) -> Path:
        """Return the folder of the batch's staged rows."""
        folder = self._root / layout.staging(batch_id)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def put_staged(self, batch_id: BatchId, files: Iterable[Path]) -> None:
        """Do nothing: the staging folder is the store's own."""

    def fetch_staged(self, batch_id: BatchId, files: Iterable[Path]) -> None:
        """Do nothing: the staging folder is the store's own."""

    def found_staged(self, batch_id: BatchId, files: Iterable[Path]) -> frozenset[Path]:
        """Return those that exist."""
        return frozenset(file for file in files if file.exists())

    def take_staged(self, batch_id: BatchId, files: Mapping[Path, Path]) -> None:
        """Rename files; what an interrupted attempt left at a final path is replaced."""
        for source, target in files.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                source.replace(target)
            except FileNotFoundError as absent:
                raise StoreError(
                    f"{source} is not there, although an executor wrote it. Mount the store's folder {self._root} under the"
                    " same path on this machine and on every machine of the cluster, and run again; nothing is lost."
                ) from absent

    def shared_at(self, file: Path) -> str:
        """Return its path: every machine mounts the store."""
        return str(file)

    def forget(self, batch_id: BatchId) -> None:
        """Remove staging and fetched bytes of a batch that has ended; a drop that was set aside goes back first."""
        fetched = self._private / "fetched" / batch_id
        for folder in (fetched / "aside", fetched / "beside"):
            for found in (folder / layout.RAW).rglob("*"):
                # The process that died here had not compared the bytes yet. If they are the batch's own, they are a duplicate.
                if found.is_file():
                    self._removal(found.relative_to(folder).as_posix(), batch_id).put_back()
        for folder in (self._root / layout.staging(batch_id), fetched):
            with suppress(FileNotFoundError):
                shutil.rmtree(folder)

    def _fetched(self, key: str, batch_id: BatchId) -> Path:
        return self._private / "fetched" / batch_id / self.path(key).relative_to(self._root)

    def _remove(self, key: str, etag: str, batch_id: BatchId, archived: Path) -> None:
        self._removal(key, batch_id).remove(etag, archived)

    def _removal(self, key: str, batch_id: BatchId) -> Removal:
        source, fetched = self.path(key), self._private / "fetched" / batch_id
        beside = f"{OWN}aside-{sha256(f'{batch_id}/{key}'.encode()).hexdigest()[:32]}"
        return Removal(
            source=source,
            aside=fetched / "aside" / key,
            beside=source.with_name(beside),
            marker=fetched / "beside" / key,
        )
