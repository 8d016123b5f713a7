"""Remove what killed processes left in a store's private folder: unfinished drafts, and DuckDB's spilled files."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

#: far longer than writing a draft takes, or than a query leaves a spilled file untouched; this long, a process of another
#: host or container, whose state is unknown here, counts as alive
_KEEP_SECONDS: Final = 24 * 3600


def remove_leftovers(private: Path) -> None:
    """Remove drafts, and spill folders whose process is gone, that nobody has touched for a day. May be repeated."""
    since = time.time() - _KEEP_SECONDS
    # What cannot be removed, such as another user's file, does no harm: the next opening tries again.
    for draft in _listed(private / "drafts"):
        with suppress(OSError):
            if draft.lstat().st_mtime < since:
                draft.unlink()
    for folder in _listed(private / "spill"):
        with suppress(OSError):
            if not _is_process(folder.name) and _last_touched(folder) < since:
                shutil.rmtree(folder)


def _listed(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from sorted(folder.iterdir())


def _last_touched(folder: Path) -> float:
    return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))


def _is_process(name: str) -> bool:
    """Return whether a folder's name is the id of a running process of this host."""
    if not name.isdigit():
        return False
    try:
        os.kill(int(name), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
