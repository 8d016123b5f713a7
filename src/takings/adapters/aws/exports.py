"""Let DynamoDB export tables to S3, and find the exports.

Format: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_URL, uuid4, uuid5

from takings.adapters.aws.bucket import Bucket
from takings.errors import CorruptState, SettingsError, UnknownThing, UsageError, cause_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

#: most exports take minutes, even of a small table
_PAUSES: Final = (1, 2, 4, 8)
_LONGEST_PAUSE: Final = 15
_FORMAT: Final = "DYNAMODB_JSON"
#: a bucket and a folder with names that never need quotes
_FOLDER: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]+)((?:/[A-Za-z0-9._=-]+)*)/?")


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A place in a bucket; the exports of a table are in the folder of its name."""

    bucket: str
    #: without a slash at either end; empty for the whole bucket
    path: str

    def of(self, table: str) -> str:
        """Return the common prefix of a table's exports."""
        return f"{self.path}/{table}" if self.path else table

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.path}".rstrip("/")


@dataclass(frozen=True, kw_only=True)
class Export:
    """One export of a table."""

    #: its name in DynamoDB
    table: str
    arn: str
    bucket: str
    prefix: str
    #: IN_PROGRESS, COMPLETED or FAILED
    status: str
    #: the moment of its items; None if DynamoDB does not say
    as_of: datetime | None
    items: int | None
    #: why it failed
    failure: str | None

    @property
    def id(self) -> str:
        """Return DynamoDB's name of the export's folder; ids sort by time."""
        return self.arn.rpartition("/")[2]

    @property
    def data(self) -> str:
        """Return the folder that has its items and nothing else."""
        return f"s3://{self.bucket}/{self.prefix}/AWSDynamoDB/{self.id}/data/"

    @property
    def manifest(self) -> str:
        """Return where its summary is once it has succeeded."""
        return f"s3://{self.bucket}/{self.prefix}/AWSDynamoDB/{self.id}/manifest-summary.json"


def parse_folder(text: str) -> Folder:
    """Read s3://bucket/folder; UsageError for anything else."""
    found = _FOLDER.fullmatch(text)
    if found is None:
        raise UsageError(f"{text}: exports need a folder in a bucket. Name it as s3://bucket/folder, in plain letters.")
    return Folder(bucket=found[1], path=found[2].strip("/"))


def begin_export(dynamodb: DynamoDBClient, table: str, to: Folder, now: datetime, *, is_again: bool) -> Export:
    """Begin the export of a table, or continue the one of this hour: a repetition writes and costs nothing.

    SettingsError where there is no such table, UsageError where it has no point-in-time recovery.
    """
    try:
        arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    except dynamodb.exceptions.ResourceNotFoundException as missing:
        raise SettingsError(
            f"DynamoDB has no table {table} in {dynamodb.meta.region_name}. Check region and `table_prefix`, or create what"
            " is missing: takings aws bootstrap s3://bucket."
        ) from missing
    prefix = to.of(table)
    same = f"{arn} s3://{to.bucket}/{prefix} {now.astimezone(UTC):%Y-%m-%dT%H}"
    try:
        begun = dynamodb.export_table_to_point_in_time(
            TableArn=arn,
            S3Bucket=to.bucket,
            S3Prefix=prefix,
            ExportFormat=_FORMAT,
            # For 8 hours, DynamoDB answers a known token with the export that it began.
            ClientToken=str(uuid4() if is_again else uuid5(NAMESPACE_URL, same)),
        )
    except dynamodb.exceptions.PointInTimeRecoveryUnavailableException as off:
        raise UsageError(
            f"{table} has no point-in-time recovery, but DynamoDB needs it to export. Turn it on: takings aws bootstrap"
            f" s3://bucket, or aws dynamodb update-continuous-backups --table-name {table}"
            " --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"
        ) from off
    said = begun["ExportDescription"]
    return Export(table=table, arn=said["ExportArn"], bucket=to.bucket, prefix=prefix, **_state(said))


def follow_exports(
    dynamodb: DynamoDBClient, begun: Sequence[Export], pause: Callable[[float], None] = time.sleep
) -> Iterator[Export]:
    """Yield each export when it has ended, successfully or not."""
    waiting = list(begun)
    for seconds in chain(_PAUSES, repeat(_LONGEST_PAUSE)):
        looked = [_look(dynamodb, export) for export in waiting]
        yield from (export for export in looked if export.status != "IN_PROGRESS")
        waiting = [export for export in looked if export.status == "IN_PROGRESS"]
        if not waiting:
            return
        pause(seconds)


def newest_export(s3: S3Client, table: str, within: Folder) -> Export:
    """Return a table's newest full export that succeeded, from its files in S3; UnknownThing where there is none."""
    prefix = within.of(table)
    folders = s3.get_paginator("list_objects_v2").paginate(
        Bucket=within.bucket, Prefix=f"{prefix}/AWSDynamoDB/", Delimiter="/"
    )
    found = [each["Prefix"] for page in folders for each in page.get("CommonPrefixes", ())]
    for folder in sorted(found, reverse=True):
        # DynamoDB writes the manifest last.
        manifest = Bucket(s3, within.bucket).read(f"{folder}manifest-summary.json")
        export = None if manifest is None else _read_manifest(f"s3://{within.bucket}/{folder}", manifest, table, within)
        if export is not None:
            return export
    raise UnknownThing(f"there is no finished export of {table} in {within}/. Make one: `takings aws export`.")


def _look(dynamodb: DynamoDBClient, export: Export) -> Export:
    return replace(export, **_state(dynamodb.describe_export(ExportArn=export.arn)["ExportDescription"]))


def _state(said: Any) -> dict[str, Any]:  # noqa: ANN401 - two types of boto3's with the same keys
    return {
        "status": said["ExportStatus"],
        "as_of": said.get("ExportTime") or said.get("StartTime"),
        "items": said.get("ItemCount") if said["ExportStatus"] == "COMPLETED" else None,
        "failure": ": ".join(filter(None, (said.get("FailureCode"), said.get("FailureMessage")))) or None,
    }


def _read_manifest(folder: str, manifest: bytes, table: str, within: Folder) -> Export | None:
    """Read a summary; None where the export is incremental or of another format."""
    try:
        said = json.loads(manifest)
        if said["outputFormat"] != _FORMAT or said.get("exportType", "FULL_EXPORT") != "FULL_EXPORT":
            return None
        return Export(
            table=table,
            arn=said["exportArn"],
            bucket=within.bucket,
            prefix=within.of(table),
            status="COMPLETED",
            as_of=datetime.fromisoformat(said["exportTime"]),
            items=said["itemCount"],
            failure=None,
        )
    except (ValueError, KeyError, TypeError) as damaged:
        raise CorruptState(
            f"{folder}manifest-summary.json is not a summary of an export: {cause_of(damaged)}."
            " Remove that folder, or export again."
        ) from damaged
