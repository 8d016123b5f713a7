"""Take away one guard at a time: the simulation has to notice each."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from takings import layout
from takings.adapters.delta.lake_tables import DeltaLake
from takings.adapters.duckdb import staged as staged_of_lake
from takings.adapters.duckdb.lake_engine import DuckDbEngine
from takings.adapters.duckdb.merge import DuckDbMerge
from takings.adapters.local import reading
from takings.adapters.local.kpi_store import SqliteKpiStore
from takings.adapters.local.ledger import SqliteLedger
from takings.adapters.local.object_store import FolderStore
from takings.adapters.merging import steps as merge_of_lake
from takings.adapters.merging import versions as versions_of_lake
from takings.batch import attempt, merge, publish, validate
from takings.batch.attempt import Attempt
from takings.batch.claim import Claim
from takings.batch.merge import Merged
from takings.batch.publish import Published
from takings.batch.staging import staged_batch
from takings.contracts.model import Contract, Dataset
from takings.errors import ConflictError
from takings.intake.arrivals import Arrival
from takings.intake.gate import Gate
from takings.intake.manifest import to_json
from takings.kpis import KpiRow, KpiTable
from takings.lake import Affected, Commit, LakeSnapshot, StagedBatch, TableChange, TableSnapshot
from takings.layout import BatchId
from takings.runs import pipeline, replay
from takings.runs.pipeline import Ports
from takings.validation.findings import FileReport, Findings, Verdict
from takings.validation.structure.values import Structure
from takings.validation.verdicts import RejectionPolicy, Tolerance
from tests.simulation.machines import Machines
from tests.simulation.ports import step_within

Patch = tuple[Any, str, Callable[..., Any]]

_change_gate = SqliteLedger.change_gate
_publish_rows = SqliteKpiStore.publish
_publish: Callable[..., Published] = publish.publish
_prepare_publication: Callable[..., tuple[KpiRow, ...]] = vars(publish)["prepare_publication"]
_fetch = FolderStore.fetch
_create = FolderStore.create
_apply = DeltaLake.apply
_merging = DuckDbEngine.merging
_version_drops = pipeline._version_drops
_original_of = validate._original_of
_replayed: Callable[..., list[Arrival]] = vars(replay)["_arrivals"]
_run = Attempt.run


# The gate


def claim_whatever_stands_there(self: SqliteLedger, after: Gate) -> Gate:
    try:
        return _change_gate(self, after)
    except ConflictError:
        return _change_gate(self, replace(after, generation=self.gate().generation + 1))


def never_abandoned(_: Gate, __: datetime) -> bool:
    return False


def trust_oneself(self: Claim) -> Gate:
    return self.ports.ledger.gate()


def sweep_never(*_: object) -> None:
    pass


_LATE: Final[dict[str, bytes]] = {}


def create_the_manifest_later(self: FolderStore, key: str, content: bytes) -> bool:
    if key.endswith("/manifest.json") and key not in _LATE:
        _LATE[key] = content
        return True
    _LATE.pop(key, None)
    return _create(self, key, content)


def create_the_manifest_now(self: Attempt) -> Any:
    key = layout.manifest(self.claim.batch_id)
    if key in _LATE and self.claim.gate.attempt == 1:
        self.claim.ports.store.create(key, _LATE[key])
    return _run(self)


def forget_the_batch(ports: Ports, gate: Gate) -> None:
    """Free the gate instead of resuming; the files are pending, so another batch takes them."""
    try:
        ports.ledger.change_gate(gate.released(last_commit=gate.last_commit, landed=()))
    except ConflictError:
        return


# Arrivals


def take_what_is_being_written(_: int) -> reading.Look:
    return reading.SOUND


def process_in_any_order(ports: Ports, drops: Any, now: datetime) -> tuple[Arrival, ...]:
    return tuple(replace(arrival, version=now) for arrival in _version_drops(ports, drops, now))


def fetch_whatever_is_there(self: FolderStore, key: str, etag: str, batch_id: BatchId) -> Path | None:
    present = [info.etag for info in self.list("raw-data/") if info.key == key]
    return _fetch(self, key, present[0] if present else etag, batch_id)


def fetch_again(self: FolderStore, key: str, etag: str, batch_id: BatchId) -> Path | None:
    self._fetched(key, batch_id).unlink(missing_ok=True)
    return _fetch(self, key, etag, batch_id)


# Verdicts


def duplicate_by_name(claim: Claim, arrival: Arrival, structure: Structure, before: Sequence[FileReport]) -> str | None:
    records = claim.ports.ledger.lineage(file_key=arrival.key)
    if any(record.verdict is Verdict.ACCEPTED and record.batch_id != claim.batch_id for record in records):
        return arrival.key
    return _original_of(claim, arrival, structure, before)


def duplicate_of_any_version(
    claim: Claim, arrival: Arrival, structure: Structure, before: Sequence[FileReport]
) -> str | None:
    accepted = [
        record
        for record in claim.ports.ledger.accepted_with([structure.fingerprint])
        if record.batch_id != claim.batch_id
    ]
    return str(accepted[0].file_key) if accepted else _original_of(claim, arrival, structure, before)


def duplicate_of_a_rejected_file(
    claim: Claim, arrival: Arrival, structure: Structure, before: Sequence[FileReport]
) -> str | None:
    judged = [record for record in claim.ports.ledger.lineage() if record.batch_id != claim.batch_id and record.verdict]
    rejected = [record.file_key for record in judged if record.fingerprint == structure.fingerprint]
    return str(rejected[0]) if rejected else _original_of(claim, arrival, structure, before)


def duplicate_whatever_decides(
    claim: Claim, arrival: Arrival, structure: Structure, before: Sequence[FileReport]
) -> str | None:
    """Treat a copy under another key as a duplicate even if the shop's instants decide."""
    contracts = claim.ports.contracts
    plain = {dataset: replace(contract, version_column=None) for dataset, contract in contracts.by_dataset.items()}
    ports = replace(claim.ports, contracts=replace(contracts, by_dataset=plain))
    return _original_of(replace(claim, ports=ports), arrival, structure, before)


def judge_rows(self: Tolerance, _: Contract) -> Tolerance:
    return self


# The lake


def its_own_key(contract: Contract) -> str:
    return f'"{contract.primary_key}"'


def no_instant(*_: object, **__: object) -> str:
    return ""


def merge_into_whatever_is_there(
    self: DeltaLake, dataset: Dataset, change: TableChange, base: TableSnapshot, batch_id: BatchId
) -> None:
    newest = self.snapshot()[dataset]
    still_there = {file.path for file in newest.files}
    removed = tuple(file for file in change.removed if file.path in still_there)
    _apply(self, dataset, replace(change, removed=removed), newest, batch_id)


@contextmanager
def leave_items_where_they_are(self: DuckDbEngine, staged: StagedBatch) -> Iterator[Any]:
    """Skip the merge of items if a batch brings none."""
    with _merging(self, staged) as session:

        class Short:
            def __getattr__(self, name: str) -> Any:
                return getattr(session, name)

            def merge(self, dataset: Dataset, current: LakeSnapshot, affected: Affected) -> TableChange:
                is_short = dataset is Dataset.ORDER_ITEMS and not staged.of(dataset)
                return TableChange(added=(), removed=()) if is_short else session.merge(dataset, current, affected)

        yield Short()


def affected_after_the_merge(self: Attempt, merged: Merged) -> Published:
    ports = self.claim.ports
    with ports.engine.merging(staged_batch(self.claim, validate.validate(self.claim).reports)) as session:
        affected = session.affected(ports.tables.snapshot(merged.commit.versions))
    return publish.publish(ports, merged.commit, affected, self.claim.check)


def affected_anew(claim: Claim, session: Any) -> Affected:
    """Compute it in each attempt, even if some tables are already merged."""
    claim.check()
    affected: Affected = session.affected(claim.ports.tables.snapshot())
    document = {"schema_version": 1, "batch_id": claim.batch_id, **affected.to_json()}
    claim.ports.store.create(layout.affected(claim.batch_id), to_json(document))
    return affected


# KPIs


def add_to_what_is_published(self: SqliteKpiStore, table: KpiTable, rows: Sequence[KpiRow]) -> Sequence[KpiRow]:
    known = {row.key: row for row in self.rows(table)}
    return _publish_rows(self, table, [_added(row, known[row.key]) if row.key in known else row for row in rows])


def _added(row: KpiRow, known: KpiRow) -> KpiRow:
    values = {name: _sum(value, known.values[name]) for name, value in row.values.items()}
    return replace(row, values=values)


def _sum(one: Any, other: Any) -> int | Decimal | None:
    return None if one is None or other is None else one + other


def publish_the_batch_alone(
    ports: Ports, commit: Commit, affected: Affected, check: Callable[[], None], *more: Any
) -> Published:
    def of_batch(snapshot: LakeSnapshot) -> LakeSnapshot:
        def kept(table: TableSnapshot) -> TableSnapshot:
            return replace(table, files=tuple(file for file in table.files if str(commit.batch_id) in file.path))

        items = {
            Dataset.ORDER_ITEMS: kept(snapshot[Dataset.ORDER_ITEMS]),
            Dataset.ORDERS: kept(snapshot[Dataset.ORDERS]),
        }
        return replace(snapshot, tables={**snapshot.tables, **items})

    class OfBatch:
        def snapshot(self, versions: Mapping[Dataset, int] | None = None) -> LakeSnapshot:
            return of_batch(ports.tables.snapshot(versions))

    tables: Any = OfBatch()
    return _publish(replace(ports, tables=tables), commit, affected, check, *more)


def publish_whatever_stands_there(self: SqliteKpiStore, table: KpiTable, rows: Sequence[KpiRow]) -> Sequence[KpiRow]:
    refused = _publish_rows(self, table, rows)
    for row in refused:
        where = " and ".join(f"{part} = ?" for part in table.key)
        self._connection.execute(f"delete from {table.name} where {where}", [str(part) for part in row.key])
    return _publish_rows(self, table, refused)


def publish_no_zeros(*arguments: Any) -> tuple[KpiRow, ...]:
    table, measures, affected, _, publication = arguments
    return _prepare_publication(table, measures, affected, (), publication)


# Other policies, changed contracts, replays


def replay_as_something_new(ports: Ports, records: Any) -> list[Arrival]:
    now = ports.clock.now()
    return [replace(arrival, version=now) for arrival in _replayed(ports, records)]


def copy_of_itself(claim: Claim, arrival: Arrival, structure: Structure, before: Sequence[FileReport]) -> str | None:
    """Compare with what was accepted under the same version as well: that is a replay's original."""
    accepted = claim.ports.ledger.accepted_with([structure.fingerprint])
    if any(record.batch_id != claim.batch_id and record.file_key == arrival.key for record in accepted):
        return arrival.key
    return _original_of(claim, arrival, structure, before)


def nothing_is_a_copy(*_: object) -> None:
    pass


def mean_the_same(_: Claim) -> bool:
    return False


def find_no_orphan(*_: object) -> None:
    pass


def allow_any_share(self: Tolerance, findings: Findings) -> bool:
    return not findings.errors or (self.policy is RejectionPolicy.ROW and findings.violating > 0)


# The archive


def delete_before_copying(
    self: FolderStore, key: str, _: str, batch_id: BatchId, destination: str, __: datetime, ___: str
) -> None:
    source, target, fetched = self.path(key), self.path(destination), self._fetched(key, batch_id)
    if not fetched.exists():
        return
    data = fetched.read_bytes()
    source.unlink(missing_ok=True)
    shutil.rmtree(fetched.parent)
    step_within("folder.link")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


def delete_whatever_is_there(self: FolderStore, key: str, _: str, __: BatchId, ___: Path) -> None:
    self.path(key).unlink(missing_ok=True)


#: what is taken away -> what replaces it
VARIANTS: Final[dict[str, Sequence[Patch]]] = {
    "unconditional claim": [(SqliteLedger, "change_gate", claim_whatever_stands_there)],
    "no sweep": [(Machines, "plan_sweep", sweep_never)],
    "no lease": [(Gate, "is_abandoned", never_abandoned)],
    "no supersession check": [(Claim, "check", trust_oneself)],
    "claim before the manifest": [
        (FolderStore, "create", create_the_manifest_later),
        (Attempt, "run", create_the_manifest_now),
    ],
    "an abandoned batch is forgotten": [(pipeline, "resume", forget_the_batch)],
    "files are taken while they are written": [(reading, "_look_at_writers", take_what_is_being_written)],
    "versions are the order of processing": [(pipeline, "_version_drops", process_in_any_order)],
    "bytes are not compared when they are read": [(FolderStore, "fetch", fetch_whatever_is_there)],
    "bytes are read again by each attempt": [(FolderStore, "fetch", fetch_again)],
    "duplicate by name": [(validate, "_original_of", duplicate_by_name)],
    "duplicate of any older version": [(validate, "_original_of", duplicate_of_any_version)],
    "duplicate of a rejected file": [(validate, "_original_of", duplicate_of_a_rejected_file)],
    "merges do not notice each other": [(DeltaLake, "apply", merge_into_whatever_is_there)],
    "items do not follow their orders": [(DuckDbEngine, "merging", leave_items_where_they_are)],
    "affected computed after the merge": [(Attempt, "publish", affected_after_the_merge)],
    "affected computed anew by each attempt": [
        (merge, "_affected", affected_anew),
    ],
    "additive KPIs": [(SqliteKpiStore, "publish", add_to_what_is_published)],
    "batch-only KPIs": [(attempt, "publish_keys", publish_the_batch_alone)],
    "no publication guard": [(SqliteKpiStore, "publish", publish_whatever_stands_there)],
    "no zero rows": [(publish, "prepare_publication", publish_no_zeros)],
    "delete before copy": [(FolderStore, "archive", delete_before_copying)],
    "unconditional delete": [(FolderStore, "_remove", delete_whatever_is_there)],
}


#: the same for what only some runs use
VARIANTS_OF_PARTS: Final[dict[str, Sequence[Patch]]] = {
    "a replay is a new write": [(replay, "_arrivals", replay_as_something_new)],
    "a replay is a copy of its original": [(validate, "_original_of", copy_of_itself)],
    "a copy of superseded bytes counts": [(validate, "_original_of", nothing_is_a_copy)],
    "a changed meaning changes no number": [(merge, "_has_new_meaning", mean_the_same)],
    "strict batches may hold orphans": [(DuckDbMerge, "first_orphan", find_no_orphan)],
    "any share of rows may be set aside": [(Tolerance, "allows", allow_any_share)],
    "each line replaces its own number only": [(merge_of_lake, "unit", its_own_key)],
    "lines of two deliveries mix": [(staged_of_lake, "unit", its_own_key), (versions_of_lake, "unit", its_own_key)],
    "the arrival alone decides": [(merge_of_lake, "instant", no_instant)],
    "the arrival alone decides in a batch": [(versions_of_lake, "instant", no_instant)],
    "a copy is a duplicate whatever decides": [(validate, "_original_of", duplicate_whatever_decides)],
    "a part of a delivery is taken": [(Tolerance, "judging", judge_rows)],
}


@contextmanager
def without(name: str) -> Iterator[None]:
    """Take a guard away."""
    with ExitStack() as stack:
        for target, attribute, replacement in (VARIANTS | VARIANTS_OF_PARTS)[name]:
            stack.enter_context(patch.object(target, attribute, replacement))
        yield
