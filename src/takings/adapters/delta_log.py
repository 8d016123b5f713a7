"""Look into a Delta table's log folder where delta-rs would replay or list all of it.

An entry `<version>.json` is one commit; `<version>.checkpoint.parquet` is the whole table at a version. See the Delta
transaction log protocol, "Delta Log Entries" and "Checkpoints".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from takings.errors import CorruptState

LAKE_REMEDY: Final = (
    "Nothing was changed. Restore lake/ from a back-up,"
    " or make the store again from its archive: `takings rebuild STORE DIR`."
)


@dataclass(frozen=True)
class DeltaLog:
    """The log folder of one table."""

    folder: Path

    def goes_on_after(self, version: int) -> bool:
        """Tell whether there is a newer version, also where that one's entry has been dropped since."""
        return self._entry(version + 1).exists() or self._last_checkpoint() > version

    def check(self) -> None:
        """Raise CorruptState where an entry since the last checkpoint is torn; an empty one would pass for a commit."""
        for entry in sorted(self.folder.glob(f"{'[0-9]' * 20}.json")):
            if int(entry.stem) <= self._last_checkpoint():
                continue
            try:
                actions = [json.loads(line) for line in entry.read_text(encoding="utf-8").splitlines()]
            except FileNotFoundError:
                # Dropped since it was listed: a newer checkpoint stands for it.
                continue
            except ValueError as torn:
                raise self._damaged(entry, torn) from torn
            if not actions:
                raise self._damaged(entry, "it is empty")

    def _damaged(self, entry: Path, how: object) -> CorruptState:
        return CorruptState(f"lake/{self.folder.parent.name}/_delta_log/{entry.name} is damaged ({how}). {LAKE_REMEDY}")

    def added(self, after: int, until: int) -> set[str]:
        """Return the paths of the files that versions in (after, until] added; CorruptState where an entry is lost."""
        return {path for version in range(after + 1, until + 1) for path in self._added_by(version)}

    def _added_by(self, version: int) -> Iterator[str]:
        entry = self._entry(version)
        try:
            lines = entry.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError as lost:
            raise CorruptState(
                f"lake/{self.folder.parent.name}: version {version} is not in the table's log, but one before it is needed."
                f" {LAKE_REMEDY}"
            ) from lost
        for action in map(json.loads, lines):
            if "add" in action:
                yield unquote(action["add"]["path"])

    def forget_before(self, version: int) -> None:
        """Drop the entries and checkpoints before the last checkpoint that is no newer than this version."""
        numbered = {path: int(path.name.split(".")[0]) for path in self.folder.iterdir() if path.name[:20].isdigit()}
        checkpoints = [number for path, number in numbered.items() if ".checkpoint." in path.name and number <= version]
        for path, number in numbered.items():
            if checkpoints and number < max(checkpoints):
                path.unlink(missing_ok=True)

    def _entry(self, version: int) -> Path:
        return self.folder / f"{version:020}.json"

    def _last_checkpoint(self) -> int:
        try:
            return int(json.loads((self.folder / "_last_checkpoint").read_bytes())["version"])
        except FileNotFoundError:
            return -1
