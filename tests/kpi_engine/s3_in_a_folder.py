"""Let Spark find a bucket in a folder: Hadoop's overload-scheme view file system answers for s3a://, not S3's connector."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pyspark.sql import SparkSession

from takings.adapters.aws.bucket import Bucket
from takings.adapters.aws.clients import Clients
from tests.emulators import BUCKET

_VIEW: Final = "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme"


@contextmanager
def bucket_in_a_folder(spark: SparkSession, folder: Path, scheme: str = "s3a") -> Iterator[None]:
    """Let the application read and write the folder as the bucket, until the block ends."""
    context: Any = spark.sparkContext
    settings = context._jsc.hadoopConfiguration()
    ours = {
        f"fs.{scheme}.impl": _VIEW,
        # The next test's folder is another one.
        f"fs.{scheme}.impl.disable.cache": "true",
        f"fs.viewfs.mounttable.{BUCKET}.linkFallback": folder.as_uri(),
    }
    before = {name: settings.get(name) for name in ours}
    for name, value in ours.items():
        settings.set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                settings.unset(name)
            else:
                settings.set(name, value)


def move_lake(clients: Clients, folder: Path) -> int:
    """Move the Parquet files of the bucket's lake into the folder, so that they are nowhere else; return how many."""
    keys = copy(clients, folder, "lake/")
    Bucket(clients.s3, BUCKET).delete(keys)
    return len(keys)


def copy(clients: Clients, folder: Path, prefix: str) -> list[str]:
    """Copy the Parquet files under a prefix of the bucket into the folder; return their keys."""
    bucket = Bucket(clients.s3, BUCKET)
    keys = [info.key for info in bucket.list(prefix) if info.key.endswith(".parquet") and "_delta_log" not in info.key]
    for key in keys:
        content = bucket.read(key)
        assert content is not None, key
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(content)
    return keys
