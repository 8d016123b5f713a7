"""What every port for changes does: it hints, it waits, it stops."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from watchdog.events import FileSystemEvent
from watchdog.observers import Observer

from takings.adapters.local.changes import FolderChanges
from takings.ports import Changes, Wake
from tests.shop import drop

#: longer than any hint takes, however busy the machine; only a failing test waits this long
LONG = 60

Begin = Callable[[], Changes]


def silent(_: str, __: Mapping[str, object]) -> None:
    """Log nothing."""


@pytest.fixture(params=["folder"])
def begin(root: Path) -> Iterator[Begin]:
    """Return a function that begins to watch a store for changes; other platforms join the parameters."""
    with ExitStack() as noticing:
        yield lambda: noticing.enter_context(FolderChanges(root / "raw-data", silent).noticing())


def settle(changes: Changes) -> Changes:
    """Wait until no hint is left."""
    while changes.wait(0.2) is Wake.CHANGED:
        pass
    return changes


class TestHints:
    def test_the_first_wait_hints(self, begin: Begin) -> None:
        """What changed before is unknown."""
        assert begin().wait(LONG) is Wake.CHANGED

    def test_a_new_file_hints(self, begin: Begin, root: Path) -> None:
        """Even in a new folder."""
        changes = settle(begin())
        drop(root, "orders/2025/a.csv", b"rows")
        assert changes.wait(LONG) is Wake.CHANGED

    def test_a_change_between_two_waits_ends_the_next_one(self, begin: Begin, root: Path) -> None:
        """It is not lost, whoever sleeps first."""
        changes = settle(begin())
        before = threading.active_count()
        drop(root, "orders/a.csv", b"rows")
        assert (changes.wait(LONG), threading.active_count()) == (Wake.CHANGED, before)

    def test_without_a_change_a_wait_ends_quietly(self, begin: Begin) -> None:
        """However often it is asked."""
        changes = settle(begin())
        assert [changes.wait(0), changes.wait(0.01), changes.wait(-1)] == [Wake.QUIET] * 3


class TestStopping:
    def test_it_ends_a_wait(self, begin: Begin) -> None:
        """From another thread."""
        changes = settle(begin())
        threading.Timer(0.05, changes.stop).start()
        assert changes.wait(LONG) is Wake.STOP

    def test_it_ends_a_wait_from_a_signal_handler(self, begin: Begin) -> None:
        """It runs in the same thread that waits."""
        changes = settle(begin())
        before = signal.signal(signal.SIGUSR1, lambda *_: changes.stop())
        try:
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
            assert changes.wait(LONG) is Wake.STOP
        finally:
            signal.signal(signal.SIGUSR1, before)

    def test_it_ends_every_later_wait(self, begin: Begin, root: Path) -> None:
        """Whatever changes later."""
        changes = begin()
        changes.stop()
        drop(root, "orders/a.csv", b"rows")
        assert [changes.wait(LONG), changes.wait(0)] == [Wake.STOP] * 2


class TestFolder:
    def test_a_folder_that_is_made_later_is_followed(self, begin: Begin, root: Path) -> None:
        """Its files are noticed like any others."""
        (root / "raw-data").rmdir()
        changes = settle(begin())
        drop(root, "orders/a.csv", b"rows")
        assert changes.wait(LONG) is Wake.CHANGED
        settle(changes)
        drop(root, "orders/b.csv", b"rows")
        assert changes.wait(LONG) is Wake.CHANGED

    def test_a_folder_that_is_made_again_is_followed(self, begin: Begin, root: Path) -> None:
        """Even if it gets the inode number of the previous one."""
        changes = settle(begin())
        for _ in range(3):
            (root / "raw-data").rename(root / "gone")
            (root / "gone").rmdir()
            settle(changes)
            (root / "raw-data").mkdir()
            settle(changes)
            drop(root, "orders/a.csv", b"rows")
            assert changes.wait(LONG) is Wake.CHANGED
            (root / "raw-data" / "orders" / "a.csv").unlink()
            (root / "raw-data" / "orders").rmdir()

    def test_a_closed_file_hints_and_a_read_one_does_not(self, root: Path) -> None:
        """Otherwise each look would cause the next one."""
        hints: list[str] = []

        class Counting(FolderChanges):
            def on_any_event(self, event: FileSystemEvent) -> None:
                if not event.is_directory:
                    hints.append(f"{event.event_type} {Path(str(event.src_path)).name}")
                super().on_any_event(event)

        path = drop(root, "orders/a.csv", b"rows")
        with Counting(root / "raw-data", silent).noticing() as changes:
            settle(changes)
            path.read_bytes()
            with path.open("ab") as file:
                file.write(b"more")
            assert changes.wait(LONG) is Wake.CHANGED
        assert hints == ["closed a.csv"]

    @pytest.mark.parametrize("error", [errno.EMFILE, errno.ENOSPC])
    @pytest.mark.parametrize("at", ["start", "schedule"])
    def test_a_system_without_any_more_events_is_told_once(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, error: int, at: str
    ) -> None:
        """Waiting and stopping work as usual."""
        told: list[tuple[str, object]] = []

        def refused(*_: object, **__: object) -> None:
            raise OSError(error, "inotify limit reached")

        monkeypatch.setattr(Observer, at, refused)
        with FolderChanges(
            root / "raw-data", lambda fact, known: told.append((fact, known["reason"]))
        ).noticing() as changes:
            drop(root, "orders/a.csv", b"rows")
            assert [changes.wait(0.01), changes.wait(0)] == [Wake.QUIET] * 2
            changes.stop()
            assert changes.wait(LONG) is Wake.STOP
        assert told == [("watch.without_events", "inotify limit reached")]
