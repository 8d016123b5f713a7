"""A look of the detector lists raw-data/ once, and not at all where it could start nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from takings import layout
from takings.adapters.aws.bucket import Bucket
from takings.entrypoints.functions import detector
from takings.intake.arrivals import ObjectInfo
from takings.layout import BatchId
from tests.aws.entrypoints.test_functions import begin, in_time
from tests.aws.entrypoints.test_functions import deployed as deployed_fixture
from tests.aws.harness.deployed import Deployed

deployed = deployed_fixture
BODY = json.dumps({"Records": [{"s3": {"object": {"key": "raw-data/orders/a.csv"}}}]})
EVENTS = {"Records": [{"eventSource": "aws:sqs", "messageId": "1", "body": BODY}]}
SWEEP = {"source": "takings.sweep"}


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the prefixes that are listed from now on."""
    prefixes: list[str] = []
    original = Bucket.list

    def counted(self: Bucket, prefix: str) -> Iterator[ObjectInfo]:
        prefixes.append(prefix)
        return original(self, prefix)

    monkeypatch.setattr(Bucket, "list", counted)
    return prefixes


def test_a_look_lists_once(deployed: Deployed, listed: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever calls for it; the answer to a queue names the messages that come again."""
    deployed.drop_all()
    assert detector(EVENTS, in_time()) == {"batchItemFailures": []}
    assert detector(SWEEP, in_time()) == {"detected": "resting", "decision": "WaitUntil"}
    begin()
    assert listed.count(layout.RAW) == 3
    capsys.readouterr()


def test_an_event_during_a_batch_lists_nothing(
    deployed: Deployed, listed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It can start nothing, and the look behind the batch finds its file; only a sweep says how old the oldest one is."""
    deployed.drop_all()
    begin()
    listed.clear()
    capsys.readouterr()
    detector(EVENTS, in_time())
    assert listed.count(layout.RAW) == 0
    detector(SWEEP, in_time())
    assert listed.count(layout.RAW) == 1
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "BatchAgeSeconds" in line]
    assert [("OldestPendingSeconds" in line, line["BatchAgeSeconds"][0] > 0) for line in told] == [
        (False, True),
        (True, True),
    ]


def test_a_batch_s_name_says_when_it_was_formed() -> None:
    """Which its age is counted from."""
    now = datetime(2026, 11, 30, 12, 0, 1, 5, tzinfo=UTC)
    assert layout.batch_instant(layout.new_batch_id(now, "4f2a")) == now
    assert layout.batch_instant(BatchId("20261130T130001000005Z-4f2a")) == now + timedelta(hours=1)
