"""List what the roles need although no end-to-end test calls it, each with its reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tests.aws.harness.calls import recorded
from tests.aws.harness.policy_evaluator import Call

_ACCOUNT: Final = "eu-west-1:000000000000"
#: AWS's developer guides, on docs.aws.amazon.com
_LOGGED: Final = "lambda/latest/dg/lambda-intro-execution-role.html: Lambda logs as the function's role"
_DEAD: Final = "lambda/latest/dg/invocation-async-retain-records.html: Lambda sends dead letters as the function's role"
_TAKEN: Final = (
    "lambda/latest/dg/services-sqs-configure.html: Lambda takes messages out of a queue as the function's role"
)
_PULLED: Final = "AmazonECS/latest/developerguide/task_execution_IAM_role.html: ECS pulls images and logs"
_HEARD: Final = "step-functions/latest/dg/ecs-iam.html: by this rule Step Functions hears that a task ended"
_JOBS_HEARD: Final = "step-functions/latest/dg/emr-serverless-iam.html: by this rule it hears that a job ended"
#: what no test has tried on the whole pipeline
_TAGGED: Final = (
    "AmazonECS/latest/developerguide/supported-iam-actions-tagging.html: tasks get the tags of their definition"
)
_CALLED_BEFORE: Final = "executions and schedules of a version whose functions had no versions; CHANGELOG.md"
_LOGS_DELIVERED: Final = "step-functions/latest/dg/cw-logs.html: Step Functions sets up the delivery of its logs"
_TRACED: Final = (
    "step-functions/latest/dg/concepts-xray-tracing.html, lambda/latest/dg/services-xray.html: with `tracing`"
)
_RACE: Final = "a schedule of another deadline is still there; tests/aws/entrypoints/test_functions.py"
_REPLAYED: Final = "a replay that was cut short on somebody's machine goes on here, with originals from the archive"
_LARGE: Final = (
    "what is larger than 512 MiB is written in parts, which go if one fails; tests/aws/adapters/test_bucket.py"
)
_STAGED_AGAIN: Final = "staged rows are gone, of a file that was overwritten since, or had been accepted before"
_OWN_TABLES: Final = "KPI tables of the shop's own; tests/aws/adapters/test_own_kpis.py"
_OWN: Final = (
    "a shop's own contracts, which the other roles are seen to read; tests/aws/end_to_end/test_end_to_end_policies.py"
)
_OLD: Final = "what is removed is a week old at least, and reports 90 days; tests/pipeline/test_maintenance.py"
_JOBS_LOGGED: Final = "emr/latest/EMR-Serverless-UserGuide/logging.html: jobs log to CloudWatch as their role"
_WRITTEN_BY_EXECUTORS: Final = (
    "on a cluster, executors write files of the lake under _writing, and the driver moves them; tests/cluster"
)
_ON_FARGATE: Final = "the job runs the same step as the task on Fargate, which is seen to do it, or listed here"
#: the role of a job -> that of the task with the same step
_SAME_STEP: Final = {
    "takings-validation-on-spark": "takings-validation-service",
    "takings-transformation-on-spark": "takings-transformation-service",
}
_GIVEN_UP: Final = "a batch that is given up after some of its files were refused; tests/pipeline/test_stepwise.py"


def unseen() -> Iterator[tuple[str, Call, str]]:
    """Yield each call with the role that makes it, and why no test makes it."""
    listed = list(_listed())
    yield from listed
    seen = recorded()
    for job, task in _SAME_STEP.items():
        calls = [*seen[task], *(call for role, call, _ in listed if role == task)]
        yield from ((job, call, _ON_FARGATE) for call in calls if call not in seen[job])


def _listed() -> Iterator[tuple[str, Call, str]]:
    for reason, calls in _UNSEEN.items():
        for role, asked in calls.items():
            for action, *resources in asked:
                for resource in resources:
                    yield role, _call(action, resource), reason


def _call(action: str, resource: str) -> Call:
    """Read a call; a resource without an ARN is a key or a prefix of the bucket."""
    if resource.startswith("arn:") or resource == "*":
        conditions = {"ecs:CreateAction": "RunTask"} if action == "ecs:TagResource" else {}
        return Call(action=action, resource=resource, conditions=conditions)
    if action == "s3:ListBucketVersions":
        return Call(action=action, resource="arn:aws:s3:::shop", conditions={"s3:prefix": resource})
    return Call(action=action, resource=f"arn:aws:s3:::shop/{resource}")


def _log_streams(group: str) -> tuple[list[str], list[str]]:
    streams = f"arn:aws:logs:{_ACCOUNT}:log-group:{group}:log-stream:*"
    return ["logs:CreateLogStream", streams], ["logs:PutLogEvents", streams]


_RULE: Final = f"arn:aws:events:{_ACCOUNT}:rule/StepFunctionsGetEventsForECSTaskRule"
_JOB_RULE: Final = f"arn:aws:events:{_ACCOUNT}:rule/StepFunctionsGetEventsForEMRServerlessJobRule"
_JOB_LOGS: Final = "/aws/emr-serverless/takings-spark"
_IMAGES: Final = [
    f"arn:aws:ecr:{_ACCOUNT}:repository/{name}" for name in ("validation-service", "transformation-service")
]
_FUNCTIONS: Final = [f"arn:aws:lambda:{_ACCOUNT}:function:{name}" for name in ("file-detector", "file-archiver")]
_TRACES: Final = ("PutTraceSegments", "PutTelemetryRecords")
_ARCHIVE: Final = ("processed/*", "failed/*")
_READ_FROM_ARCHIVE: Final = (["s3:GetObjectVersion", *_ARCHIVE], ["s3:ListBucketVersions", *_ARCHIVE])
#: reason -> role -> actions with their resources
_UNSEEN: Final[Mapping[str, Mapping[str, tuple[list[str], ...]]]] = {
    _LOGGED: {
        "takings-file-detector": _log_streams("/aws/lambda/file-detector"),
        "takings-file-archiver": _log_streams("/aws/lambda/file-archiver"),
    },
    _DEAD: {"takings-file-detector": (["sqs:SendMessage", f"arn:aws:sqs:{_ACCOUNT}:takings-dead-letters"],)},
    _TAKEN: {
        "takings-file-detector": tuple(
            [f"sqs:{verb}", f"arn:aws:sqs:{_ACCOUNT}:takings-events"]
            for verb in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
        )
    },
    _PULLED: {
        "takings-task-execution": (
            ["ecr:GetAuthorizationToken", "*"],
            ["ecr:BatchCheckLayerAvailability", *_IMAGES],
            ["ecr:GetDownloadUrlForLayer", *_IMAGES],
            ["ecr:BatchGetImage", *_IMAGES],
            *_log_streams("/ecs/validation-service"),
            *_log_streams("/ecs/transformation-service"),
            *_log_streams("/ecs/maintenance"),
        )
    },
    _HEARD: {
        "takings-state-machine": (
            ["events:PutTargets", _RULE],
            ["events:PutRule", _RULE],
            ["events:DescribeRule", _RULE],
        )
    },
    _JOBS_HEARD: {
        "takings-state-machine": tuple(
            [f"events:{verb}", _JOB_RULE] for verb in ("PutTargets", "PutRule", "DescribeRule")
        )
    },
    _JOBS_LOGGED: {
        role: (
            *_log_streams(_JOB_LOGS),
            ["logs:DescribeLogStreams", f"arn:aws:logs:{_ACCOUNT}:log-group:{_JOB_LOGS}:log-stream:"],
            ["logs:DescribeLogGroups", "*"],
        )
        for role in _SAME_STEP
    },
    _WRITTEN_BY_EXECUTORS: {
        "takings-transformation-on-spark": (
            ["s3:DeleteObject", *(f"lake/{table}/_writing/*" for table in ("products", "orders", "order_items"))],
        )
    },
    _TAGGED: {
        role: (["ecs:TagResource", f"arn:aws:ecs:{_ACCOUNT}:task/takings/*"],)
        for role in ("takings-state-machine", "takings-scheduler")
    },
    _CALLED_BEFORE: {
        "takings-state-machine": (["lambda:InvokeFunction", *_FUNCTIONS],),
        "takings-scheduler": (["lambda:InvokeFunction", _FUNCTIONS[0]],),
    },
    _LOGS_DELIVERED: {
        "takings-state-machine": tuple(
            [f"logs:{verb}", "*"]
            for verb in (
                *("CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries"),
                *("PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups"),
            )
        )
    },
    _TRACED: {
        role: tuple([f"xray:{verb}", "*"] for verb in verbs)
        for role, verbs in {
            "takings-file-detector": _TRACES,
            "takings-file-archiver": _TRACES,
            "takings-state-machine": (*_TRACES, "GetSamplingRules", "GetSamplingTargets"),
        }.items()
    },
    _RACE: {
        "takings-file-detector": (
            ["scheduler:UpdateSchedule", f"arn:aws:scheduler:{_ACCOUNT}:schedule/takings/deadline"],
        )
    },
    _REPLAYED: {
        "takings-file-archiver": _READ_FROM_ARCHIVE,
        "takings-validation-service": (["s3:GetObject", *_ARCHIVE], *_READ_FROM_ARCHIVE),
        "takings-transformation-service": (["s3:GetObject", *_ARCHIVE], *_READ_FROM_ARCHIVE),
    },
    _STAGED_AGAIN: {
        "takings-transformation-service": (
            ["s3:ListBucketVersions", "raw-data/*"],
            ["dynamodb:Query", f"arn:aws:dynamodb:{_ACCOUNT}:table/ProcessedFiles"],
        )
    },
    _OWN_TABLES: {
        "takings-transformation-service": tuple(
            [f"dynamodb:{action}", f"arn:aws:dynamodb:{_ACCOUNT}:table/OwnKPIs"]
            for action in ("PutItem", "Query", "Scan")
        )
    },
    _LARGE: {
        "takings-file-archiver": (["s3:AbortMultipartUpload", *_ARCHIVE],),
        "takings-validation-service": (["s3:AbortMultipartUpload", "quarantine/*", "staging/*"],),
        "takings-transformation-service": (
            ["s3:AbortMultipartUpload", "quarantine/*", "staging/*"],
            ["s3:AbortMultipartUpload", "lake/products/*", "lake/orders/*", "lake/order_items/*"],
        ),
        "takings-maintenance": (["s3:AbortMultipartUpload", "lake/products/*", "lake/orders/*", "lake/order_items/*"],),
    },
    _OWN: {"takings-maintenance": (["s3:GetObject", "contracts/*"],)},
    _OLD: {
        "takings-maintenance": (
            ["s3:DeleteObject", "lake/products/*", "lake/orders/*", "lake/order_items/*"],
            ["s3:DeleteObject", "validation-reports/*", "batches/*", "staging/*"],
            ["dynamodb:Query", f"arn:aws:dynamodb:{_ACCOUNT}:table/ProcessedFiles/index/by_batch"],
        )
    },
    _GIVEN_UP: {"takings-validation-service": (["s3:DeleteObject", "staging/*"],)},
}
