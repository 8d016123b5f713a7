"""Storms of events and saturated functions, on the whole pipeline: few looks, and no batch that waits for a person."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from takings.adapters.aws import names
from takings.adapters.aws.resources.events import LOOKS_AT_A_TIME
from takings.intake.gate import GateState
from tests.aws.harness.deployed import STORE, Deployed
from tests.aws.harness.pipeline import until
from tests.shop import opened

pytestmark = pytest.mark.xdist_group("end_to_end")


def looks(deployed: Deployed, seen: int = 0) -> list[dict[str, Any]]:
    """Return what the detector told of its looks that events called for, behind those seen before."""
    group = f"/aws/lambda/{names.DETECTOR}"
    pages = deployed.aws.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    told = [event["message"] for page in pages for event in page["events"] if '"store.looked_at"' in event["message"]]
    return [json.loads(line) for line in told][seen:]


def test_5000_events_start_few_looks(deployed: Deployed) -> None:
    """Each look does for all that gathered in the window of 20 s; here windows take a hundredth of their time."""
    before = len(looks(deployed))
    began = time.monotonic()
    deployed.announce(5000)
    until(lambda: deployed.events_waiting() == 0, seconds=60)
    seconds = time.monotonic() - began
    found = looks(deployed, before)
    assert sum(look["events"] for look in found) == 5000
    # One look a window, for each call that may be under way; and one that was cut off at each end.
    assert len(found) <= LOOKS_AT_A_TIME * (seconds / 0.2 + 1)
    assert len(found) <= 50
    assert deployed.letters() == []


def test_a_message_that_is_no_event_becomes_a_dead_letter(deployed: Deployed) -> None:
    """It alone: what came with it is done."""
    sqs, url = deployed.aws.client("sqs"), deployed.events_queue
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "0"})
    sqs.send_message(QueueUrl=url, MessageBody="not an event")
    deployed.announce(10)
    (letter,) = until(deployed.letters)
    assert letter["Body"] == "not an event"
    assert deployed.events_waiting() == 0


def test_a_saturated_archiver_does_not_block_the_gate(deployed: Deployed) -> None:
    """Its function has no room for six minutes; the batch waits, in its first attempt, and is done then."""
    deployed.aws.refuse_calls(names.ARCHIVER, 6 * 60)
    deployed.aws.hold_events()
    deployed.drop_all()
    assert deployed.look(at_once=True)["detected"] == "started"
    assert deployed.settled() == ["SUCCEEDED"]
    waited = [wait["seconds"] for wait in deployed.aws.waits()]
    assert sum(waited) >= 6 * 60
    assert max(waited) <= 30
    with opened(STORE) as shop:
        gate = shop.ports.ledger.gate()
    assert (gate.state, gate.batch_id) == (GateState.IDLE, None)
    assert len(deployed.executions()) == 1
