"""Keep gate and lineage in SQLite."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

from takings.adapters.local.database import Database, from_micros, to_micros, transaction
from takings.archive.lineage import LineageRecord, LineageStatus
from takings.contracts.datasets import Dataset, kind_of
from takings.errors import ConflictError, CorruptState
from takings.intake.gate import Gate, GateState, LeftFile, OwnTableState, Suspect
from takings.layout import BatchId
from takings.validation.findings import RecordCounts, Verdict

#: a folder holds only one store, so the gate's name never differs
_BUCKET: Final = "local"
#: what the gate's later columns hold where an older version's database, opened to read, lacks them
_LATER_COLUMNS: Final[Mapping[str, Any]] = {"reading": None, "suspects": "[]", "left_files": "[]", "own_tables": "{}"}


class SqliteLedger:
    """The ledger of a local store."""

    def __init__(self, connection: Database) -> None:
        self._connection = connection

    def gate(self) -> Gate:
        """Read the gate; a new store's is IDLE at generation 0."""
        # The heartbeat's thread changes it, too.
        with self._connection.lock:
            row = self._connection.execute("select * from PendingBatches where bucket_name = ?", (_BUCKET,)).fetchone()
        return Gate() if row is None else _read_gate(row)

    def change_gate(self, after: Gate) -> Gate:
        """Write the gate if its generation is still the one before; ConflictError otherwise."""
        values = _write_gate(after)
        columns = ", ".join(values)
        with transaction(self._connection) as connection:
            found = connection.execute(
                "select generation from PendingBatches where bucket_name = ?", (_BUCKET,)
            ).fetchone()
            generation = 0 if found is None else found["generation"]
            if generation != after.generation - 1:
                raise ConflictError(f"the gate has generation {generation}, not {after.generation - 1}.")
            connection.execute(
                f"insert or replace into PendingBatches ({columns}) values ({', '.join('?' * len(values))})",
                tuple(values.values()),
            )
        return after

    def begin(self, records: Sequence[LineageRecord]) -> None:
        """Write lineage records, except where one has the same key and processing date."""
        self._write(records, "ignore")

    def record(self, records: Sequence[LineageRecord]) -> None:
        """Write lineage records; replace those with the same key and processing date."""
        self._write(records, "replace")

    def give_back(self, records: Sequence[LineageRecord]) -> None:
        """Write lineage records of files given back, except files that have ended since.

        Also write those of files that have no record yet: their `begin` may come later.
        """
        not_ended = "status = 'IN_PROGRESS'"
        with transaction(self._connection) as connection:
            for record in records:
                values = _write_record(record)
                changed = ", ".join(f"{column} = :{column}" for column in values)
                named = ", ".join(f":{column}" for column in values)
                connection.execute(
                    f"insert into ProcessedFiles ({', '.join(values)}) values ({named})"
                    f" on conflict (file_key, processing_date) do update set {changed} where {not_ended}",
                    values,
                )

    def _write(self, records: Sequence[LineageRecord], on_conflict: Literal["ignore", "replace"]) -> None:
        with transaction(self._connection) as connection:
            for record in records:
                values = _write_record(record)
                connection.execute(
                    f"insert or {on_conflict} into ProcessedFiles ({', '.join(values)})"
                    f" values ({', '.join('?' * len(values))})",
                    tuple(values.values()),
                )

    def lineage(self, file_key: str | None = None, batch_id: BatchId | None = None) -> Sequence[LineageRecord]:
        """Return the records of a key or a batch (or all), oldest first."""
        wanted = {"file_key": file_key, "batch_id": batch_id}
        # With a condition that may be null, SQLite would not use its indexes, and the ledger grows forever.
        conditions = "".join(f" and {column} = :{column}" for column, value in wanted.items() if value is not None)
        rows = self._connection.execute(
            f"select * from ProcessedFiles where true{conditions} order by processing_date, file_key", wanted
        )
        return [_read_record(row) for row in rows]

    def lineage_of_refused(self) -> Sequence[LineageRecord]:
        """Return every record of the keys that ever had a file refused, oldest first."""
        rows = self._connection.execute(
            "select * from ProcessedFiles where file_key in"
            " (select file_key from ProcessedFiles where verdict = 'rejected')"
            " order by processing_date, file_key"
        )
        return [_read_record(row) for row in rows]

    def newest_versions(self, keys: Collection[str]) -> Mapping[str, LineageRecord]:
        """Return, per key, the record with the newest version."""
        rows = self._connection.execute(
            "select * from ProcessedFiles where file_key in (select value from json_each(?))"
            " order by version, processing_date",
            (json.dumps(list(keys)),),
        )
        return {row["file_key"]: _read_record(row) for row in rows}

    def accepted_with(self, fingerprints: Collection[str]) -> Sequence[LineageRecord]:
        """Return the records of accepted files with one of these fingerprints."""
        rows = self._connection.execute(
            "select * from ProcessedFiles where verdict = 'accepted' and fingerprint in (select value from json_each(?))"
            " order by version, file_key",
            (json.dumps(list(fingerprints)),),
        )
        return [_read_record(row) for row in rows]


def _read_gate(row: sqlite3.Row) -> Gate:
    try:
        return _gate_of(row)
    except (ValueError, KeyError, TypeError, AttributeError) as damaged:
        raise CorruptState(
            f".takings/takings.db is damaged: PendingBatches holds no gate ({damaged}). Nothing was changed. Restore the file"
            " from a back-up, or move .takings away and rebuild the store from its archive."
        ) from damaged


def _gate_of(stored: sqlite3.Row) -> Gate:
    row = {**_LATER_COLUMNS, **dict(stored)}
    return Gate(
        generation=row["generation"],
        state=GateState(row["state"]),
        deadline=None if row["deadline"] is None else from_micros(row["deadline"]),
        pending={kind_of(name): count for name, count in json.loads(row["pending"]).items()},
        batch_id=None if row["batch_id"] is None else BatchId(row["batch_id"]),
        attempt=row["attempt"],
        owner=row["owner"],
        lease_expires_at=None if row["lease_expires_at"] is None else from_micros(row["lease_expires_at"]),
        reason=row["reason"],
        reading=row["reading"],
        suspects=tuple(Suspect(**suspect) for suspect in json.loads(row["suspects"])),
        left=tuple(
            LeftFile(**each | {"tried_at": from_micros(each["tried_at"])}) for each in json.loads(row["left_files"])
        ),
        last_commit=row["last_commit"],
        landed=frozenset(Dataset(name) for name in json.loads(row["landed"])),
        own_tables={name: OwnTableState.from_json(state) for name, state in json.loads(row["own_tables"]).items()},
    )


def _write_gate(gate: Gate) -> dict[str, object]:
    return {
        "bucket_name": _BUCKET,
        "generation": gate.generation,
        "state": gate.state.value,
        "deadline": to_micros(gate.deadline),
        "pending": json.dumps({dataset.value: count for dataset, count in sorted(gate.pending.items())}),
        "batch_id": gate.batch_id,
        "attempt": gate.attempt,
        "owner": gate.owner,
        "lease_expires_at": to_micros(gate.lease_expires_at),
        "reason": gate.reason,
        "reading": gate.reading,
        "suspects": json.dumps([asdict(suspect) for suspect in gate.suspects]),
        "left_files": json.dumps([asdict(each) | {"tried_at": to_micros(each.tried_at)} for each in gate.left]),
        "last_commit": gate.last_commit,
        "landed": json.dumps(sorted(gate.landed)),
        "own_tables": json.dumps({name: state.to_json() for name, state in gate.own_tables.items()}),
    }


def _read_record(row: sqlite3.Row) -> LineageRecord:
    records = (
        None
        if row["records_read"] is None
        else RecordCounts(
            read=row["records_read"],
            accepted=row["records_accepted"],
            rejected=row["records_rejected"],
            identical_duplicates=row["identical_duplicates"],
        )
    )
    return LineageRecord(
        file_key=row["file_key"],
        processing_date=from_micros(row["processing_date"]),
        status=LineageStatus(row["status"]),
        batch_id=BatchId(row["batch_id"]),
        dataset=kind_of(row["dataset"]),
        size=row["size"],
        etag=row["etag"],
        version=from_micros(row["version"]),
        fingerprint=row["fingerprint"],
        verdict=None if row["verdict"] is None else Verdict(row["verdict"]),
        records=records,
        reason=row["reason"],
        archived_at=row["archived_at"],
    )


def _write_record(record: LineageRecord) -> dict[str, object]:
    counts = record.records
    return {
        "file_key": record.file_key,
        "processing_date": to_micros(record.processing_date),
        "status": record.status.value,
        "batch_id": record.batch_id,
        "dataset": record.dataset.value,
        "size": record.size,
        "etag": record.etag,
        "version": to_micros(record.version),
        "fingerprint": record.fingerprint,
        "verdict": record.verdict and record.verdict.value,
        "records_read": counts and counts.read,
        "records_accepted": counts and counts.accepted,
        "records_rejected": counts and counts.rejected,
        "identical_duplicates": counts and counts.identical_duplicates,
        "reason": record.reason,
        "archived_at": record.archived_at,
    }


def accepted_files(database: Path) -> dict[tuple[str, str], str]:
    """Return dataset or source, and fingerprint -> key of the files that a store has accepted, read without writing to it."""
    if not database.is_file():
        return {}
    with TemporaryDirectory(prefix="takings-") as folder:
        # Even a reader of a WAL database writes beside it, so read a copy.
        for suffix in ("", "-wal"):
            part = database.with_name(database.name + suffix)
            if part.exists():
                shutil.copyfile(part, Path(folder, part.name))
        with closing(sqlite3.connect(Path(folder, database.name))) as connection:
            rows = connection.execute(
                "select dataset, fingerprint, file_key from ProcessedFiles where verdict = 'accepted'"
            )
            return {(dataset, fingerprint): key for dataset, fingerprint, key in rows if fingerprint}
