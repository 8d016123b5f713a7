"""Tell a store in a bucket by its name, and connect to AWS for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from takings.errors import SettingsError, UsageError

if TYPE_CHECKING:
    from takings.adapters.aws.clients import Clients

#: the prefix of a store's name when it is a bucket
S3: Final = "s3://"


@contextmanager
def on_aws(store: str | Path) -> Iterator[tuple[Clients, str]]:
    """Connect to AWS for a store named s3://bucket; SettingsError where boto3 is not installed."""
    bucket = str(store).removeprefix(S3).removesuffix("/")
    if not str(store).startswith(S3) or not bucket or "/" in bucket:
        raise UsageError(f"{store}: a store on AWS is a whole bucket. Name it as s3://bucket.")
    try:
        from takings.adapters.aws.clients import connected
        from takings.adapters.aws.faults import aws_faults
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"{store} needs the package {missing.name}. Install it: pip install 'takings[aws]'."
        ) from missing
    with aws_faults(), connected() as clients:
        yield clients, bucket
