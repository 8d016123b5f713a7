"""Small things to try the emulator with: a short function, a state machine of a few states, a task of one command."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.aws.harness.pipeline import Aws, until

ROLE: Final = "arn:aws:iam::000000000000:role/toy"
#: where the emulator runs images of a registry; only the last part matters
IMAGE: Final = "000000000000.dkr.ecr.eu-west-1.amazonaws.com/toy:latest"
NETWORK: Final = {"AwsvpcConfiguration": {"Subnets": ["subnet-1"], "AssignPublicIp": "ENABLED"}}

#: states, scripts of tasks and sources of functions
DONE: Final = {"Type": "Succeed"}
#: exits with a code when it is asked to end
OBEDIENT: Final = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("ready", flush=True)
time.sleep(60)
"""
ECHO: Final = "def handler(event, context): return event"
FAILS: Final = """
class Superseded(Exception): pass
def handler(event, context): raise Superseded("attempt 1 has lost")
"""


def function(aws: Aws, name: str, source: str, *, environment: Mapping[str, str] | None = None, **more: Any) -> str:
    """Create a function from source with `handler(event, context)`, and return its ARN."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr("toy.py", source)
    made: dict[str, Any] = aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role=ROLE,
        Handler="toy.handler",
        Code={"ZipFile": file.getvalue()},
        Timeout=30,
        Environment={"Variables": dict(environment or {})},
        **more,
    )
    return str(made["FunctionArn"])


def machine(aws: Aws, states: Mapping[str, object], **more: object) -> str:
    """Create a state machine that begins with its first state, and return its ARN."""
    definition = {"StartAt": next(iter(states)), "States": states, **more}
    made = aws.client("stepfunctions").create_state_machine(
        name="toy", roleArn=ROLE, definition=json.dumps(definition), type="STANDARD"
    )
    return str(made["stateMachineArn"])


def start(aws: Aws, machine_arn: str, given: object = None, **more: str) -> str:
    """Start an execution, and return its ARN."""
    started = aws.client("stepfunctions").start_execution(
        stateMachineArn=machine_arn, input=json.dumps(given or {}), **more
    )
    return str(started["executionArn"])


def task_definition(aws: Aws, script: str, **container: object) -> str:
    """Define a task that runs a Python script, and return its ARN; arguments are the container's command."""
    aws.run_images({"toy": [sys.executable, "-c", script]})
    aws.client("logs").create_log_group(logGroupName="/toy")
    logs = {"awslogs-group": "/toy", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "toy"}
    defined = aws.client("ecs").register_task_definition(
        family="toy",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        taskRoleArn=ROLE,
        containerDefinitions=[
            {
                "name": "toy",
                "image": IMAGE,
                "essential": True,
                "logConfiguration": {"logDriver": "awslogs", "options": logs},
                **container,
            }
        ],
    )
    return str(defined["taskDefinition"]["taskDefinitionArn"])


def task_state(definition: str, overrides: Mapping[str, object] | None = None, **more: object) -> dict[str, object]:
    """Return a state that runs a task and waits for its end."""
    parameters = {
        "Cluster": "default",
        "TaskDefinition": definition,
        "LaunchType": "FARGATE",
        "NetworkConfiguration": NETWORK,
        "Overrides": overrides or {},
    }
    return {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "Parameters": parameters, **more}


@dataclass(frozen=True, kw_only=True)
class Queue:
    """An SQS queue."""

    url: str
    arn: str


def queue(aws: Aws, name: str) -> Queue:
    """Create a queue."""
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    return Queue(url=url, arn=attributes["QueueArn"])


def taken(aws: Aws, queue: Queue) -> list[Any]:
    """Remove the messages from a queue, and return them."""
    sqs = aws.client("sqs")
    received = sqs.receive_message(QueueUrl=queue.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
    messages: list[Any] = received.get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])
    return messages


def logged(aws: Aws, group: str, pattern: str = "") -> list[str]:
    """Return the lines of a log group."""
    found = aws.client("logs").filter_log_events(logGroupName=group, filterPattern=pattern)
    return [event["message"] for event in found["events"]]


def until_ready(aws: Aws) -> dict[str, Any]:
    """Wait until a task prints that it is ready."""
    (task,) = until(lambda: [task for task in aws.tasks() if "ready" in Path(task["log"]).read_text()])
    return task


def is_alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    told = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return told.strip()[:1] not in {"", "Z"}
