"""Assemble the adapters of a store in a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Final

from takings import layout
from takings.adapters.local.database import Database, open_database, reading_database
from takings.adapters.local.kpi_store import SqliteKpiStore
from takings.adapters.local.lake_files import FolderLakeFiles
from takings.adapters.local.ledger import SqliteLedger, accepted_files
from takings.adapters.local.leftovers import remove_leftovers
from takings.adapters.local.object_store import FolderStore
from takings.adapters.local.owners import ProcessOwners
from takings.adapters.local.reading import may_write
from takings.adapters.platform import OpenFiles, PlatformPorts
from takings.adapters.settings_sources import read_settings_file
from takings.errors import StoreError, UnknownThing, UsageError
from takings.kpis import KpiTable
from takings.ports import Changes, Tell
from takings.profiles import contracts_folder
from takings.settings import Settings

#: the part of a path that delta-rs decodes
_CODE: Final = re.compile("%[0-9A-Fa-f]{2}")


class LocalPlatform:
    """A store in a folder."""

    def __init__(self, root: Path, *, only_reads: bool = False) -> None:
        self.root = root
        self._private = root / ".takings"
        self._only_reads = only_reads

    def check(self) -> None:
        """Raise UnknownThing unless the folder is a store: it has raw-data/, or a lake from earlier.

        UsageError where delta-rs would read the folder's name as another.
        """
        root = self.root
        if _CODE.search(str(root.absolute())) or _CODE.search(str(root.resolve())):
            raise UsageError(
                f"{root.resolve()}: the lake's library reads a percent sign followed by two digits of 0-9, a-f as another"
                " character. Give the folder another name."
            )
        if not root.is_dir():
            raise UnknownThing(
                f"{root} is not a folder. Create it and drop files under {root}/raw-data/products, orders, order-items."
            )
        # A link to a missing folder (its disk is not mounted) is reported by what needs the folder.
        parts = [root / part for part in ("raw-data", "lake", ".takings")]
        if not any(part.is_dir() or part.is_symlink() for part in parts):
            raise UnknownThing(
                f"{root} is not a store: it has no raw-data folder. Drop files under {root}/raw-data/products, orders and"
                " order-items."
            )

    def can_write(self) -> bool:
        """Return whether the system allows writing to the folder's ledger."""
        folder = self._private if self._private.exists() else self.root
        return may_write(folder) and (not (ledger := folder / "takings.db").exists() or os.access(ledger, os.W_OK))

    def settings_file(self) -> tuple[str, str] | None:
        """Return name and text of the folder's settings; the working folder's are read anyway."""
        return None if self.root.resolve() == Path.cwd() else read_settings_file(self.root)

    def files(self) -> FolderStore:
        """Return the store's files."""
        return FolderStore(self.root)

    def files_elsewhere(self) -> OpenFiles:
        """Return what opens the store's files in another process, where the folder has the same path."""
        return partial(_files_in, self.root.absolute())

    def contracts(self, settings: Settings) -> Path | None:
        """Return the folder that the settings name, or a profile's."""
        return contracts_folder(settings.contracts)

    @contextmanager
    def open(self, _: Settings, kpi_tables: Sequence[KpiTable]) -> Iterator[PlatformPorts]:
        """Open the store's database; StoreError where the folder cannot be written to."""
        if self._only_reads:
            path = self._private / "takings.db"
            has_ledger = path.exists()
            with reading_database(path) if has_ledger else closing(open_database(None)) as database:
                yield self._ports(database, SqliteKpiStore(database, kpi_tables, only_reads=has_ledger))
            return
        try:
            self._private.mkdir(exist_ok=True)
        except OSError as refused:
            raise StoreError(
                f"{self.root}: {refused.strerror}. Takings needs to write into the store's folder."
            ) from refused
        remove_leftovers(self._private)
        with closing(open_database(self._private / "takings.db")) as database:
            yield self._ports(database, SqliteKpiStore(database, kpi_tables))

    def _ports(self, database: Database, kpis: SqliteKpiStore) -> PlatformPorts:
        return PlatformPorts(
            ledger=SqliteLedger(database),
            kpis=kpis,
            lake=FolderLakeFiles(self.root),
            owners=ProcessOwners(),
            notice=self._notice,
        )

    def _notice(self, tell: Tell) -> AbstractContextManager[Changes]:
        # Only a watch needs its threads and file descriptors.
        from takings.adapters.local.changes import FolderChanges

        return FolderChanges(self.root / layout.RAW, tell).noticing()

    def accepted(self, _: Settings) -> Mapping[tuple[str, str], str]:
        """Return dataset or source, and fingerprint -> key of the files that the store has accepted."""
        return accepted_files(self._private / "takings.db")

    def faults(self) -> AbstractContextManager[None]:
        """Begin an empty block: SQLite's errors are translated together with DuckDB's."""
        return nullcontext()


def _files_in(root: Path, _: Path) -> AbstractContextManager[FolderStore]:
    """Open a folder's files, which need no working folder."""
    return nullcontext(FolderStore(root))
