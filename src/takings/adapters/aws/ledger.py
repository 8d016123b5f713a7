"""Keep gate and lineage in DynamoDB."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final
from uuid import uuid4

from takings.adapters.aws.database import Database, Item
from takings.adapters.aws.tables import BY_BATCH, BY_FINGERPRINT, PENDING_BATCHES, PROCESSED_FILES
from takings.archive.lineage import LineageRecord, LineageStatus
from takings.contracts.datasets import Dataset, kind_of
from takings.errors import ConflictError, SettingsError
from takings.intake.gate import Gate, GateState, LeftFile, OwnTableState, Suspect
from takings.layout import BatchId, format_instant, parse_instant
from takings.validation.findings import RecordCounts, Verdict

#: names one write of the gate, so that a retry recognises its own write
_WRITE: Final = "write"


class DynamoLedger:
    """The ledger of a store in a bucket."""

    def __init__(self, database: Database, bucket: str) -> None:
        self._database = database
        self._bucket = bucket

    def check_alone(self) -> None:
        """Raise SettingsError where another bucket uses the same tables: lineage and KPIs do not distinguish buckets."""
        for gate in self._database.scan(PENDING_BATCHES, ["bucket_name"]):
            if gate["bucket_name"] != self._bucket:
                raise SettingsError(
                    f"the tables belong to s3://{gate['bucket_name']}. Set another `table_prefix` for s3://{self._bucket}, so"
                    " that it gets its own tables."
                )

    def gate(self) -> Gate:
        """Read the gate; a new store's is IDLE at generation 0."""
        item = self._database.get(PENDING_BATCHES, {"bucket_name": self._bucket})
        return Gate() if item is None else _read_gate(item)

    def change_gate(self, after: Gate) -> Gate:
        """Write the gate if its generation is still the one before; ConflictError otherwise."""
        unused = "attribute_not_exists(bucket_name)"
        unchanged = "#generation = :generation_before"
        before, write = after.generation - 1, uuid4().hex
        found = self._database.put(
            PENDING_BATCHES,
            {"bucket_name": self._bucket, **_write_gate(after), _WRITE: write},
            unchanged if before else unused,
            {"generation_before": before},
        )
        # A write whose answer was lost is retried, and then finds itself.
        if found is not None and found.get(_WRITE) != write:
            raise ConflictError(f"the gate has generation {found.get('generation', 0)}, not {before}.")
        return after

    def begin(self, records: Sequence[LineageRecord]) -> None:
        """Write lineage records, except where one has the same key and processing date."""
        unknown = "attribute_not_exists(file_key)"
        self._database.put_each(PROCESSED_FILES, map(_write_record, records), unknown)

    def record(self, records: Sequence[LineageRecord]) -> None:
        """Write lineage records; replace those with the same key and processing date."""
        self._database.put_all(PROCESSED_FILES, map(_write_record, records))

    def give_back(self, records: Sequence[LineageRecord]) -> None:
        """Write lineage records of files given back, except files that have ended since.

        Also write those of files that have no record yet: their `begin` may come later.
        """
        not_begun = "attribute_not_exists(file_key)"
        not_ended = "#status = :in_progress"
        in_progress = {"in_progress": LineageStatus.IN_PROGRESS.value}
        self._database.put_each(
            PROCESSED_FILES, map(_write_record, records), f"{not_begun} or {not_ended}", in_progress
        )

    def lineage(self, file_key: str | None = None, batch_id: BatchId | None = None) -> Sequence[LineageRecord]:
        """Return the records of a key or a batch (or all), oldest first; those of a batch come from an index."""
        if file_key is not None:
            items = self._database.query(PROCESSED_FILES, "file_key = :key", {"key": file_key})
        elif batch_id is not None:
            items = self._database.query(PROCESSED_FILES, "batch_id = :batch", {"batch": batch_id}, BY_BATCH)
        else:
            items = self._database.scan(PROCESSED_FILES)
        records = [record for record in map(_read_record, items) if batch_id in {None, record.batch_id}]
        return sorted(records, key=lambda record: (record.processing_date, record.file_key))

    def lineage_of_refused(self) -> Sequence[LineageRecord]:
        """Return every record of the keys that ever had a file refused, oldest first."""
        records = self.lineage()
        refused = {record.file_key for record in records if record.verdict is Verdict.REJECTED}
        return [record for record in records if record.file_key in refused]

    def newest_versions(self, keys: Collection[str]) -> Mapping[str, LineageRecord]:
        """Return, per key, the record with the newest version."""
        items = self._database.query_each(PROCESSED_FILES, "file_key = :key", ({"key": key} for key in keys))
        records = sorted(map(_read_record, items), key=lambda record: (record.version, record.processing_date))
        return {record.file_key: record for record in records}

    def accepted_with(self, fingerprints: Collection[str]) -> Sequence[LineageRecord]:
        """Return the records of accepted files with one of these fingerprints, from an index."""
        items = self._database.query_each(
            PROCESSED_FILES,
            "fingerprint = :fingerprint",
            ({"fingerprint": fingerprint} for fingerprint in fingerprints),
            BY_FINGERPRINT,
        )
        accepted = [record for record in map(_read_record, items) if record.verdict is Verdict.ACCEPTED]
        return sorted(accepted, key=lambda record: (record.version, record.file_key))


def _read_gate(item: Item) -> Gate:
    return Gate(
        generation=item["generation"],
        state=GateState(item["state"]),
        deadline=_instant(item.get("deadline")),
        pending={kind_of(name): count for name, count in item["pending"].items()},
        batch_id=None if "batch_id" not in item else BatchId(item["batch_id"]),
        attempt=item["attempt"],
        owner=item.get("owner"),
        lease_expires_at=_instant(item.get("lease_expires_at")),
        reason=item.get("reason"),
        reading=item.get("reading"),
        suspects=tuple(Suspect(**suspect) for suspect in item["suspects"]),
        # A gate of an older version has none.
        left=tuple(
            LeftFile(**each | {"tried_at": parse_instant(each["tried_at"])}) for each in item.get("left_files", ())
        ),
        last_commit=item["last_commit"],
        landed=frozenset(Dataset(name) for name in item["landed"]),
        own_tables={name: OwnTableState.from_json(state) for name, state in item.get("own_tables", {}).items()},
    )


def _write_gate(gate: Gate) -> Item:
    return {
        "generation": gate.generation,
        "state": gate.state.value,
        "deadline": gate.deadline and format_instant(gate.deadline),
        "pending": {dataset.value: count for dataset, count in sorted(gate.pending.items())},
        "batch_id": gate.batch_id,
        "attempt": gate.attempt,
        "owner": gate.owner,
        "lease_expires_at": gate.lease_expires_at and format_instant(gate.lease_expires_at),
        "reason": gate.reason,
        "reading": gate.reading,
        "suspects": [asdict(suspect) for suspect in gate.suspects],
        "left_files": [asdict(each) | {"tried_at": format_instant(each.tried_at)} for each in gate.left],
        "last_commit": gate.last_commit,
        "landed": sorted(dataset.value for dataset in gate.landed),
        "own_tables": {name: state.to_json() for name, state in gate.own_tables.items()},
    }


def _read_record(item: Item) -> LineageRecord:
    records = (
        None
        if "records_read" not in item
        else RecordCounts(
            read=item["records_read"],
            accepted=item["records_accepted"],
            rejected=item["records_rejected"],
            identical_duplicates=item["identical_duplicates"],
        )
    )
    return LineageRecord(
        file_key=item["file_key"],
        processing_date=parse_instant(item["processing_date"]),
        status=LineageStatus(item["status"]),
        batch_id=BatchId(item["batch_id"]),
        dataset=kind_of(item["dataset"]),
        size=item["size"],
        etag=item["etag"],
        version=parse_instant(item["version"]),
        fingerprint=item.get("fingerprint"),
        verdict=None if "verdict" not in item else Verdict(item["verdict"]),
        records=records,
        reason=item.get("reason"),
        archived_at=item.get("archived_at"),
    )


def _write_record(record: LineageRecord) -> Item:
    counts = record.records
    return {
        "file_key": record.file_key,
        "processing_date": format_instant(record.processing_date),
        "status": record.status.value,
        "batch_id": record.batch_id,
        "dataset": record.dataset.value,
        "size": record.size,
        "etag": record.etag,
        "version": format_instant(record.version),
        "fingerprint": record.fingerprint,
        "verdict": record.verdict and record.verdict.value,
        "records_read": counts and counts.read,
        "records_accepted": counts and counts.accepted,
        "records_rejected": counts and counts.rejected,
        "identical_duplicates": counts and counts.identical_duplicates,
        "reason": record.reason,
        "archived_at": record.archived_at,
    }


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_instant(text)
