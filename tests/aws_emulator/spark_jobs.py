"""EMR Serverless as the pipeline uses it, which MiniStack does not know: one application, and jobs as child processes.

A job really runs: `job_runner.py` fetches the package and lets spark-submit run it. What comes back is what AWS hands on: a
sentence about how it ended, and no exit code of the driver's Python.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final
from urllib.parse import unquote

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import stepfunctions

from tests.aws_emulator import executions, permissions
from tests.aws_emulator.containers import Container, Docker
from tests.aws_emulator.patching import needed

#: the name under which a test says what runs in place of jobs
IMAGE: Final = "emr-serverless"
SERVICE: Final = "emr-serverless.amazonaws.com"
_RESOURCE: Final = "arn:aws:states:::emr-serverless:startJobRun"
_CLIENT: Final = "/emr-serverless/aws4_request"
_ENDED: Final = "Job failed, please check complete logs in configured logging destination. ExitCode: {}."


@dataclass
class Job:
    """A job run."""

    container: Container
    arn: str
    name: str
    is_cancelled: bool = False


@dataclass
class Applications:
    """Applications by id, and the job runs by client token."""

    all: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    #: what the next job runs say instead of beginning
    refusals: list[str] = field(default_factory=list)

    def answer(self, method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Answer a request of the service's API."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        match method, parts:
            case "GET", ["applications"]:
                return 200, {"applications": [self._summary(each) for each in self.all.values()]}
            case "POST", ["applications"]:
                return 200, self._create(body)
            case _, ["applications", identity, *_] | ["tags", *_, identity] if identity not in self.all:
                return 404, {"__type": "ResourceNotFoundException", "message": f"Application {identity} does not exist"}
            case "GET", ["applications", identity]:
                return 200, {"application": self.all[identity]}
            case "PATCH", ["applications", identity]:
                return self._update(identity, body)
            case "POST", ["applications", identity, "start" | "stop" as verb]:
                self.all[identity]["state"] = {"start": "STARTED", "stop": "STOPPED"}[verb]
                return 200, {}
            case "DELETE", ["applications", identity]:
                return self._delete(identity)
            case "GET" | "POST", ["tags", *_, identity]:
                tags = self.all[identity]["tags"]
                tags.update((body or {}).get("tags", {}))
                return 200, {"tags": tags}
        raise LookupError(f"EMR Serverless: nobody serves {method} {path}")

    def forget(self) -> None:
        """Begin anew."""
        self.all.clear()
        self.jobs.clear()
        self.refusals.clear()

    def _create(self, body: Any) -> dict[str, Any]:
        # Whoever makes it: two pipelines of the same names can be compared.
        identity = f"00f{sha256(body['name'].encode()).hexdigest()[:12]}"
        arn = f"arn:aws:emr-serverless:{get_region()}:{get_account_id()}:/applications/{identity}"
        times = {"createdAt": time.time(), "updatedAt": time.time()}
        made = {name: value for name, value in body.items() if name != "clientToken"}
        made["type"] = made["type"].capitalize()
        self.all[identity] = {**made, **times, "applicationId": identity, "arn": arn, "state": "CREATED"}
        return {"applicationId": identity, "arn": arn, "name": made.get("name")}

    def _summary(self, application: dict[str, Any]) -> dict[str, Any]:
        names = ("name", "arn", "releaseLabel", "type", "state", "createdAt", "updatedAt")
        return {"id": application["applicationId"], **{name: application[name] for name in names}}

    def _update(self, identity: str, body: Any) -> tuple[int, dict[str, Any]]:
        if self.all[identity]["state"] not in {"CREATED", "STOPPED"}:
            return 400, {"__type": "ValidationException", "message": "Application must be in state [CREATED, STOPPED]."}
        self.all[identity].update({name: value for name, value in body.items() if name != "clientToken"})
        return 200, {"application": self.all[identity]}

    def _delete(self, identity: str) -> tuple[int, dict[str, Any]]:
        if self.all[identity]["state"] not in {"CREATED", "STOPPED"}:
            return 400, {"__type": "ValidationException", "message": "Application must be in state [CREATED, STOPPED]."}
        del self.all[identity]
        return 200, {}


applications: Final = Applications()


def is_asked(headers: Any) -> bool:
    """Return whether a request is signed for this service: MiniStack would take it for another one's."""
    return any(name.lower() == b"authorization" and _CLIENT.encode() in value for name, value in headers)


def answer(method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
    """Answer a request of the service's API in the account of the tests."""
    with request_scope("000000000000", "eu-west-1"):
        return applications.answer(method, path, body)


def behave(docker: Docker) -> None:
    """Let executions start jobs."""
    needed(stepfunctions, "_SERVICE_DISPATCH", "_ExecutionError")
    stepfunctions._SERVICE_DISPATCH[_RESOURCE] = _start(docker)


def _start(docker: Docker) -> Callable[[str, Any], Any]:
    def start_job_run(_: str, asked: Mapping[str, Any]) -> Any:
        application = applications.all.get(asked["ApplicationId"])
        if application is None:
            raise stepfunctions._ExecutionError("EMRServerless.ResourceNotFoundException", "no such application")
        executions.demand("emr-serverless:StartJobRun", application["arn"])
        executions.demand("iam:PassRole", asked["ExecutionRoleArn"], {"iam:PassedToService": SERVICE})
        if "spark.master" in asked["JobDriver"]["SparkSubmit"]["SparkSubmitParameters"]:
            raise stepfunctions._ExecutionError(
                "EMRServerless.ValidationException", "Option 'spark.master' is not supported"
            )
        if applications.refusals:
            raise _failed(asked, application["arn"], "FAILED", applications.refusals.pop(0))
        application["state"] = "STARTED"
        # A token that was seen before names the job run that it began.
        job = applications.jobs.get(asked["ClientToken"]) or _run(docker, application["arn"], asked)
        applications.jobs[asked["ClientToken"]] = job
        return _follow(asked, application["arn"], job)

    return start_job_run


def _run(docker: Docker, application: str, asked: Mapping[str, Any]) -> Job:
    submit = asked["JobDriver"]["SparkSubmit"]
    command = [submit["EntryPoint"], json.dumps(submit["EntryPointArguments"]), submit["SparkSubmitParameters"]]
    arn = f"{application}/jobruns/00j{secrets.token_hex(6)}"
    credentials = permissions.credentials(asked["ExecutionRoleArn"], "job")
    return Job(container=docker.run_job(IMAGE, command, credentials, {"arn": arn}), arn=arn, name=asked["Name"])


def _follow(asked: Mapping[str, Any], application: str, job: Job) -> dict[str, Any]:
    """Wait for a job; cancel it if its execution ends first, or its time is over."""
    executions.demand("emr-serverless:GetJobRun", job.arn)

    def cancel() -> None:
        executions.demand("emr-serverless:CancelJobRun", job.arn)
        job.container.stop(3)

    executions.wait_for(lambda: job.container.exit_code is not None, cancel)
    code = job.container.exit_code
    if code == 0:
        return {"ApplicationId": asked["ApplicationId"], "JobRunId": job.arn.rpartition("/")[2], "State": "SUCCESS"}
    # A driver that was killed is told from one that failed, and no more.
    raise _failed(asked, job.arn, "FAILED", _ENDED.format(code if code == 137 else 1))


def _failed(asked: Mapping[str, Any], arn: str, state: str, details: str) -> Exception:
    described = {
        "ApplicationId": asked["ApplicationId"],
        "Arn": arn,
        "JobRunId": arn.rpartition("/")[2],
        "Name": asked["Name"],
        "State": state,
        "StateDetails": details,
    }
    failed: Exception = stepfunctions._ExecutionError("States.TaskFailed", json.dumps(described))
    return failed
