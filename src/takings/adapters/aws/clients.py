"""Connect to AWS, with the same configuration everywhere; the standard AWS_* settings name region and credentials."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from takings.errors import SettingsError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

#: requests in parallel; each of them mostly waits for the network
THREADS: Final = 16
#: files that are fetched, archived or reported at a time
SIDE_BY_SIDE: Final = 32
#: standard retries: exponential back-off with jitter, about a minute in all
_ATTEMPTS: Final = 8
#: how every service is called
CONFIG: Final = Config(
    retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
    max_pool_connections=SIDE_BY_SIDE + THREADS,
    connect_timeout=10,
)


@dataclass(frozen=True, kw_only=True)
class Clients:
    """The services that a store in a bucket needs; threads may share their clients."""

    s3: S3Client
    dynamodb: DynamoDBClient
    region: str
    session: boto3.Session

    def lake_options(self) -> dict[str, str]:
        """Return the options for delta-rs to reach S3, with the present credentials: it has no profiles and no sign-ins."""
        credentials = self.session.get_credentials()
        if credentials is None:
            raise SettingsError("AWS: there are no credentials. Run `aws configure`, or set AWS_* variables.")
        key = credentials.get_frozen_credentials()
        endpoint = self.s3.meta.endpoint_url
        options = {
            "AWS_REGION": self.region,
            "AWS_ACCESS_KEY_ID": key.access_key or "",
            "AWS_SECRET_ACCESS_KEY": key.secret_key or "",
        }
        if key.token:
            options["AWS_SESSION_TOKEN"] = key.token
        if not (urlsplit(endpoint).hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn")):
            options["AWS_ENDPOINT_URL"] = endpoint
        if endpoint.startswith("http://"):
            options["AWS_ALLOW_HTTP"] = "true"
        return options


@contextmanager
def connected(region: str | None = None) -> Iterator[Clients]:
    """Make the clients of a region, and close them when the block ends; SettingsError where none is given or set."""
    session = boto3.Session(region_name=region)
    # Its type does not know that there may be no region. AWS's other tools also read AWS_REGION; boto3 does not.
    known: str | None = session.region_name
    if known is None and (known := os.environ.get("AWS_REGION")):
        session = boto3.Session(region_name=known)
    if known is None:
        raise SettingsError("no AWS region is set. Set AWS_DEFAULT_REGION, or run `aws configure`.")
    with (
        closing(session.client("s3", config=CONFIG)) as s3,
        closing(session.client("dynamodb", config=CONFIG)) as dynamodb,
    ):
        yield Clients(s3=s3, dynamodb=dynamodb, region=session.region_name, session=session)
