"""Create the queues: of the bucket's events, and of dead letters."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from takings.adapters.aws import names
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.resources.functions import TIMEOUTS
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.step import SetupStep

if TYPE_CHECKING:
    from mypy_boto3_sqs.literals import QueueAttributeNameType

#: cannot be set together with the user's own key
_OWN_ENCRYPTION: Final = "SqsManagedSseEnabled"
_DEAD_LETTERS: Final[dict[QueueAttributeNameType, str]] = {
    # The longest that SQS offers: somebody may be on holiday.
    "MessageRetentionPeriod": str(14 * 24 * 3600),
    _OWN_ENCRYPTION: "true",
}
#: an event is only a hint, and the sweep finds what older ones announced
_EVENTS_SECONDS: Final = 24 * 3600
#: Lambda's advice: as many times the function's timeout, so that no event comes again while its look is under way
_TIMEOUTS: Final = 6
#: Lambda's advice is five at least: a look that is throttled counts as a try
_TRIES: Final = 10
#: attributes whose value is JSON, which SQS may write in another way
_DOCUMENTS: Final = ("Policy", "RedrivePolicy")


def queue_steps(services: Services, pipeline: Pipeline, window: timedelta) -> Iterator[SetupStep]:
    """Yield each queue if it is missing, unencrypted, or configured otherwise; events wait for this window."""
    yield from _steps(services, pipeline, names.DEAD_LETTERS, _DEAD_LETTERS, "keeps messages for 14 days, encrypted")
    yield from _steps(services, pipeline, names.EVENTS, _events(pipeline, window), "is configured otherwise")


def queue_url(services: Services, pipeline: Pipeline, of: str = names.DEAD_LETTERS) -> str | None:
    """Return a queue's URL; None where there is no queue."""
    try:
        return services.sqs.get_queue_url(QueueName=pipeline.name(of))["QueueUrl"]
    except services.sqs.exceptions.QueueDoesNotExist:
        return None


def events_policy(pipeline: Pipeline) -> dict[str, Any]:
    """Return who may write to the queue of events: S3, for this bucket only."""
    statement = {
        "Sid": "Drops",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": pipeline.events,
        "Condition": {
            "ArnEquals": {"aws:SourceArn": pipeline.bucket_arn},
            "StringEquals": {"aws:SourceAccount": pipeline.account},
        },
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _events(pipeline: Pipeline, window: timedelta) -> dict[QueueAttributeNameType, str]:
    redrive = {"deadLetterTargetArn": pipeline.dead_letters, "maxReceiveCount": _TRIES}
    return {
        "MessageRetentionPeriod": str(_EVENTS_SECONDS),
        "VisibilityTimeout": str(_TIMEOUTS * TIMEOUTS[names.DETECTOR] + int(window.total_seconds())),
        _OWN_ENCRYPTION: "true",
        "Policy": json.dumps(events_policy(pipeline)),
        "RedrivePolicy": json.dumps(redrive),
    }


def _steps(
    services: Services, pipeline: Pipeline, of: str, wanted: Mapping[QueueAttributeNameType, str], otherwise: str
) -> Iterator[SetupStep]:
    name = pipeline.name(of)
    url = queue_url(services, pipeline, of)
    if url is None:
        yield SetupStep(what=f"queue {name}", make=lambda: services.sqs.create_queue(QueueName=name, Attributes=wanted))
        return
    found = services.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    # SQS does not use its own key together with the user's.
    kept = {_OWN_ENCRYPTION} if "KmsMasterKeyId" in found else set()
    mended = {each: value for each, value in wanted.items() if each not in kept}
    if any(_read(each, found.get(each)) != _read(each, value) for each, value in mended.items()):
        yield SetupStep(
            what=f"queue {name} ({otherwise})",
            make=lambda: services.sqs.set_queue_attributes(QueueUrl=url, Attributes=mended),
        )


def _read(attribute: str, value: str | None) -> object:
    return json.loads(value) if value and attribute in _DOCUMENTS else value
