"""Create the topic of the alarms, with its own key, and subscribe an address to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Final

from botocore.exceptions import ClientError

from takings.adapters.aws import names
from takings.adapters.aws.alarms import key_policy
from takings.adapters.aws.faults import code_of
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.step import SetupStep

#: the shortest time during which the removal of a key can be cancelled
_KEY_REMOVED_AFTER_DAYS: Final = 7
#: the name of a key's only policy
_POLICY: Final = "default"


def topic_steps(services: Services, pipeline: Pipeline, notify: str | None) -> Iterator[SetupStep]:
    """Yield what is missing or differs: the key, the topic, and the subscription if an address is named."""
    yield from _key_steps(services, pipeline)
    name = pipeline.name(names.ALARMS)
    found = _attributes(services, pipeline)
    if found is None:
        yield SetupStep(
            what=f"topic {name}",
            make=lambda: services.sns.create_topic(Name=name, Attributes={"KmsMasterKeyId": pipeline.alarms_key}),
        )
    elif found.get("KmsMasterKeyId") != pipeline.alarms_key:
        yield SetupStep(
            what=f"topic {name} (is not encrypted with its key)",
            make=lambda: services.sns.set_topic_attributes(
                TopicArn=pipeline.alarms, AttributeName="KmsMasterKeyId", AttributeValue=pipeline.alarms_key
            ),
        )
    if notify is not None and notify not in addresses(services, pipeline):
        yield SetupStep(
            what=f"subscription of {notify}: AWS sends a message there, and nothing else before it is confirmed",
            make=lambda: services.sns.subscribe(TopicArn=pipeline.alarms, Protocol="email", Endpoint=notify),
        )


def remove_topic(services: Services, pipeline: Pipeline) -> Iterator[SetupStep]:
    """Yield the removal of the topic, with its subscriptions, and of its key, if they exist."""
    if _attributes(services, pipeline) is not None:
        yield SetupStep(
            what=f"topic {pipeline.name(names.ALARMS)}",
            make=lambda: services.sns.delete_topic(TopicArn=pipeline.alarms),
        )
    key = _key(services, pipeline)
    if key is not None:
        yield SetupStep(
            what=f"key {pipeline.alarms_key}, permanently in {_KEY_REMOVED_AFTER_DAYS} days",
            make=partial(_remove_key, services, pipeline, key),
        )


def _key_steps(services: Services, pipeline: Pipeline) -> Iterator[SetupStep]:
    key = _key(services, pipeline)
    if key is None:
        yield SetupStep(what=f"key {pipeline.alarms_key}", make=lambda: _make_key(services, pipeline))
        return
    wanted = key_policy(pipeline)
    if json.loads(services.kms.get_key_policy(KeyId=key, PolicyName=_POLICY)["Policy"]) != wanted:
        yield SetupStep(
            what=f"key {pipeline.alarms_key} (may be used by others)",
            make=lambda: services.kms.put_key_policy(KeyId=key, PolicyName=_POLICY, Policy=json.dumps(wanted)),
        )
    if not services.kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]:
        yield SetupStep(
            what=f"key {pipeline.alarms_key} (is never renewed)",
            make=lambda: services.kms.enable_key_rotation(KeyId=key),
        )


def _make_key(services: Services, pipeline: Pipeline) -> None:
    made = services.kms.create_key(
        Description=f"Takings: alarms of the store s3://{pipeline.bucket}", Policy=json.dumps(key_policy(pipeline))
    )
    number = made["KeyMetadata"]["KeyId"]
    services.kms.enable_key_rotation(KeyId=number)
    # Name it last, so that a named key is complete.
    services.kms.create_alias(AliasName=pipeline.alarms_key, TargetKeyId=number)


def _remove_key(services: Services, pipeline: Pipeline, number: str) -> None:
    services.kms.delete_alias(AliasName=pipeline.alarms_key)
    services.kms.schedule_key_deletion(KeyId=number, PendingWindowInDays=_KEY_REMOVED_AFTER_DAYS)


def _key(services: Services, pipeline: Pipeline) -> str | None:
    try:
        return services.kms.describe_key(KeyId=pipeline.alarms_key)["KeyMetadata"]["KeyId"]
    except services.kms.exceptions.NotFoundException:
        return None


def _attributes(services: Services, pipeline: Pipeline) -> dict[str, str] | None:
    try:
        return services.sns.get_topic_attributes(TopicArn=pipeline.alarms)["Attributes"]
    except ClientError as refused:
        if "NotFound" in code_of(refused):
            return None
        raise


def addresses(services: Services, pipeline: Pipeline) -> dict[str, bool]:
    """Return the addresses for alarms, and whether each is confirmed: until then it gets none."""
    if _attributes(services, pipeline) is None:
        return {}
    pages = services.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=pipeline.alarms)
    return {
        each["Endpoint"]: each["SubscriptionArn"] != "PendingConfirmation"
        for page in pages
        for each in page["Subscriptions"]
        # For a while, SNS also lists addresses that have unsubscribed.
        if each["Protocol"] == "email" and each["SubscriptionArn"] != "Deleted"
    }
