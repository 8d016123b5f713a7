"""Create a store's bucket and correct what differs: versions, a life cycle, no public access, encryption, TLS only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from takings import layout
from takings.adapters.aws.alarms import DROPS_KEPT_DAYS
from takings.adapters.aws.clients import Clients
from takings.adapters.aws.faults import code_of
from takings.adapters.aws.resources.step import SetupStep

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import LifecycleRuleTypeDef, PublicAccessBlockConfigurationTypeDef

#: the only region that must not be named when a bucket is created
_UNNAMED_REGION: Final = "us-east-1"
#: the names of this module's life cycle rules; other rules of the bucket stay
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
        # A batch may need a replaced version while it is blocked; nobody leaves it blocked this long.
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
    },
    {
        "ID": "takings-drops",
        "Status": "Enabled",
        "Filter": {"Prefix": layout.RAW},
        # Every archived drop leaves a version and a marker, which slow each listing. Only a batch in flight may need a replaced
        # version; an alarm says when one takes three days.
        "NoncurrentVersionExpiration": {"NoncurrentDays": DROPS_KEPT_DAYS},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
    },
]
_NOBODY: Final[PublicAccessBlockConfigurationTypeDef] = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
#: the names of this module's statements in the bucket policy; other statements stay
_TLS_ONLY: Final = "TakingsTlsOnly"
_KEPT: Final = "TakingsKept"
_OWN: Final = (_TLS_ONLY, _KEPT)


def bucket_steps(clients: Clients, bucket: str, *, is_protected: bool) -> Iterator[SetupStep]:
    """Yield what is missing or differs; a bucket that does not exist yet lacks everything."""
    s3 = clients.s3
    is_there = exists(s3, bucket)
    if not is_there:
        yield SetupStep(what=f"bucket {bucket} in {clients.region}", make=lambda: _create_bucket(clients, bucket))
    if not is_there or s3.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
        yield SetupStep(
            what="versioning, so that no overwritten file is lost; S3 asks for 15 minutes before the first drop",
            make=lambda: s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}),
        )
    yield from _life_cycle_steps(s3, bucket, is_there=is_there)
    if not is_there or _public_access(s3, bucket) != _NOBODY:
        yield SetupStep(
            what="no public access",
            make=lambda: s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=_NOBODY),
        )
    if not is_there or not _is_encrypted(s3, bucket):
        yield SetupStep(what="encryption of every object", make=lambda: _encrypt(s3, bucket))
    yield from _policy_steps(clients, bucket, is_there=is_there, is_protected=is_protected)


def exists(s3: S3Client, bucket: str) -> bool:
    """Return whether there is a bucket of this name that these credentials may read."""
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as refused:
        if code_of(refused) in {"404", "NoSuchBucket"}:
            return False
        raise
    return True


def bucket_policy(partition: str, bucket: str, *, is_protected: bool = True) -> dict[str, Any]:
    """Return the policy for a bucket without one: it refuses requests without TLS and, if protected, its own deletion."""
    encrypted = {
        "Sid": _TLS_ONLY,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:{partition}:s3:::{bucket}", f"arn:{partition}:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    kept = {
        "Sid": _KEPT,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:DeleteBucket",
        "Resource": f"arn:{partition}:s3:::{bucket}",
    }
    return {"Version": "2012-10-17", "Statement": [encrypted, kept] if is_protected else [encrypted]}


def allow_deletion(s3: S3Client, bucket: str) -> None:
    """Remove the statement that refuses to delete a bucket."""
    policy = _policy(s3, bucket) or {"Statement": []}
    left = [statement for statement in _statements(policy) if statement.get("Sid") != _KEPT]
    if left:
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy | {"Statement": left}))
    else:
        s3.delete_bucket_policy(Bucket=bucket)


def is_kept(s3: S3Client, bucket: str) -> bool:
    """Return whether a bucket's policy refuses to delete it."""
    return any(statement.get("Sid") == _KEPT for statement in _statements(_policy(s3, bucket) or {"Statement": []}))


def has_default_retention(s3: S3Client, bucket: str) -> bool:
    """Return whether Object Lock keeps everything that is written to a bucket."""
    try:
        found = s3.get_object_lock_configuration(Bucket=bucket).get("ObjectLockConfiguration", {})
    except ClientError as refused:
        if code_of(refused) in {"ObjectLockConfigurationNotFoundError", "NoSuchBucket"}:
            return False
        raise
    return "DefaultRetention" in found.get("Rule", {})


def _life_cycle_steps(s3: S3Client, bucket: str, *, is_there: bool) -> Iterator[SetupStep]:
    found = _rules(s3, bucket) if is_there else []
    names = {rule.get("ID") for rule in _RULES}
    others = [rule for rule in found if rule.get("ID") not in names]
    own = [_plain(rule) for rule in found if rule.get("ID") in names]
    if sorted(own, key=str) != sorted(map(_plain, _RULES), key=str):
        yield SetupStep(
            what="a life cycle: replaced and removed objects go after 30 days, drops and given up uploads after 7",
            make=lambda: s3.put_bucket_lifecycle_configuration(
                Bucket=bucket, LifecycleConfiguration={"Rules": [*others, *_RULES]}
            ),
        )


def _plain(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule without a filter for all objects: that filter has several spellings."""
    return {key: rule[key] for key in sorted(rule) if (key, rule[key]) not in _EVERY_OBJECT}


_EVERY_OBJECT: Final[tuple[tuple[str, object], ...]] = (("Filter", {}), ("Filter", {"Prefix": ""}), ("Prefix", ""))


def _policy_steps(clients: Clients, bucket: str, *, is_there: bool, is_protected: bool) -> Iterator[SetupStep]:
    s3 = clients.s3
    policy = _policy(s3, bucket) if is_there else None
    partition = clients.session.get_partition_for_region(clients.region)
    wanted = bucket_policy(partition, bucket, is_protected=is_protected)
    found = policy or wanted | {"Statement": []}
    own = [statement for statement in _statements(found) if statement.get("Sid") in _OWN]
    others = [statement for statement in _statements(found) if statement.get("Sid") not in _OWN]
    if own != wanted["Statement"]:
        changed = json.dumps(found | {"Statement": [*others, *wanted["Statement"]]})
        yield SetupStep(
            what=f"a policy: TLS only{', and nobody may delete the bucket' if is_protected else ''}",
            make=lambda: s3.put_bucket_policy(Bucket=bucket, Policy=changed),
        )


def _statements(policy: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a policy's statements; a single one may come without a list."""
    found = policy["Statement"]
    return list(found) if isinstance(found, list) else [found]


def _create_bucket(clients: Clients, bucket: str) -> None:
    where: Any = {"LocationConstraint": clients.region}
    named = {} if clients.region == _UNNAMED_REGION else {"CreateBucketConfiguration": where}
    clients.s3.create_bucket(Bucket=bucket, **named)


def _encrypt(s3: S3Client, bucket: str) -> None:
    s3.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]
        },
    )


def _rules(s3: S3Client, bucket: str) -> list[Any]:
    try:
        return list(s3.get_bucket_lifecycle_configuration(Bucket=bucket).get("Rules", ()))
    except ClientError as refused:
        if code_of(refused) == "NoSuchLifecycleConfiguration":
            return []
        raise


def _public_access(s3: S3Client, bucket: str) -> object:
    try:
        return s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    except ClientError as refused:
        if code_of(refused) == "NoSuchPublicAccessBlockConfiguration":
            return None
        raise


def _is_encrypted(s3: S3Client, bucket: str) -> bool:
    """Return whether objects are encrypted by default; the user's own key is as good as S3's."""
    try:
        found = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    except ClientError as refused:
        if code_of(refused) == "ServerSideEncryptionConfigurationNotFoundError":
            return False
        raise
    return any("ApplyServerSideEncryptionByDefault" in rule for rule in found)


def _policy(s3: S3Client, bucket: str) -> dict[str, Any] | None:
    try:
        policy: dict[str, Any] = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    except ClientError as refused:
        if code_of(refused) == "NoSuchBucketPolicy":
            return None
        raise
    return policy
