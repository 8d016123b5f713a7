"""Lead the bucket's events to the detector: through a queue, many at a time, so that a storm of drops starts few looks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any, Final

from takings.adapters.aws import names
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.step import SetupStep, patiently

#: the name of the notification that announces new drops, and of the permission that earlier versions gave the bucket
NOTIFICATION: Final = "takings-raw-data"
#: the most that Lambda takes from a queue for one call, if they fit into 6 MB; one look does for all of them
EVENTS_A_LOOK: Final = 10_000
#: the least that Lambda offers; a new account has ten calls at a time, which the archiver needs as well
LOOKS_AT_A_TIME: Final = 2
#: the detector says which messages it could not read; the others are removed
PARTLY: Final = "ReportBatchItemFailures"


def mapping(window: timedelta) -> dict[str, Any]:
    """Return how the detector takes events out of their queue."""
    return {
        "BatchSize": EVENTS_A_LOOK,
        "MaximumBatchingWindowInSeconds": int(window.total_seconds()),
        "ScalingConfig": {"MaximumConcurrency": LOOKS_AT_A_TIME},
        "FunctionResponseTypes": [PARTLY],
    }


def mapping_steps(services: Services, pipeline: Pipeline, window: timedelta) -> Iterator[SetupStep]:
    """Yield what is missing or differs of the way from the queue to the detector."""
    wanted = mapping(window)
    found = find_mapping(services, pipeline)
    if found is None:
        yield SetupStep(
            what=f"events from {pipeline.name(names.EVENTS)} to {pipeline.name(names.DETECTOR)}",
            make=lambda: patiently(
                lambda: services.lambdas.create_event_source_mapping(
                    EventSourceArn=pipeline.events, FunctionName=pipeline.live(names.DETECTOR), **wanted
                )
            ),
        )
    elif any(found.get(key) != value for key, value in wanted.items()) or _is_elsewhere(pipeline, found):
        yield SetupStep(
            what=f"events from {pipeline.name(names.EVENTS)} to {pipeline.name(names.DETECTOR)} (are taken otherwise)",
            make=lambda: services.lambdas.update_event_source_mapping(
                UUID=found["UUID"], FunctionName=pipeline.live(names.DETECTOR), Enabled=True, **wanted
            ),
        )


def _is_elsewhere(pipeline: Pipeline, found: dict[str, Any]) -> bool:
    """Return whether events are not taken at all, or by another version than the live one."""
    return bool(found["FunctionArn"] != pipeline.live(names.DETECTOR) or found["State"].startswith("Disabl"))


def find_mapping(services: Services, pipeline: Pipeline) -> dict[str, Any] | None:
    """Return how the detector takes events out of their queue; None where it does not."""
    pages = services.lambdas.get_paginator("list_event_source_mappings").paginate(EventSourceArn=pipeline.events)
    # Earlier versions had no versions of functions.
    detector = {pipeline.live(names.DETECTOR), pipeline.function(names.DETECTOR)}
    for page in pages:
        for each in page["EventSourceMappings"]:
            if each["FunctionArn"] in detector and each["State"] != "Deleting":
                return dict(each)
    return None


def notification_steps(services: Services, pipeline: Pipeline) -> Iterator[SetupStep]:
    """Yield the bucket's notification of new drops if it is missing or leads elsewhere; its other notifications stay."""
    found = _notifications(services, pipeline)
    wanted = {
        "Id": NOTIFICATION,
        "QueueArn": pipeline.events,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "raw-data/"}]}},
    }
    own = [each for kind in found.values() if isinstance(kind, list) for each in kind if each.get("Id") == NOTIFICATION]
    if [_plain(each) for each in own] == [_plain(wanted)]:
        return
    others = _without_own(found)
    configuration: Any = others | {"QueueConfigurations": [*others.get("QueueConfigurations", ()), wanted]}
    yield SetupStep(
        what=f"notification of new files under s3://{pipeline.bucket}/raw-data/",
        make=lambda: patiently(
            lambda: services.s3.put_bucket_notification_configuration(
                Bucket=pipeline.bucket, NotificationConfiguration=configuration
            )
        ),
    )


def permission_steps(services: Services, pipeline: Pipeline) -> Iterator[SetupStep]:
    """Yield the removal of the bucket's permission to call the detector, which earlier versions gave it."""
    name = pipeline.name(names.DETECTOR)
    try:
        policy = services.lambdas.get_policy(FunctionName=name)["Policy"]
    except services.lambdas.exceptions.ResourceNotFoundException:
        return
    if f'"{NOTIFICATION}"' in policy:
        yield SetupStep(
            what=f"permission for the bucket to call {name} (is not needed any more)",
            make=lambda: services.lambdas.remove_permission(FunctionName=name, StatementId=NOTIFICATION),
        )


def remove_notification(services: Services, pipeline: Pipeline) -> Iterator[SetupStep]:
    """Yield the removal of the notification, if there is one."""
    found = _notifications(services, pipeline)
    left: Any = _without_own(found)
    if left != found:
        yield SetupStep(
            what=f"notification of s3://{pipeline.bucket}",
            make=lambda: services.s3.put_bucket_notification_configuration(
                Bucket=pipeline.bucket, NotificationConfiguration=left
            ),
        )


def remove_mapping(services: Services, pipeline: Pipeline) -> Iterator[SetupStep]:
    """Yield the removal of the way from the queue to the detector, if there is one."""
    found = find_mapping(services, pipeline)
    if found is not None:
        yield SetupStep(
            what=f"events from {pipeline.name(names.EVENTS)} to {pipeline.name(names.DETECTOR)}",
            make=partial(services.lambdas.delete_event_source_mapping, UUID=found["UUID"]),
        )


def _notifications(services: Services, pipeline: Pipeline) -> dict[str, Any]:
    found: dict[str, Any] = dict(services.s3.get_bucket_notification_configuration(Bucket=pipeline.bucket))
    found.pop("ResponseMetadata", None)
    return found


def _without_own(found: dict[str, Any]) -> dict[str, Any]:
    """Return a bucket's notifications without that of Takings, whichever service it leads to."""
    left = {
        kind: [each for each in of if each.get("Id") != NOTIFICATION] if isinstance(of, list) else of
        for kind, of in found.items()
    }
    return {kind: of for kind, of in left.items() if of != []}


def _plain(notification: dict[str, Any]) -> dict[str, Any]:
    """Return a notification with its filters' names as they were written: S3 answers them as `Prefix`."""
    rules = notification.get("Filter", {}).get("Key", {}).get("FilterRules", ())
    return notification | {"Filter": sorted((each["Name"].lower(), each["Value"]) for each in rules)}
