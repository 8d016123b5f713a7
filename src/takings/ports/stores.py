"""Define where a shop's files, lake tables, ledger and published numbers are kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

from takings.archive.lineage import LineageRecord
from takings.archive.moves import Original
from takings.contracts.model import Contract, Dataset
from takings.intake.arrivals import ObjectInfo
from takings.intake.gate import Gate
from takings.kpis.definitions import KpiTable
from takings.kpis.publication import KpiKey, KpiRow
from takings.lake import (
    AddedFile,
    Affected,
    LakeFile,
    LakeSnapshot,
    TableChange,
    TableSnapshot,
)
from takings.layout import BatchId


class ObjectStore(Protocol):
    """Where a shop's files live."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """List all objects under a prefix, in no order; nothing where there is none. May be repeated.

        Under raw-data/, also list what cannot be read, removed or entered, and say why: one such file never hides the
        others.
        """

    def check_writable(self, keys: Iterable[str]) -> None:
        """Raise StoreError if it is already clear that a batch of these keys could not be written or archived.

        Nothing is written. May be repeated.
        """

    def read(self, key: str) -> bytes | None:
        """Return a small object's bytes; None if it is absent. May be repeated."""

    def create(self, key: str, content: bytes) -> bool:
        """Write an object unless the key exists; return whether it was written. May be repeated."""

    def fetch(self, key: str, etag: str, batch_id: BatchId) -> Path | None:
        """Return a local copy of exactly the bytes that the ETag names; None if they are gone or still change.

        May be repeated, also by another attempt of the batch: fetched bytes never change until `forget`.
        UnreadableFile where this file cannot be read although the store can.
        """

    def archive(
        self, key: str, etag: str, batch_id: BatchId, destination: str, version: datetime, fingerprint: str
    ) -> None:
        """Keep the fetched bytes at `destination` with their version, then remove the key if it still holds them.

        `fingerprint` is that of the bytes, for a store that keeps it with them. Only drops are removed: an original that was
        fetched from the archive also stays there. May be repeated.
        ConflictError if the destination holds other bytes. StuckFile where everything is done except removing the key.
        """

    def side_by_side(self) -> int:
        """Return how many files or documents one call should name: several where requests wait for a network, else one."""

    def archive_each(self, batch_id: BatchId, originals: Sequence[Original]) -> Sequence[str | None]:
        """Archive several originals, as `archive` does each; return in their order why a drop could not be removed.

        May be repeated, also after some of them were archived. ConflictError as for `archive`; then the others may be archived.
        """

    def prefetch(self, files: Sequence[tuple[str, str]], batch_id: BatchId) -> None:
        """Bring small files, by key and ETag, as `fetch` would; what fails here is told when it is fetched alone.

        May be repeated, and may do nothing.
        """

    def create_each(self, documents: Iterable[tuple[str, bytes]]) -> None:
        """Write small objects, each unless its key exists. May be repeated."""

    def supply(self, path: Path, key: str, batch_id: BatchId) -> None:
        """Use a local file as the fetched bytes of a key; the key need not exist, and the file stays. May be repeated."""

    def borrow(self, key: str) -> AbstractContextManager[Path]:
        """Lend a local file with an object's bytes, for reading only; StoreError if the key is absent."""

    def create_from(self, key: str, pieces: Iterable[str]) -> bool:
        """Write an object of any size piece by piece, compressed if the key ends in .gz, unless the key exists.

        Return whether it was written; without any piece it is not. May be repeated.
        """

    def copy(self, key: str, destination: str) -> bool:
        """Copy an object unless the destination exists; return whether the destination exists now. May be repeated."""

    def discard(self, keys: Iterable[str]) -> None:
        """Remove objects permanently, and ignore absent ones. May be repeated."""

    def staging(self, batch_id: BatchId) -> Path:
        """Return the local folder of the batch's staged rows, created if needed."""

    def put_staged(self, batch_id: BatchId, files: Iterable[Path]) -> None:
        """Share files of the staging folder with other machines until `forget`. May be repeated.

        A file that was shared before is not replaced: every attempt stages the same rows.
        """

    def fetch_staged(self, batch_id: BatchId, files: Iterable[Path]) -> None:
        """Bring files that another machine has shared into the staging folder; others stay absent. May be repeated."""

    def found_staged(self, batch_id: BatchId, files: Iterable[Path]) -> frozenset[Path]:
        """Return those of the staging folder's files that lie there or are shared; nothing is brought here. May be repeated."""

    def take_staged(self, batch_id: BatchId, files: Mapping[Path, Path]) -> None:
        """Give files of the staging folder, which an executor has shared, their final paths there; nothing is brought here.

        StoreError where one is not there. May not be repeated; another attempt has files of its own.
        """

    def shared_at(self, file: Path) -> str:
        """Return where the machines of a cluster find a shared file of the staging folder: a path, or `s3://bucket/…`."""

    def forget(self, batch_id: BatchId) -> None:
        """Remove staging and fetched bytes of a batch that has ended. May be repeated."""


class Ledger(Protocol):
    """The record of who did what when: the gate and the lineage."""

    def gate(self) -> Gate:
        """Read the gate; a new store's is IDLE at generation 0."""

    def change_gate(self, after: Gate) -> Gate:
        """Write the gate if its generation is still the one before `after`'s; ConflictError otherwise."""

    def begin(self, records: Sequence[LineageRecord]) -> None:
        """Write lineage records, except where one has the same key and processing date. May be repeated, also late."""

    def record(self, records: Sequence[LineageRecord]) -> None:
        """Write lineage records; replace those with the same key and processing date. May be repeated."""

    def give_back(self, records: Sequence[LineageRecord]) -> None:
        """Write lineage records of files given back, except files that have ended since. May be repeated, also late.

        Also write those of files that have no record yet, so that a late `begin` has no effect.
        """

    def lineage(self, file_key: str | None = None, batch_id: BatchId | None = None) -> Sequence[LineageRecord]:
        """Return the records of a key or a batch (or all), oldest first.

        The records of a batch may lag behind for a moment; those of a key never do.
        """

    def lineage_of_refused(self) -> Sequence[LineageRecord]:
        """Return every record of the keys that ever had a file refused, oldest first: few, even among millions."""

    def newest_versions(self, keys: Collection[str]) -> Mapping[str, LineageRecord]:
        """Return, per key, the record with the newest version."""

    def accepted_with(self, fingerprints: Collection[str]) -> Sequence[LineageRecord]:
        """Return the records of accepted files with one of these fingerprints; the newest may be absent for a moment."""


class KpiStore(Protocol):
    """The published KPIs."""

    def publish(self, table: KpiTable, rows: Sequence[KpiRow]) -> Sequence[KpiRow]:
        """Write rows, except where a newer commit's row exists; return the rows that were refused. May be repeated."""

    def keys(self, table: KpiTable, affected: Affected) -> Collection[KpiKey]:
        """Return the keys of all affected published rows, including hidden ones; there may be others of the same days.

        A row that was published before is never left out.
        """

    def definitions(self, table: KpiTable) -> set[str]:
        """Return the definitions under which the table's rows were published."""

    def rows(
        self, table: KpiTable, *, first: date | None = None, last: date | None = None, category: str | None = None
    ) -> Iterator[KpiRow]:
        """Return published rows, including hidden ones, by order_date, or by category and order_date."""


class LakeTables(Protocol):
    """The lake's tables: their versions and atomic changes."""

    def check_fit(self, contracts: Mapping[Dataset, Contract]) -> None:
        """Raise ContractError if a contract lacks or retypes a column that the lake has. May be repeated."""

    def prepare(self, contracts: Mapping[Dataset, Contract]) -> None:
        """Create the tables that do not exist, and add columns that a contract has gained. May be repeated.

        ContractError if a contract lacks or retypes a column that the lake has.
        """

    def snapshot(self, versions: Mapping[Dataset, int] | None = None) -> LakeSnapshot:
        """Read the tables at these versions, or at their newest. May be repeated."""

    def apply(self, dataset: Dataset, change: TableChange, base: TableSnapshot, batch_id: BatchId) -> None:
        """Commit a change that was computed from `base`; ConflictError if the table has a newer version."""

    def check(self, versions: Mapping[Dataset, int]) -> None:
        """Check that these versions (none: no rows yet) and the newest can be read, with every file. May be repeated.

        CorruptState names the table whose log is damaged or ends before its version, or the file that is lost or truncated.
        """

    def vacuum(self, needed: Iterable[Mapping[Dataset, int]], *, older_than: datetime, is_dry_run: bool) -> int:
        """Remove files older than `older_than` that neither these versions nor the newest name; count them. May be repeated."""

    def clean_logs(self, needed: Iterable[Mapping[Dataset, int]]) -> None:
        """Checkpoint each table, and remove log entries that no needed version uses. May be repeated."""

    def folder(self, dataset: Dataset) -> Path:
        """Return the local folder where an engine reads and writes a table's Parquet files, created if needed."""

    def location(self, dataset: Dataset) -> str:
        """Return where the machines of a cluster find a table: a folder that all of them mount, or `s3://bucket/…`."""

    def fetch(self, dataset: Dataset, files: Iterable[LakeFile]) -> None:
        """Make files of the lake available in the table's folder. May be repeated."""

    def put(self, dataset: Dataset, files: Iterable[AddedFile]) -> None:
        """Store files that an engine wrote into the table's folder; a change may name them only afterwards. May be repeated."""
