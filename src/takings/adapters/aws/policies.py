"""Say what each part of the pipeline may do on AWS: exactly what it calls, on exactly its own things."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from takings.adapters.aws import names
from takings.adapters.aws.names import Pipeline

#: small documents that every part reads
_DOCUMENTS: Final = ("takings.toml", "contracts/", "lake/format.json", "lake/commits/", "batches/")


@dataclass(frozen=True, kw_only=True)
class Role:
    """A role: which service takes it, and what it allows."""

    name: str
    service: str
    statements: tuple[Mapping[str, Any], ...]
    #: ARN under which the service may take it; None: from wherever in the account
    source: str | None = None

    def trust(self, account: str) -> dict[str, Any]:
        """Return who may take the role: the service, on behalf of this account only."""
        condition: dict[str, Any] = {"StringEquals": {"aws:SourceAccount": account}}
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": self.service},
            "Action": "sts:AssumeRole",
            # Lambda takes its roles without naming a source.
            **({} if self.service == "lambda.amazonaws.com" else {"Condition": condition}),
        }
        return {"Version": "2012-10-17", "Statement": [statement]}

    def policy(self) -> dict[str, Any]:
        """Return what the role allows."""
        return {"Version": "2012-10-17", "Statement": [dict(statement) for statement in self.statements]}


def roles(pipeline: Pipeline) -> tuple[Role, ...]:
    """Return every role of a pipeline."""
    return (
        Role(
            name=pipeline.name(names.DETECTOR_ROLE),
            service="lambda.amazonaws.com",
            statements=(
                *_store(pipeline, reads=_DOCUMENTS, writes=("batches/", "lake/format.json")),
                _tables(pipeline, ("GetItem", "PutItem", "Query"), "PendingBatches", "ProcessedFiles"),
                _allow(["states:StartExecution"], [pipeline.state_machine]),
                _allow(
                    ["states:DescribeExecution"],
                    [pipeline.state_machine.replace(":stateMachine:", ":execution:") + ":*"],
                ),
                _allow(
                    [f"scheduler:{verb}Schedule" for verb in ("Create", "Get", "Update", "Delete")],
                    [pipeline.schedule(names.DEADLINE)],
                ),
                _pass([pipeline.role(names.SCHEDULER_ROLE)], "scheduler.amazonaws.com"),
                _allow(["sqs:SendMessage"], [pipeline.dead_letters]),
                _logs(pipeline, names.DETECTOR),
            ),
        ),
        Role(
            name=pipeline.name(names.ARCHIVER_ROLE),
            service="lambda.amazonaws.com",
            statements=(
                *_store(
                    pipeline,
                    reads=(*_DOCUMENTS, "raw-data/", "processed/", "failed/", "staging/"),
                    writes=("batches/", "processed/", "failed/"),
                    removes=("raw-data/", "staging/"),
                    versions=("raw-data/", "processed/", "failed/", "staging/"),
                ),
                _tables(pipeline, ("GetItem", "PutItem", "Query"), "PendingBatches", "ProcessedFiles"),
                _allow(["sqs:SendMessage"], [pipeline.dead_letters]),
                _logs(pipeline, names.ARCHIVER),
            ),
        ),
        Role(
            name=pipeline.name(names.TASK_ROLE),
            service="ecs-tasks.amazonaws.com",
            statements=(
                *_store(
                    pipeline,
                    reads=("",),
                    writes=("batches/", "validation-reports/", "quarantine/", "staging/", "lake/"),
                    removes=("staging/", "lake/"),
                    versions=("",),
                ),
                _tables(
                    pipeline,
                    ("GetItem", "BatchGetItem", "PutItem", "Query", "Scan"),
                    "PendingBatches",
                    "ProcessedFiles",
                    "OrderKPIs",
                    "CategoryKPIs",
                ),
            ),
        ),
        Role(
            name=pipeline.name(names.EXECUTION_ROLE),
            service="ecs-tasks.amazonaws.com",
            statements=(
                # A token for the registry is of the account, whatever is pulled with it.
                _allow(["ecr:GetAuthorizationToken"], ["*"]),
                _allow(
                    ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
                    [pipeline.arn("ecr", f"repository/{pipeline.name(name)}") for name in _SERVICES],
                ),
                _logs(pipeline, *_SERVICES),
            ),
        ),
        Role(
            name=pipeline.name(names.STATE_MACHINE_ROLE),
            service="states.amazonaws.com",
            statements=(
                _allow(
                    ["lambda:InvokeFunction"], [pipeline.function(names.DETECTOR), pipeline.function(names.ARCHIVER)]
                ),
                _allow(
                    ["ecs:RunTask"],
                    [f"{pipeline.arn('ecs', f'task-definition/{pipeline.name(name)}')}:*" for name in _SERVICES],
                ),
                _allow(
                    ["ecs:StopTask", "ecs:DescribeTasks"],
                    [pipeline.arn("ecs", f"task/{pipeline.name(names.CLUSTER)}/*")],
                ),
                _pass([pipeline.role(names.TASK_ROLE), pipeline.role(names.EXECUTION_ROLE)], "ecs-tasks.amazonaws.com"),
                # With these Step Functions hears that a task has ended.
                _allow(
                    ["events:PutTargets", "events:PutRule", "events:DescribeRule"],
                    [pipeline.arn("events", "rule/StepFunctionsGetEventsForECSTaskRule")],
                ),
            ),
        ),
        Role(
            name=pipeline.name(names.SCHEDULER_ROLE),
            service="scheduler.amazonaws.com",
            statements=(_allow(["lambda:InvokeFunction"], [pipeline.function(names.DETECTOR)]),),
        ),
    )


_SERVICES: Final = (names.VALIDATION, names.TRANSFORMATION)


def _allow(actions: Sequence[str], resources: Sequence[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def _pass(passed: Sequence[str], service: str) -> dict[str, Any]:
    return _allow(["iam:PassRole"], passed) | {"Condition": {"StringEquals": {"iam:PassedToService": service}}}


def _tables(pipeline: Pipeline, verbs: Sequence[str], *tables: str) -> dict[str, Any]:
    return _allow([f"dynamodb:{verb}" for verb in verbs], pipeline.tables(*tables))


def _logs(pipeline: Pipeline, *parts: str) -> dict[str, Any]:
    groups = [f"{pipeline.arn('logs', f'log-group:{pipeline.log_group(part)}')}:*" for part in parts]
    return _allow(["logs:CreateLogStream", "logs:PutLogEvents"], groups)


def _store(
    pipeline: Pipeline,
    *,
    reads: Sequence[str],
    writes: Sequence[str],
    removes: Sequence[str] = (),
    versions: Sequence[str] = (),
) -> list[dict[str, Any]]:
    bucket = [f"arn:{pipeline.partition}:s3:::{pipeline.bucket}"]
    listing = ["s3:ListBucket", *(["s3:ListBucketVersions"] if versions else [])]
    statements = [
        _allow(listing, bucket),
        _allow(["s3:GetObject"], pipeline.objects(*reads)),
        _allow(["s3:PutObject"], pipeline.objects(*writes)),
    ]
    if versions:
        statements += [
            _allow(["s3:GetObjectVersion"], pipeline.objects(*versions)),
            _allow(["s3:AbortMultipartUpload"], pipeline.objects(*writes)),
        ]
    if removes:
        statements.append(_allow(["s3:DeleteObject"], pipeline.objects(*removes)))
    return statements
