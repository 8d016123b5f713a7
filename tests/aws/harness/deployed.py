"""A whole pipeline on an emulated AWS: set up by `takings aws bootstrap`, with the functions from `make lambdas`."""

from __future__ import annotations

import fcntl
import json
import shutil
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from takings.adapters.aws import names
from takings.adapters.aws.resources.storage import keep_every_second
from takings.adapters.aws.tables import TABLES
from takings.composition.aws_setup import missing_on_aws
from takings.settings import Settings
from tests.aws.harness.pipeline import Aws, environment_of_tasks, until
from tests.shop import ITEMS, ORDERS, PRODUCTS, lineage
from tools.build_lambdas import FUNCTIONS, build

BUCKET: Final = "shop"
STORE: Final = f"s3://{BUCKET}"
#: the command of a service's image
SERVICES: Final = {
    service: [sys.executable, "-m", "takings.entrypoints.tasks", step]
    for service, step in ((names.VALIDATION, "validate"), (names.TRANSFORMATION, "transform"))
}


#: acts when a fact is logged: stops its own process the first time, until a test continues it, or always fails
_DISTURBED: Final = """
import os, signal
from takings.entrypoints import tasks
told, met = tasks.tell, []
def tell(fact, known):
    told(fact, known)
    if fact == {fact!r}:
        met.append(fact)
        {act}
tasks.tell = tell
tasks.main()
"""
_STOPS: Final = "len(met) > 1 or os.kill(os.getpid(), signal.SIGSTOP)"
_FAILS: Final = "raise OSError(5, 'Input/output error')"
_IS_FULL: Final = "raise OSError(28, 'No space left on device')"


@dataclass(kw_only=True)
class Deployed:
    """A pipeline and how a test controls it; tests that share one start with `emptied`."""

    aws: Aws
    #: executions and tasks of earlier tests
    _earlier: set[str] = field(default_factory=set)
    #: how far the scheduler's clock is ahead: if it went back, no schedule would fire
    _ahead: float = 0

    def emptied(self) -> Deployed:
        """Start with an empty store and no settings; functions stay warm."""
        self._earlier |= {each["executionArn"] for each in self.executions()} | {each["task"] for each in self.tasks()}
        self.aws.hold_events(holding=False)
        self.aws.lose_events()
        s3, dynamodb, sqs = (self.aws.client(name) for name in ("s3", "dynamodb", "sqs"))
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET):
            for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                s3.delete_object(Bucket=BUCKET, Key=each["Key"], VersionId=each["VersionId"])
        for table in TABLES:
            dynamodb.update_table(TableName=table.name, DeletionProtectionEnabled=False)
            dynamodb.delete_table(TableName=table.name)
            # As a bootstrap leaves them.
            tags = [{"Key": names.STORE_TAG, "Value": BUCKET}]
            dynamodb.create_table(**table.definition(""), DeletionProtectionEnabled=True, Tags=tags)
            keep_every_second(dynamodb, table.name)
        sqs.purge_queue(QueueUrl=self.events_queue)
        for letter in self.letters():
            sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=letter["ReceiptHandle"])
        for name in self.schedules():
            if name == names.DEADLINE:
                self.aws.client("scheduler").delete_schedule(Name=name, GroupName=names.SCHEDULES)
        self.set()
        self.run_services()
        return self

    def set(self, **settings: str) -> None:
        """Write the bucket's takings.toml."""
        Settings(**settings)  # type: ignore[arg-type] # a wrong one fails here
        text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
        self.put("takings.toml", text.encode())

    def run_services(
        self, instead: Mapping[str, list[str]] | None = None, engines: Mapping[str, str] | None = None
    ) -> None:
        """Set what runs in place of the images, and the engines they name."""
        self.aws.run_images(SERVICES | dict(instead or {}), environment_of_tasks(self.aws.url) | dict(engines or {}))

    def put(self, key: str, content: bytes) -> None:
        """Write an object."""
        self.aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=content)

    def remove(self, prefix: str) -> None:
        """Remove the objects under a prefix."""
        for key in self.keys(prefix):
            self.aws.client("s3").delete_object(Bucket=BUCKET, Key=key)

    def drop(self, key: str, content: bytes) -> None:
        """Upload a file, as `aws s3 cp` does."""
        self.put(f"raw-data/{key}", content)

    def drop_all(self) -> None:
        """Upload one file of each dataset."""
        for key, content in (("products/a.csv", PRODUCTS), ("orders/a.csv", ORDERS), ("order-items/a.csv", ITEMS)):
            self.drop(key, content)

    def call(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """Invoke a function and return its answer; what it raises fails the test."""
        answer = self.aws.client("lambda").invoke(
            FunctionName=function, Qualifier="live", Payload=json.dumps(event).encode()
        )
        document: dict[str, Any] = json.load(answer["Payload"])
        assert "FunctionError" not in answer, document
        return document

    def look(self, *, at_once: bool = False) -> dict[str, Any]:
        """Run the detector."""
        return self.call(names.DETECTOR, {"source": "test", "at_once": at_once})

    def announce(self, count: int) -> None:
        """Put as many events into the queue as S3 would for drops; each names the same file, which need not be there."""
        event = {"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "raw-data/orders/a.csv"}}}]}
        sqs = self.aws.client("sqs")
        for _ in range(count // 10):
            entries = [{"Id": str(number), "MessageBody": json.dumps(event)} for number in range(10)]
            sqs.send_message_batch(QueueUrl=self.events_queue, Entries=entries)

    def executions(self) -> list[dict[str, Any]]:
        """Return the executions so far, the newest last."""
        client = self.aws.client("stepfunctions")
        (machine,) = client.list_state_machines()["stateMachines"]
        pages = client.get_paginator("list_executions").paginate(stateMachineArn=machine["stateMachineArn"])
        found = [each for page in pages for each in page["executions"]]
        mine = [each for each in found if each["executionArn"] not in self._earlier]
        return sorted(mine, key=lambda each: each["startDate"])

    def tasks(self, step: str = "") -> list[dict[str, Any]]:
        """Return the tasks so far, or those of one step."""
        mine = [each for each in self.aws.tasks() if each["task"] not in self._earlier]
        return [each for each in mine if not step or each["command"][-1] == step]

    def stopped_at(self, fact: str, service: str) -> dict[str, Any]:
        """Wait for a service's task that stops when it logs a fact (`stopping_at`), and let the next ones run normally."""
        step = SERVICES[service][-1]

        def stopped() -> dict[str, Any] | None:
            return next((task for task in self.tasks(step) if f'"{fact}"' in Path(task["log"]).read_text()), None)

        task = until(stopped, seconds=120)
        self.run_services()
        assert task is not None
        until(lambda: Path(f"/proc/{task['pid']}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T")
        return task

    def schedules(self) -> list[str]:
        """Return the names of the schedules."""
        found = self.aws.client("scheduler").list_schedules(GroupName=names.SCHEDULES)["Schedules"]
        return sorted(each["Name"] for each in found)

    def sweep(self) -> None:
        """Move the scheduler's clock to the next sweep."""
        self._ahead += 301
        self.aws.advance_schedules(self._ahead)

    def pass_a_day(self) -> None:
        """Let a day pass, for the scheduler."""
        self._ahead += 24 * 3600 + 1
        self.aws.advance_schedules(self._ahead)

    def letters(self) -> list[dict[str, Any]]:
        """Return the dead letters; they can be received again."""
        received = self.aws.client("sqs").receive_message(
            QueueUrl=self._queue, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        found: list[dict[str, Any]] = received.get("Messages", [])
        return found

    @property
    def _queue(self) -> str:
        url: str = self.aws.client("sqs").get_queue_url(QueueName=names.DEAD_LETTERS)["QueueUrl"]
        return url

    @property
    def events_queue(self) -> str:
        """Return the URL of the queue of the bucket's events."""
        url: str = self.aws.client("sqs").get_queue_url(QueueName=names.EVENTS)["QueueUrl"]
        return url

    def events_waiting(self) -> int:
        """Return how many events no look has done with yet."""
        of = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.aws.client("sqs").get_queue_attributes(QueueUrl=self.events_queue, AttributeNames=of)
        return sum(int(found["Attributes"][name]) for name in of)

    def settled(self, *, executions: int = 1, seconds: float = 180) -> list[str]:
        """Wait until this many executions have ended and none is running; return how they ended."""

        def ended() -> list[str]:
            found = [each["status"] for each in self.executions()]
            return found if len(found) >= executions and "RUNNING" not in found else []

        return until(ended, seconds=seconds)

    def keys(self, *prefixes: str) -> list[str]:
        """Return the bucket's keys under these prefixes, without the dates and batches of the archive."""
        pages = self.aws.client("s3").get_paginator("list_objects_v2")
        found = [page for prefix in prefixes for page in pages.paginate(Bucket=BUCKET, Prefix=prefix)]
        keys = [each["Key"] for page in found for each in page.get("Contents", ())]
        return sorted(
            "/".join([key.split("/")[0], *key.split("/")[5:]]) if key.startswith(("processed/", "failed/")) else key
            for key in keys
        )


def stopping_at(fact: str, service: str) -> dict[str, list[str]]:
    """Return a service whose task stops the first time it logs a fact."""
    return _disturbed(fact, service, _STOPS)


def failing_at(fact: str, service: str) -> dict[str, list[str]]:
    """Return a service whose every task finds the disk broken when it tells a fact."""
    return _disturbed(fact, service, _FAILS)


def full_at(fact: str, service: str) -> dict[str, list[str]]:
    """Return a service whose every task finds the disk full when it tells a fact."""
    return _disturbed(fact, service, _IS_FULL)


def _disturbed(fact: str, service: str, act: str) -> dict[str, list[str]]:
    return {service: [sys.executable, "-c", _DISTURBED.format(fact=fact, act=act), SERVICES[service][-1]]}


def story(store: Path | str) -> list[tuple[object, ...]]:
    """Return each file's lineage, without the names and times of batches."""
    told = [
        (
            each.file_key,
            each.status,
            each.verdict,
            each.fingerprint,
            each.records,
            (each.archived_at or "").split("/")[0],
        )
        for each in lineage(store)
    ]
    return sorted(told, key=str)


def deploy(aws: Aws, functions: Path, **settings: str) -> Deployed:
    """Set a pipeline up, with these settings in the bucket's takings.toml."""
    deployed = deploy_with_jobs(aws, functions, None)
    deployed.set(**settings)
    return deployed


def deploy_with_jobs(aws: Aws, functions: Path, spark: Path | None) -> Deployed:
    """Set a pipeline up, with this package of jobs on EMR Serverless."""
    deployed = Deployed(aws=aws)
    aws.hold_to_roles()
    deployed.run_services()
    with missing_on_aws(STORE, is_only_store=False, lambdas=functions, image_tag="latest", spark=spark) as missing:
        for step in missing:
            step.make()
    # S3 sends a test when the notification is made: a first look, and the function is warm then.
    until(lambda: deployed.events_waiting() == 0, seconds=120)
    return deployed


def new_version(functions: Path, folder: Path) -> Path:
    """Return the functions with other bytes, as in another version."""
    shutil.copytree(functions, folder)
    for archive in folder.glob("*.zip"):
        with zipfile.ZipFile(archive, "a") as content:
            content.writestr("version.txt", folder.name)
    return folder


def built_functions(folder: Path) -> Path:
    """Build the functions for this Python, once per run for all workers."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all((folder / f"{name}.zip").exists() for name in FUNCTIONS):
            build(folder, f"{sys.version_info.major}.{sys.version_info.minor}")
    return folder
