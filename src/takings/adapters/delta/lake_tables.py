"""Keep the lake's tables as Delta Lake tables through delta-rs: an engine writes the Parquet files, this commits them.

Every change is a compare-and-set on the table's version: it names the version that its rows were computed from. This module
never retries, because a file list from an older version would silently undo another writer's rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from deltalake import DeltaTable, Field, Schema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.schema import PrimitiveType
from deltalake.transaction import (
    AddAction,
    CommitProperties,
    PostCommitHookProperties,
    RemoveAction,
    create_table_with_add_actions,
)

from takings.adapters.delta.log import LAKE_REMEDY, LOG, DeltaLog
from takings.adapters.lake_files import LakeFiles, ListedFile, TableAddress
from takings.contracts.model import ColumnType, Contract, Dataset
from takings.contracts.worth import AMOUNT
from takings.errors import ConflictError, ContractError, CorruptState
from takings.lake import (
    KEYS,
    PARTITION,
    PARTITIONED,
    AddedFile,
    LakeFile,
    LakeSnapshot,
    TableChange,
    TableSnapshot,
    lake_columns,
)
from takings.layout import BatchId

#: types as Delta and Spark name them
_TYPES: Final = {
    ColumnType.IDENTIFIER: "long",
    ColumnType.INTEGER: "long",
    ColumnType.MONEY: "decimal(28,16)",
    ColumnType.TIMESTAMP: "timestamp",
    ColumnType.TEXT: "string",
}
#: reading a table replays at most this many commits
_CHECKPOINT_INTERVAL: Final = "20"
#: delta-rs does not know our commits, so it must not remove old log entries; `clean_logs` does
_KEEP_LOGS: Final = PostCommitHookProperties(cleanup_expired_logs=False)
#: marks a column that older files of the table lack
_ADDED_LATER: Final = "takings.added_later"
#: the columns of an add action in a snapshot
_SHOWN: Final = {"path", "num_records", f"partition.{PARTITION}"} | {
    f"{end}.{key}" for key in KEYS for end in ("min", "max")
}


@dataclass(frozen=True, kw_only=True)
class _Newest:
    """A table as last read."""

    table: DeltaTable
    #: opened with the credentials of that time
    address: TableAddress
    snapshot: TableSnapshot


class DeltaLake:
    """The lake of a store, local or in a bucket."""

    def __init__(self, files: LakeFiles) -> None:
        self._files = files
        # Opening a table replays its log, and a batch opens it a dozen times: so keep the newest state and advance it.
        self._newest: dict[Dataset, _Newest] = {}

    def folder(self, dataset: Dataset) -> Path:
        """Return the folder where an engine reads and writes a table's Parquet files."""
        return self._files.folder(dataset)

    def location(self, dataset: Dataset) -> str:
        """Return the table's folder, or its place in the bucket."""
        return self._files.address(dataset).uri

    def fetch(self, dataset: Dataset, files: Iterable[LakeFile]) -> None:
        """Make files of the lake available in the table's folder."""
        self._files.fetch(dataset, (file.path for file in files))

    def put(self, dataset: Dataset, files: Iterable[AddedFile]) -> None:
        """Store files that an engine wrote into the table's folder."""
        self._files.put(dataset, (file.path for file in files))

    def check_fit(self, contracts: Mapping[Dataset, Contract]) -> None:
        """Raise ContractError where a contract lacks or retypes a column that the lake has."""
        for dataset, contract in contracts.items():
            version = self._newest_snapshot(dataset).version
            if version >= 0:
                _check_fit(self._table_at(dataset, version), dataset, contract)

    def prepare(self, contracts: Mapping[Dataset, Contract]) -> None:
        """Create the tables that do not exist, and add columns that a contract has gained."""
        for dataset, contract in contracts.items():
            version = self._newest_snapshot(dataset).version
            if version >= 0:
                if _widen(self._table_at(dataset, version), dataset, contract):
                    del self._newest[dataset]
                continue
            address = self._files.address(dataset)
            create_table_with_add_actions(
                address.uri,
                _schema(dataset, contract),
                [],
                mode="ignore",
                partition_by=_partition(dataset),
                configuration={"delta.checkpointInterval": _CHECKPOINT_INTERVAL},
                storage_options=dict(address.options),
            )

    def snapshot(self, versions: Mapping[Dataset, int] | None = None) -> LakeSnapshot:
        """Read the tables at these versions, or at their newest; a table that does not exist is empty."""
        return LakeSnapshot(
            tables={
                dataset: self._table_snapshot(dataset, None if versions is None else versions[dataset])
                for dataset in Dataset
            }
        )

    def _table_snapshot(self, dataset: Dataset, version: int | None) -> TableSnapshot:
        if version is None:
            return self._newest_snapshot(dataset)
        kept = self._newest.get(dataset)
        if kept is not None and kept.snapshot.version == version:
            return kept.snapshot
        try:
            return _read_snapshot(self._table_at(dataset, version), dataset)
        except TableNotFoundError as lost:
            raise CorruptState(
                f"lake/{dataset}: version {version}, which a commit names, is not in the table's log. {LAKE_REMEDY}"
            ) from lost

    def _newest_snapshot(self, dataset: Dataset) -> TableSnapshot:
        kept = self._newest.get(dataset)
        if kept is not None and not self._log(dataset).goes_on_after(kept.snapshot.version):
            return kept.snapshot
        address = self._files.address(dataset)
        try:
            table = DeltaTable(address.uri, storage_options=dict(address.options))
        except TableNotFoundError:
            return TableSnapshot(version=-1, files=())
        snapshot = _read_snapshot(table, dataset)
        self._newest[dataset] = _Newest(table=table, address=address, snapshot=snapshot)
        return snapshot

    def _table_at(self, dataset: Dataset, version: int) -> DeltaTable:
        """Return a table at a version: the kept one, if it has that version and its credentials are not old."""
        kept, address = self._newest.get(dataset), self._files.address(dataset)
        if kept is not None and kept.table.version() == version and kept.address == address:
            return kept.table
        return DeltaTable(address.uri, version=version, storage_options=dict(address.options))

    def _log(self, dataset: Dataset) -> DeltaLog:
        return DeltaLog(files=self._files, dataset=dataset)

    def apply(self, dataset: Dataset, change: TableChange, base: TableSnapshot, batch_id: BatchId) -> None:
        """Commit a change that was computed from `base`; ConflictError where the table has a newer version."""
        if change.is_empty:
            return
        overtaken = f"lake/{dataset}: version {base.version + 1} was written by somebody else. Read the table again."
        # Check here, too: the log entry that would refuse the write may have been removed since.
        if self._log(dataset).goes_on_after(base.version):
            raise ConflictError(overtaken)
        address, table = self._files.address(dataset), self._table_at(dataset, base.version)
        now = int(datetime.now(UTC).timestamp() * 1000)
        actions = [_add(file, dataset, now, change) for file in change.added] + [
            RemoveAction(file.path, data_change=not change.is_compaction, deletion_timestamp=now)
            for file in change.removed
        ]
        try:
            table.create_write_transaction(
                actions,
                mode="append",
                schema=table.schema(),
                partition_by=_partition(dataset),
                commit_properties=CommitProperties(custom_metadata={"batch_id": batch_id}, max_commit_retries=0),
                post_commithook_properties=_KEEP_LOGS,
            )
        except CommitFailedError as lost:
            raise ConflictError(overtaken) from lost
        # A batch rewrites a day in two tables; without this, the disk would hold both states of all of them.
        self._files.evict(dataset, (file.path for file in change.removed))
        table.update_incremental()
        if table.version() == base.version + 1:
            self._newest[dataset] = _Newest(table=table, address=address, snapshot=base.after(change))

    def check(self, versions: Mapping[Dataset, int]) -> None:
        """Check that these versions and the newest can be read, with every file; CorruptState where they cannot."""
        for dataset in Dataset:
            log = self._log(dataset)
            try:
                newest = self._newest_snapshot(dataset).version
            except DeltaError:
                log.find_damage(self._files.list(dataset))
                raise
            # List files last: another instance adds files before it commits them.
            listed = tuple(self._files.list(dataset))
            log.check(listed)
            committed = versions.get(dataset, -1)
            if newest < committed:
                raise CorruptState(
                    f"lake/{dataset}: the table's log ends at version {newest}, but a commit names version {committed}."
                    f" {LAKE_REMEDY}"
                )
            sizes = {file.path: file.size for file in listed}
            for version in {newest, committed} - {-1}:
                _check_files(self._table_at(dataset, version), dataset, sizes)

    def vacuum(self, needed: Iterable[Mapping[Dataset, int]], *, older_than: datetime, is_dry_run: bool) -> int:
        """Remove files older than `older_than` that neither these versions nor the newest name; count them."""
        wanted = list(needed)
        count = 0
        for dataset in Dataset:
            # Usually there is no old file; then skip reading the versions.
            old = {file.path for file in self._parquet_files(dataset) if file.written_at < older_than}
            named = self._named(dataset, [versions[dataset] for versions in wanted]) if old else set()
            count += len(old - named)
            if not is_dry_run:
                self._files.discard(dataset, old - named)
        return count

    def _named(self, dataset: Dataset, versions: Sequence[int]) -> set[str]:
        """Return the files of these versions, the newest, and all between: read one version, then the log."""
        newest = self._newest_snapshot(dataset)
        oldest = self._table_snapshot(dataset, min(versions, default=newest.version))
        return {file.path for file in oldest.files} | self._log(dataset).added(oldest.version, newest.version)

    def _parquet_files(self, dataset: Dataset) -> Iterable[ListedFile]:
        """Yield every Parquet file in a table's folders, except its log's."""
        found = self._files.list(dataset)
        return (file for file in found if file.path.endswith(".parquet") and not file.path.startswith(LOG))

    def clean_logs(self, needed: Iterable[Mapping[Dataset, int]]) -> None:
        """Checkpoint each table, and remove the log entries before the checkpoint that every needed version is read from."""
        wanted = list(needed)
        for dataset in Dataset:
            newest = self._newest_snapshot(dataset)
            if newest.version < 0:
                continue
            self._table_at(dataset, newest.version).create_checkpoint()
            if wanted:
                self._log(dataset).forget_before(min(versions[dataset] for versions in wanted))


def column_types(dataset: Dataset, contract: Contract) -> dict[str, str]:
    """Return the type of each column of a lake table, as Delta and Spark name it; the partition is last."""
    types = {name: _TYPES[kind] for name, kind in lake_columns(contract).items()}
    return types | dict.fromkeys(_partition(dataset), "date")


def _read_snapshot(table: DeltaTable, dataset: Dataset) -> TableSnapshot:
    actions = table.get_add_actions(flatten=True)
    columns = {column: actions[column].to_pylist() for column in actions.column_names if column in _SHOWN}
    nothing = [None] * actions.num_rows
    days = columns.get(f"partition.{PARTITION}", nothing)
    ends = [
        (key, columns[f"min.{key}"], columns[f"max.{key}"])
        for key in sorted(KEYS)
        if f"min.{key}" in columns and f"max.{key}" in columns
    ]
    files = [
        LakeFile(
            path=path,
            rows=columns["num_records"][place],
            order_date=days[place],
            ranges={key: (low[place], high[place]) for key, low, high in ends if low[place] is not None},
        )
        for place, path in enumerate(columns.get("path", ()))
    ]
    fields = table.schema().fields
    return TableSnapshot(
        version=table.version(),
        files=tuple(sorted(files, key=lambda file: file.path)),
        is_widened=any(_ADDED_LATER in (field.metadata or {}) for field in fields),
        columns=frozenset(field.name for field in fields),
    )


def _check_files(table: DeltaTable, dataset: Dataset, sizes: Mapping[str, int]) -> None:
    """Raise CorruptState where a file of the table is lost or truncated."""
    actions = table.get_add_actions(flatten=True)
    for path, size in zip(actions["path"].to_pylist(), actions["size_bytes"].to_pylist(), strict=True):
        if path not in sizes:
            raise CorruptState(f"lake/{dataset}/{path}: the file is lost. {LAKE_REMEDY}")
        if sizes[path] != size:
            raise CorruptState(
                f"lake/{dataset}/{path}: the file has {sizes[path]:,} bytes instead of {size:,}. {LAKE_REMEDY}"
            )


def _widen(table: DeltaTable, dataset: Dataset, contract: Contract) -> bool:
    """Add the contract's new columns, and return whether there are any; ContractError where it does not fit the table."""
    _check_fit(table, dataset, contract)
    present = {field.name for field in table.schema().fields}
    added = [
        Field(field.name, field.type, metadata={_ADDED_LATER: "true"})
        for field in _schema(dataset, contract).fields
        if field.name not in present
    ]
    if added:
        table.alter.add_columns(added, post_commithook_properties=_KEEP_LOGS)
    return bool(added)


def _check_fit(table: DeltaTable, dataset: Dataset, contract: Contract) -> None:
    """Raise ContractError where the contract lacks or retypes a column that the table has."""
    wanted = {field.name: field for field in _schema(dataset, contract).fields}
    present = {field.name: field for field in table.schema().fields}
    for name, field in present.items():
        if name == AMOUNT and name not in wanted:
            raise ContractError(
                f"contract of {dataset}: the lake keeps what items are worth by the columns with a 'takingsRole', but the"
                " contract no longer has any. Add them again, or rebuild the store under the new contract."
            )
        if name not in wanted:
            raise ContractError(
                f"contract of {dataset}: the lake has the column '{name}', but the contract lacks it. Add it there; it"
                " may be optional."
            )
        if wanted[name].type != field.type:
            raise ContractError(
                f"contract of {dataset}: the lake keeps '{name}' as {_type_name(field)}, but the contract makes it"
                f" {_type_name(wanted[name])}. Give the column another name, or rebuild the store under the new contract."
            )


def _type_name(field: Field) -> str:
    return str(getattr(field.type, "type", field.type))


def _partition(dataset: Dataset) -> list[str]:
    return [PARTITION] if dataset in PARTITIONED else []


def _schema(dataset: Dataset, contract: Contract) -> Schema:
    return Schema([Field(name, PrimitiveType(kind)) for name, kind in column_types(dataset, contract).items()])


def _add(file: AddedFile, dataset: Dataset, now: int, change: TableChange) -> AddAction:
    day = None if file.order_date is None else file.order_date.isoformat()
    partition = dict.fromkeys(_partition(dataset), day)
    statistics = {
        "numRecords": file.rows,
        "minValues": file.minimum,
        "maxValues": file.maximum,
        "nullCount": file.null_count,
    }
    return AddAction(file.path, file.size, partition, now, not change.is_compaction, json.dumps(statistics))
