"""Define the alarms that call a person: when, and where that person reads on; and who may use their topic's key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any, Final

from takings.adapters.aws import names
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.tables import TABLES

#: a batch that takes this much longer than files may wait for it needs a person
_LATE: Final = timedelta(hours=1)
#: for how many days the bucket keeps a drop that was replaced or archived
DROPS_KEPT_DAYS: Final = 7
#: well before S3 removes the replaced bytes of a drop
_OLD: Final = timedelta(days=3)
#: how long CloudWatch collects before it compares
_PERIOD_SECONDS: Final = 300
_DAY_SECONDS: Final = 24 * 3600
#: a look that fails lets its events wait for twelve minutes
_OLD_EVENT_SECONDS: Final = 900
#: a file of products or orders is missing; a few always wait
_MANY_ORPHANS: Final = 10_000
#: this many looks may be missed before the alarm
_LOOKS_MISSED: Final = 3


@dataclass(frozen=True, kw_only=True)
class AlarmLimits:
    """The limits that depend on a store's settings."""

    #: how long a file may lie under raw-data/
    oldest_pending_seconds: int
    #: the longest time between two looks at the store; whole minutes
    look_seconds: int


def limits(*, batch_wait: timedelta, sweep: timedelta) -> AlarmLimits:
    """Return the limits that follow from a store's settings."""
    return AlarmLimits(
        oldest_pending_seconds=ceil((batch_wait + _LATE).total_seconds()),
        look_seconds=max(_PERIOD_SECONDS, 60 * ceil(sweep.total_seconds() / 60)),
    )


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Something that calls a person."""

    #: without the pipeline's prefix
    name: str
    what: str
    #: the heading in docs/operations.md that says what to do
    heading: str
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    statistic: str
    #: seconds
    period: int = _PERIOD_SECONDS
    periods: int = 1
    threshold: int = 0
    comparison: str = "GreaterThanThreshold"
    #: what a missing measurement means: `notBreaching` no alarm, `ignore` no change, `breaching` an alarm
    missing: str = "notBreaching"

    def definition(self, pipeline: Pipeline) -> dict[str, Any]:
        """Return the alarm as `put-metric-alarm` takes it."""
        return {
            "AlarmName": pipeline.name(self.name),
            "AlarmDescription": f"{self.what} What to do: docs/operations.md, '{self.heading}'.",
            "ActionsEnabled": True,
            "AlarmActions": [pipeline.alarms],
            "OKActions": [pipeline.alarms],
            "Namespace": self.namespace,
            "MetricName": self.metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in self.dimensions.items()],
            "Statistic": self.statistic,
            "Period": self.period,
            "EvaluationPeriods": self.periods,
            "Threshold": self.threshold,
            "ComparisonOperator": self.comparison,
            "TreatMissingData": self.missing,
        }


def alarms(pipeline: Pipeline, limits: AlarmLimits) -> tuple[Alarm, ...]:
    """Return every alarm of a pipeline."""
    return (
        *_of_executions(pipeline),
        _of_dead_letters(pipeline),
        *_of_looks(pipeline, limits),
        *_of_functions(pipeline),
        _of_events(pipeline),
        *_of_tables(pipeline),
        *_of_batches(pipeline, limits),
        _of_maintenance(pipeline),
    )


def alarm_names(pipeline: Pipeline) -> list[str]:
    """Return the names of the alarms; settings do not change them."""
    return [
        pipeline.name(alarm.name) for alarm in alarms(pipeline, AlarmLimits(oldest_pending_seconds=1, look_seconds=60))
    ]


def _of_executions(pipeline: Pipeline) -> tuple[Alarm, ...]:
    """Return three alarms, because CloudWatch counts the three unsuccessful ends of an execution separately."""
    return tuple(
        Alarm(
            name=f"takings-executions-{end}",
            what=f"An execution of {pipeline.name(names.STATE_MACHINE)} {was}.",
            heading="A batch failed",
            namespace="AWS/States",
            metric=metric,
            dimensions={"StateMachineArn": pipeline.state_machine},
            statistic="Sum",
        )
        for end, metric, was in (
            ("failed", "ExecutionsFailed", "failed"),
            ("timed-out", "ExecutionsTimedOut", "took more than a day"),
            ("aborted", "ExecutionsAborted", "was aborted"),
        )
    )


def _of_dead_letters(pipeline: Pipeline) -> Alarm:
    return Alarm(
        name="takings-dead-letters",
        what=f"Refused files, or events that nobody could handle, wait in {pipeline.name(names.DEAD_LETTERS)}.",
        heading="Refused files",
        namespace="AWS/SQS",
        metric="ApproximateNumberOfMessagesVisible",
        dimensions={"QueueName": pipeline.name(names.DEAD_LETTERS)},
        statistic="Maximum",
    )


def _of_looks(pipeline: Pipeline, limits: AlarmLimits) -> tuple[Alarm, ...]:
    own = {"store": pipeline.bucket, "service": names.DETECTOR}
    return (
        Alarm(
            name="takings-oldest-pending",
            what=f"A file has waited under s3://{pipeline.bucket}/raw-data/ longer than its batch should take.",
            heading="Nothing starts",
            namespace=names.METRICS,
            metric="OldestPendingSeconds",
            dimensions=own,
            statistic="Maximum",
            threshold=limits.oldest_pending_seconds,
            # There are no measurements between two looks, so keep the state.
            missing="ignore",
        ),
        Alarm(
            name="takings-batch-blocked",
            what=f"The batch of s3://{pipeline.bucket} is blocked, and no batch runs until somebody decides.",
            heading="A batch is blocked",
            namespace=names.METRICS,
            metric="BatchesBlocked",
            dimensions=own,
            statistic="Maximum",
            missing="ignore",
        ),
        Alarm(
            name="takings-batch-old",
            what=f"A batch of s3://{pipeline.bucket} has been in flight for {_OLD.days} days. If one of its drops was replaced"
            f" meanwhile, S3 keeps the bytes that it needs for {DROPS_KEPT_DAYS}.",
            heading="A batch is blocked",
            namespace=names.METRICS,
            metric="BatchAgeSeconds",
            dimensions=own,
            statistic="Maximum",
            threshold=int(_OLD.total_seconds()),
            missing="ignore",
        ),
        Alarm(
            name="takings-nobody-looks",
            what=f"s3://{pipeline.bucket} has not been looked at for {_LOOKS_MISSED} sweeps: function or schedule fails.",
            heading="Nobody looks",
            namespace=names.METRICS,
            metric="OldestPendingSeconds",
            dimensions=own,
            statistic="SampleCount",
            period=limits.look_seconds,
            periods=_LOOKS_MISSED,
            threshold=1,
            comparison="LessThanThreshold",
            missing="breaching",
        ),
    )


def _of_functions(pipeline: Pipeline) -> tuple[Alarm, ...]:
    """Return alarms of calls that fail or find no room; one or two alone are tried again and harmless."""
    return tuple(
        Alarm(
            name=f"takings-{function}-{end}",
            what=f"{pipeline.name(function)} {was} again and again.",
            heading="Nobody looks" if function == names.DETECTOR else "A batch failed",
            namespace="AWS/Lambda",
            metric=metric,
            dimensions={"FunctionName": pipeline.name(function)},
            statistic="Sum",
            periods=3,
        )
        for function in (names.DETECTOR, names.ARCHIVER)
        for end, metric, was in (("errors", "Errors", "fails"), ("throttles", "Throttles", "finds no room for a call"))
    )


def _of_events(pipeline: Pipeline) -> Alarm:
    return Alarm(
        name="takings-events-old",
        what=f"Events have waited in {pipeline.name(names.EVENTS)} for a quarter of an hour: only the sweep finds files.",
        heading="Nobody looks",
        namespace="AWS/SQS",
        metric="ApproximateAgeOfOldestMessage",
        dimensions={"QueueName": pipeline.name(names.EVENTS)},
        statistic="Maximum",
        threshold=_OLD_EVENT_SECONDS,
    )


def _of_tables(pipeline: Pipeline) -> tuple[Alarm, ...]:
    """Return alarms of writes that DynamoDB refuses for some time; it takes minutes to get used to much more of them."""
    return tuple(
        Alarm(
            name=f"takings-{table.name}-throttled",
            what=f"DynamoDB refuses writes to {pipeline.table_prefix}{table.name}, so batches take longer.",
            heading="A batch failed",
            namespace="AWS/DynamoDB",
            metric="WriteThrottleEvents",
            dimensions={"TableName": f"{pipeline.table_prefix}{table.name}"},
            statistic="Sum",
            periods=3,
        )
        for table in TABLES
    )


def _of_batches(pipeline: Pipeline, limits: AlarmLimits) -> tuple[Alarm, ...]:
    own = {"store": pipeline.bucket, "service": names.ARCHIVER}
    return (
        Alarm(
            name="takings-published-late",
            what=f"A file of s3://{pipeline.bucket} was published later than a batch should take.",
            heading="Numbers are late",
            namespace=names.METRICS,
            metric="ArrivalToPublishSeconds",
            dimensions=own,
            statistic="Maximum",
            threshold=limits.oldest_pending_seconds,
        ),
        Alarm(
            name="takings-orphans",
            what=f"More than {_MANY_ORPHANS:,} items of s3://{pipeline.bucket} wait for their order or product.",
            heading="Orphans",
            namespace=names.METRICS,
            metric="OrphansWaiting",
            dimensions=own,
            statistic="Maximum",
            threshold=_MANY_ORPHANS,
            missing="ignore",
        ),
    )


def _of_maintenance(pipeline: Pipeline) -> Alarm:
    return Alarm(
        name="takings-not-maintained",
        what=f"The lake of s3://{pipeline.bucket} has not been maintained for two days, so it grows.",
        heading="The lake is not maintained",
        namespace=names.METRICS,
        metric="LakeFilesVacuumed",
        dimensions={"store": pipeline.bucket, "service": names.MAINTENANCE},
        statistic="SampleCount",
        period=_DAY_SECONDS,
        periods=2,
        threshold=1,
        comparison="LessThanThreshold",
        missing="breaching",
    )


def key_policy(pipeline: Pipeline) -> dict[str, Any]:
    """Return the policy of the topic's key: for the account, and for CloudWatch, whose alarms cannot use SNS's own key."""
    owner = {"AWS": f"arn:{pipeline.partition}:iam::{pipeline.account}:root"}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "Owner", "Effect": "Allow", "Principal": owner, "Action": "kms:*", "Resource": "*"},
            {
                "Sid": "Alarms",
                "Effect": "Allow",
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:SourceAccount": pipeline.account}},
            },
        ],
    }
