"""Keep a store quick and small: compact files, clean the tables' logs, and remove what nothing needs any more.

Maintenance is safe while a batch runs. A compaction is a change like any other: it loses to a merge that came first.
Everything that the newest commit or one of the last 7 days names is kept. Maintenance commits only while no batch is in
flight, so that its commit never shows a half-merged batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from takings import layout
from takings.batch.commits import newest_commit, read_commit
from takings.contracts.model import Dataset
from takings.errors import ConflictError
from takings.intake.arrivals import ObjectInfo
from takings.intake.gate import Gate, GateState
from takings.intake.manifest import to_json
from takings.lake import Commit, LakeFile, LakeSnapshot, TableSnapshot, crowded
from takings.layout import BatchId
from takings.ports import Ports

#: readers may still read what is younger, and a mistake can be undone from it
KEEP: Final = timedelta(days=7)
#: a day's files are compacted into one when there are this many …
_MOST_FILES: Final = 4
#: … with fewer rows than this
_SMALL_FILE: Final = 200_000
#: the name of maintenance as a writer, in a table's log
MAINTENANCE: Final = BatchId("maintenance")


@dataclass(frozen=True, kw_only=True)
class Maintenance:
    """What was done, or would be."""

    #: per table, the number of files before and after compaction
    compacted: Mapping[str, tuple[int, int]]
    #: the commit of the compacted tables; None if nothing changed or a batch was in flight
    commit: int | None
    #: lake files that nothing needs any more
    vacuumed: int
    #: removed keys of reports, manifests and staging
    expired: int


def maintain(ports: Ports, *, keep_reports: timedelta, is_dry_run: bool) -> Maintenance:
    """Compact, clean and remove; with `is_dry_run`, change nothing and return what would be done."""
    before = ports.ledger.gate()
    snapshot = ports.tables.snapshot()
    # Compacting under a contract that lacks a column would drop that column's values.
    ports.tables.check_fit(ports.contracts.by_dataset)
    plans = {dataset: files_to_compact(snapshot[dataset]) for dataset in Dataset}
    compacted: dict[str, tuple[int, int]] = {}
    for dataset, files in plans.items():
        if files:
            after = len({file.order_date for file in files})
            if is_dry_run or _compact(ports, dataset, snapshot, files):
                compacted[dataset.value] = (len(files), after)
    commit = None if is_dry_run else _commit(ports, before)
    now = ports.clock.now()
    needed = _needed(ports, now)
    vacuumed = ports.tables.vacuum(needed, older_than=now - KEEP, is_dry_run=is_dry_run)
    if not is_dry_run:
        ports.tables.clean_logs(needed)
    expired = list(_expired(ports, now, keep_reports))
    left = list(_left_by_losers(ports, now))
    if not is_dry_run:
        ports.store.discard(expired)
        for batch_id in {BatchId(key.split("/")[2]) for key in left}:
            ports.store.forget(batch_id)
    return Maintenance(compacted=compacted, commit=commit, vacuumed=vacuumed, expired=len(expired) + len(left))


def files_to_compact(table: TableSnapshot) -> tuple[LakeFile, ...]:
    """Return the small files of days that have too many of them. Pure."""
    return crowded(table.files, fewer_rows_than=_SMALL_FILE, at_least=_MOST_FILES)


def _compact(ports: Ports, dataset: Dataset, snapshot: LakeSnapshot, files: tuple[LakeFile, ...]) -> bool:
    """Rewrite files as one per day; if a batch changes the table meanwhile it wins, and the next maintenance retries."""
    change = ports.engine.compact(dataset, snapshot[dataset], files)
    try:
        ports.tables.apply(dataset, change, snapshot[dataset], MAINTENANCE)
    except ConflictError:
        return False
    return True


def _commit(ports: Ports, before: Gate) -> int | None:
    """Commit the compacted tables, if no batch was in flight from before the compaction until now."""
    last = newest_commit(ports.store, before.last_commit)
    versions = {dataset: table.version for dataset, table in ports.tables.snapshot().tables.items()}
    after = ports.ledger.gate()
    is_idle = before.state in {GateState.IDLE, GateState.WAITING} and not after.has_batch
    if last is None or versions == dict(last.versions) or not is_idle or after.last_commit != before.last_commit:
        return None
    commit = Commit(number=last.number + 1, batch_id=last.batch_id, versions=versions)
    return commit.number if ports.store.create(layout.commit(commit.number), to_json(commit.to_json())) else None


def _needed(ports: Ports, now: datetime) -> list[Mapping[Dataset, int]]:
    """Return the table versions of the newest commit and of every one that was newest within the last 7 days."""
    newest = newest_commit(ports.store, ports.ledger.gate().last_commit)
    if newest is None:
        return []
    written = {info.key: info.written_at for info in ports.store.list(layout.COMMITS)}
    needed = [newest.versions]
    number = newest.number
    while number > 1 and written.get(layout.commit(number), now) > now - KEEP:
        number -= 1
        commit = read_commit(ports.store, number)
        needed += [] if commit is None else [commit.versions]
    return needed


def _expired(ports: Ports, now: datetime, keep_reports: timedelta) -> Iterable[str]:
    """Yield old reports, manifests of batches that never began, and what finished batches left in staging."""
    in_flight = ports.ledger.gate().batch_id
    for info in ports.store.list("validation-reports/"):
        if _batch_of(info) != in_flight and info.written_at < now - keep_reports:
            yield info.key
    papers = list(ports.store.list("batches/"))
    finished = {_batch_of(info) for info in papers if info.key == layout.outcome(_batch_of(info))}
    for info in papers:
        batch_id = _batch_of(info)
        # The ledger grows forever, so ask it only about the few batches without an outcome.
        is_old = batch_id not in finished and batch_id != in_flight and info.written_at < now - KEEP
        if is_old and not ports.ledger.lineage(batch_id=batch_id):
            yield info.key
    for info in ports.store.list("staging/"):
        if _batch_of(info) != in_flight and info.written_at < now - KEEP:
            yield info.key


def _left_by_losers(ports: Ports, now: datetime) -> Iterable[str]:
    """Yield the private copies that an attempt made after it had lost the gate; the batch has ended since."""
    # List copies first: a batch that begins meanwhile has no copy in this list, or is found below.
    copies = list(ports.store.list(layout.FETCHED))
    recent = {_batch_of(info) for info in ports.store.list(layout.BATCHES) if info.written_at >= now - KEEP}
    in_flight = ports.ledger.gate().batch_id
    for info in copies:
        batch_id = BatchId(info.key.split("/")[2])
        if batch_id not in recent and batch_id != in_flight:
            yield info.key


def _batch_of(info: ObjectInfo) -> BatchId:
    return BatchId(info.key.split("/")[1])
