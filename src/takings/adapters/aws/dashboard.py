"""Lay out the pipeline's metrics on one page of CloudWatch."""

from __future__ import annotations

from typing import Any, Final

from takings.adapters.aws import names
from takings.adapters.aws.alarms import alarm_names
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.tables import TABLES

#: CloudWatch's grid has 24 columns
_WIDTH: Final = 12
_HEIGHT: Final = 6
_ALARMS_HEIGHT: Final = 3
_PERIOD_SECONDS: Final = 300


def dashboard(pipeline: Pipeline) -> dict[str, Any]:
    """Return the page: alarms on top, then files and batches, then the services."""
    alarms = {
        "type": "alarm",
        "x": 0,
        "y": 0,
        "width": 2 * _WIDTH,
        "height": _ALARMS_HEIGHT,
        "properties": {
            "title": f"s3://{pipeline.bucket}: alarms (what to do: docs/operations.md)",
            "alarms": [pipeline.arn("cloudwatch", f"alarm:{name}") for name in alarm_names(pipeline)],
        },
    }
    graphs = [
        {
            "type": "metric",
            "x": number % 2 * _WIDTH,
            "y": _ALARMS_HEIGHT + number // 2 * _HEIGHT,
            "width": _WIDTH,
            "height": _HEIGHT,
            "properties": {
                "title": title,
                "region": pipeline.region,
                "view": "timeSeries",
                "stat": statistic,
                "period": _PERIOD_SECONDS,
                "metrics": metrics,
            },
        }
        for number, (title, statistic, metrics) in enumerate(_graphs(pipeline))
    ]
    return {"widgets": [alarms, *graphs]}


def _graphs(pipeline: Pipeline) -> list[tuple[str, str, list[list[str]]]]:
    """Return titles, the statistic over a period, and the metrics."""
    return [*_graphs_of_batches(pipeline), *_graphs_of_services(pipeline)]


def _graphs_of_batches(pipeline: Pipeline) -> list[tuple[str, str, list[list[str]]]]:
    return [
        (
            "Files and rows of batches",
            "Sum",
            _own(pipeline, names.ARCHIVER, "FilesAccepted", "FilesRejected", "RowsRejected"),
        ),
        ("From arrival to publication, seconds", "Maximum", _own(pipeline, names.ARCHIVER, "ArrivalToPublishSeconds")),
        (
            "The oldest pending file, and the batch in flight, seconds",
            "Maximum",
            _own(pipeline, names.DETECTOR, "OldestPendingSeconds", "BatchAgeSeconds"),
        ),
        (
            "Orphans that wait, and a blocked batch",
            "Maximum",
            [*_own(pipeline, names.ARCHIVER, "OrphansWaiting"), *_own(pipeline, names.DETECTOR, "BatchesBlocked")],
        ),
    ]


def _graphs_of_services(pipeline: Pipeline) -> list[tuple[str, str, list[list[str]]]]:
    functions = [pipeline.name(name) for name in (names.DETECTOR, names.ARCHIVER)]
    return [
        (
            "Executions",
            "Sum",
            [
                ["AWS/States", f"Executions{end}", "StateMachineArn", pipeline.state_machine]
                for end in ("Started", "Succeeded", "Failed", "TimedOut", "Aborted")
            ],
        ),
        ("Lake files removed by maintenance", "Sum", _own(pipeline, names.MAINTENANCE, "LakeFilesVacuumed")),
        (
            "The oldest event, seconds",
            "Maximum",
            [["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", pipeline.name(names.EVENTS)]],
        ),
        (
            "Writes that DynamoDB refused",
            "Sum",
            [
                ["AWS/DynamoDB", "WriteThrottleEvents", "TableName", f"{pipeline.table_prefix}{table.name}"]
                for table in TABLES
            ],
        ),
        (
            "Dead letters",
            "Maximum",
            [["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", pipeline.name(names.DEAD_LETTERS)]],
        ),
        (
            "Functions: calls, errors, throttles",
            "Sum",
            [
                ["AWS/Lambda", metric, "FunctionName", function]
                for function in functions
                for metric in ("Invocations", "Errors", "Throttles")
            ],
        ),
        (
            "Functions: the longest call, milliseconds",
            "Maximum",
            [["AWS/Lambda", "Duration", "FunctionName", function] for function in functions],
        ),
    ]


def _own(pipeline: Pipeline, service: str, *metrics: str) -> list[list[str]]:
    return [[names.METRICS, metric, "store", pipeline.bucket, "service", service] for metric in metrics]
