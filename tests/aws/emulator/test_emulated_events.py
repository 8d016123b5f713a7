"""The emulator's S3 events, schedules, functions and dead letters behave as on AWS, wherever the pipeline depends on it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from tests.aws.harness import toys
from tests.aws.harness.pipeline import Aws, until
from tests.emulators import make_bucket

DETECTOR = """
import boto3, json, os
def handler(event, context):
    for record in event["Records"]:
        print(json.dumps({"_aws": {"CloudWatchMetrics": []}, "arrivals": 1}))
        given = json.dumps({"key": record["s3"]["object"]["key"], "event": record["eventName"]})
        boto3.client("stepfunctions").start_execution(stateMachineArn=os.environ["STATE_MACHINE"], input=given)
"""
#: logs the arguments of its call
TELLS = "def handler(event, context): print('called', event.get('key') or event['Records'][0]['s3']['object']['key'])"


def drop(aws: Aws, *keys: str) -> None:
    for key in keys:
        aws.client("s3").put_object(Bucket="shop", Key=key, Body=b"x")


def notified(aws: Aws, arn: str) -> None:
    """Create a bucket that notifies a function about drops under raw-data/."""
    make_bucket(aws.emulator.clients)
    rule = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "raw-data/"}]}}
    configuration = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": rule}
    aws.client("s3").put_bucket_notification_configuration(
        Bucket="shop", NotificationConfiguration={"LambdaFunctionConfigurations": [configuration]}
    )


class TestEvents:
    def test_a_dropped_file_starts_an_execution(self, pipe: Aws) -> None:
        """Only below the prefix; the key is URL-encoded, and a function's output is in the logs."""
        machine = toys.machine(pipe, {"Done": toys.DONE})
        notified(pipe, toys.function(pipe, "detector", DETECTOR, environment={"STATE_MACHINE": machine}))
        drop(pipe, "processed/a.csv", "raw-data/orders/a b+ä.csv")
        (found,) = until(lambda: pipe.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"])
        assert json.loads(pipe.ended(found["executionArn"])["output"]) == {
            "key": "raw-data/orders/a+b%2B%C3%A4.csv",
            "event": "ObjectCreated:Put",
        }
        metrics = until(lambda: toys.logged(pipe, "/aws/lambda/detector", "CloudWatchMetrics"))
        assert [json.loads(line)["arrivals"] for line in metrics] == [1]

    def test_events_come_late_twice_in_another_order_or_never(self, pipe: Aws) -> None:
        """Whichever the test chooses."""
        notified(pipe, toys.function(pipe, "tells", TELLS))
        pipe.hold_events()
        for number in range(3):
            drop(pipe, f"raw-data/{number}")
            until(lambda number=number: len(pipe.held_events()) == number + 1)  # type: ignore[misc]
        assert [event["key"] for event in pipe.held_events()] == ["raw-data/0", "raw-data/1", "raw-data/2"]

        def told() -> list[str]:
            return [line for line in toys.logged(pipe, "/aws/lambda/tells") if line.startswith("called")]

        pipe.release_events(2)
        until(lambda: pipe.client("logs").describe_log_groups()["logGroups"])
        pipe.release_events(0, 0)
        until(lambda: len(told()) == 3)
        assert told() == ["called raw-data/2", "called raw-data/0", "called raw-data/0"]
        pipe.lose_events()
        pipe.hold_events(holding=False)
        drop(pipe, "raw-data/3")
        until(lambda: len(told()) == 4)
        assert told()[3] == "called raw-data/3"

    def test_an_event_that_nobody_can_handle_is_kept(self, pipe: Aws) -> None:
        """After two more attempts: a dead-letter queue keeps it as it was, a destination adds the error."""
        letters, destination = toys.queue(pipe, "letters"), toys.queue(pipe, "destination")
        toys.function(pipe, "dead", toys.FAILS, DeadLetterConfig={"TargetArn": letters.arn})
        toys.function(pipe, "sent", toys.FAILS)
        functions = pipe.client("lambda")
        functions.put_function_event_invoke_config(
            FunctionName="sent", DestinationConfig={"OnFailure": {"Destination": destination.arn}}
        )
        for name in ("dead", "sent"):
            functions.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"key": "a"}')
        (letter,) = until(lambda: toys.taken(pipe, letters))
        told = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
        assert (json.loads(letter["Body"]), told["ErrorMessage"]) == ({"key": "a"}, "attempt 1 has lost")
        (sent,) = until(lambda: toys.taken(pipe, destination))
        body = json.loads(sent["Body"])
        assert (body["requestPayload"], body["responsePayload"]["errorType"]) == ({"key": "a"}, "Superseded")
        assert len(toys.logged(pipe, "/aws/lambda/dead", "START")) == 3
        assert toys.taken(pipe, letters) == toys.taken(pipe, destination) == []


class TestSchedules:
    def schedule(self, aws: Aws, name: str, expression: str, target: str) -> None:
        aws.client("scheduler").create_schedule(
            Name=name,
            ScheduleExpression=expression,
            ActionAfterCompletion="DELETE",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": target, "RoleArn": toys.ROLE, "Input": json.dumps({"key": name})},
        )

    def test_a_schedule_fires_once_or_again_and_again(self, pipe: Aws) -> None:
        """A one-time schedule is removed afterwards; its name can be used again."""
        tells = toys.function(pipe, "tells", TELLS)
        self.schedule(pipe, "sweep", "rate(5 minutes)", tells)

        def told() -> list[str]:
            groups = pipe.client("logs").describe_log_groups()["logGroups"]
            return [line for line in toys.logged(pipe, "/aws/lambda/tells") if "called" in line] if groups else []

        for number in (1, 2):
            soon = datetime.now(UTC) + timedelta(seconds=1)
            self.schedule(pipe, "deadline", f"at({soon:%Y-%m-%dT%H:%M:%S})", tells)
            until(lambda number=number: len(told()) == number)  # type: ignore[misc]
            names = [each["Name"] for each in pipe.client("scheduler").list_schedules()["Schedules"]]
            assert names == ["sweep"]
        for ahead in (301, 602):
            pipe.advance_schedules(ahead)
            until(lambda ahead=ahead: len(told()) == 2 + ahead // 300)  # type: ignore[misc]
        assert told() == ["called deadline", "called deadline", "called sweep", "called sweep"]
