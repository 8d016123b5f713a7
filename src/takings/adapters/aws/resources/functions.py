"""Create the functions from the archives of `make lambdas`."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import WaiterError

from takings.adapters.aws import names
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.step import SetupStep, patiently
from takings.adapters.aws.resources.versions import FUNCTIONS, live_steps
from takings.errors import CorruptState, StoreError, UnknownThing, cause_of

#: how long a function may take: a look takes seconds, but archiving may need the maximum
TIMEOUTS: Final = {names.DETECTOR: 120, names.ARCHIVER: 900}
#: processors come with memory: half of one is enough to load Python quickly
_MEMORY: Final = 1024
_KEEP_LOGS_DAYS: Final = 90


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A function's code, as `make lambdas` built it."""

    content: bytes
    runtime: str
    architecture: str

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the code in Lambda's format."""
        return b64encode(sha256(self.content).digest()).decode()


def read_archives(folder: Path) -> dict[str, Archive]:
    """Read the archives; UnknownThing where they are not built."""
    described = folder / "lambdas.json"
    files = {name: folder / f"{name}.zip" for name in (names.DETECTOR, names.ARCHIVER)}
    for file in (described, *files.values()):
        if not file.is_file():
            raise UnknownThing(
                f"{file} is missing: the functions are not built. Run `make lambdas`, or name their folder."
            )
    try:
        built = json.loads(described.read_bytes())
        runtime, architecture = built["runtime"], built["architecture"]
    except (ValueError, KeyError, TypeError) as broken:
        raise CorruptState(
            f"{described} cannot be read ({cause_of(broken)}). Build the functions again: `make lambdas`."
        ) from broken
    return {
        name: Archive(content=file.read_bytes(), runtime=runtime, architecture=architecture)
        for name, file in files.items()
    }


def function_steps(
    services: Services, pipeline: Pipeline, archives: dict[str, Archive], dead_letters_url: str, *, is_traced: bool
) -> Iterator[SetupStep]:
    """Yield what is missing or differs: log groups, functions, and which versions are live."""
    differs = False
    for name in FUNCTIONS:
        yield from log_group_steps(services, pipeline, name)
        archive = archives[name]
        wanted = configuration(pipeline, name, archive, dead_letters_url) | {
            "TracingConfig": {"Mode": "Active" if is_traced else "PassThrough"}
        }
        for step in _one_function_steps(services, wanted, archive):
            differs = True
            yield step
    yield from live_steps(services, pipeline, is_due=differs)


def _one_function_steps(services: Services, wanted: dict[str, Any], archive: Archive) -> Iterator[SetupStep]:
    name = wanted["FunctionName"]
    found = find_function(services, name)
    if found is None:
        yield SetupStep(what=f"function {name}", make=partial(_create, services, wanted, archive))
        return
    yield from code_steps(services, found, archive)
    if _differs(found, wanted):
        yield SetupStep(what=f"function {name} (is configured otherwise)", make=partial(_configure, services, wanted))


def code_steps(services: Services, found: Mapping[str, Any], archive: Archive) -> Iterator[SetupStep]:
    """Yield the code of an existing function, if it differs."""
    if found["CodeSha256"] != archive.digest:
        yield SetupStep(
            what=f"function {found['FunctionName']} (its code is another one)",
            make=partial(update_code, services, found["FunctionName"], archive),
        )


def log_group_steps(services: Services, pipeline: Pipeline, part: str) -> Iterator[SetupStep]:
    """Yield a part's log group if it is missing or never expires."""
    group = pipeline.log_group(part)
    found = log_groups(services, group)
    if group not in found:
        yield SetupStep(what=f"log group {group}", make=lambda: services.logs.create_log_group(logGroupName=group))
    if found.get(group) != _KEEP_LOGS_DAYS:
        yield SetupStep(
            what=f"log group {group} keeps its lines for {_KEEP_LOGS_DAYS} days",
            make=lambda: services.logs.put_retention_policy(logGroupName=group, retentionInDays=_KEEP_LOGS_DAYS),
        )


def log_groups(services: Services, prefix: str) -> dict[str, int | None]:
    """Return the log groups whose names begin so, and for how many days each keeps its lines; None for ever."""
    pages = services.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
    return {each["logGroupName"]: each.get("retentionInDays") for page in pages for each in page["logGroups"]}


def update_code(services: Services, name: str, archive: Archive) -> None:
    """Replace a function's code and wait until it answers with it; running calls keep the code that they began with."""
    services.lambdas.update_function_code(FunctionName=name, ZipFile=archive.content)
    try:
        services.lambdas.get_waiter("function_updated_v2").wait(FunctionName=name)
    except WaiterError as failed:
        raise StoreError(
            f"function {name} does not answer with its new code: {failed}. Run again; `aws lambda get-function"
            f" --function-name {name}` says more."
        ) from failed


def configuration(pipeline: Pipeline, name: str, archive: Archive, dead_letters_url: str) -> dict[str, Any]:
    """Return how a function is set up; its code is not part of it."""
    role = names.DETECTOR_ROLE if name == names.DETECTOR else names.ARCHIVER_ROLE
    variables = {
        "TAKINGS_STORE": f"s3://{pipeline.bucket}",
        "TAKINGS_TABLE_PREFIX": pipeline.table_prefix,
        "PIPELINE_STATE_MACHINE_ARN": pipeline.state_machine,
        "PIPELINE_SCHEDULE_GROUP": pipeline.name(names.SCHEDULES),
        "PIPELINE_SCHEDULE_ROLE_ARN": pipeline.role(names.SCHEDULER_ROLE),
        "PIPELINE_DETECTOR_ARN": pipeline.live(names.DETECTOR),
        "PIPELINE_DEAD_LETTERS_URL": dead_letters_url,
        "POWERTOOLS_SERVICE_NAME": name,
    }
    return {
        "FunctionName": pipeline.name(name),
        "Role": pipeline.role(role),
        "Runtime": archive.runtime,
        "Handler": "handler.handle",
        "Timeout": TIMEOUTS[name],
        "MemorySize": _MEMORY,
        # Lambda refuses empty variables.
        "Environment": {"Variables": {key: value for key, value in variables.items() if value}},
        # An event that fails three times goes there.
        "DeadLetterConfig": {"TargetArn": pipeline.dead_letters},
    }


def find_function(services: Services, name: str) -> dict[str, Any] | None:
    """Return a function's configuration; None where there is no such function."""
    try:
        return dict(services.lambdas.get_function_configuration(FunctionName=name))
    except services.lambdas.exceptions.ResourceNotFoundException:
        return None


def _differs(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return any(found.get(key) != value for key, value in wanted.items())


def _create(services: Services, wanted: dict[str, Any], archive: Archive) -> None:
    patiently(
        lambda: services.lambdas.create_function(
            **wanted,
            Code={"ZipFile": archive.content},
            Architectures=[archive.architecture],  # type: ignore[list-item] # read from a file
        )
    )
    services.lambdas.get_waiter("function_active_v2").wait(FunctionName=wanted["FunctionName"])


def _configure(services: Services, wanted: dict[str, Any]) -> None:
    patiently(lambda: services.lambdas.update_function_configuration(**wanted))
    services.lambdas.get_waiter("function_updated_v2").wait(FunctionName=wanted["FunctionName"])
