"""A store works on any file systems its folders are on; if it cannot, it says so before a batch begins."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from takings.adapters.local.object_store import FolderStore
from takings.adapters.local.placing import OWN
from takings.errors import StoreError
from takings.intake.gate import GateState
from takings.layout import BatchId
from tests.file_systems import FILE_SYSTEMS, keep_apart, mounted, read_only
from tests.shop import NOON, csv_of, drop, drop_all, expected, files, new_store, opened, order, published, run

BATCH = BatchId("b1")
KEY = "raw-data/orders/a.csv"
TAKEN = "processed/2025/03/30/b1/orders/a.csv"
BAD = csv_of(order(4, status="nonsense"))
#: the archive after a run of the standard files and a bad one
ARCHIVE = [
    *("processed/order_items/a.csv", "processed/orders/a.csv", "processed/products/a.csv"),
    *("failed/orders/bad.csv", "failed/orders/bad.csv.reason.json"),
]


def drop_four(root: Path) -> Path:
    """Drop the three standard files and a bad one."""
    drop(drop_all(root), "orders/bad.csv", BAD)
    return root


def assert_all_is_done(root: Path) -> None:
    """Assert that the four files are where they belong, and that nothing else is left anywhere."""
    assert files(root, "processed", "failed", "raw-data", "staging", ".takings/fetched", ".takings/drafts") == ARCHIVE
    assert [path for path in root.rglob(f"{OWN}*") if path.name != ".takings"] == []
    assert published(root) == expected(root)


@pytest.mark.parametrize("kind", FILE_SYSTEMS)
def test_a_store_works_on_it(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file ends up where it belongs, with its bytes, and a second run has nothing to do."""
    root = drop_four(new_store(tmp_path / "shop"))
    FILE_SYSTEMS[kind](monkeypatch, root)
    run(root)
    assert run(root).batches == ()
    assert_all_is_done(root)


def test_every_folder_of_a_store_may_be_a_mount(tmp_path: Path) -> None:
    """Each on its own, real file system."""
    root = new_store(tmp_path / "shop")
    with ExitStack() as stack:
        for name in ("raw-data", "processed", "failed", "lake", ".takings", "batches", "staging"):
            stack.enter_context(mounted("-t", "tmpfs", "tmpfs", at=root / name))
        run(drop_four(root))
        assert_all_is_done(root)
        with opened(root) as shop:
            shop.ports.store.discard(["batches/none.json"])


def test_raw_data_may_be_a_mount(tmp_path: Path) -> None:
    """A Docker volume, a network folder, an SFTP drop."""
    root = new_store(tmp_path / "shop")
    with mounted("-t", "tmpfs", "tmpfs", at=root / "raw-data"):
        run(drop_four(root))
        assert_all_is_done(root)


@pytest.mark.parametrize("name", ["raw-data", "processed", "failed"])
def test_a_folder_may_be_a_link_to_another_disk(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who keeps it elsewhere has put the link there."""
    root, elsewhere = new_store(tmp_path / "shop"), tmp_path / "elsewhere"
    drop_four(root)
    if name == "raw-data":
        (root / name).rename(elsewhere)
    else:
        elsewhere.mkdir()
    (root / name).symlink_to(elsewhere)
    keep_apart(monkeypatch, root)
    run(root)
    assert_all_is_done(root)
    assert (root / name).is_symlink()


# Crashes


class Killed(BaseException):
    """The process died."""


def mortal(real: Callable[..., object], calls: list[object], last: int) -> Callable[..., object]:
    """Return a system call during which the process dies if it is the last one."""

    def call_it(*values: Any, **named: Any) -> object:
        calls.append(real)
        if len(calls) >= last:
            # A dead process runs nothing, not even its cleaning up.
            raise Killed
        return real(*values, **named)

    return call_it


@contextmanager
def killed_at(call: int) -> Iterator[None]:
    """Die before the system call with this number that changes a name or waits for the disk."""
    calls: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("link", "rename", "unlink", "fsync", "mkdir", "utime"):
            patch.setattr(os, name, mortal(getattr(os, name), calls, call))
        yield


@pytest.mark.parametrize("kind", FILE_SYSTEMS)
@pytest.mark.parametrize("is_overwritten", [False, True], ids=["as it was", "overwritten meanwhile"])
def test_filing_away_may_be_repeated_after_a_crash_at_any_call(
    tmp_path: Path, kind: str, is_overwritten: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In any case: the bytes that were read are archived once, newer ones are still there, and nothing else is."""
    call = 1
    while True:
        root = new_store(tmp_path / f"shop{call}")
        with pytest.MonkeyPatch.context() as patch:
            FILE_SYSTEMS[kind](patch, root)
            store = FolderStore(root)
            drop(root, "orders/a.csv", b"old rows")
            (etag,) = (info.etag for info in store.list("raw-data/"))
            assert store.fetch(KEY, etag, BATCH) is not None
            if is_overwritten:
                drop(root, "orders/a.csv", b"newer")
            is_killed = False
            try:
                with killed_at(call):
                    archive(store, etag)
            except Killed:
                is_killed = True
            archived = root / TAKEN
            assert not archived.exists() or archived.read_bytes() == b"old rows"
            archive(FolderStore(root), etag)
            store.forget(BATCH)
        left = [path.relative_to(root).as_posix() for path in (root / "raw-data").rglob("*") if path.is_file()]
        assert archived.read_bytes() == b"old rows"
        assert left == ([KEY] if is_overwritten else [])
        assert not is_overwritten or (root / KEY).read_bytes() == b"newer"
        if not is_killed:
            break
        call += 1
    assert call > 4


def archive(store: FolderStore, etag: str) -> None:
    """Archive the standard file."""
    store.archive(KEY, etag, BATCH, TAKEN, NOON, sha256(b"old rows").hexdigest())


@pytest.mark.parametrize("kind", FILE_SYSTEMS)
def test_what_a_dead_attempt_has_set_aside_goes_back_with_the_batch(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not compared yet, so it may hold newer bytes."""
    root = new_store(tmp_path / "shop")
    FILE_SYSTEMS[kind](monkeypatch, root)
    store = FolderStore(root)
    drop(root, "orders/a.csv", b"old rows")
    (etag,) = (info.etag for info in store.list("raw-data/"))
    store.fetch(KEY, etag, BATCH)
    drop(root, "orders/a.csv", b"newer")
    real = os.lstat

    def dying(path: Path, **more: Any) -> os.stat_result:
        if "aside" in str(path):
            raise Killed
        return real(path, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "lstat", dying)
        with pytest.raises(Killed):
            archive(store, etag)
    assert not (root / KEY).exists()
    assert list(store.list("raw-data/")) == []
    store.forget(BATCH)
    assert (root / KEY).read_bytes() == b"newer"


def test_bytes_that_come_while_the_older_ones_are_set_aside_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The drop is renamed within its own file system, so nothing is read from a name that may have changed."""
    root = new_store(tmp_path / "shop")
    keep_apart(monkeypatch, root)
    store = FolderStore(root)
    drop(root, "orders/a.csv", b"old rows")
    (etag,) = (info.etag for info in store.list("raw-data/"))
    store.fetch(KEY, etag, BATCH)
    real = os.rename

    def then_drop(source: Path, target: Path) -> None:
        real(source, target)
        if Path(source) == root / KEY:
            drop(root, "orders/a.csv", b"newest")

    monkeypatch.setattr(os, "rename", then_drop)
    archive(store, etag)
    assert ((root / TAKEN).read_bytes(), (root / KEY).read_bytes()) == (b"old rows", b"newest")


def test_drafts_of_dead_processes_are_removed_an_hour_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the next file is written next to them; a younger draft may still be in use."""
    root = new_store(tmp_path / "shop")
    keep_apart(monkeypatch, root)
    draft = root / "batches" / "b1" / f"{OWN}draft-0"
    draft.parent.mkdir(parents=True)
    draft.write_bytes(b"half")
    store = FolderStore(root)
    store.create("batches/b1/a.json", b"{}")
    assert [info.key for info in store.list("batches/")] == ["batches/b1/a.json"]
    assert draft.exists()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3601)
    store.create("batches/b1/b.json", b"{}")
    assert not draft.exists()


# Stores that cannot be written


@pytest.mark.parametrize("name", ["raw-data", "processed", "lake"])
def test_a_read_only_folder_is_told_before_a_batch_begins(tmp_path: Path, name: str) -> None:
    """Nothing is merged or published; once the folder is writable again, the files are taken."""
    root = drop_all(new_store(tmp_path / "shop"))
    (root / name).mkdir(exist_ok=True)
    with read_only(root / name, at=root / name), pytest.raises(StoreError) as refused:
        run(root)
    place = root / "raw-data" / "order-items" if name == "raw-data" else root / name
    assert str(refused.value) == (
        f"{place}: the file system is mounted read-only. Mount it writable and run again. No batch was begun; nothing is lost."
    )
    assert_nothing_has_begun(root)
    run(root)
    assert published(root) == expected(root)


@pytest.mark.parametrize("name", ["raw-data/orders", "processed", "lake", "batches"])
def test_a_folder_without_permission_is_told_before_a_batch_begins(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test fakes the system's answer, because it may run as root, who may write anywhere."""
    root = drop_all(new_store(tmp_path / "shop"))
    (root / name).mkdir(exist_ok=True)
    refuse_to_write(monkeypatch, lambda path: path.is_relative_to(root / name.partition("/")[0]) and path != root)
    with pytest.raises(StoreError, match=r"it may not be written to. Let the user that runs Takings write to it"):
        run(root)
    assert_nothing_has_begun(root)


def test_one_folder_of_raw_data_without_permission_keeps_no_other_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files could not be removed, so they are not taken, but named."""
    root = drop_all(new_store(tmp_path / "shop"))
    orders = root / "raw-data" / "orders"
    refuse_to_write(monkeypatch, lambda path: path == orders)
    outcome = run(root)
    reason = (
        "its folder may not be written to, so it could not be removed once it is taken. Let the user that runs Takings"
        f" write to {orders} (chmod, chown)."
    )
    assert outcome.sighting.troubles == ((KEY, reason),)
    assert files(root, "processed", "raw-data") == ["processed/order_items/a.csv", "processed/products/a.csv", KEY]


@pytest.mark.parametrize("name", ["raw-data", "processed"])
def test_a_folder_that_is_a_link_to_nothing_is_told(tmp_path: Path, name: str) -> None:
    """Its disk is not mounted; no folder is created in its place, and it does not count as empty."""
    root = drop_all(new_store(tmp_path / "shop"))
    if name == "raw-data":
        (root / name).rename(tmp_path / "unmounted")
    (root / name).symlink_to(tmp_path / "absent")
    with pytest.raises(StoreError) as told:
        run(root)
    assert str(told.value) == (
        f"{root / name} is a link to {tmp_path / 'absent'}, but there is no folder. Mount the disk that it leads to, or create"
        " the folder, and run again; nothing is lost."
    )
    assert_nothing_has_begun(root)


def assert_nothing_has_begun(root: Path) -> None:
    """Assert that no batch was formed."""
    with opened(root) as shop:
        assert shop.ports.ledger.gate().state is GateState.IDLE
        assert list(shop.ports.ledger.lineage()) == []
    assert files(root, "batches", "lake", "processed", "failed") == []


def refuse_to_write(patch: pytest.MonkeyPatch, is_refused: Callable[[Path], bool]) -> None:
    """Make the system say that some folders may not be written to."""
    real = os.access

    def access(path: Any, mode: int, **more: Any) -> bool:
        return not (mode & os.W_OK and is_refused(Path(path))) and real(path, mode, **more)

    patch.setattr(os, "access", access)
    patch.setattr(os, "supports_effective_ids", {*os.supports_effective_ids, access})
