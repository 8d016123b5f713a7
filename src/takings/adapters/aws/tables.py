"""Define the tables on DynamoDB: their names, keys and indexes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from takings.errors import SettingsError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: the only partition of an index over a whole table
EVERYTHING: Final = "everything"


@dataclass(frozen=True, kw_only=True)
class Index:
    """Another order for reading a table; it lags behind the table for a moment."""

    name: str
    #: partition key, then sort key
    key: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table; every attribute of a key is a string."""

    name: str
    #: partition key, then the sort key if there is one
    key: tuple[str, ...]
    indexes: tuple[Index, ...] = ()

    def definition(self, prefix: str) -> dict[str, Any]:
        """Return the table as `create-table` takes it; on demand, so that an idle shop costs nothing."""
        keys = [self.key, *(index.key for index in self.indexes)]
        definition: dict[str, Any] = {
            "TableName": prefix + self.name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": "S"} for name in sorted({name for key in keys for name in key})
            ],
            "KeySchema": _schema(self.key),
        }
        if self.indexes:
            definition["GlobalSecondaryIndexes"] = [
                {"IndexName": index.name, "KeySchema": _schema(index.key), "Projection": {"ProjectionType": "ALL"}}
                for index in self.indexes
            ]
        return definition


def _schema(key: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(key, ("HASH", "RANGE"), strict=False)]


#: one gate per bucket
PENDING_BATCHES: Final = Table(name="PendingBatches", key=("bucket_name",))

BY_BATCH: Final = Index(name="by_batch", key=("batch_id", "file_key"))
BY_FINGERPRINT: Final = Index(name="by_fingerprint", key=("fingerprint", "file_key"))
#: one record per file and batch
PROCESSED_FILES: Final = Table(
    name="ProcessedFiles", key=("file_key", "processing_date"), indexes=(BY_BATCH, BY_FINGERPRINT)
)

BY_RANGE: Final = Index(name="by_range", key=("range", "order_date"))
ORDER_KPIS: Final = Table(name="OrderKPIs", key=("order_date",), indexes=(BY_RANGE,))

BY_DAY: Final = Index(name="by_day", key=("order_date", "category"))
CATEGORY_KPIS: Final = Table(name="CategoryKPIs", key=("category", "order_date"), indexes=(BY_DAY,))

BY_TABLE: Final = Index(name="by_table", key=("kpi_table", "order_date"))
#: the rows of all KPI tables of the shop's own; `table_day` is the table's name, a slash and the day
OWN_KPIS: Final = Table(name="OwnKPIs", key=("table_day", "grain"), indexes=(BY_TABLE,))

TABLES: Final = (PENDING_BATCHES, PROCESSED_FILES, ORDER_KPIS, CATEGORY_KPIS, OWN_KPIS)


def create_tables(dynamodb: DynamoDBClient, prefix: str) -> tuple[str, ...]:
    """Create the tables that do not exist and wait until they can be used; return the names of the new ones.

    SettingsError where a table of the name has other keys or lacks an index; that table is not changed.
    """
    new = missing_tables(dynamodb, prefix)
    for table in new:
        dynamodb.create_table(**table.definition(prefix))
    for table in new:
        dynamodb.get_waiter("table_exists").wait(
            TableName=prefix + table.name, WaiterConfig={"Delay": 1, "MaxAttempts": 300}
        )
    return tuple(prefix + table.name for table in new)


def missing_tables(dynamodb: DynamoDBClient, prefix: str) -> tuple[Table, ...]:
    """Return the tables that do not exist; SettingsError where one has other keys or lacks an index."""
    return tuple(table for table in TABLES if not _is_there(dynamodb, table, prefix))


def _is_there(dynamodb: DynamoDBClient, table: Table, prefix: str) -> bool:
    try:
        found = dynamodb.describe_table(TableName=prefix + table.name)["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        return False
    indexes = {index["IndexName"]: index["KeySchema"] for index in found.get("GlobalSecondaryIndexes", ())}
    wanted = {index.name: _schema(index.key) for index in table.indexes}
    if found["KeySchema"] != _schema(table.key) or wanted.items() > indexes.items():
        raise SettingsError(
            f"the table {prefix}{table.name} exists, but its keys or indexes are not those of Takings. Set `table_prefix`, so"
            " that the shop gets its own tables."
        )
    return True
