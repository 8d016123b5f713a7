"""Read with DuckDB what Athena would read: the same statements, over copies of the same objects.

Views run word for word. Statements that describe files to Hive are parsed: an export's columns and its location.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
from deltalake import DeltaTable

from takings.adapters.aws.clients import Clients
from tests.emulators import BUCKET

_EXPORTED: Final = re.compile(
    r"create external table if not exists (\S+) \(\n    Item struct<(.*)>\n\)\n"
    r"row format serde 'org\.openx\.data\.jsonserde\.JsonSerDe'\nlocation 's3://([^/]+)/(.+/)'",
    re.DOTALL,
)
_DELTA: Final = re.compile(
    r"create external table if not exists (\S+)\nlocation 's3://([^/]+)/(.+/)'\n"
    r"tblproperties \('table_type' = 'DELTA'\)"
)


@dataclass(frozen=True, kw_only=True)
class Athena:
    """A DuckDB that understands what the statements create."""

    clients: Clients
    connection: duckdb.DuckDBPyConnection
    #: for copies of objects
    folder: Path

    def run(self, statements: Iterable[Mapping[str, str]]) -> None:
        """Run the statements that `takings aws athena --json` prints."""
        for statement in statements:
            sql = statement["sql"]
            if sql.startswith("create database if not exists "):
                self.connection.execute(sql.replace("database", "schema"))
            elif exported := _EXPORTED.fullmatch(sql):
                self._over_json(*exported.groups())
            elif delta := _DELTA.fullmatch(sql):
                self._over_parquet(*delta.groups())
            else:
                assert sql.startswith("create or replace view "), sql
                self.connection.execute(sql)

    def _over_json(self, name: str, fields: str, bucket: str, prefix: str) -> None:
        paths = [str(self._copy(bucket, key)) for key in self._keys(bucket, prefix)]
        shape = re.sub(r"(\w+):struct<(\w+):string>", r"\1 struct(\2 varchar)", fields)
        source = f"read_json({paths}, format = 'newline_delimited', columns = {{'Item': 'struct({shape})'}})"
        self.connection.execute(f"create or replace view {name} as select * from {source}")

    def _over_parquet(self, name: str, bucket: str, prefix: str) -> None:
        table = DeltaTable(f"s3://{bucket}/{prefix}", storage_options=self.clients.lake_options())
        paths = [str(self._copy(bucket, uri.removeprefix(f"s3://{bucket}/"))) for uri in table.file_uris()]
        is_by_day = "order_date" in table.metadata().partition_columns
        days = ", hive_partitioning = true, hive_types = {'order_date': date}" if is_by_day else ""
        source = f"read_parquet({paths}{days})"
        self.connection.execute(f"create or replace view {name} as select * from {source}")

    def _keys(self, bucket: str, prefix: str) -> list[str]:
        found = self.clients.s3.list_objects_v2(Bucket=bucket, Prefix=prefix)
        return [each["Key"] for each in found.get("Contents", ())]

    def _copy(self, bucket: str, key: str) -> Path:
        target = self.folder / bucket / key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self.clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        return target

    def csv(self, query: str) -> str:
        """Return a result as CSV, written by DuckDB."""
        target = self.folder / "result.csv"
        self.connection.execute(f"copy ({query}) to '{target}' (format csv, header)")
        return target.read_bytes().decode()


def put_export(clients: Clients, table: str, id_: str, *, is_finished: bool = True, **said: Any) -> None:
    """Write what DynamoDB would write for an export of a table's present items, following the format's documentation.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
    """
    items = clients.dynamodb.scan(TableName=table)["Items"]
    lines = [json.dumps({"Item": item}, separators=(",", ":")) + "\n" for item in items]
    folder = f"exports/{table}/AWSDynamoDB/{id_}/"
    # One file per partition of the table; some are empty.
    files = {f"{folder}data/{name}.json.gz": part for name, part in (("a", lines[::2]), ("b", lines[1::2]), ("c", []))}
    for key, part in files.items():
        put(clients, key, gzip.compress("".join(part).encode()))
    put(clients, f"{folder}_started", b"")
    if not is_finished:
        return
    manifest = [
        {"itemCount": len(part), "md5Checksum": "", "etag": "", "dataFileS3Key": key} for key, part in files.items()
    ]
    put(clients, f"{folder}manifest-files.json", "".join(json.dumps(each) + "\n" for each in manifest).encode())
    arn = f"arn:aws:dynamodb:eu-west-1:123456789012:table/{table}"
    summary = {
        "version": "2020-06-30",
        "exportArn": f"{arn}/export/{id_}",
        "startTime": "2025-04-01T07:28:34.028Z",
        "endTime": "2025-04-01T07:33:43.897Z",
        "tableArn": arn,
        "tableId": "12345a12-abcd-123a-ab12-1234abc12345",
        "exportTime": "2025-04-01T07:28:34.028Z",
        "s3Bucket": BUCKET,
        "s3Prefix": f"exports/{table}",
        "s3SseAlgorithm": "AES256",
        "s3SseKmsKeyId": None,
        "manifestFilesS3Key": f"{folder}manifest-files.json",
        "billedSizeBytes": 0,
        "itemCount": len(items),
        "outputFormat": "DYNAMODB_JSON",
        "exportType": "FULL_EXPORT",
    }
    put(clients, f"{folder}manifest-summary.json", json.dumps(summary | said).encode())


def put(clients: Clients, key: str, content: bytes) -> None:
    """Write an object."""
    clients.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
