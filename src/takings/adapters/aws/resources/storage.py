"""Make the bucket and the tables of a store, and mend what differs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from takings.adapters.aws.clients import Clients
from takings.adapters.aws.faults import code_of
from takings.adapters.aws.resources.step import Step
from takings.adapters.aws.tables import create_tables, missing_tables

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import LifecycleRuleTypeDef

#: the one region that must not be named when a bucket is made
_UNNAMED_REGION: Final = "us-east-1"
#: what this module's life cycle rules are called; others of the bucket stay
_RULES: Final[list[LifecycleRuleTypeDef]] = [
    {
        "ID": "takings-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    },
    {
        "ID": "takings-versions",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
    },
]


def storage_steps(clients: Clients, bucket: str, prefix: str) -> Iterator[Step]:
    """Yield what is missing, each when the one before is made or passed over; nothing is changed by looking."""
    s3 = clients.s3
    is_there = exists(s3, bucket)
    if not is_there:
        yield Step(what=f"bucket {bucket} in {clients.region}", make=lambda: _create_bucket(clients, bucket))
    if not is_there or s3.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
        yield Step(
            what="versioning, so that no overwritten file is lost",
            make=lambda: s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}),
        )
    rules = _rules(s3, bucket) if is_there else []
    if not all(rule["ID"] in {present.get("ID") for present in rules} for rule in _RULES):
        others = [rule for rule in rules if rule.get("ID") not in {own["ID"] for own in _RULES}]
        yield Step(
            what="a life cycle: replaced and removed objects go after 30 days, given up uploads after 7",
            make=lambda: s3.put_bucket_lifecycle_configuration(
                Bucket=bucket, LifecycleConfiguration={"Rules": [*others, *_RULES]}
            ),
        )
    missing = missing_tables(clients.dynamodb, prefix)
    if missing:
        yield Step(
            what=f"tables {', '.join(prefix + table.name for table in missing)}",
            make=lambda: create_tables(clients.dynamodb, prefix),
        )


def exists(s3: S3Client, bucket: str) -> bool:
    """Tell whether there is a bucket of the name that these credentials may look at."""
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as refused:
        if code_of(refused) in {"404", "NoSuchBucket"}:
            return False
        raise
    return True


def _create_bucket(clients: Clients, bucket: str) -> None:
    where: Any = {"LocationConstraint": clients.region}
    named = {} if clients.region == _UNNAMED_REGION else {"CreateBucketConfiguration": where}
    clients.s3.create_bucket(Bucket=bucket, **named)
    clients.s3.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )


def _rules(s3: S3Client, bucket: str) -> list[Any]:
    try:
        return list(s3.get_bucket_lifecycle_configuration(Bucket=bucket).get("Rules", ()))
    except ClientError as refused:
        if code_of(refused) == "NoSuchLifecycleConfiguration":
            return []
        raise
