"""Open a store in a task in a way of one's own, mostly so that something goes wrong.

An executor's Python imports this module by its name.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from takings.adapters.local.object_store import FolderStore
from takings.adapters.platform import OpenFiles
from takings.errors import StoreError, UnreadableFile
from takings.layout import BatchId
from takings.ports import ObjectStore


class Trouble(StrEnum):
    """What goes wrong."""

    #: after rows and reasons are written, the attempt fails, and what it wrote is spoilt
    FAILS = "fails"
    #: as above, and its process dies
    DIES = "dies"
    #: the file cannot be read
    REFUSES = "refuses"
    #: the file is read for ever
    HANGS = "hangs"


@dataclass(frozen=True, kw_only=True)
class Troubled:
    """Opens a folder's files; the first `times` attempts are in trouble."""

    root: Path
    trouble: Trouble
    times: int = 1000

    def __call__(self, _: Path) -> AbstractContextManager[FolderStore]:
        """Open the folder."""
        return nullcontext(_TroubledStore(self))


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """Opens a store with an environment that the executor's process was not started with."""

    open_files: OpenFiles
    environment: Mapping[str, str]

    def __call__(self, work: Path) -> AbstractContextManager[ObjectStore]:
        """Open the store."""
        os.environ.update(self.environment)
        return self.open_files(work)


class _TroubledStore(FolderStore):
    def __init__(self, asked: Troubled) -> None:
        super().__init__(asked.root)
        self._asked = asked

    def fetch(self, key: str, etag: str, batch_id: BatchId) -> Path | None:
        """Refuse, or hang."""
        match self._asked.trouble:
            case Trouble.REFUSES:
                raise UnreadableFile(f"{key}: it cannot be read: a bad block.")
            case Trouble.HANGS:
                (self._asked.root / "hangs").touch()
                time.sleep(600)
            case _:
                pass
        return super().fetch(key, etag, batch_id)

    def put_staged(self, batch_id: BatchId, files: Iterable[Path]) -> None:
        """Spoil what was written, and fail or die."""
        begun = len(list(self._asked.root.glob("attempt-*")))
        (self._asked.root / f"attempt-{begun}").touch()
        if begun >= self._asked.times:
            return
        for file in files:
            file.write_bytes(b"of an attempt that failed")
        if self._asked.trouble is Trouble.DIES:
            os._exit(1)
        raise StoreError("the network is gone.")
