"""Create the bucket and the tables of a store, and correct what differs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from takings.adapters.aws.clients import Clients
from takings.adapters.aws.faults import code_of
from takings.adapters.aws.resources.bucket import bucket_steps, exists
from takings.adapters.aws.resources.step import SetupStep
from takings.adapters.aws.tables import TABLES, create_tables, missing_tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: a new table needs a while before point-in-time recovery can be turned on
_BACKUPS_PATIENCE_SECONDS: Final = 300
_PAUSE_SECONDS: Final = 5


def storage_steps(clients: Clients, bucket: str, prefix: str, *, protecting: bool) -> Iterator[SetupStep]:
    """Yield what is missing, each after the previous one was created or skipped; looking changes nothing."""
    yield from bucket_steps(clients, bucket, is_protected=protecting)
    missing = missing_tables(clients.dynamodb, prefix)
    if missing:
        yield SetupStep(
            what=f"tables {', '.join(prefix + table.name for table in missing)}",
            make=lambda: create_tables(clients.dynamodb, prefix),
        )
    for table in TABLES:
        name = prefix + table.name
        if table in missing or not _is_kept(clients.dynamodb, name):
            yield SetupStep(
                what=f"point-in-time recovery of {name}", make=partial(keep_every_second, clients.dynamodb, name)
            )

        if (False if table in missing else is_protected(clients.dynamodb, name)) != protecting:
            yield SetupStep(
                what=f"deletion protection of {name}{'' if protecting else ' is lifted'}",
                make=partial(protect_table, clients.dynamodb, name, is_protected=protecting),
            )


def protect_table(dynamodb: DynamoDBClient, table: str, *, is_protected: bool) -> None:
    """Let DynamoDB refuse to delete a table, or no longer, and wait until it does so."""
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=is_protected)
    dynamodb.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 300})


def is_protected(dynamodb: DynamoDBClient, table: str) -> bool:
    """Return whether DynamoDB refuses to delete a table."""
    return bool(dynamodb.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"))


def keep_every_second(dynamodb: DynamoDBClient, table: str, wait: Callable[[float], None] = time.sleep) -> None:
    """Turn on point-in-time recovery (any second of the last 35 days), as soon as DynamoDB allows it."""
    tries = _BACKUPS_PATIENCE_SECONDS // _PAUSE_SECONDS
    while True:
        try:
            dynamodb.update_continuous_backups(
                TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
            )
            return
        except ClientError as refused:
            tries -= 1
            if tries <= 0 or code_of(refused) != "ContinuousBackupsUnavailableException":
                raise
            wait(_PAUSE_SECONDS)


def _is_kept(dynamodb: DynamoDBClient, table: str) -> bool:
    found = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    return found.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") == "ENABLED"


__all__ = ["exists", "is_protected", "keep_every_second", "protect_table", "storage_steps"]
