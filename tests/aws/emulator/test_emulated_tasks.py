"""The emulator's tasks and executions behave as on AWS, wherever the pipeline depends on it."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.aws.harness import toys
from tests.aws.harness.pipeline import Aws, until

#: how a task ends when asked to: with its own code, or by the signal if it had no time to begin
ASKED = {7, 143}


class TestTasks:
    def test_a_task_gets_what_its_execution_says(self, pipe: Aws) -> None:
        """Command, environment and size; nothing from this process; its output is in the logs."""
        script = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"
        container = {
            "Name": "toy",
            "Command": ["validate", "--quick"],
            "Environment": [{"Name": "BATCH", "Value.$": "$.batch"}, {"Name": "PLAIN", "Value": "1"}],
        }
        size = {"Cpu": "1024", "Memory": "4096", "EphemeralStorage": {"SizeInGiB": 30}}
        definition = toys.task_definition(pipe, script, environment=[{"name": "BASE", "value": "2"}])
        state = toys.task_state(definition, {"ContainerOverrides": [container], **size}, End=True, ResultPath="$.task")
        ended = pipe.ended(toys.start(pipe, toys.machine(pipe, {"Validate": state}), {"batch": "b-1"}))
        output = json.loads(ended["output"])
        assert (ended["status"], output["batch"], output["task"]["Containers"][0]["ExitCode"]) == (
            "SUCCEEDED",
            "b-1",
            0,
        )
        assert (output["task"]["Cpu"], output["task"]["Memory"]) == ("1024", "4096")
        (task,) = pipe.tasks()
        assert (task["cpu"], task["memory"], task["ephemeral_storage"]) == ("1024", "4096", {"sizeInGiB": 30})
        (line,) = until(lambda: toys.logged(pipe, "/toy"))
        arguments, seen = json.loads(line)
        assert arguments == ["validate", "--quick"]
        assert {name: seen[name] for name in ("BATCH", "PLAIN", "BASE", "AWS_ENDPOINT_URL")} == {
            "BATCH": "b-1",
            "PLAIN": "1",
            "BASE": "2",
            "AWS_ENDPOINT_URL": pipe.url,
        }
        assert "PYTEST_CURRENT_TEST" not in seen

    def test_a_failed_task_takes_the_way_of_its_error(self, pipe: Aws) -> None:
        """Attempts with growing pauses; then its exit code chooses the branch, and a function gets the rest."""
        toys.function(pipe, "echo", toys.ECHO)
        retry = {
            "ErrorEquals": ["States.TaskFailed"],
            "IntervalSeconds": 8,
            "BackoffRate": 2,
            "MaxAttempts": 3,
            "MaxDelaySeconds": 20,
        }
        caught = {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Read"}
        states = {
            "Work": toys.task_state(
                toys.task_definition(pipe, "raise SystemExit(3)"), Retry=[retry], Catch=[caught], End=True
            ),
            "Read": {
                "Type": "Pass",
                "Parameters": {"task.$": "States.StringToJson($.error.Cause)", "error.$": "$.error.Error", "pause": 7},
                "Next": "Wait",
            },
            "Wait": {"Type": "Wait", "SecondsPath": "$.pause", "Next": "Which"},
            "Which": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.task.Containers[0].ExitCode", "NumericEquals": 3, "Next": "Tell"}],
                "Default": "Lost",
            },
            "Lost": {"Type": "Fail"},
            "Tell": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Parameters": {
                    "FunctionName": "echo",
                    "Payload": {"why.$": "$.task.StoppedReason", "error.$": "$.error"},
                },
                "OutputPath": "$.Payload",
                "End": True,
            },
        }
        ended = pipe.ended(toys.start(pipe, toys.machine(pipe, states)))
        assert ended["status"] == "SUCCEEDED", ended
        assert json.loads(ended["output"]) == {
            "why": "Essential container in task exited",
            "error": "States.TaskFailed",
        }
        assert [wait["seconds"] for wait in pipe.waits()] == [8, 16, 20, 7]
        assert [task["exit_code"] for task in pipe.tasks()] == [3, 3, 3, 3]

    def test_a_function_fails_with_the_name_of_its_error(self, pipe: Aws) -> None:
        """So a state machine can tell errors apart; a pause with jitter is any fraction of the pause."""
        toys.function(pipe, "fails", toys.FAILS)
        retry = {"ErrorEquals": ["Superseded"], "IntervalSeconds": 50, "MaxAttempts": 1, "JitterStrategy": "FULL"}
        state = {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "fails", "Payload.$": "$"},
            "Retry": [retry],
            "Catch": [{"ErrorEquals": ["Superseded"], "Next": "Done"}],
            "End": True,
        }
        ended = pipe.ended(toys.start(pipe, toys.machine(pipe, {"Fails": state, "Done": toys.DONE})))
        output = json.loads(ended["output"])
        assert (ended["status"], output["Error"]) == ("SUCCEEDED", "Superseded")
        assert json.loads(output["Cause"])["errorMessage"] == "attempt 1 has lost"
        (wait,) = pipe.waits()
        assert 0 < wait["seconds"] < 50

    def test_an_image_that_is_not_there_fails_the_task(self, pipe: Aws) -> None:
        """No container runs at all."""
        definition = toys.task_definition(pipe, "")
        pipe.run_images({})
        ended = pipe.ended(toys.start(pipe, toys.machine(pipe, {"Work": toys.task_state(definition, End=True)})))
        task = json.loads(ended["cause"])
        assert (ended["error"], task["StopCode"]) == ("States.TaskFailed", "TaskFailedToStart")
        assert task["StoppedReason"].startswith("CannotPullContainerError: ")

    def test_a_task_beyond_its_time_is_stopped(self, pipe: Aws) -> None:
        """Its state fails with States.Timeout, whatever the task's exit code."""
        state = toys.task_state(toys.task_definition(pipe, toys.OBEDIENT), TimeoutSeconds=1, End=True)
        ended = pipe.ended(toys.start(pipe, toys.machine(pipe, {"Work": state})))
        assert (ended["status"], ended["error"]) == ("FAILED", "States.Timeout")
        assert until(lambda: pipe.tasks()[0]["exit_code"]) in ASKED

    @pytest.mark.parametrize("frozen", [False, True])
    def test_a_stopped_task_is_asked_and_then_killed(self, pipe: Aws, frozen: bool) -> None:
        """A paused one does not notice; both fail their state."""
        state = toys.task_state(toys.task_definition(pipe, toys.OBEDIENT, stopTimeout=1 if frozen else 30), End=True)
        execution = toys.start(pipe, toys.machine(pipe, {"Work": state}))
        task = toys.until_ready(pipe)
        if frozen:
            os.kill(task["pid"], signal.SIGSTOP)
        stopping = pipe.client("ecs").stop_task(task=task["task"], reason="because")["task"]
        assert stopping["desiredStatus"] == "STOPPED"
        cause = json.loads(pipe.ended(execution)["cause"])
        assert (cause["StopCode"], cause["StoppedReason"]) == ("UserInitiated", "because")
        assert cause["Containers"][0]["ExitCode"] == (137 if frozen else 7)
        assert not toys.is_alive(task["pid"])

    def test_a_killed_task_fails_with_137(self, pipe: Aws) -> None:
        """Like one that ran out of memory."""
        state = toys.task_state(toys.task_definition(pipe, toys.OBEDIENT), End=True)
        execution = toys.start(pipe, toys.machine(pipe, {"Work": state}))
        os.kill(toys.until_ready(pipe)["pid"], signal.SIGKILL)
        cause = json.loads(pipe.ended(execution)["cause"])
        assert (cause["StopCode"], cause["Containers"][0]["ExitCode"]) == ("EssentialContainerExited", 137)


class TestExecutions:
    def test_a_name_is_taken_once(self, pipe: Aws) -> None:
        """While it runs, the same name with the same input means the same execution."""
        states = {"Wait": {"Type": "Wait", "Seconds": 80, "Next": "Done"}, "Done": toys.DONE}
        machine = toys.machine(pipe, states)
        first = toys.start(pipe, machine, {"a": 1}, name="b-1")
        assert toys.start(pipe, machine, {"a": 1}, name="b-1") == first
        taken = pipe.client("stepfunctions").exceptions.ExecutionAlreadyExists
        with pytest.raises(taken):
            toys.start(pipe, machine, {"a": 2}, name="b-1")
        assert pipe.ended(first)["status"] == "SUCCEEDED"
        with pytest.raises(taken):
            toys.start(pipe, machine, {"a": 1}, name="b-1")
        with pytest.raises(pipe.client("stepfunctions").exceptions.InvalidName):
            toys.start(pipe, machine, name="b:1")

    @pytest.mark.parametrize("way", ["stopped", "timed out"])
    def test_an_execution_that_ends_stops_its_task(self, pipe: Aws, way: str) -> None:
        """By hand, or at its own time limit."""
        limit = {"TimeoutSeconds": 3} if way == "timed out" else {}
        state = toys.task_state(
            toys.task_definition(pipe, toys.OBEDIENT), Retry=[{"ErrorEquals": ["States.ALL"]}], End=True
        )
        execution = toys.start(pipe, toys.machine(pipe, {"Work": state}, **limit))
        until(pipe.tasks)
        if way == "stopped":
            pipe.client("stepfunctions").stop_execution(executionArn=execution)
        wanted = "ABORTED" if way == "stopped" else "TIMED_OUT"
        assert pipe.ended(execution)["status"] == wanted
        (code,) = until(lambda: [task["exit_code"] for task in pipe.tasks() if task["exit_code"]])
        assert code in ASKED
