"""Create the dead-letter queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from takings.adapters.aws import names
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.step import SetupStep

if TYPE_CHECKING:
    from mypy_boto3_sqs.literals import QueueAttributeNameType

_ATTRIBUTES: Final[dict[QueueAttributeNameType, str]] = {
    # The longest that SQS offers: somebody may be on holiday.
    "MessageRetentionPeriod": str(14 * 24 * 3600),
    "SqsManagedSseEnabled": "true",
}
#: cannot be set together with the user's own key
_OWN_ENCRYPTION: Final = "SqsManagedSseEnabled"


def queue_steps(services: Services, pipeline: Pipeline) -> Iterator[SetupStep]:
    """Yield the queue if it is missing, unencrypted, or keeps messages for another time."""
    name = pipeline.name(names.DEAD_LETTERS)
    url = queue_url(services, pipeline)
    if url is None:
        yield SetupStep(
            what=f"queue {name}", make=lambda: services.sqs.create_queue(QueueName=name, Attributes=_ATTRIBUTES)
        )
        return
    found = services.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    # SQS does not use its own key together with the user's.
    is_encrypted = found.get("SqsManagedSseEnabled") == "true" or "KmsMasterKeyId" in found
    if found.get("MessageRetentionPeriod") != _ATTRIBUTES["MessageRetentionPeriod"] or not is_encrypted:
        mended = {name: value for name, value in _ATTRIBUTES.items() if not (is_encrypted and name == _OWN_ENCRYPTION)}
        yield SetupStep(
            what=f"queue {name} (keeps messages for 14 days, encrypted)",
            make=lambda: services.sqs.set_queue_attributes(QueueUrl=url, Attributes=mended),
        )


def queue_url(services: Services, pipeline: Pipeline) -> str | None:
    """Return the queue's URL; None where there is no queue."""
    try:
        return services.sqs.get_queue_url(QueueName=pipeline.name(names.DEAD_LETTERS))["QueueUrl"]
    except services.sqs.exceptions.QueueDoesNotExist:
        return None
