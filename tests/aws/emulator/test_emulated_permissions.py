"""The emulator refuses what a role does not allow, once told to, and records the calls."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.aws.harness import toys
from tests.aws.harness.pipeline import Aws, until
from tests.emulators import make_bucket

ASKS = (
    "import boto3\ndef handler(event, context): boto3.client('s3').list_objects_v2(Bucket='shop', Prefix='raw-data/')"
)
SCHEDULES = """
import boto3
def handler(event, context):
    target = {"Arn": event["target"], "RoleArn": "arn:aws:iam::000000000000:role/toy"}
    boto3.client("scheduler").create_schedule(
        Name="toy", ScheduleExpression="rate(1 hour)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )
"""


def allow(aws: Aws, action: str, resource: str, condition: dict[str, Any] | None = None) -> None:
    """Let the role of all toys do one thing and nothing else."""
    iam, anybody = aws.client("iam"), {"Effect": "Allow", "Principal": {"Service": "*"}, "Action": "sts:AssumeRole"}
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition or {}}
    if "toy" not in {role["RoleName"] for role in iam.list_roles()["Roles"]}:
        iam.create_role(RoleName="toy", AssumeRolePolicyDocument=json.dumps({"Statement": [anybody]}))
    iam.put_role_policy(RoleName="toy", PolicyName="toy", PolicyDocument=json.dumps({"Statement": [statement]}))


def invoked(aws: Aws, name: str, **event: str) -> str | None:
    """Invoke a function and return what it raised."""
    answer = aws.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    document = json.load(answer["Payload"]) or {}
    message: str | None = document.get("errorMessage")
    return message


def asked(aws: Aws) -> list[tuple[str, str, dict[str, str], bool]]:
    return [(call["action"], call["resource"], call["conditions"], call["allowed"]) for call in aws.calls()]


def test_a_function_has_only_its_role(pipe: Aws) -> None:
    """The test itself has every right, before and after."""
    make_bucket(pipe.emulator.clients)
    toys.function(pipe, "asks", ASKS)
    pipe.hold_to_roles()
    allow(pipe, "s3:ListBucket", "*", {"StringEquals": {"s3:prefix": "processed/"}})
    assert "AccessDenied" in str(invoked(pipe, "asks"))
    listed = ("s3:ListBucket", "arn:aws:s3:::shop", {"s3:prefix": "raw-data/"})
    assert asked(pipe) == [(*listed, False)]
    tls = {"Bool": {"aws:SecureTransport": "true"}}
    allow(pipe, "s3:ListBucket", "arn:aws:s3:::shop", {"StringEquals": {"s3:prefix": "raw-data/"}} | tls)
    assert invoked(pipe, "asks") is None
    assert asked(pipe) == [(*listed, False), (*listed, True)]
    pipe.client("s3").list_objects_v2(Bucket="shop")
    assert len(asked(pipe)) == 2


def test_a_state_machine_has_only_its_role(pipe: Aws) -> None:
    """Step Functions makes calls in its name."""
    echo = toys.function(pipe, "echo", toys.ECHO)
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": echo},
        "End": True,
    }
    machine = toys.machine(pipe, {"Call": state})
    pipe.hold_to_roles()
    allow(pipe, "lambda:InvokeFunction", f"{echo}-of-another")
    assert pipe.ended(toys.start(pipe, machine))["error"] == "States.Permissions"
    allow(pipe, "lambda:InvokeFunction", echo)
    assert pipe.ended(toys.start(pipe, machine))["status"] == "SUCCEEDED"
    assert asked(pipe) == [("lambda:InvokeFunction", echo, {}, False), ("lambda:InvokeFunction", echo, {}, True)]


def test_a_task_has_only_its_role(pipe: Aws) -> None:
    """Its credentials belong to its task definition's role, and work for nothing else."""
    make_bucket(pipe.emulator.clients)
    definition = toys.task_definition(pipe, f"{ASKS}\nhandler(None, None)")
    allow(pipe, "s3:ListBucket", "arn:aws:s3:::another")
    pipe.hold_to_roles()
    pipe.client("ecs").run_task(taskDefinition=definition, launchType="FARGATE")
    (task,) = until(pipe.tasks)
    assert until(lambda: pipe.tasks()[0]["exit_code"]) == 1
    assert task["environment"]["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert asked(pipe) == [("s3:ListBucket", "arn:aws:s3:::shop", {"s3:prefix": "raw-data/"}, False)]


def test_a_role_is_passed_only_where_that_is_allowed(pipe: Aws) -> None:
    """Whoever creates a schedule passes it a role, which the schedule then assumes."""
    echo = toys.function(pipe, "echo", toys.ECHO)
    toys.function(pipe, "schedules", SCHEDULES)
    pipe.hold_to_roles()
    allow(pipe, "*", "*", {"StringNotEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}})
    assert "may not be passed" in str(invoked(pipe, "schedules", target=echo))
    allow(pipe, "*", "*")
    assert invoked(pipe, "schedules", target=echo) is None
    passed = ("iam:PassRole", toys.ROLE, {"iam:PassedToService": "scheduler.amazonaws.com"})
    made: tuple[str, str, dict[str, str], bool] = (
        "scheduler:CreateSchedule",
        "arn:aws:scheduler:eu-west-1:000000000000:schedule/default/toy",
        {},
        True,
    )
    assert asked(pipe) == [(*passed, False), (*passed, True), made]


def test_a_schedule_has_only_its_role(pipe: Aws) -> None:
    """The Scheduler makes calls in its name."""
    echo = toys.function(pipe, "echo", toys.ECHO)
    allow(pipe, "lambda:InvokeFunction", f"{echo}-of-another")
    pipe.hold_to_roles()
    pipe.client("scheduler").create_schedule(
        Name="toy",
        ScheduleExpression=f"at({datetime.now(UTC) + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": echo, "RoleArn": toys.ROLE},
    )
    until(pipe.calls)
    assert asked(pipe) == [("lambda:InvokeFunction", echo, {}, False)]
    assert pipe.client("logs").describe_log_groups()["logGroups"] == []
