"""The detector reads events in every way in which it is called, and says which messages hold none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from takings.entrypoints.store_events import StoreEvents, read_events


def dropped(*keys: str) -> dict[str, Any]:
    return {"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": key}}} for key in keys]}


def message(name: str, body: object) -> dict[str, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    return {"eventSource": "aws:sqs", "messageId": name, "body": text}


def test_many_messages_call_for_one_look() -> None:
    """Keys as they were written; a test that S3 sends when a notification is made is an event."""
    records = [
        message("1", dropped("raw-data/orders/a+b%2B.csv", "raw-data/orders/c.csv")),
        message("2", {"Event": "s3:TestEvent", "Service": "Amazon S3"}),
    ]
    assert read_events({"Records": records}) == StoreEvents(
        described="raw-data/orders/a b+.csv, raw-data/orders/c.csv", count=2, unread=[]
    )


@pytest.mark.parametrize("body", ["", "no JSON", "[]", "{}", '{"Records": 1}', '"raw-data/a.csv"'])
def test_a_message_without_an_event_alone_comes_again(body: str) -> None:
    """The others are done."""
    events = read_events({"Records": [message("good", dropped("raw-data/a.csv")), message("bad", body)]})
    assert events == StoreEvents(described="raw-data/a.csv", count=2, unread=[{"itemIdentifier": "bad"}])


@pytest.mark.parametrize(
    ("event", "described"),
    [
        ({"source": "takings.sweep"}, "takings.sweep"),
        ({"at_once": True}, "unknown"),
        ({"Records": "none"}, "unknown"),
        (dropped("raw-data/a.csv"), "raw-data/a.csv"),
        (dropped(*(f"raw-data/{n}" for n in range(12))), ", ".join(f"raw-data/{n}" for n in range(10)) + " and 2 more"),
    ],
)
def test_whoever_calls_without_a_queue_gets_an_answer(event: dict[str, Any], described: str) -> None:
    """A schedule, a person, or a bucket that calls the function itself, as earlier versions had it."""
    assert read_events(event) == StoreEvents(described=described, count=1, unread=None)
