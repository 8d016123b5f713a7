"""Say what the pipeline needs from the world: the protocols that adapters fulfil.

Every method says whether it may be repeated and what it raises. A local adapter and one for AWS stand side by side for
each port that touches the platform.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from takings.archive.lineage import LineageRecord
from takings.contracts.model import Contract, Contracts, Dataset
from takings.intake.arrivals import ObjectInfo
from takings.intake.batching import BatchPolicy
from takings.intake.gate import Gate
from takings.kpis.definitions import KpiTable, Measures
from takings.kpis.publication import KpiKey, KpiRow
from takings.lake import (
    AddedFile,
    Affected,
    BatchChanges,
    Gaps,
    LakeFile,
    LakeSnapshot,
    Orphan,
    StagedBatch,
    TableChange,
    TableSnapshot,
)
from takings.layout import BatchId
from takings.time_zones import BusinessTime
from takings.validation.findings import FaultyRecord, Findings
from takings.validation.structure.values import Structure


class ObjectStore(Protocol):
    """Where a shop's files live."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """List all objects under a prefix, in no order; nothing where there is none. May be repeated.

        Under raw-data/ also what cannot be read, removed or entered, with its trouble: one file's keeps no other from being
        listed.
        """

    def check_writable(self, keys: Iterable[str]) -> None:
        """Raise StoreError where it can be told beforehand that a batch of these keys could not be written or filed away.

        Nothing is written. May be repeated.
        """

    def read(self, key: str) -> bytes | None:
        """Return a small object's bytes; None where it is absent. May be repeated."""

    def create(self, key: str, content: bytes) -> bool:
        """Write an object unless the key exists; tell whether it was written. May be repeated."""

    def fetch(self, key: str, etag: str, batch_id: BatchId) -> Path | None:
        """Return a local copy of exactly the bytes that the ETag names; None where they are gone or were changing.

        May be repeated, also by another attempt of the batch: bytes once fetched stay as they are until `forget`.
        UnreadableFile where this one cannot be read, whoever reads others.
        """

    def file_away(
        self, key: str, etag: str, batch_id: BatchId, destination: str, version: datetime, fingerprint: str
    ) -> None:
        """Keep the fetched bytes at `destination` with their version, then remove the key if it still holds them.

        `fingerprint` is theirs, for a store that keeps it with them. Only drops are removed: an original that was fetched from
        the archive stays there, too. May be repeated.
        ConflictError where the destination holds other bytes. StuckFile where all is done but that the key cannot be removed.
        """

    def supply(self, path: Path, key: str, batch_id: BatchId) -> None:
        """Take a local file for the fetched bytes of a key, which need not exist; the file stays. May be repeated."""

    def borrow(self, key: str) -> AbstractContextManager[Path]:
        """Hand out a local file with an object's bytes, only to be read; StoreError where the key is absent."""

    def create_from(self, key: str, pieces: Iterable[str]) -> bool:
        """Write an object of any size piece by piece, compressed if the key ends in .gz, unless the key exists.

        Tell whether it was written; without a piece nothing is. May be repeated.
        """

    def copy(self, key: str, destination: str) -> bool:
        """Copy an object unless the destination exists; tell whether the destination exists now. May be repeated."""

    def discard(self, keys: Iterable[str]) -> None:
        """Remove objects for good; those that are absent already are none. May be repeated."""

    def staging(self, batch_id: BatchId) -> Path:
        """Return a local folder for the batch's staged rows; it exists."""

    def put_staged(self, batch_id: BatchId, files: Iterable[Path]) -> None:
        """Let other machines find files of the staging folder until `forget`. May be repeated.

        A file that was put before stays as it is: every attempt stages the same rows.
        """

    def fetch_staged(self, batch_id: BatchId, files: Iterable[Path]) -> None:
        """Bring files that another machine has put into the staging folder; others stay absent. May be repeated."""

    def forget(self, batch_id: BatchId) -> None:
        """Remove staging and fetched bytes of a batch that has ended. May be repeated."""


class Ledger(Protocol):
    """Who did what when: the gate and the lineage."""

    def gate(self) -> Gate:
        """Read the gate; a new store's is IDLE at generation 0."""

    def change_gate(self, after: Gate) -> Gate:
        """Write the gate if it still stands at the generation before `after`'s; ConflictError otherwise."""

    def begin(self, records: Sequence[LineageRecord]) -> None:
        """Write lineage records unless there are any of the same key and processing date. May be repeated, also late."""

    def record(self, records: Sequence[LineageRecord]) -> None:
        """Write lineage records, replacing those of the same key and processing date. May be repeated."""

    def give_back(self, records: Sequence[LineageRecord]) -> None:
        """Write lineage records of files given back, each unless its file has ended meanwhile. May be repeated, also late.

        Also of files whose story has not begun, so that a beginning that comes late begins nothing.
        """

    def lineage(self, file_key: str | None = None, batch_id: BatchId | None = None) -> Sequence[LineageRecord]:
        """Return the records of a key or a batch (or all), oldest first.

        Those of a batch may lag behind for a moment; those of a key never do.
        """

    def lineage_of_refused(self) -> Sequence[LineageRecord]:
        """Return every record of the keys of which a file was ever refused, oldest first: a few of what may be millions."""

    def newest_versions(self, keys: Collection[str]) -> Mapping[str, LineageRecord]:
        """Return, per key, the record with the newest version."""

    def accepted_with(self, fingerprints: Collection[str]) -> Sequence[LineageRecord]:
        """Return the records of accepted files with one of these fingerprints; the newest may be missing for a moment."""


class KpiStore(Protocol):
    """The published KPIs."""

    def publish(self, table: KpiTable, rows: Sequence[KpiRow]) -> Sequence[KpiRow]:
        """Write rows, each unless a newer commit's stands there; return those that were refused. May be repeated."""

    def keys(self, table: KpiTable, affected: Affected) -> Collection[KpiKey]:
        """Return the keys of every published row that is affected, also of hidden ones; maybe of others on these days.

        A row that was published before is never missed.
        """

    def definitions(self, table: KpiTable) -> set[str]:
        """Return the definitions under which the table's rows were published."""

    def rows(
        self, table: KpiTable, *, first: date | None = None, last: date | None = None, category: str | None = None
    ) -> Iterator[KpiRow]:
        """Return published rows by order_date, or by category then order_date; hidden ones as well."""


class LakeTables(Protocol):
    """The lake's tables: their versions and atomic changes."""

    def check_fit(self, contracts: Mapping[Dataset, Contract]) -> None:
        """Raise ContractError where a contract lacks or retypes a column that the lake has. May be repeated."""

    def prepare(self, contracts: Mapping[Dataset, Contract]) -> None:
        """Create the tables that do not exist, and add columns that a contract has gained. May be repeated.

        ContractError where a contract lacks or retypes a column that the lake has.
        """

    def snapshot(self, versions: Mapping[Dataset, int] | None = None) -> LakeSnapshot:
        """Read the tables at these versions, or at their newest. May be repeated."""

    def apply(self, dataset: Dataset, change: TableChange, base: TableSnapshot, batch_id: BatchId) -> None:
        """Commit a change that was computed from `base`; ConflictError when the table has a newer version."""

    def check(self, versions: Mapping[Dataset, int]) -> None:
        """Look whether these versions (none: no rows yet) and the newest can be read, with every file. May be repeated.

        CorruptState names the table whose log is damaged or ends before its version, or the file that is lost or cut short.
        """

    def vacuum(self, needed: Iterable[Mapping[Dataset, int]], *, older_than: datetime, is_dry_run: bool) -> int:
        """Remove files that neither these versions nor the newest name and that are older; count them. May be repeated."""

    def clean_logs(self, needed: Iterable[Mapping[Dataset, int]]) -> None:
        """Checkpoint each table, and drop log entries that no needed version is made of. May be repeated."""

    def folder(self, dataset: Dataset) -> Path:
        """Return the local folder in which an engine reads and writes a table's Parquet files; it exists."""

    def fetch(self, dataset: Dataset, files: Iterable[LakeFile]) -> None:
        """Make files of the lake readable in the table's folder. May be repeated."""

    def put(self, dataset: Dataset, files: Iterable[AddedFile]) -> None:
        """Keep files that an engine wrote into the table's folder; only then a change may name them. May be repeated."""


@dataclass(frozen=True, kw_only=True)
class InspectedFile:
    """A file whose structure is known and sound enough for its records to be checked."""

    path: Path
    structure: Structure
    #: where `inspect` has kept its broken records
    workspace: Path
    #: the Parquet file of its rows, to be written
    staged: Path


class ValidationEngine(Protocol):
    """What reads files, checks every row and stages the good ones."""

    def inspect(self, path: Path, workspace: Path) -> Structure:
        """Read the structure of a file; broken records are kept in the workspace. May be repeated."""

    def broken_records(self, workspace: Path) -> Iterator[FaultyRecord]:
        """Yield the broken records that `inspect` found, in the order of the file. May be repeated."""

    def check(
        self, path: Path, structure: Structure, contract: Contract, *, now: datetime, workspace: Path, staged: Path
    ) -> Findings:
        """Check every sound record of a file and write those without an error to the Parquet file `staged`.

        May be repeated, with the same outcome.
        """

    def check_together(
        self, files: Sequence[InspectedFile], contract: Contract, *, now: datetime, workspace: Path
    ) -> Sequence[Findings | None]:
        """Check small files with one header as `check` would each, at once; None for one that has to be checked alone.

        May be repeated, with the same outcome.
        """


class LandingSession(Protocol):
    """One batch on its way into the lake."""

    def affected(self, base: LakeSnapshot) -> Affected:
        """Compute the keys whose KPIs the batch may change, from the lake before its first merge."""

    def changes(self, base: LakeSnapshot) -> BatchChanges:
        """Count what the batch's rows are to the lake before its first merge, and find what looks wrong.

        A row that loses to a newer one of the batch is in no count.
        """

    def first_orphan(self, current: LakeSnapshot) -> Orphan | None:
        """Find the first item, by key and line, whose order or product is neither in the batch nor in the lake."""

    def merge(self, dataset: Dataset, current: LakeSnapshot, affected: Affected) -> TableChange:
        """Write the Parquet files of one table's merge; nothing is visible until the change is applied.

        Products are merged first, then orders, then items. May be repeated on any newer snapshot.
        """


class KpiEngine(Protocol):
    """What computes measures from the lake's rows; whichever it is, they are the same."""

    def measures(
        self, tables: Iterable[KpiTable], snapshot: LakeSnapshot, days: Collection[date] | None
    ) -> Mapping[str, Sequence[Measures]]:
        """Compute each KPI table's measures on these days (None: on all) of exactly this snapshot. May be repeated."""


class LakeEngine(Protocol):
    """What merges batches into the lake, and finds rows in it."""

    def landing(self, staged: StagedBatch) -> AbstractContextManager[LandingSession]:
        """Begin to land a batch."""

    def compact(self, dataset: Dataset, table: TableSnapshot, files: Sequence[LakeFile]) -> TableChange:
        """Write the rows of these files as one file a day; the same rows, so that nothing is visible of it."""

    def rows_behind(self, snapshot: LakeSnapshot, day: date, category: str | None) -> Sequence[Mapping[str, Any]]:
        """Return the rows that a day's KPIs (or a category's) are made of, by order and item; see rows_behind.sql."""

    def orphans_since(self, snapshot: LakeSnapshot) -> datetime | None:
        """Return the version of the item that has waited longest for its order or product; None where none waits."""

    def gaps(self, snapshot: LakeSnapshot, days: Collection[date] | None) -> Gaps:
        """Find all waiting items, and the orders without items on these days (None: on all) and on days of waiting ones."""

    def days_of(self, staged: StagedBatch, current: LakeSnapshot) -> Mapping[str, frozenset[date]]:
        """Return, per key of a staged file of orders or items, the days of its rows; an item has its order's.

        A row whose order is neither staged nor in the lake has no day.
        """

    def orphans(self, snapshot: LakeSnapshot, most: int) -> Sequence[Mapping[str, Any]]:
        """Return the items that have waited longest: item_id, order_id, product_id, what each lacks, since, key, line."""


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """Return the instant, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Wake(StrEnum):
    """Why a wait ended."""

    CHANGED = "changed"
    QUIET = "quiet"
    STOP = "stop"


class Changes(Protocol):
    """What hints that something under raw-data/ may have changed, before the next sweep would find it."""

    def wait(self, seconds: float) -> Wake:
        """Wait until something may have changed, or so many seconds at most, or until asked to stop.

        May be repeated. A change between two waits ends the next one at once; once asked to stop, every wait says so. Changes
        may stay unnoticed: the listing is the truth.
        """

    def stop(self) -> None:
        """Ask whoever waits, now or later, to stop; a signal handler may do so too. May be repeated."""


class Heartbeat(Protocol):
    """What keeps a lease alive while its owner works."""

    def beating(self, beat: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `beat` every 15 seconds until the block ends; its errors end the beating, not the block."""


class Owners(Protocol):
    """Who works on a store."""

    def me(self) -> str:
        """Return a name for this process that no other has."""

    def token(self) -> str:
        """Return four characters that differ from call to call."""

    def is_dead(self, owner: str | None) -> bool:
        """Tell whether an owner is known to have died: a process of this host that is gone."""


class Executions(Protocol):
    """What takes a batch through its steps in processes of their own: a state machine."""

    def start(self, batch_id: BatchId, attempt: int) -> None:
        """Start the steps of an attempt, which run once however often they are started. May be repeated."""

    def is_running(self, batch_id: BatchId, attempt: int) -> bool:
        """Tell whether the steps of an attempt are under way."""

    def wake_at(self, deadline: datetime | None) -> None:
        """Have the store looked at again at this instant, once; None: no longer. May be repeated."""


#: tells a fact that happened: its name, and what is known about it
Tell = Callable[[str, Mapping[str, object]], None]


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Everything that the pipeline needs from the world."""

    store: ObjectStore
    ledger: Ledger
    kpis: KpiStore
    tables: LakeTables
    validation: ValidationEngine
    engine: LakeEngine
    kpi_engine: KpiEngine
    clock: Clock
    heartbeat: Heartbeat
    owners: Owners
    contracts: Contracts
    kpi_tables: tuple[KpiTable, ...]
    batch_policy: BatchPolicy
    time_zone: str
    #: settings that can change a batch's outcome, for its manifest
    outcome_settings: Mapping[str, str]
    package_version: str
    tell: Tell
    #: a block in which the adapters' libraries raise errors of Takings, and an interruption is one
    faults: Callable[[], AbstractContextManager[None]]


__all__ = [
    "BusinessTime",
    "Changes",
    "Clock",
    "Executions",
    "Heartbeat",
    "InspectedFile",
    "KpiEngine",
    "KpiStore",
    "LakeEngine",
    "LakeTables",
    "LandingSession",
    "Ledger",
    "ObjectStore",
    "Owners",
    "Ports",
    "Tell",
    "ValidationEngine",
    "Wake",
]
