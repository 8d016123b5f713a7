"""Keep refused files and failed events in a queue, one message each, and put them back from there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from takings.adapters.aws.bucket import Bucket
from takings.batch.archive import FailedFile
from takings.errors import StoreError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

#: the kind in a message of a refused file; an event of AWS has none
FAILED_FILE: Final = "failed_file"
#: the most that SQS takes in one request
_MOST: Final = 10
#: a received message is visible again after this many seconds, unless it was removed
_HIDDEN_SECONDS: Final = 120


class PutBack(StrEnum):
    """What became of a dead letter."""

    #: the refused file is under raw-data/ again, as a new arrival
    PENDING = "pending again"
    #: another file of the same name was dropped meanwhile; that one counts
    REPLACED = "replaced by a newer drop"
    #: its original is no longer where it was archived
    GONE = "its original is gone"
    #: an event that no function could handle; look at the store again
    EVENT = "looked at again"


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One message of the queue."""

    receipt: str
    #: the key of the refused file; None for an event
    key: str | None
    archived_at: str | None


class DeadLetters:
    """The dead-letter queue of a store."""

    def __init__(self, sqs: SQSClient, url: str) -> None:
        self._sqs = sqs
        self._url = url

    def send(self, failed: Sequence[FailedFile]) -> None:
        """Send one message per refused file; StoreError where the queue refuses one."""
        messages = [_message(file) for file in failed]
        for start in range(0, len(messages), _MOST):
            entries = [
                {"Id": str(place), "MessageBody": body} for place, body in enumerate(messages[start : start + _MOST])
            ]
            answer = self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)  # type: ignore[arg-type] # a list is one
            if refused := answer.get("Failed"):
                raise StoreError(
                    f"the queue {self._url} refused a message: {refused[0].get('Message')}. Run again; nothing is lost."
                )

    def receive(self) -> Iterator[Letter]:
        """Yield the waiting letters; remove each when it is handled, otherwise it is visible again after two minutes."""
        while messages := self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=_MOST, VisibilityTimeout=_HIDDEN_SECONDS, WaitTimeSeconds=1
        ).get("Messages"):
            for message in messages:
                yield _letter(message["ReceiptHandle"], message["Body"])

    def remove(self, letter: Letter) -> None:
        """Remove a letter permanently."""
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=letter.receipt)


def redrive(letters: DeadLetters, bucket: Bucket) -> Iterator[tuple[Letter, PutBack]]:
    """Put every refused file of the queue back under raw-data/; its original also stays in failed/. May be repeated.

    A letter whose original is gone stays in the queue.
    """
    for letter in letters.receive():
        done = _put_back(letter, bucket)
        if done is not PutBack.GONE:
            letters.remove(letter)
        yield letter, done


def _put_back(letter: Letter, bucket: Bucket) -> PutBack:
    if letter.key is None or letter.archived_at is None:
        return PutBack.EVENT
    if bucket.newest(letter.key) is not None:
        return PutBack.REPLACED
    original = bucket.newest(letter.archived_at)
    if original is None:
        return PutBack.GONE
    return PutBack.PENDING if bucket.copy(original, letter.key, {}) else PutBack.REPLACED


def _message(file: FailedFile) -> str:
    return json.dumps(
        {
            "schema_version": 1,
            "kind": FAILED_FILE,
            "key": file.key,
            "batch_id": file.batch_id,
            "archived_at": file.archived_at,
            "reason": file.reason,
        }
    )


def _letter(receipt: str, body: str) -> Letter:
    try:
        document: Any = json.loads(body)
    except ValueError:
        document = None
    if isinstance(document, dict) and document.get("kind") == FAILED_FILE:
        return Letter(receipt=receipt, key=document["key"], archived_at=document["archived_at"])
    return Letter(receipt=receipt, key=None, archived_at=None)
