"""Create the application on EMR Serverless for the steps of large batches, and put the package of its jobs into the bucket."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from takings.adapters.aws import names
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.resources.access import trust_of
from takings.adapters.aws.resources.functions import log_group_steps
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.step import SetupStep
from takings.adapters.aws.resources.storage import exists
from takings.adapters.aws.resources.tags import Tags
from takings.adapters.aws.spark_jobs import ENTRY_POINT, ENVIRONMENT, PACKAGES, SparkJobs, application
from takings.adapters.aws.state_machine import named_application
from takings.errors import StoreError, UnknownThing, UsageError

#: stands for the application before it is made
NOT_MADE_YET: Final = "not-made-yet"
_STATES: Final = ("CREATING", "CREATED", "STARTING", "STARTED", "STOPPING", "STOPPED")
#: what an update of an application may not name
_FIXED: Final = ("name", "type")
#: of a package's name
_DIGITS: Final = 16
_STOP_SECONDS: Final = 120
_POLL_SECONDS: Final = 2


def is_wanted(services: Services, pipeline: Pipeline, folder: Path | None) -> bool:
    """Return whether the pipeline has EMR Serverless, or gets it now with a package's folder."""
    return folder is not None or trust_of(services, pipeline.name(names.VALIDATION_ON_SPARK_ROLE)) is not None


def application_steps(services: Services, pipeline: Pipeline, tags: Tags) -> Iterator[SetupStep]:
    """Yield the application with its log group, if they are missing or differ."""
    yield from log_group_steps(services, pipeline, names.SPARK)
    wanted, found = application(pipeline), find_application(services, pipeline)
    if found is None:
        yield SetupStep(
            what=f"application {wanted['name']} on EMR Serverless, {wanted['releaseLabel']}",
            make=lambda: services.emr_serverless.create_application(clientToken=uuid4().hex, tags=dict(tags), **wanted),
        )
        return
    described = services.emr_serverless.get_application(applicationId=found)["application"]
    if not _covers(described, wanted):
        yield SetupStep(
            what=f"application {wanted['name']} (is set up otherwise)",
            make=lambda: _update(services, found, wanted),
        )


def find_application(services: Services, pipeline: Pipeline) -> str | None:
    """Return the id of the pipeline's application; None where there is none."""
    pages = services.emr_serverless.get_paginator("list_applications").paginate(states=list(_STATES))
    name = pipeline.name(names.SPARK)
    return next((each["id"] for page in pages for each in page["applications"] if each.get("name") == name), None)


def package_steps(services: Services, pipeline: Pipeline, folder: Path) -> Iterator[SetupStep]:
    """Yield the package that `make spark` built in a folder, unless it is deployed; UsageError where there is none."""
    files = find_built(folder)
    # As Terraform can say it, too.
    digest = sha256("".join(_digest(file) for file in files.values()).encode()).hexdigest()
    package = f"{PACKAGES}{digest[:_DIGITS]}"
    if find_package(services, pipeline) != f"s3://{pipeline.bucket}/{package}":
        yield SetupStep(
            what=f"package of Spark's jobs, s3://{pipeline.bucket}/{package}",
            make=partial(_upload, services, pipeline.bucket, package, files),
        )


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return file_digest(content, "sha256").hexdigest()


def find_built(folder: Path) -> dict[str, Path]:
    """Return the files of the package in a folder; UsageError where there is none."""
    files = {name: folder / name for name in (ENVIRONMENT, ENTRY_POINT)}
    if not all(file.is_file() for file in files.values()):
        raise UsageError(f"{folder} has no package for Spark's jobs. Build it: `make spark`, or name its folder.")
    return files


def find_package(services: Services, pipeline: Pipeline) -> str | None:
    """Return the folder of the deployed package: the one whose entry point was written last; None where there is none."""
    if not exists(services.s3, pipeline.bucket):
        return None
    pages = services.s3.get_paginator("list_objects_v2").paginate(Bucket=pipeline.bucket, Prefix=PACKAGES)
    ends = [each for page in pages for each in page.get("Contents", ()) if each["Key"].endswith(f"/{ENTRY_POINT}")]
    if not ends:
        return None
    newest = max(ends, key=lambda each: each["LastModified"])
    return f"s3://{pipeline.bucket}/{newest['Key'].removesuffix(f'/{ENTRY_POINT}')}"


def deployed_jobs(services: Services, pipeline: Pipeline, definition: dict[str, Any]) -> SparkJobs | None:
    """Return the pipeline's application with the newest package; None where there is neither.

    Only where a package is there that the state machine does not name yet, EMR Serverless is asked.
    """
    package = find_package(services, pipeline)
    known = (named_application(definition) or find_application(services, pipeline)) if package else None
    return SparkJobs(application=known, package=package) if known and package else None


def jobs_to_be(services: Services, pipeline: Pipeline) -> SparkJobs:
    """Return what the state machine has to name, as far as it is made."""
    return SparkJobs(
        application=find_application(services, pipeline) or NOT_MADE_YET,
        package=find_package(services, pipeline) or f"s3://{pipeline.bucket}/{PACKAGES}{NOT_MADE_YET}",
    )


def require_application(services: Services, pipeline: Pipeline, definition: dict[str, Any]) -> None:
    """Raise UnknownThing where a pipeline has no application, so that a new package would change nothing."""
    if (named_application(definition) or find_application(services, pipeline)) is None:
        raise UnknownThing(
            f"the pipeline of s3://{pipeline.bucket} has no application on EMR Serverless. Make it: `takings aws bootstrap"
            f" s3://{pipeline.bucket} --spark FOLDER`."
        )


def unmet_wish(services: Services, pipeline: Pipeline) -> Iterator[str]:
    """Yield a sentence if the pipeline cannot start jobs although the settings let no step run elsewhere."""
    try:
        found = services.stepfunctions.describe_state_machine(stateMachineArn=pipeline.state_machine)
    except services.stepfunctions.exceptions.StateMachineDoesNotExist:
        return
    if named_application(json.loads(found["definition"])) is None:
        yield (
            "steps_on = 'emr-serverless', but the state machine starts no jobs, so no batch can begin. Make the application:"
            f' `takings aws bootstrap s3://{pipeline.bucket} --spark FOLDER`; or set steps_on = "auto".'
        )


def remove_application(services: Services, pipeline: Pipeline) -> Iterator[SetupStep]:
    """Yield the removal of the application, if there is one; it waits for running jobs to be cancelled first."""
    if not is_wanted(services, pipeline, None):
        return
    found = find_application(services, pipeline)
    if found is not None:
        yield SetupStep(
            what=f"application {pipeline.name(names.SPARK)}",
            make=lambda: _remove(services, found),
        )


def _covers(found: Any, wanted: Any) -> bool:  # noqa: ANN401 - parts of a document
    """Return whether a description says all that is wanted; the service adds what is taken for granted."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_covers(found.get(name), value) for name, value in wanted.items())
    # A size is answered in the service's own words: 256 vCPU as 256vCPU, for example.
    return str(found).replace(" ", "").lower() == str(wanted).replace(" ", "").lower()


def _update(services: Services, identity: str, wanted: dict[str, Any]) -> None:
    """Change an application, which has to be stopped for that."""
    _stop(services, identity)
    changed = {name: value for name, value in wanted.items() if name not in _FIXED}
    services.emr_serverless.update_application(applicationId=identity, clientToken=uuid4().hex, **changed)


def _remove(services: Services, identity: str) -> None:
    _stop(services, identity)
    services.emr_serverless.delete_application(applicationId=identity)


def _stop(services: Services, identity: str) -> None:
    """Stop an application and wait for that; the service refuses while jobs run."""
    end = time.monotonic() + _STOP_SECONDS
    while True:
        state = services.emr_serverless.get_application(applicationId=identity)["application"]["state"]
        if state in {"CREATED", "STOPPED"}:
            return
        if state == "STARTED":
            services.emr_serverless.stop_application(applicationId=identity)
        if time.monotonic() > end:
            raise StoreError(f"the application {identity} does not stop; it is {state}. Run again in some minutes.")
        time.sleep(_POLL_SECONDS)


def _upload(services: Services, bucket: str, package: str, files: dict[str, Path]) -> None:
    # The entry point comes last: with it the package counts as deployed.
    for name, file in files.items():
        services.s3.upload_file(str(file), bucket, f"{package}/{name}")
