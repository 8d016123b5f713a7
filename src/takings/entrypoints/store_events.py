"""Read what calls the detector: messages of the bucket's events, a schedule, or a person."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_plus

#: how many keys of the events are logged; the listing decides anyway
_KEYS_LOGGED: Final = 10
_QUEUE: Final = "aws:sqs"


@dataclass(frozen=True, kw_only=True)
class StoreEvents:
    """What calls for a look at the store."""

    #: for the log: the first keys, or what else the event comes from
    described: str
    count: int
    #: each message of the queue that holds no event, as Lambda wants it named; None where no queue is involved
    unread: list[dict[str, str]] | None


def read_events(event: Mapping[str, Any]) -> StoreEvents:
    """Read an event of Lambda; what cannot be read is named, because a look needs none of it."""
    records = event.get("Records")
    messages = [each for each in records if _is_message(each)] if isinstance(records, list) else []
    if not messages:
        return StoreEvents(described=_described([event]), count=1, unread=None)
    read = {str(each.get("messageId")): _body(each) for each in messages}
    return StoreEvents(
        described=_described([body for body in read.values() if body is not None]),
        count=len(messages),
        unread=[{"itemIdentifier": name} for name, body in read.items() if body is None],
    )


def _is_message(record: object) -> bool:
    return isinstance(record, dict) and record.get("eventSource") == _QUEUE


def _body(message: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the event that a message holds; None if it holds none. S3 sends a test when a notification is made."""
    try:
        body = json.loads(message["body"])
    except (ValueError, KeyError, TypeError):
        return None
    is_event = isinstance(body, dict) and (isinstance(body.get("Records"), list) or body.get("Event") == "s3:TestEvent")
    return body if is_event else None


def _described(events: list[Mapping[str, Any]]) -> str:
    keys = [key for event in events for key in _keys(event)]
    if keys:
        more = f" and {len(keys) - _KEYS_LOGGED} more" if len(keys) > _KEYS_LOGGED else ""
        return ", ".join(keys[:_KEYS_LOGGED]) + more
    named = [event.get("source") or event.get("Event") for event in events]
    return ", ".join(str(name) for name in named[:_KEYS_LOGGED] if name) or "unknown"


def _keys(event: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of an S3 event, as they were written."""
    for record in event.get("Records", ()):
        if isinstance(record, dict) and "s3" in record:
            yield unquote_plus(str(record["s3"]["object"]["key"]))
