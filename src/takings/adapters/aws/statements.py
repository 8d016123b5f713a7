"""Write the policy statements that several parts share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from takings import layout
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.tables import PENDING_BATCHES, Index, Table

#: where the bytes of a batch's files are: among the drops, or for a replay in the archive
_ORIGINALS: Final = (f"{layout.RAW}*", *(f"{archive}*" for archive in layout.ARCHIVES))
#: what opening a store reads
_OPENING: Final = ("takings.toml", "contracts/*", layout.LAKE_FORMAT, f"{layout.COMMITS}*")
Statement = Mapping[str, Any]


def opens(pipeline: Pipeline, *, holds_gate: bool = True) -> tuple[Statement, ...]:
    """Return the permissions for opening the store and, with `holds_gate`, for changing its gate.

    Without permission to list the bucket, S3 answers "forbidden" instead of "absent" for a missing key, so list all of it.
    """
    return (
        allow(["s3:ListBucket"], [pipeline.bucket_arn]),
        allow(["s3:GetObject"], pipeline.objects(*_OPENING)),
        uses(pipeline, PENDING_BATCHES, "GetItem", *(("PutItem",) if holds_gate else ()), "Scan"),
    )


def finds_originals(pipeline: Pipeline) -> tuple[Statement, ...]:
    """Return the permissions for finding exactly the bytes of a batch's files, even behind newer ones."""
    under = {"Condition": {"StringLike": {"s3:prefix": list(_ORIGINALS)}}}
    return (
        allow(["s3:GetObject", "s3:GetObjectVersion"], pipeline.objects(*_ORIGINALS)),
        allow(["s3:ListBucketVersions"], [pipeline.bucket_arn]) | under,
    )


def writes(pipeline: Pipeline, *keys: str, in_parts: Sequence[str] = ()) -> tuple[Statement, ...]:
    """Return the permissions for writing objects, and for aborting the writes of large ones in parts."""
    put = allow(["s3:PutObject"], pipeline.objects(*keys))
    return (put, allow(["s3:AbortMultipartUpload"], pipeline.objects(*in_parts))) if in_parts else (put,)


def uses(pipeline: Pipeline, table: Table, *verbs: str) -> Statement:
    """Return the permissions for calls of a table, without its indexes."""
    return allow([f"dynamodb:{verb}" for verb in verbs], [pipeline.table(table.name)])


def queries(pipeline: Pipeline, table: Table, index: Index) -> Statement:
    """Return the permissions for queries of an index."""
    return allow(["dynamodb:Query"], [pipeline.table(f"{table.name}/index/{index.name}")])


def logs(pipeline: Pipeline, *parts: str) -> Statement:
    """Return the permissions for AWS to log the output of parts."""
    streams = [pipeline.arn("logs", f"log-group:{pipeline.log_group(part)}:log-stream:*") for part in parts]
    return allow(["logs:CreateLogStream", "logs:PutLogEvents"], streams)


def allow(actions: Sequence[str], resources: Sequence[str]) -> dict[str, Any]:
    """Return the statement that allows each of these actions on each of these resources."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def passing(passed: Sequence[str], service: str) -> Statement:
    """Return the permission to pass roles to this service only."""
    return allow(["iam:PassRole"], passed) | {"Condition": {"StringEquals": {"iam:PassedToService": service}}}
