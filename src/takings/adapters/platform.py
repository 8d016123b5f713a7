"""Define what differs between the platforms of a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from takings.adapters.lake_files import LakeFiles
from takings.kpis import KpiTable
from takings.ports import Changes, KpiStore, Ledger, ObjectStore, Owners, Tell
from takings.settings import Settings

SETTINGS_FILE = "takings.toml"

#: opens a store's files for as long as a block lasts, with a working folder of this machine
OpenFiles = Callable[[Path], AbstractContextManager[ObjectStore]]


@dataclass(frozen=True, kw_only=True)
class PlatformPorts:
    """The adapters of one platform for one store."""

    ledger: Ledger
    kpis: KpiStore
    lake: LakeFiles
    owners: Owners
    #: starts to watch raw-data/ for changes
    notice: Callable[[Tell], AbstractContextManager[Changes]]


class Platform(Protocol):
    """A store that was found on a platform."""

    #: this machine's working folder; for a local store, the store itself
    root: Path

    def settings_file(self) -> tuple[str, str] | None:
        """Return the store's settings: the file's name for people, and its text; None if it has none."""

    def files(self) -> ObjectStore:
        """Return the store's files, without writing anything."""

    def files_elsewhere(self) -> OpenFiles:
        """Return what opens the store's files in another process, maybe of another machine; it can be sent there."""

    def contracts(self, settings: Settings) -> Path | None:
        """Return a local folder with the contracts that the settings name; None: the shipped ones."""

    def open(self, settings: Settings, kpi_tables: Sequence[KpiTable]) -> AbstractContextManager[PlatformPorts]:
        """Open the store for work."""

    def accepted(self, settings: Settings) -> Mapping[tuple[str, str], str]:
        """Return dataset or source, and fingerprint -> key of the files that the store has accepted; nothing is written."""

    def faults(self) -> AbstractContextManager[None]:
        """Begin a block in which errors of the platform's libraries become Takings errors."""
