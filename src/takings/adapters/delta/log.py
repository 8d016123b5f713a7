"""Read single entries of a Delta table's log, where delta-rs would replay or list all of it.

An entry `<version>.json` is one commit; `<version>.checkpoint.parquet` is the whole table at a version. See the Delta
transaction log protocol, "Delta Log Entries" and "Checkpoints".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from takings.adapters.lake_files import LakeFiles, ListedFile
from takings.contracts.model import Dataset
from takings.errors import CorruptState

LOG: Final = "_delta_log/"
LAKE_REMEDY: Final = (
    "Nothing was changed. Restore lake/ from a back-up,"
    " or rebuild the store from its archive: `takings rebuild STORE DIR`."
)


@dataclass(frozen=True, kw_only=True)
class DeltaLog:
    """The log of one table."""

    files: LakeFiles
    dataset: Dataset

    def goes_on_after(self, version: int) -> bool:
        """Return whether there is a newer version, even if its entry has been removed since."""
        return self._entry(version + 1) is not None or self._last_checkpoint() > version

    def check(self, entries: Iterable[ListedFile]) -> None:
        """Raise CorruptState if an entry since the last checkpoint is empty: it would look like an empty commit."""
        newer_than = self._last_checkpoint()
        for entry in entries:
            if entry.size == 0 and _version(entry.path) > newer_than:
                raise self._damaged(entry.path, "it is empty")

    def find_damage(self, entries: Iterable[ListedFile]) -> None:
        """Raise CorruptState if an entry since the last checkpoint is incomplete."""
        newer_than = self._last_checkpoint()
        for entry in entries:
            content = self.files.read(self.dataset, entry.path) if _version(entry.path) > newer_than else None
            try:
                # None: the entry was removed after it was listed, so a newer checkpoint covers it.
                _ = [json.loads(line) for line in (content or b"").decode().splitlines()]
            except ValueError as torn:
                raise self._damaged(entry.path, torn) from torn

    def _damaged(self, path: str, how: object) -> CorruptState:
        return CorruptState(f"lake/{self.dataset}/{path} is damaged ({how}). {LAKE_REMEDY}")

    def added(self, after: int, until: int) -> set[str]:
        """Return the paths of the files that versions in (after, until] added; CorruptState if an entry is lost."""
        return {path for version in range(after + 1, until + 1) for path in self._added_by(version)}

    def _added_by(self, version: int) -> Iterator[str]:
        entry = self._entry(version)
        if entry is None:
            raise CorruptState(
                f"lake/{self.dataset}: version {version} is not in the table's log, but an older one is needed."
                f" {LAKE_REMEDY}"
            )
        try:
            actions = [json.loads(line) for line in entry.decode().splitlines()]
            paths = [unquote(action["add"]["path"]) for action in actions if "add" in action]
        except (ValueError, KeyError, TypeError) as torn:
            raise self._damaged(f"{LOG}{version:020}.json", torn) from torn
        yield from paths

    def forget_before(self, version: int) -> None:
        """Remove the entries and checkpoints before the last checkpoint that is not newer than this version."""
        found = (file.path for file in self.files.list(self.dataset))
        names = [path.removeprefix(LOG) for path in found if path.startswith(LOG)]
        numbered = {name: int(name.split(".")[0]) for name in names if name[:20].isdigit()}
        checkpoints = [number for name, number in numbered.items() if ".checkpoint." in name and number <= version]
        if checkpoints:
            old = (LOG + name for name, number in numbered.items() if number < max(checkpoints))
            self.files.discard(self.dataset, old)

    def _entry(self, version: int) -> bytes | None:
        return self.files.read(self.dataset, f"{LOG}{version:020}.json")

    def _last_checkpoint(self) -> int:
        content = self.files.read(self.dataset, f"{LOG}_last_checkpoint")
        try:
            return -1 if content is None else int(json.loads(content)["version"])
        except (ValueError, KeyError, TypeError) as torn:
            raise self._damaged(f"{LOG}_last_checkpoint", torn) from torn


def _version(path: str) -> int:
    """Return the version of a log entry's file; -1 for any other file."""
    name, ending = path.removeprefix(LOG)[:20], path.removeprefix(LOG)[20:]
    return int(name) if path.startswith(LOG) and name.isdigit() and ending == ".json" else -1
