"""Keep a store in a folder.

A batch works on its own copy of each file, under `.takings/fetched`: whatever happens to the drop meanwhile, the bytes that
were read are the bytes that are filed away. A drop is settled if no process holds it open for writing; where the system
cannot tell, if two looks at it, some time apart, show the same size and the same time of its last change.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from takings import layout
from takings.adapters.text_files import open_text
from takings.arrivals import ObjectInfo
from takings.errors import ConflictError, StoreError
from takings.layout import BatchId

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: written often and made again at will, so not worth waiting for the disk
_NOT_SYNCED = ("validation-reports/",)
#: Linux: make a file share the blocks of another
_FICLONE = 0x40049409
_COPY_BYTES = 4 << 20
#: a file that was listed has gone, or something else has taken its place
_NO_FILE_THERE = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO}
#: how far apart two looks are; a writer that pauses longer has most likely ended
_LOOKS_APART_SECONDS = 1.0


class FolderStore:
    """An object store in a folder."""

    def __init__(self, root: Path, pause: Callable[[float], None] = time.sleep) -> None:
        self._root = root
        self._private = root / ".takings"
        self._pause = pause
        #: the ETags of drops that looked the same twice
        self._quiet: dict[str, str] = {}

    def path(self, key: str) -> Path:
        """Return where a key lies; StoreError for a key that would lead out of the store, also through a link."""
        parts = key.split("/")
        if not layout.is_key(key):
            raise StoreError(f"{key!a} is not a key of the store {self._root}.")
        path = self._root.joinpath(*parts)
        # The first folder may be a link: whoever keeps raw-data/ elsewhere on the disk has put it there.
        for folder in path.parents[: max(0, len(parts) - 2)]:
            if folder.is_symlink():
                raise StoreError(
                    f"{key!a}: {folder} is a link, which may lead out of the store. Put a folder in its place."
                )
        return path

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """List all regular files under a prefix; links and special files are none."""
        is_raw = prefix.startswith(layout.RAW)
        unsure = []
        for path, status in self._walk(str(self._root / prefix)):
            is_being_written = _is_being_written(path) if is_raw else False
            if is_being_written is None:
                unsure.append((path, self._info(path, status)))
            else:
                yield self._info(path, status, is_settled=not is_being_written)
        if unsure:
            yield from self._look_twice(unsure)

    def _walk(self, folder: str) -> Iterator[tuple[str, os.stat_result]]:
        """Yield the regular files under a folder; there may be so many that a Path for each would take its time."""
        folders = []
        try:
            entries = os.scandir(folder)
        except OSError:
            # It is gone, or may not be read.
            return
        with entries:
            for entry in entries:
                try:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                        continue
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(status.st_mode):
                    yield entry.path, status
        for each in folders:
            yield from self._walk(each)

    def _info(self, path: str, status: os.stat_result, *, is_settled: bool = True) -> ObjectInfo:
        return ObjectInfo(
            key=path[len(str(self._root)) :].lstrip("/"),
            size=status.st_size,
            written_at=_EPOCH + timedelta(microseconds=status.st_mtime_ns // 1000),
            etag=_etag(status),
            is_settled=is_settled,
        )

    def _look_twice(self, unsure: Sequence[tuple[str, ObjectInfo]]) -> Iterator[ObjectInfo]:
        """List files of which the system cannot tell whether they are being written: settled is what does not change."""
        quiet = {info.key: info.etag for _, info in unsure if self._quiet.get(info.key) == info.etag}
        if len(quiet) < len(unsure):
            self._pause(_LOOKS_APART_SECONDS)
            for path, info in unsure:
                with suppress(FileNotFoundError):
                    if _etag(os.lstat(path)) == info.etag:
                        quiet[info.key] = info.etag
        self._quiet = quiet
        for _, info in unsure:
            yield replace(info, is_settled=quiet.get(info.key) == info.etag)

    def read(self, key: str) -> bytes | None:
        """Return a file's bytes; None where it is absent."""
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
            return self._link(draft, self.path(key))

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
            return self._link(draft, self.path(key))

    def copy(self, key: str, destination: str) -> bool:
        """Link a file to a destination unless that exists; tell whether it exists now."""
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

    def _link(self, source: Path, target: Path) -> bool:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except FileExistsError:
            return False
        return True

    def fetch(self, key: str, etag: str, batch_id: BatchId) -> Path | None:
        """Return a copy of exactly the bytes that the ETag names; None where they are gone or were changing."""
        fetched, source = self._fetched(key, batch_id), self.path(key)
        if fetched.exists():
            return fetched
        with self._draft() as draft:
            try:
                _copy(source, draft)
                is_whole = _etag(source.lstat()) == etag and not _is_being_written(source)
            except OSError as gone:
                if gone.errno not in _NO_FILE_THERE:
                    raise
                return None
            if not is_whole:
                return None
            self._link(draft, fetched)
        return fetched

    @contextmanager
    def borrow(self, key: str) -> Iterator[Path]:
        """Hand out the file itself."""
        path = self.path(key)
        if not path.is_file():
            raise StoreError(f"{key} is not in the store {self._root}.")
        yield path

    def supply(self, path: Path, key: str, batch_id: BatchId) -> None:
        """Copy a local file to where the fetched bytes of a key lie."""
        with self._draft() as draft:
            _copy(path, draft)
            self._link(draft, self._fetched(key, batch_id))

    def file_away(
        self, key: str, etag: str, batch_id: BatchId, destination: str, version: datetime, fingerprint: str
    ) -> None:
        """Link the fetched bytes to their destination, then remove the key if it still holds them.

        Their version is kept as the time of the last change; the batch's verdicts have the fingerprint.
        """
        fetched, target = self._fetched(key, batch_id), self.path(destination)
        if fetched.exists():
            moment = (version - _EPOCH) // timedelta(microseconds=1) * 1000
            os.utime(fetched, ns=(moment, moment))
            if not self._link(fetched, target) and not _same_bytes(fetched, target):
                raise ConflictError(
                    f"{destination} already holds other bytes; {key} was not moved. Move that file away and run again."
                )
        elif not target.exists():
            raise StoreError(f"{key}: the bytes that batch {batch_id} read are gone, and {destination} is not there.")
        if key.startswith(layout.RAW):
            self._remove(key, etag, batch_id)

    def discard(self, keys: Iterable[str]) -> None:
        """Remove files, and the folders that they leave empty."""
        for key in keys:
            path = self.path(key)
            path.unlink(missing_ok=True)
            for folder in path.parents:
                if folder == self._root or any(folder.iterdir()):
                    break
                folder.rmdir()

    def staging(self, batch_id: BatchId) -> Path:
        """Return the folder of the batch's staged rows."""
        folder = self._root / layout.staging(batch_id)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def put_staged(self, batch_id: BatchId, files: Iterable[Path]) -> None:
        """Do nothing: the staging folder is the store's own."""

    def fetch_staged(self, batch_id: BatchId, files: Iterable[Path]) -> None:
        """Do nothing: the staging folder is the store's own."""

    def forget(self, batch_id: BatchId) -> None:
        """Remove staging and fetched bytes of a batch that has ended; a drop that was set aside goes back first."""
        fetched = self._private / "fetched" / batch_id
        for aside in (fetched / "aside" / layout.RAW).rglob("*"):
            # Whoever died here had not compared its bytes yet. If they were the batch's own, they are a duplicate.
            if aside.is_file():
                self._link(aside, self.path(aside.relative_to(fetched / "aside").as_posix()))
        for folder in (self._root / layout.staging(batch_id), self._private / "fetched" / batch_id):
            with suppress(FileNotFoundError):
                shutil.rmtree(folder)

    def _fetched(self, key: str, batch_id: BatchId) -> Path:
        return self._private / "fetched" / batch_id / self.path(key).relative_to(self._root)

    def _remove(self, key: str, etag: str, batch_id: BatchId) -> None:
        """Remove a key if it holds the bytes that the ETag names: rename aside, compare, put back if different."""
        source, aside = self.path(key), self._private / "fetched" / batch_id / "aside" / key
        aside.parent.mkdir(parents=True, exist_ok=True)
        if not aside.exists():
            try:
                source.rename(aside)
            except FileNotFoundError:
                return
        if _etag(aside.lstat()) != etag:
            with suppress(FileExistsError):
                os.link(aside, source)
        aside.unlink()


def _etag(status: os.stat_result) -> str:
    return f"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"


def _copy(source: Path, target: Path) -> None:
    """Copy a file; where the file system can, both share their blocks until one is written to."""
    # A pipe would be waited for, for ever, if it were opened as a file.
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as origin, target.open("wb") as copy:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileNotFoundError(errno.ENOENT, "it is no file any more", str(source))
        try:
            fcntl.ioctl(copy.fileno(), _FICLONE, origin.fileno())
        except OSError:
            shutil.copyfileobj(origin, copy, _COPY_BYTES)


def _same_bytes(one: Path, other: Path) -> bool:
    if one.samefile(other):
        return True
    with one.open("rb") as left, other.open("rb") as right:
        while True:
            block = left.read(1 << 20)
            if block != right.read(1 << 20):
                return False
            if not block:
                return True


def _is_being_written(path: str | Path) -> bool | None:
    """Tell whether a process holds a file open for writing; None where the system cannot tell.

    Linux grants a read lease only on a file that nobody has open for writing, and only to its owner.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        # A writer that comes now breaks the lease; the signal that tells so must be one that ends no process.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:
        # Another user's file, or a file system without leases.
        return None
    finally:
        # The lease ends with it.
        os.close(descriptor)
    return False
