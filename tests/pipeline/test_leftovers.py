"""What killed processes leave in a store is removed in time, and nothing of a living process is."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from tests.shop import files, opened

DAY = timedelta(days=1).total_seconds()


@pytest.fixture(scope="module")
def dead() -> str:
    """Return the id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return str(process.pid)


def left(root: Path, place: str, *, days: float) -> Path:
    """Create a file in the store's private folder, this many days old."""
    path = root / ".takings" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"left")
    at = time.time() - days * DAY
    for each in (path, path.parent):
        os.utime(each, (at, at))
    return path


@pytest.mark.parametrize(
    ("place", "days", "stays"),
    [
        ("drafts/0123abcd", 2, False),
        ("drafts/0123abcd", 0.5, True),
        ("spill/DEAD/duckdb_temp_storage.tmp", 2, False),
        ("spill/DEAD/duckdb_temp_storage.tmp", 0.5, True),
        ("spill/ALIVE/duckdb_temp_storage.tmp", 2, True),
    ],
)
def test_opening_a_store_removes_what_is_old_and_nobodys(
    root: Path, dead: str, place: str, days: float, stays: bool
) -> None:
    """A draft after a day; DuckDB's spill files only if their process is gone, because another host's may run for hours."""
    path = left(root, place.replace("DEAD", dead).replace("ALIVE", str(os.getppid())), days=days)
    with opened(root):
        assert path.exists() == stays
    assert path.parent.exists() == (stays or path.parent.name == "drafts")


def test_a_spill_folder_in_which_anything_is_new_stays(root: Path, dead: str) -> None:
    """A process in another container, whose id is unused here, still writes into it."""
    old = left(root, f"spill/{dead}/old.tmp", days=3)
    new = left(root, f"spill/{dead}/new.tmp", days=0)
    os.utime(new.parent, (0, 0))
    with opened(root):
        assert old.exists()
        assert new.exists()


def test_looking_at_a_store_removes_nothing(root: Path) -> None:
    """Read-only access leaves everything as it is, and opening never removes files elsewhere in the store."""
    from takings.composition.stores import open_store_to_read
    from tests.shop import silent

    left(root, "drafts/0123abcd", days=2)
    left(root, "fetched/b1/raw-data/orders/a.csv", days=30)
    with open_store_to_read(root, silent):
        assert files(root, ".takings/drafts") == [".takings/drafts/0123abcd"]
    with opened(root):
        assert files(root, ".takings/drafts", ".takings/fetched") == [".takings/fetched/b1/raw-data/orders/a.csv"]
