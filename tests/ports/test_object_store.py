"""What every object store does, on any platform."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from takings.adapters.aws.bucket import Bucket as S3Bucket
from takings.adapters.aws.object_store import BucketStore
from takings.adapters.local.object_store import FolderStore
from takings.archive.moves import Original
from takings.errors import ConflictError, StoreError, StuckFile, UnreadableFile
from takings.intake.arrivals import ObjectInfo
from takings.layout import BatchId
from takings.ports import ObjectStore
from tests.emulators import BUCKET
from tests.file_systems import FILE_SYSTEMS, bad_block, refusing_to_move, refusing_to_open
from tests.shop import NOON, drop, files

BATCH, NEXT_BATCH = BatchId("b1"), BatchId("b2")
KEY = "raw-data/orders/a.csv"
TAKEN = "processed/2025/03/30/b1/orders/a.csv"


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """A store, and the means to change it from outside."""

    store: ObjectStore
    #: write whole bytes under a key, as a shop's export does; whatever was there is replaced
    put: Callable[[str, bytes], object]
    #: the same store, opened on another machine
    elsewhere: ObjectStore
    #: whether overwritten bytes can still be read
    keeps_versions: bool = False

    def seen(self, key: str = KEY) -> ObjectInfo:
        """Return what the listing shows of a key."""
        (info,) = (info for info in self.store.list(key.rpartition("/")[0] + "/") if info.key == key)
        return info

    def fetched(self, key: str = KEY, batch: BatchId = BATCH) -> Path:
        """Fetch a key as it is now."""
        path = self.store.fetch(key, self.seen(key).etag, batch)
        assert path is not None
        return path

    def archive(
        self, etag: str, destination: str = TAKEN, *, content: bytes = b"rows", version: datetime = NOON
    ) -> None:
        """Archive the bytes that were fetched with an ETag."""
        self.store.archive(KEY, etag, BATCH, destination, version, sha256(content).hexdigest())


@pytest.fixture(params=["folder", *FILE_SYSTEMS, "moto", "ministack"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """Return an empty store on each platform."""
    if request.param in {"folder", *FILE_SYSTEMS}:
        root = tmp_path / "shop"
        root.mkdir()
        if request.param in FILE_SYSTEMS:
            FILE_SYSTEMS[request.param](monkeypatch, root)
        return Bucket(
            store=FolderStore(root),
            put=lambda key, content: drop(root, key.removeprefix("raw-data/"), content),
            elsewhere=FolderStore(root),
        )
    clients = request.getfixturevalue(request.param).emptied(monkeypatch)
    return Bucket(
        store=BucketStore(S3Bucket(clients.s3, BUCKET), tmp_path / "here"),
        put=lambda key, content: clients.s3.put_object(Bucket=BUCKET, Key=key, Body=content),
        elsewhere=BucketStore(S3Bucket(clients.s3, BUCKET), tmp_path / "there"),
        keeps_versions=True,
    )


class TestReading:
    def test_a_listing_has_every_object_under_its_prefix(self, bucket: Bucket) -> None:
        """At any depth, with its size."""
        bucket.put(KEY, b"1")
        bucket.put("raw-data/orders/2025/b.csv", b"22")
        bucket.put("raw-data/products/c.csv", b"333")
        found = {(info.key, info.size) for info in bucket.store.list("raw-data/orders/")}
        assert found == {(KEY, 1), ("raw-data/orders/2025/b.csv", 2)}

    def test_nothing_lies_under_a_prefix_that_nobody_used(self, bucket: Bucket) -> None:
        """This is not an error."""
        assert list(bucket.store.list("raw-data/")) == []

    def test_names_are_taken_byte_for_byte(self, bucket: Bucket) -> None:
        """Blanks, percent signs and letters of any script mean nothing special."""
        key = "raw-data/orders/ä b+c%20'\"$.csv"
        bucket.put(key, b"1")
        assert bucket.seen(key).size == 1
        assert bucket.fetched(key).read_bytes() == b"1"

    def test_other_bytes_have_another_etag(self, bucket: Bucket) -> None:
        """Even if the size is the same."""
        bucket.put(KEY, b"old")
        before = bucket.seen().etag
        assert bucket.seen().etag == before
        bucket.put(KEY, b"new")
        assert bucket.seen().etag != before

    def test_an_absent_object_has_no_bytes(self, bucket: Bucket) -> None:
        """None, unlike an empty object."""
        bucket.store.create("batches/b1/empty.json", b"")
        assert bucket.store.read("batches/b1/empty.json") == b""
        assert bucket.store.read("batches/b1/absent.json") is None


class TestCreating:
    def test_an_object_is_created_once(self, bucket: Bucket) -> None:
        """Whoever comes second is told, and the first one's bytes stay."""
        assert bucket.store.create("batches/b1/verdicts.json", b"first") is True
        assert bucket.store.create("batches/b1/verdicts.json", b"second") is False
        assert bucket.store.read("batches/b1/verdicts.json") == b"first"

    @pytest.mark.parametrize("key", ["../a", "a/../../b", "/etc/a", "a//b", "a/./b", "", "a/", "a\0b"])
    def test_a_key_never_leads_out_of_the_store(self, bucket: Bucket, key: str) -> None:
        """Not for reading, not for writing, and not as a destination."""
        bucket.put(KEY, b"1")
        bucket.fetched()
        with pytest.raises(StoreError, match="is not a key of the store"):
            bucket.store.create(key, b"x")
        with pytest.raises(StoreError, match="is not a key of the store"):
            bucket.store.read(key)
        with pytest.raises(StoreError, match="is not a key of the store"):
            bucket.store.fetch(key, "etag", BATCH)
        with pytest.raises(StoreError, match="is not a key of the store"):
            bucket.archive(bucket.seen().etag, key)
        assert bucket.seen().size == 1


def original(info: ObjectInfo) -> Original:
    content = b"rows of " + info.key.encode()
    return Original(
        key=info.key,
        etag=info.etag,
        size=info.size,
        destination=f"processed/2026/11/23/b1/orders/{info.key.rpartition('/')[2]}",
        version=NOON,
        fingerprint=sha256(content).hexdigest(),
    )


class TestSideBySide:
    def test_documents_are_each_created_once(self, bucket: Bucket) -> None:
        """Whoever was first wins, also within one call's neighbours."""
        bucket.store.create("batches/b1/a.json", b"first")
        bucket.store.create_each([("batches/b1/a.json", b"second"), ("batches/b1/b.json", b"other")])
        assert [bucket.store.read(f"batches/b1/{name}.json") for name in "ab"] == [b"first", b"other"]
        assert bucket.store.side_by_side() >= 1

    def test_files_fetched_ahead_are_those_of_the_listing(self, bucket: Bucket) -> None:
        """What cannot be had is no trouble yet: it is told when it is fetched."""
        bucket.put(KEY, b"rows")
        etag = bucket.seen().etag
        for _ in range(2):
            bucket.store.prefetch([(KEY, etag), (KEY, "1-2-3"), ("raw-data/orders/none.csv", etag)], BATCH)
        assert bucket.store.fetch("raw-data/orders/none.csv", etag, BATCH) is None
        bucket.put(KEY, b"newer")
        found = bucket.store.fetch(KEY, etag, BATCH)
        assert (found.read_bytes() if found else None) == (b"rows" if bucket.keeps_versions else None)


class TestFetching:
    def test_bytes_once_fetched_stay(self, bucket: Bucket) -> None:
        """A newer file under the key does not take them away, not even from another attempt."""
        bucket.put(KEY, b"old")
        etag = bucket.seen().etag
        path = bucket.fetched()
        bucket.put(KEY, b"newer")
        assert path.read_bytes() == b"old"
        assert bucket.store.fetch(KEY, etag, BATCH) == path
        assert path.read_bytes() == b"old"

    def test_bytes_that_were_overwritten_before_are_gone(self, bucket: Bucket) -> None:
        """None, unless the store keeps every version; the newer bytes are never returned instead."""
        bucket.put(KEY, b"old")
        etag = bucket.seen().etag
        bucket.put(KEY, b"new")
        older = bucket.store.fetch(KEY, etag, BATCH)
        assert (older.read_bytes() if older else None) == (b"old" if bucket.keeps_versions else None)
        assert bucket.fetched(batch=NEXT_BATCH).read_bytes() == b"new"

    def test_an_absent_key_has_no_bytes_to_fetch(self, bucket: Bucket) -> None:
        """It was removed between the listing and the fetch."""
        assert bucket.store.fetch(KEY, "1-2-3", BATCH) is None


class TestFilingAway:
    def test_an_original_moves_with_its_version(self, bucket: Bucket) -> None:
        """The key is free again."""
        bucket.put(KEY, b"rows")
        etag = bucket.seen().etag
        bucket.fetched()
        bucket.archive(etag)
        assert bucket.store.read(TAKEN) == b"rows"
        assert list(bucket.store.list("raw-data/")) == []

    def test_it_may_be_repeated(self, bucket: Bucket) -> None:
        """Before and after the end of the batch."""
        bucket.put(KEY, b"rows")
        etag = bucket.seen().etag
        bucket.fetched()
        for _ in range(2):
            bucket.archive(etag)
        bucket.store.forget(BATCH)
        bucket.archive(etag)
        assert bucket.store.read(TAKEN) == b"rows"
        assert list(bucket.store.list("raw-data/")) == []

    def test_a_newer_file_under_the_key_survives(self, bucket: Bucket) -> None:
        """It belongs to the next batch; the older bytes are archived all the same."""
        bucket.put(KEY, b"old")
        etag = bucket.seen().etag
        bucket.fetched()
        bucket.put(KEY, b"newer")
        newer = bucket.seen()
        for _ in range(2):
            bucket.archive(etag, content=b"old")
        bucket.store.forget(BATCH)
        assert bucket.store.read(TAKEN) == b"old"
        assert bucket.seen() == newer
        assert bucket.fetched(batch=NEXT_BATCH).read_bytes() == b"newer"

    def test_other_bytes_at_the_destination_are_never_overwritten(self, bucket: Bucket) -> None:
        """The error names both keys; nothing moves."""
        bucket.put(KEY, b"rows")
        etag = bucket.seen().etag
        bucket.fetched()
        bucket.store.create(TAKEN, b"else")
        with pytest.raises(ConflictError) as conflict:
            bucket.archive(etag)
        assert str(conflict.value) == (
            f"{TAKEN} already holds other bytes; {KEY} was not moved. Move that file away and run again."
        )
        assert (bucket.store.read(TAKEN), bucket.store.read(KEY)) == (b"else", b"rows")

    def test_the_same_bytes_at_the_destination_are_fine(self, bucket: Bucket) -> None:
        """Another attempt was faster."""
        bucket.put(KEY, b"rows")
        etag = bucket.seen().etag
        bucket.fetched()
        bucket.store.create(TAKEN, b"rows")
        bucket.archive(etag)
        assert (bucket.store.read(TAKEN), bucket.store.read(KEY)) == (b"rows", None)

    def test_several_originals_move_with_one_call(self, bucket: Bucket) -> None:
        """Each as it would alone: one was filed away before, one was overwritten since, one is in the archive already."""
        keys = [f"raw-data/orders/{name}.csv" for name in "abc"]
        for key in keys:
            bucket.put(key, b"rows of " + key.encode())
        originals = [original(bucket.seen(key)) for key in keys]
        for key in keys:
            bucket.fetched(key)
        assert bucket.store.archive_each(BATCH, originals[:1]) == [None]
        bucket.put(keys[1], b"newer")
        for _ in range(2):
            assert bucket.store.archive_each(BATCH, originals) == [None] * 3
        assert [bucket.store.read(each.destination) for each in originals] == [
            b"rows of " + key.encode() for key in keys
        ]
        assert [info.key for info in bucket.store.list("raw-data/")] == keys[1:2]
        bucket.store.create(TAKEN, b"else")
        with pytest.raises(ConflictError, match=f"{TAKEN} already holds other bytes"):
            bucket.store.archive_each(BATCH, [replace(originals[0], destination=TAKEN), originals[2]])

    def test_bytes_that_are_nowhere_are_an_error(self, bucket: Bucket) -> None:
        """Not under the key, not fetched and not at the destination: nothing is removed."""
        bucket.put(KEY, b"rows")
        with pytest.raises(StoreError) as gone:
            bucket.archive("1-2-3")
        assert str(gone.value) == f"{KEY}: the bytes that batch b1 read are gone, and {TAKEN} is not there."
        assert bucket.store.read(KEY) == b"rows"


class TestStaging:
    def test_a_long_document_is_created_once_from_its_pieces(self, bucket: Bucket) -> None:
        """All or nothing: pieces that fail leave nothing behind."""

        def failing() -> Iterator[str]:
            yield "half "
            raise OSError("disk is full")

        with pytest.raises(OSError, match="disk is full"):
            bucket.store.create_from("failed/a.csv.reason.json", failing())
        assert bucket.store.read("failed/a.csv.reason.json") is None
        assert bucket.store.create_from("failed/a.csv.reason.json", iter(["ä ", "b"])) is True
        assert bucket.store.create_from("failed/a.csv.reason.json", iter(["c"])) is False
        assert bucket.store.read("failed/a.csv.reason.json") == "ä b".encode()

    def test_an_object_is_copied_once(self, bucket: Bucket) -> None:
        """The destination's bytes stay."""
        bucket.store.create("quarantine/a.csv", b"rows")
        bucket.store.copy("quarantine/a.csv", "failed/a.csv")
        bucket.store.copy("quarantine/a.csv", "failed/a.csv")
        assert (bucket.store.read("quarantine/a.csv"), bucket.store.read("failed/a.csv")) == (b"rows", b"rows")

    def test_forgetting_leaves_nothing_of_the_batch_and_all_of_others(self, bucket: Bucket) -> None:
        """It may be repeated."""
        bucket.put(KEY, b"rows")
        path = bucket.fetched()
        kept = bucket.store.staging(NEXT_BATCH)
        staged = bucket.store.staging(BATCH)
        (staged / "a.parquet").write_bytes(b"1")
        for _ in range(2):
            bucket.store.forget(BATCH)
        assert (path.exists(), staged.exists(), kept.exists()) == (False, False, True)
        assert bucket.store.read(KEY) == b"rows"

    def test_staged_rows_are_found_on_another_machine(self, bucket: Bucket) -> None:
        """Exactly those that were put, complete, under their local names; it may be repeated."""
        here = self.staged(bucket.store, orders=b"rows", products=b"\0" * 70_000)
        for _ in range(2):
            bucket.store.put_staged(BATCH, here)
        there = [bucket.elsewhere.staging(BATCH) / file.relative_to(bucket.store.staging(BATCH)) for file in here]
        for _ in range(2):
            bucket.elsewhere.fetch_staged(BATCH, there)
        assert [file.read_bytes() == other.read_bytes() for file, other in zip(here, there, strict=True)] == [True] * 2

    def test_staged_rows_that_nobody_has_put_stay_absent(self, bucket: Bucket) -> None:
        """Whoever needs them makes them again; local files stay as they are."""
        (here,) = self.staged(bucket.elsewhere, orders=b"rows")
        absent = here.with_name("00001.parquet")
        bucket.elsewhere.fetch_staged(BATCH, [here, absent])
        assert (here.read_bytes(), absent.exists()) == (b"rows", False)

    def test_staged_rows_are_found_without_bringing_them(self, bucket: Bucket) -> None:
        """Shared ones and those of this machine; a folder shares all that it holds."""
        here = self.staged(bucket.store, orders=b"rows", products=b"rows")
        bucket.store.put_staged(BATCH, here)
        there = [bucket.elsewhere.staging(BATCH) / file.relative_to(bucket.store.staging(BATCH)) for file in here]
        before = [file.exists() for file in there]
        (own,) = self.staged(bucket.elsewhere, order_items=b"rows")
        absent = own.with_name("00001.parquet")
        for _ in range(2):
            assert bucket.elsewhere.found_staged(BATCH, [*there, own, absent]) == {*there, own}
        assert [file.exists() for file in there] == before

    def test_staged_rows_that_another_attempt_has_put_stay(self, bucket: Bucket) -> None:
        """They are the same rows, and somebody may be reading them."""
        bucket.store.put_staged(BATCH, self.staged(bucket.store, orders=b"rows"))
        (late,) = self.staged(bucket.elsewhere, orders=b"rows")
        bucket.elsewhere.put_staged(BATCH, [late])
        assert late.read_bytes() == b"rows"

    def test_rows_that_an_executor_has_shared_get_their_place(self, bucket: Bucket) -> None:
        """What another attempt has written beside them, or left in that place on this disk, is not read."""
        good, failed = (bucket.elsewhere.staging(BATCH) / "tasks" / name / "orders.parquet" for name in ("7", "6"))
        for file, content in ((good, b"rows"), (failed, b"half")):
            file.parent.mkdir(parents=True)
            file.write_bytes(content)
        bucket.elsewhere.put_staged(BATCH, [good, failed])
        source = bucket.store.staging(BATCH) / good.relative_to(bucket.elsewhere.staging(BATCH))
        target = bucket.store.staging(BATCH) / "orders" / "00000.parquet"
        bucket.store.take_staged(BATCH, {source: target})
        bucket.store.fetch_staged(BATCH, [target])
        assert target.read_bytes() == b"rows"

    def test_rows_that_no_executor_has_shared_are_an_error(self, bucket: Bucket) -> None:
        """The executor wrote them, so it writes elsewhere."""
        staging = bucket.store.staging(BATCH)
        with pytest.raises(StoreError, match=r"tasks/7/orders\.parquet is not .*, although an executor wrote it"):
            bucket.store.take_staged(BATCH, {staging / "tasks/7/orders.parquet": staging / "orders/00000.parquet"})

    def test_shared_rows_are_forgotten_with_the_batch(self, bucket: Bucket) -> None:
        """Only those of this batch, wherever its last step runs."""
        (kept,) = self.staged(bucket.store, NEXT_BATCH, orders=b"next")
        bucket.store.put_staged(NEXT_BATCH, [kept])
        bucket.store.put_staged(BATCH, self.staged(bucket.store, orders=b"rows"))
        bucket.elsewhere.forget(BATCH)
        assert [info.key for info in bucket.store.list("staging/")] == [f"staging/{NEXT_BATCH}/orders/00000.parquet"]

    def staged(self, store: ObjectStore, batch: BatchId = BATCH, **rows: bytes) -> list[Path]:
        """Write files of staged rows."""
        files = [store.staging(batch) / dataset / "00000.parquet" for dataset in rows]
        for file, content in zip(files, rows.values(), strict=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return files


class TestFolder:
    """What only a folder can suffer from."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        """Return a store's folder."""
        (tmp_path / "shop" / "raw-data" / "orders").mkdir(parents=True)
        return tmp_path / "shop"

    @pytest.fixture
    def folder(self, root: Path) -> Bucket:
        """Return the store of the folder."""
        return Bucket(
            store=FolderStore(root),
            put=lambda key, content: drop(root, key.removeprefix("raw-data/"), content),
            elsewhere=FolderStore(root),
        )

    def test_an_append_to_a_fetched_file_is_a_new_arrival(self, folder: Bucket, root: Path) -> None:
        """The copy that was read is archived as it was; the longer file waits at its key."""
        folder.put(KEY, b"old")
        etag = folder.seen().etag
        path = folder.fetched()
        with (root / KEY).open("ab") as file:
            file.write(b"er")
        assert path.read_bytes() == b"old"
        folder.archive(etag)
        assert (folder.store.read(TAKEN), folder.store.read(KEY)) == (b"old", b"older")
        assert folder.seen().etag != etag
        assert folder.fetched(batch=NEXT_BATCH).read_bytes() == b"older"

    def test_a_file_that_is_being_written_is_not_fetched(self, folder: Bucket, root: Path) -> None:
        """None, even if it has not grown yet; once it is closed, it is fetched."""
        folder.put(KEY, b"rows")
        if not can_tell_writers(root):
            pytest.skip("this system does not tell who writes a file")
        etag = folder.seen().etag
        with (root / KEY).open("ab"):
            assert folder.store.fetch(KEY, etag, BATCH) is None
        assert folder.fetched().read_bytes() == b"rows"

    def test_links_and_special_files_are_no_files(self, folder: Bucket, root: Path, tmp_path: Path) -> None:
        """They are listed with their remedies; nothing outside the store is read through them, and nobody waits for a pipe."""
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "secret.csv").write_bytes(b"secret")
        orders = root / "raw-data" / "orders"
        (orders / "link.csv").symlink_to(outside / "secret.csv")
        (orders / "folder").symlink_to(outside)
        (orders / "dangling.csv").symlink_to(outside / "nothing.csv")
        os.mkfifo(orders / "pipe.csv")
        folder.put(KEY, b"rows")
        assert {info.key: info.trouble for info in folder.store.list("raw-data/")} == {
            KEY: None,
            "raw-data/orders/link.csv": (
                "it is a link, and links within raw-data/ are not followed. Put the file itself in its place."
            ),
            "raw-data/orders/dangling.csv": (
                "it is a link to a missing file. Put the file itself in its place, or remove the link."
            ),
            "raw-data/orders/folder/": (
                "it is a link to a folder, and links within raw-data/ are not followed. Make raw-data itself the link, or mount"
                " the folder here."
            ),
            "raw-data/orders/pipe.csv": "it is a pipe, a socket or a device, not a file. Remove it.",
        }

    def test_a_file_that_may_not_be_read_is_listed_with_its_remedy(self, folder: Bucket, root: Path) -> None:
        """It is listed next to the others; once it may be read, it is a file like them."""
        folder.put(KEY, b"rows")
        folder.put("raw-data/orders/b.csv", b"rows")
        with refusing_to_open(root / KEY):
            assert folder.seen().trouble == (
                "it cannot be read: Permission denied. Let the user that runs Takings read it (chmod, chown)."
            )
            assert folder.seen("raw-data/orders/b.csv").trouble is None
        assert folder.seen().trouble is None

    def test_a_folder_that_may_not_be_listed_hides_no_other(
        self, folder: Bucket, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The listing names it, with a slash after its name."""
        folder.put(KEY, b"rows")
        folder.put("raw-data/orders/locked/b.csv", b"rows")
        real = os.scandir

        def scanning(folder: str) -> object:
            if folder.endswith("/locked"):
                raise PermissionError(errno.EACCES, "Permission denied", folder)
            return real(folder)

        monkeypatch.setattr(os, "scandir", scanning)
        assert {info.key: info.trouble for info in folder.store.list("raw-data/")} == {
            KEY: None,
            "raw-data/orders/locked/": (
                "the folder cannot be listed: Permission denied. Let the user that runs Takings read and enter it"
                " (chmod, chown)."
            ),
        }

    def test_a_file_that_vanishes_between_the_listing_and_the_look_is_none(self, folder: Bucket, root: Path) -> None:
        """It does not keep the others from being listed."""
        folder.put(KEY, b"rows")
        folder.put("raw-data/orders/b.csv", b"rows")
        with refusing_to_open(root / KEY, errno.ENOENT):
            assert [info.key for info in folder.store.list("raw-data/")] == ["raw-data/orders/b.csv"]

    def test_a_machine_without_file_handles_is_no_file_s_trouble(self, folder: Bucket, root: Path) -> None:
        """Otherwise every file would seem to have it."""
        folder.put(KEY, b"rows")
        etag = folder.seen().etag
        with refusing_to_open(root / KEY, errno.EMFILE):
            with pytest.raises(OSError, match="Too many open files"):
                folder.seen()
            with pytest.raises(OSError, match="Too many open files"):
                folder.store.fetch(KEY, etag, BATCH)

    def test_a_bad_block_is_the_file_s_own_trouble(self, folder: Bucket, root: Path) -> None:
        """It is listed with its remedy, and no half of it is kept; once it can be read, it is fetched."""
        folder.put(KEY, b"rows, " * 10)
        etag = folder.seen().etag
        with bad_block(root / KEY), pytest.raises(UnreadableFile) as unread:
            folder.store.fetch(KEY, etag, BATCH)
        assert str(unread.value) == (
            f"{KEY}: it cannot be read: Input/output error. Check its disk, and drop the file again."
        )
        assert files(root, ".takings") == []
        assert folder.fetched().read_bytes() == b"rows, " * 10

    def test_an_original_that_cannot_be_removed_is_archived_and_told(self, folder: Bucket, root: Path) -> None:
        """Nothing is lost, and it may be repeated."""
        folder.put(KEY, b"rows")
        etag = folder.seen().etag
        folder.fetched()
        with refusing_to_move(root / KEY):
            for _ in range(2):
                with pytest.raises(StuckFile) as stuck:
                    folder.archive(etag)
                assert str(stuck.value) == (
                    "it is archived, but cannot be removed from raw-data/: Operation not permitted. Remove it by hand."
                )
        assert (folder.store.read(TAKEN), folder.store.read(KEY)) == (b"rows", b"rows")
        folder.archive(etag)
        assert (folder.store.read(TAKEN), folder.store.read(KEY)) == (b"rows", None)

    def test_one_file_that_cannot_be_discarded_keeps_no_other(
        self, folder: Bucket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The error comes at the end."""
        keys = [f"validation-reports/b1/{number}.json" for number in range(3)]
        for key in keys:
            folder.store.create(key, b"{}")
        real = os.unlink

        def unlinking(path: str | Path, **more: object) -> None:
            if Path(path).name == "1.json":
                raise PermissionError(errno.EPERM, "Operation not permitted", str(path))
            real(path, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "unlink", unlinking)
        with pytest.raises(
            StoreError, match=r"validation-reports/b1/1.json could not be removed: Operation not permitted"
        ):
            folder.store.discard(keys)
        assert [info.key for info in folder.store.list("validation-reports/")] == keys[1:2]

    def test_a_file_that_is_open_for_writing_is_not_settled(self, folder: Bucket, root: Path) -> None:
        """It is settled once it is closed; readers do not matter."""
        folder.put(KEY, b"rows")
        with (root / KEY).open("ab"):
            written = folder.seen().is_settled
        with (root / KEY).open("rb"):
            read = folder.seen().is_settled
        assert (written, read) == (not can_tell_writers(root), True)

    def test_where_the_system_cannot_tell_writers_two_equal_looks_settle_a_file(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file that grows between them is being written; one that looked the same is not waited for again."""
        monkeypatch.delattr(fcntl, "F_SETLEASE", raising=False)
        drop(root, "orders/a.csv", b"rows")
        growing = drop(root, "orders/b.csv", b"rows")
        writes = [b"rows, and more", b"rows, and more than that"]

        def pause(_: float) -> None:
            if writes:
                growing.write_bytes(writes.pop())

        store = FolderStore(root, pause)
        looks = [{info.key[-5:]: info.is_settled for info in store.list("raw-data/")} for _ in range(4)]
        assert looks == [{"a.csv": True, "b.csv": False}] * 2 + [{"a.csv": True, "b.csv": True}] * 2
        monkeypatch.setattr(store, "_pause", pytest.fail)
        assert all(info.is_settled for info in store.list("raw-data/"))

    def test_the_version_is_kept_as_the_time_of_the_last_change(self, folder: Bucket) -> None:
        """A listing of processed/ shows it, to the microsecond."""
        folder.put(KEY, b"rows")
        etag = folder.seen().etag
        folder.fetched()
        version = NOON + timedelta(microseconds=123_457)
        folder.archive(etag, version=version)
        assert folder.seen(TAKEN).written_at == version

    def test_a_crash_between_setting_aside_and_comparing_loses_nothing(self, folder: Bucket, root: Path) -> None:
        """The next attempt puts the newer file back."""
        folder.put(KEY, b"old")
        etag = folder.seen().etag
        folder.fetched()
        folder.put(KEY, b"newer")
        aside = root / ".takings" / "fetched" / "b1" / "aside" / KEY
        aside.parent.mkdir(parents=True)
        (root / KEY).rename(aside)
        folder.archive(etag)
        folder.store.forget(BATCH)
        assert (folder.store.read(TAKEN), folder.store.read(KEY)) == (b"old", b"newer")

    def test_a_file_system_that_cannot_share_blocks_gets_whole_copies(
        self, folder: Bucket, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Everything else is the same."""

        def no_clones(*_: object) -> None:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")

        monkeypatch.setattr("fcntl.ioctl", no_clones)
        folder.put(KEY, b"rows")
        etag = folder.seen().etag
        assert folder.fetched().read_bytes() == b"rows"
        folder.archive(etag)
        assert files(root, "raw-data", "processed") == ["processed/orders/a.csv"]

    def test_a_writer_that_comes_during_a_listing_kills_nobody(self, root: Path) -> None:
        """Linux signals a broken lease with SIGIO by default, which ends a process."""
        drop(root, "orders/a.csv", b"rows")
        listing = subprocess.run([sys.executable, "-c", LISTING_BESIDE_A_WRITER, root], capture_output=True)
        assert (listing.returncode, listing.stderr) == (0, b"")


#: lists a store for half a second while a child repeatedly opens its only file for writing
LISTING_BESIDE_A_WRITER = """
import os, sys, time
from pathlib import Path
from takings.adapters.aws.bucket import Bucket as S3Bucket
from takings.adapters.aws.object_store import BucketStore
from takings.adapters.local.object_store import FolderStore
from takings.archive.moves import Original

root = Path(sys.argv[1])
end = time.monotonic() + 0.5
writer = os.fork()
while time.monotonic() < end:
    if writer:
        list(FolderStore(root).list("raw-data/"))
    else:
        (root / "raw-data" / "orders" / "a.csv").open("ab").close()
if writer:
    os.waitpid(writer, 0)
"""


def can_tell_writers(folder: Path) -> bool:
    """Return whether this system knows who writes a file: Linux, on a file system with leases."""
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    probe = folder / "probe"
    probe.touch()
    with probe.open("rb") as file:
        try:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError:
            return False
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return True
