"""Define what each part of the pipeline may do on AWS: only what it calls, only on its own resources.

docs/aws.md says how the tests show that nothing is missing and nothing is too much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from takings import layout
from takings.adapters.aws import names
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.spark_jobs import PACKAGES
from takings.adapters.aws.statements import (
    Statement,
    allow,
    finds_originals,
    logs,
    opens,
    passing,
    queries,
    uses,
    writes,
)
from takings.adapters.aws.tables import (
    BY_BATCH,
    BY_FINGERPRINT,
    CATEGORY_KPIS,
    ORDER_KPIS,
    OWN_KPIS,
    PROCESSED_FILES,
)
from takings.contracts.model import Dataset

_LAMBDA: Final = "lambda.amazonaws.com"
_TASKS: Final = "ecs-tasks.amazonaws.com"
_EMR_SERVERLESS: Final = "emr-serverless.amazonaws.com"
_STATES: Final = "states.amazonaws.com"
_SCHEDULER: Final = "scheduler.amazonaws.com"
_SERVICES: Final = (names.VALIDATION, names.TRANSFORMATION)
#: what Step Functions calls to log executions (its Developer Guide, "Using CloudWatch Logs to log execution history")
_DELIVERS_LOGS: Final = (
    *("CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries"),
    *("PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups"),
)
#: … and to trace them, with `tracing` (the same, "Trace Step Functions request data in AWS X-Ray")
_SAMPLES: Final = ("xray:GetSamplingRules", "xray:GetSamplingTargets")
_LAKE_TABLES: Final = tuple(layout.table(dataset) for dataset in Dataset)


@dataclass(frozen=True, kw_only=True)
class Role:
    """A role: the service that takes it, and what it allows."""

    name: str
    service: str
    statements: tuple[Statement, ...]
    #: the ARN for which the service may take it, * for any part; None where the service does not name one
    source: str | None = None

    def trust(self, account: str) -> dict[str, Any]:
        """Return who may take the role: the service, only for a resource of this account."""
        statement: dict[str, Any] = {
            "Effect": "Allow",
            "Principal": {"Service": self.service},
            "Action": "sts:AssumeRole",
        }
        if self.source is not None:
            statement["Condition"] = {
                "StringEquals": {"aws:SourceAccount": account},
                "ArnLike": {"aws:SourceArn": self.source},
            }
        return {"Version": "2012-10-17", "Statement": [statement]}

    def policy(self) -> dict[str, Any]:
        """Return what the role allows."""
        return {"Version": "2012-10-17", "Statement": [dict(statement) for statement in self.statements]}


def roles(pipeline: Pipeline, application: str | None = None) -> tuple[Role, ...]:
    """Return every role of a pipeline; with an application on EMR Serverless, by its id, those of its jobs as well."""
    return (
        _detector(pipeline),
        _archiver(pipeline),
        _validation(pipeline),
        _transformation(pipeline),
        _maintenance(pipeline),
        _execution(pipeline),
        _state_machine(pipeline, application),
        _scheduler(pipeline),
        *(_jobs(pipeline, application) if application else ()),
    )


def _detector(pipeline: Pipeline) -> Role:
    executions = pipeline.state_machine.replace(":stateMachine:", ":execution:")
    return _function(
        pipeline,
        names.DETECTOR_ROLE,
        names.DETECTOR,
        allow(["s3:PutObject"], pipeline.objects("batches/*/manifest.json", layout.LAKE_FORMAT)),
        allow(["dynamodb:Query"], [pipeline.table(PROCESSED_FILES.name)]),
        allow(["states:StartExecution"], [pipeline.state_machine]),
        allow(["states:DescribeExecution"], [f"{executions}:*"]),
        allow(
            [f"scheduler:{verb}Schedule" for verb in ("Create", "Get", "Update", "Delete")],
            [pipeline.schedule(names.DEADLINE)],
        ),
        passing([pipeline.role(names.SCHEDULER_ROLE)], _SCHEDULER),
        # Lambda takes the bucket's events out of their queue as the function's role.
        allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], [pipeline.events]),
    )


def _archiver(pipeline: Pipeline) -> Role:
    return _function(
        pipeline,
        names.ARCHIVER_ROLE,
        names.ARCHIVER,
        allow(["s3:GetObject"], pipeline.objects("batches/*", "staging/*")),
        *finds_originals(pipeline),
        allow(["s3:GetObjectVersion"], pipeline.objects("staging/*")),
        *writes(pipeline, "processed/*", "failed/*", in_parts=("processed/*", "failed/*")),
        *writes(pipeline, "batches/*/outcome.json"),
        # A drop is removed only if it still holds exactly the archived bytes.
        allow(["s3:DeleteObject"], pipeline.objects("raw-data/*")) | {"Condition": {"Null": {"s3:if-match": "false"}}},
        allow(["s3:DeleteObject"], pipeline.objects("staging/*")),
        uses(pipeline, PROCESSED_FILES, "PutItem", "BatchWriteItem"),
        queries(pipeline, PROCESSED_FILES, BY_BATCH),
    )


def _validation(pipeline: Pipeline) -> Role:
    return _task(pipeline, names.VALIDATION_ROLE, *_validates(pipeline))


def _validates(pipeline: Pipeline) -> tuple[Statement, ...]:
    entries = [f"{table}/_delta_log/*" for table in _LAKE_TABLES]
    parents = [f"{layout.table(dataset)}/*" for dataset in (Dataset.PRODUCTS, Dataset.ORDERS)]
    return (
        allow(["s3:GetObject"], pipeline.objects("batches/*")),
        *finds_originals(pipeline),
        *writes(pipeline, "batches/*/attempt-*.json", "batches/*/verdicts.json", "validation-reports/*"),
        *writes(pipeline, "batches/*/refused.json"),
        *writes(pipeline, "quarantine/*", "staging/*", in_parts=("quarantine/*", "staging/*")),
        # With Spark, a task stages rows under a name of its own, which the driver copies.
        allow(["s3:GetObject", "s3:GetObjectVersion"], pipeline.objects("staging/*")),
        # Validation reads orders and products of the lake; under the policy "strict" it creates missing tables.
        allow(["s3:GetObject"], pipeline.objects(*parents, f"{layout.table(Dataset.ORDER_ITEMS)}/_delta_log/*")),
        *writes(pipeline, *entries),
        # Giving a batch up removes its staged rows.
        allow(["s3:DeleteObject"], pipeline.objects("staging/*")),
        uses(pipeline, PROCESSED_FILES, "PutItem", "Query"),
        queries(pipeline, PROCESSED_FILES, BY_FINGERPRINT),
    )


def _transformation(pipeline: Pipeline) -> Role:
    return _task(pipeline, names.TRANSFORMATION_ROLE, *_transforms(pipeline))


def _transforms(pipeline: Pipeline) -> tuple[Statement, ...]:
    tables = [f"{table}/*" for table in _LAKE_TABLES]
    return (
        allow(["s3:GetObject"], pipeline.objects("batches/*", "staging/*", *tables)),
        allow(["s3:GetObjectVersion"], pipeline.objects("staging/*")),
        *writes(pipeline, *(f"batches/*/{name}.json" for name in ("changes", "affected", "published", "gaps"))),
        *writes(pipeline, f"{layout.COMMITS}*"),
        *writes(pipeline, *tables, in_parts=tables),
        # If staged rows are gone, their files are validated again.
        *finds_originals(pipeline),
        *writes(pipeline, "validation-reports/*"),
        *writes(pipeline, "quarantine/*", "staging/*", in_parts=("quarantine/*", "staging/*")),
        uses(pipeline, PROCESSED_FILES, "Query"),
        queries(pipeline, PROCESSED_FILES, BY_FINGERPRINT),
        uses(pipeline, ORDER_KPIS, "BatchGetItem", "PutItem", "Scan"),
        uses(pipeline, CATEGORY_KPIS, "BatchGetItem", "PutItem", "Scan"),
        uses(pipeline, OWN_KPIS, "PutItem", "Query", "Scan"),
    )


def _maintenance(pipeline: Pipeline) -> Role:
    """Return the role of `takings maintain`: it reads the gate and never changes it, and removes what nothing needs."""
    tables = [f"{table}/*" for table in _LAKE_TABLES]
    return Role(
        name=pipeline.name(names.MAINTENANCE_ROLE),
        service=_TASKS,
        source=pipeline.arn("ecs", "*"),
        statements=(
            *opens(pipeline, holds_gate=False),
            allow(["s3:GetObject"], pipeline.objects(*tables)),
            *writes(pipeline, *tables, in_parts=tables),
            *writes(pipeline, f"{layout.COMMITS}*"),
            allow(["s3:DeleteObject"], pipeline.objects(*tables, "validation-reports/*", "batches/*", "staging/*")),
            queries(pipeline, PROCESSED_FILES, BY_BATCH),
        ),
    )


def _execution(pipeline: Pipeline) -> Role:
    return Role(
        name=pipeline.name(names.EXECUTION_ROLE),
        service=_TASKS,
        source=pipeline.arn("ecs", "*"),
        statements=(
            # A token for the registry belongs to the account, not to a repository.
            allow(["ecr:GetAuthorizationToken"], ["*"]),
            allow(
                ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
                [pipeline.arn("ecr", f"repository/{pipeline.name(name)}") for name in _SERVICES],
            ),
            logs(pipeline, *_SERVICES, names.MAINTENANCE),
        ),
    )


def _jobs(pipeline: Pipeline, application: str) -> tuple[Role, ...]:
    """Return the roles of jobs: what a step's task may do, what its package needs, and what executors write and move."""
    own = pipeline.spark_application(application)
    group = pipeline.arn("logs", f"log-group:{pipeline.log_group(names.SPARK)}")
    every = (
        allow(["s3:GetObject"], pipeline.objects(f"{PACKAGES}*")),
        logs(pipeline, names.SPARK),
        allow(["logs:DescribeLogStreams"], [f"{group}:*"]),
        # It knows no resource.
        allow(["logs:DescribeLogGroups"], ["*"]),
    )
    moved = [f"{table}/_writing*" for table in _LAKE_TABLES]
    steps = {
        names.VALIDATION_ON_SPARK_ROLE: _validates(pipeline),
        # A move in S3 is a copy and a removal.
        names.TRANSFORMATION_ON_SPARK_ROLE: (
            *_transforms(pipeline),
            allow(["s3:DeleteObject"], pipeline.objects(*moved)),
        ),
    }
    return tuple(
        Role(
            name=pipeline.name(name),
            service=_EMR_SERVERLESS,
            source=own,
            statements=(*opens(pipeline), *step, *every),
        )
        for name, step in steps.items()
    )


def _starts_jobs(pipeline: Pipeline, application: str) -> tuple[Statement, ...]:
    """Return what Step Functions needs to start jobs, to follow and to cancel them."""
    own = pipeline.spark_application(application)
    passed = (names.VALIDATION_ON_SPARK_ROLE, names.TRANSFORMATION_ON_SPARK_ROLE)
    return (
        allow(["emr-serverless:StartJobRun"], [own]),
        allow(["emr-serverless:GetJobRun", "emr-serverless:CancelJobRun"], [f"{own}/jobruns/*"]),
        passing([pipeline.role(name) for name in passed], _EMR_SERVERLESS),
        allow(
            ["events:PutTargets", "events:PutRule", "events:DescribeRule"],
            [pipeline.arn("events", "rule/StepFunctionsGetEventsForEMRServerlessJobRule")],
        ),
    )


def _state_machine(pipeline: Pipeline, application: str | None) -> Role:
    own_cluster = {"Condition": {"ArnEquals": {"ecs:cluster": pipeline.cluster}}}
    definitions = [f"{pipeline.arn('ecs', f'task-definition/{pipeline.name(name)}')}:*" for name in _SERVICES]
    own_tasks = [pipeline.arn("ecs", f"task/{pipeline.name(names.CLUSTER)}/*")]
    passed = (names.VALIDATION_ROLE, names.TRANSFORMATION_ROLE, names.EXECUTION_ROLE)
    return Role(
        name=pipeline.name(names.STATE_MACHINE_ROLE),
        service=_STATES,
        source=pipeline.state_machine,
        statements=(
            _calls(pipeline, names.DETECTOR, names.ARCHIVER),
            allow(["ecs:RunTask"], definitions) | own_cluster,
            allow(["ecs:StopTask", "ecs:DescribeTasks"], own_tasks) | own_cluster,
            # Tasks get the tags of their task definition, if it has any.
            allow(["ecs:TagResource"], own_tasks) | {"Condition": {"StringEquals": {"ecs:CreateAction": "RunTask"}}},
            passing([pipeline.role(name) for name in passed], _TASKS),
            # Step Functions needs these to learn that a task has ended.
            allow(
                ["events:PutTargets", "events:PutRule", "events:DescribeRule"],
                [pipeline.arn("events", "rule/StepFunctionsGetEventsForECSTaskRule")],
            ),
            *(_starts_jobs(pipeline, application) if application else ()),
            # Step Functions sets up the delivery of its logs with these; they know no resource.
            allow([f"logs:{verb}" for verb in _DELIVERS_LOGS], ["*"]),
            allow(["xray:PutTraceSegments", "xray:PutTelemetryRecords", *_SAMPLES], ["*"]),
        ),
    )


def _scheduler(pipeline: Pipeline) -> Role:
    return Role(
        name=pipeline.name(names.SCHEDULER_ROLE),
        service=_SCHEDULER,
        source=pipeline.schedule_group,
        statements=(
            _calls(pipeline, names.DETECTOR),
            allow(["ecs:RunTask"], [f"{pipeline.arn('ecs', f'task-definition/{pipeline.name(names.MAINTENANCE)}')}:*"])
            | {"Condition": {"ArnEquals": {"ecs:cluster": pipeline.cluster}}},
            # The maintenance gets the tags of its task definition.
            allow(["ecs:TagResource"], [pipeline.arn("ecs", f"task/{pipeline.name(names.CLUSTER)}/*")])
            | {"Condition": {"StringEquals": {"ecs:CreateAction": "RunTask"}}},
            passing([pipeline.role(name) for name in (names.MAINTENANCE_ROLE, names.EXECUTION_ROLE)], _TASKS),
        ),
    )


def _calls(pipeline: Pipeline, *functions: str) -> Statement:
    """Return the permission to call functions: what is live, and for executions of an earlier version the function itself."""
    names_of = [name for each in functions for name in (pipeline.live(each), pipeline.function(each))]
    return allow(["lambda:InvokeFunction"], names_of)


def _function(pipeline: Pipeline, role: str, function: str, *statements: Statement) -> Role:
    """Return the role of a function: it opens the store, logs, and queues what it cannot handle."""
    every = (
        allow(["sqs:SendMessage"], [pipeline.dead_letters]),
        logs(pipeline, function),
        # With `tracing`; a trace has no resource.
        allow(["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"]),
    )
    return Role(
        name=pipeline.name(role),
        service=_LAMBDA,
        source=None,
        statements=(*opens(pipeline), *statements, *every),
    )


def _task(pipeline: Pipeline, role: str, *statements: Statement) -> Role:
    """Return the role of a service's tasks; ECS names any cluster of the account as the source."""
    return Role(
        name=pipeline.name(role),
        service=_TASKS,
        source=pipeline.arn("ecs", "*"),
        statements=(*opens(pipeline), *statements),
    )
