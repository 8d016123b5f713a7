"""List calls that must be denied: to every role, and to each role those of another one, or of a greedy one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from tests.aws.harness.policy_evaluator import Call

_HERE: Final = "eu-west-1:000000000000"
_BATCH: Final = "batches/20250401T080000000000Z-abcd"


def _calls(*lines: str, **conditions: str) -> list[Call]:
    """Read calls, one per line: an action and its resource."""
    return [
        Call(
            action=action,
            resource=resource.replace("HERE", _HERE).replace("BATCH", _BATCH),
            conditions={name.replace("_", ":", 1): value.replace("HERE", _HERE) for name, value in conditions.items()},
        )
        for action, resource in (line.split() for line in lines)
    ]


TO_NOBODY: Final[Sequence[Call]] = [
    *_calls(
        # No byte of the store is deleted permanently, and nobody changes what protects it.
        "s3:DeleteObjectVersion arn:aws:s3:::shop/raw-data/orders/a.csv",
        "s3:DeleteObjectVersion arn:aws:s3:::shop/processed/2025/04/01/b/orders/a.csv",
        "s3:DeleteObjectVersion arn:aws:s3:::shop/staging/b/orders/00000.parquet",
        "s3:DeleteObject arn:aws:s3:::shop/processed/2025/04/01/b/orders/a.csv",
        "s3:DeleteObject arn:aws:s3:::shop/failed/2025/04/01/b/orders/a.csv",
        "s3:DeleteObject arn:aws:s3:::shop/lake/commits/1.json",
        "s3:DeleteObject arn:aws:s3:::shop/raw-data/orders/a.csv",
        "s3:PutBucketVersioning arn:aws:s3:::shop",
        "s3:PutLifecycleConfiguration arn:aws:s3:::shop",
        "s3:PutBucketPolicy arn:aws:s3:::shop",
        "s3:PutBucketAcl arn:aws:s3:::shop",
        "s3:PutBucketNotification arn:aws:s3:::shop",
        "s3:PutBucketPublicAccessBlock arn:aws:s3:::shop",
        "s3:PutReplicationConfiguration arn:aws:s3:::shop",
        "s3:DeleteBucket arn:aws:s3:::shop",
        "s3:PutObjectAcl arn:aws:s3:::shop/processed/2025/04/01/b/orders/a.csv",
        "s3:BypassGovernanceRetention arn:aws:s3:::shop/processed/2025/04/01/b/orders/a.csv",
        # Drops, settings and contracts come from the shop.
        "s3:PutObject arn:aws:s3:::shop/raw-data/orders/a.csv",
        "s3:PutObject arn:aws:s3:::shop/takings.toml",
        "s3:PutObject arn:aws:s3:::shop/contracts/orders.odcs.yaml",
        "s3:GetObject arn:aws:s3:::shop/private/salaries.csv",
        # Another bucket, even another shop's.
        "s3:ListAllMyBuckets *",
        "s3:ListBucket arn:aws:s3:::north",
        "s3:GetObject arn:aws:s3:::north/raw-data/orders/a.csv",
        "s3:GetObject arn:aws:s3:::shop-2/raw-data/orders/a.csv",
        "s3:PutObject arn:aws:s3:::north/processed/a.csv",
        "s3:DeleteObject arn:aws:s3:::north/staging/b/orders/00000.parquet",
        # Another shop's tables, and what the pipeline never does to its own.
        "dynamodb:GetItem arn:aws:dynamodb:HERE:table/north.PendingBatches",
        "dynamodb:PutItem arn:aws:dynamodb:HERE:table/north.PendingBatches",
        "dynamodb:Scan arn:aws:dynamodb:HERE:table/Customers",
        "dynamodb:GetItem arn:aws:dynamodb:us-east-1:000000000000:table/PendingBatches",
        "dynamodb:GetItem arn:aws:dynamodb:eu-west-1:111111111111:table/PendingBatches",
        "dynamodb:DeleteItem arn:aws:dynamodb:HERE:table/PendingBatches",
        "dynamodb:DeleteItem arn:aws:dynamodb:HERE:table/ProcessedFiles",
        "dynamodb:UpdateItem arn:aws:dynamodb:HERE:table/OrderKPIs",
        "dynamodb:BatchWriteItem arn:aws:dynamodb:HERE:table/OrderKPIs",
        "dynamodb:PartiQLDelete arn:aws:dynamodb:HERE:table/OrderKPIs",
        "dynamodb:Scan arn:aws:dynamodb:HERE:table/ProcessedFiles",
        "dynamodb:Scan arn:aws:dynamodb:HERE:table/ProcessedFiles/index/by_batch",
        "dynamodb:DeleteTable arn:aws:dynamodb:HERE:table/PendingBatches",
        "dynamodb:CreateTable arn:aws:dynamodb:HERE:table/PendingBatches",
        "dynamodb:ExportTableToPointInTime arn:aws:dynamodb:HERE:table/OrderKPIs",
        # Nobody assumes another role or extends their own.
        "iam:CreateRole arn:aws:iam::000000000000:role/another",
        "iam:PutRolePolicy arn:aws:iam::000000000000:role/takings-file-detector",
        "iam:AttachRolePolicy arn:aws:iam::000000000000:role/takings-file-detector",
        "iam:UpdateAssumeRolePolicy arn:aws:iam::000000000000:role/takings-file-detector",
        "iam:CreateAccessKey arn:aws:iam::000000000000:user/somebody",
        "iam:PassRole arn:aws:iam::000000000000:role/takings-state-machine",
        "sts:AssumeRole arn:aws:iam::000000000000:role/admin",
        "sts:AssumeRole arn:aws:iam::000000000000:role/takings-transformation-service",
        # Nobody changes the pipeline itself.
        "lambda:UpdateFunctionCode arn:aws:lambda:HERE:function:file-detector",
        "lambda:UpdateFunctionConfiguration arn:aws:lambda:HERE:function:file-archiver",
        "lambda:AddPermission arn:aws:lambda:HERE:function:file-detector",
        "lambda:InvokeFunction arn:aws:lambda:HERE:function:billing",
        "lambda:InvokeFunction arn:aws:lambda:HERE:function:north-file-detector",
        "states:UpdateStateMachine arn:aws:states:HERE:stateMachine:ecommerce-pipeline",
        "states:DeleteStateMachine arn:aws:states:HERE:stateMachine:ecommerce-pipeline",
        "states:StopExecution arn:aws:states:HERE:execution:ecommerce-pipeline:b-1",
        "states:StartExecution arn:aws:states:HERE:stateMachine:north-ecommerce-pipeline",
        "ecs:RegisterTaskDefinition *",
        "ecs:ExecuteCommand arn:aws:ecs:HERE:task/takings/1",
        "ecs:DeleteCluster arn:aws:ecs:HERE:cluster/takings",
        "ecr:PutImage arn:aws:ecr:HERE:repository/validation-service",
        "scheduler:UpdateSchedule arn:aws:scheduler:HERE:schedule/takings/sweep",
        "scheduler:DeleteSchedule arn:aws:scheduler:HERE:schedule/takings/sweep",
        "scheduler:CreateSchedule arn:aws:scheduler:HERE:schedule/default/deadline",
        "scheduler:CreateSchedule arn:aws:scheduler:HERE:schedule/north-takings/deadline",
        "scheduler:DeleteScheduleGroup arn:aws:scheduler:HERE:schedule-group/takings",
        "events:PutRule arn:aws:events:HERE:rule/another",
        "events:DeleteRule arn:aws:events:HERE:rule/StepFunctionsGetEventsForECSTaskRule",
        # Dead letters wait for a person.
        "sqs:ReceiveMessage arn:aws:sqs:HERE:takings-dead-letters",
        "sqs:DeleteMessage arn:aws:sqs:HERE:takings-dead-letters",
        "sqs:PurgeQueue arn:aws:sqs:HERE:takings-dead-letters",
        "sqs:SendMessage arn:aws:sqs:HERE:orders",
        # Only S3 says what was dropped, and nobody looks into another shop's queue.
        "sqs:SendMessage arn:aws:sqs:HERE:takings-events",
        "sqs:PurgeQueue arn:aws:sqs:HERE:takings-events",
        "sqs:ReceiveMessage arn:aws:sqs:HERE:north-takings-events",
        # Logs stay, and nothing else of the account is anybody's business.
        "logs:DeleteLogGroup arn:aws:logs:HERE:log-group:/aws/lambda/file-detector",
        "logs:PutRetentionPolicy arn:aws:logs:HERE:log-group:/aws/lambda/file-detector",
        "logs:PutLogEvents arn:aws:logs:HERE:log-group:/aws/lambda/billing:log-stream:1",
        "kms:Decrypt arn:aws:kms:HERE:key/1",
        "secretsmanager:GetSecretValue arn:aws:secretsmanager:HERE:secret:database",
        "ssm:GetParameter arn:aws:ssm:HERE:parameter/database",
        "ec2:RunInstances *",
    ),
    # Not even by naming the bytes that an original should still hold.
    *_calls("s3:DeleteObject arn:aws:s3:::shop/processed/2025/04/01/b/orders/a.csv", **{"s3_if-match": '"etag"'}),
    # The right roles, to another service.
    *_calls(
        "iam:PassRole arn:aws:iam::000000000000:role/takings-scheduler",
        "iam:PassRole arn:aws:iam::000000000000:role/takings-validation-service",
        "iam:PassRole arn:aws:iam::000000000000:role/takings-task-execution",
        "iam:PassRole arn:aws:iam::000000000000:role/takings-file-archiver",
        iam_PassedToService="lambda.amazonaws.com",
    ),
    *_calls(
        "iam:PassRole arn:aws:iam::000000000000:role/admin",
        "iam:PassRole arn:aws:iam::000000000000:role/takings-file-archiver",
        "iam:PassRole arn:aws:iam::000000000000:role/takings-scheduler",
        iam_PassedToService="ecs-tasks.amazonaws.com",
    ),
    *_calls(
        "iam:PassRole arn:aws:iam::000000000000:role/admin",
        "iam:PassRole arn:aws:iam::000000000000:role/takings-validation-service",
        iam_PassedToService="scheduler.amazonaws.com",
    ),
    # Older versions of anything except originals.
    *_calls("s3:ListBucketVersions arn:aws:s3:::shop"),
    *_calls("s3:ListBucketVersions arn:aws:s3:::shop", s3_prefix="lake/"),
    *_calls("s3:ListBucketVersions arn:aws:s3:::shop", s3_prefix=""),
]

#: writes of numbers and of the lake, which belong to the transformation
_NUMBERS: Final = _calls(
    "dynamodb:PutItem arn:aws:dynamodb:HERE:table/OrderKPIs",
    "dynamodb:PutItem arn:aws:dynamodb:HERE:table/CategoryKPIs",
    "s3:PutObject arn:aws:s3:::shop/lake/commits/1.json",
    "s3:PutObject arn:aws:s3:::shop/lake/orders/order_date=2025-04-01/1.parquet",
    "s3:PutObject arn:aws:s3:::shop/BATCH/affected.json",
)
#: what belongs to the archiver
_ARCHIVE: Final = [
    *_calls(
        "s3:PutObject arn:aws:s3:::shop/processed/2025/04/01/b/orders/a.csv",
        "s3:PutObject arn:aws:s3:::shop/failed/2025/04/01/b/orders/a.csv",
        "s3:PutObject arn:aws:s3:::shop/BATCH/outcome.json",
        "sqs:SendMessage arn:aws:sqs:HERE:takings-dead-letters",
    ),
    *_calls("s3:DeleteObject arn:aws:s3:::shop/raw-data/orders/a.csv", **{"s3_if-match": '"etag"'}),
]
#: what belongs to the maintenance
_REMOVALS: Final = _calls(
    "s3:DeleteObject arn:aws:s3:::shop/BATCH/manifest.json",
    "s3:DeleteObject arn:aws:s3:::shop/lake/orders/_delta_log/00000000000000000000.json",
    "s3:DeleteObject arn:aws:s3:::shop/lake/orders/order_date=2025-04-01/1.parquet",
    "s3:DeleteObject arn:aws:s3:::shop/validation-reports/b/orders/a.csv/summary.json",
)
#: what belongs to the detector
_START: Final = _calls(
    "s3:PutObject arn:aws:s3:::shop/BATCH/manifest.json",
    "s3:PutObject arn:aws:s3:::shop/lake/format.json",
    "states:StartExecution arn:aws:states:HERE:stateMachine:ecommerce-pipeline",
    "scheduler:CreateSchedule arn:aws:scheduler:HERE:schedule/takings/deadline",
)
#: what belongs to the state machine
_RUN: Final = [
    *_calls(
        "lambda:InvokeFunction arn:aws:lambda:HERE:function:file-archiver",
        "ecs:StopTask arn:aws:ecs:HERE:task/takings/1",
    ),
    *_calls(
        "ecs:RunTask arn:aws:ecs:HERE:task-definition/validation-service:1",
        ecs_cluster="arn:aws:ecs:HERE:cluster/takings",
    ),
]
#: reading or writing anything in the store
_STORE: Final = _calls(
    "s3:ListBucket arn:aws:s3:::shop",
    "s3:GetObject arn:aws:s3:::shop/takings.toml",
    "s3:GetObject arn:aws:s3:::shop/raw-data/orders/a.csv",
    "dynamodb:GetItem arn:aws:dynamodb:HERE:table/PendingBatches",
    "dynamodb:PutItem arn:aws:dynamodb:HERE:table/PendingBatches",
)
#: a job neither starts others nor replaces what they run
_OWN_JOBS: Final = _calls(
    "emr-serverless:StartJobRun arn:aws:emr-serverless:HERE:/applications/00fexample",
    "s3:PutObject arn:aws:s3:::shop/spark/0123456789abcdef/step.py",
    "s3:PutObject arn:aws:s3:::shop/spark/0123456789abcdef/environment.tar.gz",
    "logs:CreateLogGroup arn:aws:logs:HERE:log-group:/aws/emr-serverless/takings-spark",
)
_STARTS_DETECTOR: Final = _calls("lambda:InvokeFunction arn:aws:lambda:HERE:function:file-detector")

FORBIDDEN: Final[Mapping[str, Sequence[Call]]] = {
    "takings-file-detector": [
        *_NUMBERS,
        *(call for call in _ARCHIVE if not call.action.startswith("sqs:")),
        *_RUN,
        *_REMOVALS,
        *_STARTS_DETECTOR,
        *_calls(
            "s3:GetObject arn:aws:s3:::shop/raw-data/orders/a.csv",
            "s3:GetObject arn:aws:s3:::shop/processed/2025/04/01/b/orders/a.csv",
            "s3:DeleteObject arn:aws:s3:::shop/staging/b/orders/00000.parquet",
            "s3:PutObject arn:aws:s3:::shop/BATCH/verdicts.json",
            "dynamodb:PutItem arn:aws:dynamodb:HERE:table/ProcessedFiles",
            "dynamodb:Scan arn:aws:dynamodb:HERE:table/OrderKPIs",
        ),
    ],
    "takings-file-archiver": [
        *_NUMBERS,
        *_START,
        *_RUN,
        *_REMOVALS,
        *_STARTS_DETECTOR,
        *_calls(
            "s3:PutObject arn:aws:s3:::shop/BATCH/verdicts.json",
            "s3:GetObject arn:aws:s3:::shop/lake/orders/order_date=2025-04-01/1.parquet",
            "dynamodb:Scan arn:aws:dynamodb:HERE:table/OrderKPIs",
        ),
    ],
    "takings-validation-service": [
        *_NUMBERS,
        *_ARCHIVE,
        *_START,
        *_RUN,
        *_REMOVALS,
        *_STARTS_DETECTOR,
        *_calls(
            "s3:PutObject arn:aws:s3:::shop/BATCH/published.json",
            "dynamodb:Scan arn:aws:dynamodb:HERE:table/OrderKPIs",
        ),
    ],
    "takings-transformation-service": [
        *_ARCHIVE,
        *_START,
        *_RUN,
        *_REMOVALS,
        *_STARTS_DETECTOR,
        *_calls(
            "s3:PutObject arn:aws:s3:::shop/BATCH/verdicts.json",
            "s3:DeleteObject arn:aws:s3:::shop/staging/b/orders/00000.parquet",
            "dynamodb:PutItem arn:aws:dynamodb:HERE:table/ProcessedFiles",
        ),
    ],
    "takings-validation-on-spark": [
        *_NUMBERS,
        *_ARCHIVE,
        *_START,
        *_RUN,
        *_REMOVALS,
        *_STARTS_DETECTOR,
        *_OWN_JOBS,
        *_calls(
            "s3:PutObject arn:aws:s3:::shop/BATCH/published.json",
            "s3:DeleteObject arn:aws:s3:::shop/lake/orders/_writing/1/part-0.parquet",
            "dynamodb:Scan arn:aws:dynamodb:HERE:table/OrderKPIs",
        ),
    ],
    "takings-transformation-on-spark": [
        *_ARCHIVE,
        *_START,
        *_RUN,
        *_REMOVALS,
        *_STARTS_DETECTOR,
        *_OWN_JOBS,
        *_calls(
            "s3:PutObject arn:aws:s3:::shop/BATCH/verdicts.json",
            "s3:DeleteObject arn:aws:s3:::shop/staging/b/orders/00000.parquet",
            "dynamodb:PutItem arn:aws:dynamodb:HERE:table/ProcessedFiles",
        ),
    ],
    "takings-task-execution": [*_STORE, *_NUMBERS, *_ARCHIVE, *_START, *_RUN, *_REMOVALS, *_STARTS_DETECTOR],
    "takings-maintenance": [
        *_ARCHIVE,
        *_START,
        *_RUN,
        *_STARTS_DETECTOR,
        *_calls(
            "s3:GetObject arn:aws:s3:::shop/raw-data/orders/a.csv",
            "s3:GetObject arn:aws:s3:::shop/processed/2025/04/01/b/orders/a.csv",
            "s3:PutObject arn:aws:s3:::shop/BATCH/verdicts.json",
            "dynamodb:PutItem arn:aws:dynamodb:HERE:table/PendingBatches",
            "dynamodb:PutItem arn:aws:dynamodb:HERE:table/ProcessedFiles",
            "dynamodb:PutItem arn:aws:dynamodb:HERE:table/OrderKPIs",
        ),
    ],
    "takings-state-machine": [
        *_STORE,
        *_REMOVALS,
        *_NUMBERS,
        *_ARCHIVE,
        *_START,
        # Only its own services, and only in its own cluster.
        *_calls(
            "ecs:RunTask arn:aws:ecs:HERE:task-definition/miner:1",
            "ecs:RunTask arn:aws:ecs:HERE:task-definition/north-validation-service:1",
            "ecs:StopTask arn:aws:ecs:HERE:task/web/1",
            "ecs:DescribeTasks arn:aws:ecs:HERE:task/web/1",
            ecs_cluster="arn:aws:ecs:HERE:cluster/takings",
        ),
        *_calls(
            "ecs:RunTask arn:aws:ecs:HERE:task-definition/validation-service:1",
            "ecs:StopTask arn:aws:ecs:HERE:task/takings/1",
            ecs_cluster="arn:aws:ecs:HERE:cluster/web",
        ),
        # Only jobs of its own application, with their own roles.
        *_calls(
            "emr-serverless:StartJobRun arn:aws:emr-serverless:HERE:/applications/00fanother",
            "emr-serverless:CancelJobRun arn:aws:emr-serverless:HERE:/applications/00fanother/jobruns/00j1",
            "emr-serverless:DeleteApplication arn:aws:emr-serverless:HERE:/applications/00fexample",
            "emr-serverless:UpdateApplication arn:aws:emr-serverless:HERE:/applications/00fexample",
        ),
        *_calls(
            "iam:PassRole arn:aws:iam::000000000000:role/takings-transformation-service",
            "iam:PassRole arn:aws:iam::000000000000:role/takings-state-machine",
            iam_PassedToService="emr-serverless.amazonaws.com",
        ),
        *_calls("ecs:TagResource arn:aws:ecs:HERE:task/takings/1"),
        *_calls("ecs:TagResource arn:aws:ecs:HERE:task/takings/1", ecs_CreateAction="CreateService"),
    ],
    "takings-scheduler": [
        *_STORE,
        *_NUMBERS,
        *_ARCHIVE,
        *_START,
        *_RUN,
        *_REMOVALS,
    ],
}
