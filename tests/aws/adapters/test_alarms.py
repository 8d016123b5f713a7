"""The alarms that call a person: they use existing metrics, and each names a place that says what to do."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from takings.adapters.aws import names
from takings.adapters.aws.alarms import Alarm, AlarmLimits, alarm_names, alarms, limits
from takings.adapters.aws.dashboard import dashboard
from takings.adapters.aws.names import Pipeline
from takings.entrypoints import metrics
from takings.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
PIPELINE = Pipeline(bucket="north-shop", table_prefix="north.", account="123456789012", region="eu-west-1")
ALARMS = alarms(PIPELINE, AlarmLimits(oldest_pending_seconds=4800, look_seconds=300))


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm.name)
def test_the_page_says_what_to_do(alarm: Alarm) -> None:
    """Under the heading in the message, which the page's table links to as well."""
    assert re.search(rf"^## {alarm.heading}$", OPERATIONS, re.MULTILINE)
    assert f"`{alarm.name}`" in OPERATIONS
    assert alarm.definition(PIPELINE)["AlarmDescription"].endswith(f"docs/operations.md, '{alarm.heading}'.")


def test_no_page_speaks_of_another_alarm() -> None:
    """Every alarm in the page's table exists."""
    assert set(re.findall(r"alarm `([A-Za-z-]+)`", OPERATIONS)) == {alarm.name for alarm in ALARMS}


@pytest.mark.parametrize(
    "alarm", [each for each in ALARMS if each.namespace == names.METRICS], ids=lambda each: each.name
)
def test_own_metrics_exist(alarm: Alarm) -> None:
    """The detector writes them, and the maintenance."""
    assert alarm.metric in metrics.UNITS
    of_batches = dict.fromkeys(("ArrivalToPublishSeconds", "OrphansWaiting"), "file-archiver")
    service = (of_batches | {"LakeFilesVacuumed": "maintenance"}).get(alarm.metric, "file-detector")
    assert alarm.dimensions == {"store": "north-shop", "service": service}


def test_an_alarm_as_cloudwatch_takes_it() -> None:
    """All of it goes to the topic, and so does the word that all is well again."""
    (pending,) = (each for each in ALARMS if each.name == "takings-oldest-pending")
    assert pending.definition(PIPELINE) == {
        "AlarmName": "north-takings-oldest-pending",
        "AlarmDescription": "A file has waited under s3://north-shop/raw-data/ longer than its batch should take."
        " What to do: docs/operations.md, 'Nothing starts'.",
        "ActionsEnabled": True,
        "AlarmActions": ["arn:aws:sns:eu-west-1:123456789012:north-takings-alarms"],
        "OKActions": ["arn:aws:sns:eu-west-1:123456789012:north-takings-alarms"],
        "Namespace": "Takings",
        "MetricName": "OldestPendingSeconds",
        "Dimensions": [{"Name": "store", "Value": "north-shop"}, {"Name": "service", "Value": "file-detector"}],
        "Statistic": "Maximum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "Threshold": 4800,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "ignore",
    }


def test_limits_follow_the_settings() -> None:
    """A file may wait as long as a batch does, and an hour more; a store is looked at once per sweep, in whole minutes."""
    usual = Settings()
    assert limits(batch_wait=usual.batch_policy.batch_wait, sweep=usual.sweep) == AlarmLimits(
        oldest_pending_seconds=4800, look_seconds=300
    )
    patient = limits(batch_wait=timedelta(hours=2), sweep=timedelta(minutes=29, seconds=30))
    assert patient == AlarmLimits(oldest_pending_seconds=10_800, look_seconds=1800)


def test_the_dashboard_shows_every_metric_and_alarm() -> None:
    """In a grid of 24 columns, without overlaps."""
    widgets = dashboard(PIPELINE)["widgets"]
    assert widgets[0]["properties"]["alarms"] == [
        f"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{name}" for name in alarm_names(PIPELINE)
    ]
    shown = {line[1] for widget in widgets[1:] for line in widget["properties"]["metrics"]}
    assert metrics.UNITS.keys() | {alarm.metric for alarm in ALARMS} <= shown
    cells = [
        (x, y)
        for widget in widgets
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    assert (len(cells), max(x for x, _ in cells)) == (len(set(cells)), 23)
