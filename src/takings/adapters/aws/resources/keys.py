"""Find keys of the user's own that keep the pipeline's parts from the bucket or from a queue."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from takings.adapters.aws import names
from takings.adapters.aws.faults import code_of
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.resources.access import trust_of
from takings.adapters.aws.resources.queue import queue_url
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.storage import exists

#: what reading and writing an encrypted object or message takes
_USE: Final = ("kms:Decrypt", "kms:GenerateDataKey")
_READERS: Final = (names.DETECTOR_ROLE, names.ARCHIVER_ROLE, names.VALIDATION_ROLE, names.TRANSFORMATION_ROLE)
#: where the pipeline has jobs on EMR Serverless
_JOBS: Final = (names.VALIDATION_ON_SPARK_ROLE, names.TRANSFORMATION_ON_SPARK_ROLE)
#: who writes to a queue, or takes messages out of it, as the function's role
_OF_QUEUE: Final = {
    names.EVENTS: (names.DETECTOR_ROLE,),
    names.DEAD_LETTERS: (names.DETECTOR_ROLE, names.ARCHIVER_ROLE),
}
_S3: Final = "s3.amazonaws.com"


def key_complaints(services: Services, pipeline: Pipeline) -> Iterator[str]:
    """Yield a sentence for each key that somebody needs and may not use; AWS's own key for S3 needs no permission."""
    if exists(services.s3, pipeline.bucket):
        key = _key(services, _bucket_key(services, pipeline))
        if key is not None:
            jobs = [role for role in _JOBS if trust_of(services, pipeline.name(role)) is not None]
            yield from _unusable(services, pipeline, f"s3://{pipeline.bucket}", key, (*_READERS, *jobs))
    for of, users in _OF_QUEUE.items():
        url = queue_url(services, pipeline, of)
        attributes = (
            services.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"] if url else {}
        )
        key = _key(services, attributes.get("KmsMasterKeyId"))
        if key is None:
            continue
        if of == names.EVENTS and not _lets_s3_in(services, key):
            yield (
                f"{pipeline.name(of)} is encrypted with {key['Arn']}, with which {_S3} may not write: no event arrives, and"
                f" only the sweep finds files. Allow it {' and '.join(_USE)} in the key's policy, or let SQS encrypt the queue"
                " with its own key."
            )
        yield from _unusable(services, pipeline, pipeline.name(of), key, users)


def _unusable(
    services: Services, pipeline: Pipeline, what: str, key: dict[str, Any], users: Sequence[str]
) -> Iterator[str]:
    """Yield the roles that may not use a key, by their own policies or by the key's."""
    policy = json.dumps(_policy(services, key))
    locked_out = [
        pipeline.name(role)
        for role in users
        if f'"{pipeline.role(role)}"' not in policy and not _may_use(services, pipeline.role(role), key["Arn"])
    ]
    if locked_out:
        yield (
            f"{what} is encrypted with {key['Arn']}, which may not be used by {', '.join(locked_out)}. Allow"
            f" {' and '.join(_USE)}, by a further policy of each role or in the key's policy."
        )


def _may_use(services: Services, role: str, key: str) -> bool:
    try:
        found = services.iam.simulate_principal_policy(
            PolicySourceArn=role, ActionNames=list(_USE), ResourceArns=[key]
        )["EvaluationResults"]
    except services.iam.exceptions.NoSuchEntityException:
        # It is missing, which `takings aws bootstrap` says.
        return True
    return all(each["EvalDecision"] == "allowed" for each in found)


def _lets_s3_in(services: Services, key: dict[str, Any]) -> bool:
    """Return whether S3 may write with a key; the policy of a key of AWS cannot be changed."""
    if key["KeyManager"] == "AWS":
        return False
    statements = _policy(services, key).get("Statement", ())
    services_in = [
        statement.get("Principal", {}).get("Service", ())
        for statement in ([statements] if isinstance(statements, dict) else statements)
        if statement["Effect"] == "Allow" and isinstance(statement.get("Principal"), dict)
    ]
    return any(_S3 in ([each] if isinstance(each, str) else each) for each in services_in)


def _bucket_key(services: Services, pipeline: Pipeline) -> str | None:
    """Return the key that the bucket names; None where S3 has its own."""
    try:
        rules = services.s3.get_bucket_encryption(Bucket=pipeline.bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    except ClientError as refused:
        if code_of(refused) == "ServerSideEncryptionConfigurationNotFoundError":
            return None
        raise
    defaults = (rule.get("ApplyServerSideEncryptionByDefault", {}) for rule in rules)
    return next((str(each["KMSMasterKeyID"]) for each in defaults if each.get("KMSMasterKeyID")), None)


def _key(services: Services, name: str | None) -> dict[str, Any] | None:
    """Return what KMS says of a key, by any of its names; None without a name."""
    return dict(services.kms.describe_key(KeyId=name)["KeyMetadata"]) if name else None


def _policy(services: Services, key: dict[str, Any]) -> dict[str, Any]:
    if key["KeyManager"] == "AWS":
        return {}
    policy: dict[str, Any] = json.loads(services.kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"])
    return policy
