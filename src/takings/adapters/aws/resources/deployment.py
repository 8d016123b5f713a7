"""Deploy a new version to an existing pipeline; bootstrap, not this module, creates what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from takings.adapters.aws import names
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.resources.functions import Archive, code_steps, find_function
from takings.adapters.aws.resources.images import find_image, is_there, newest_definition, require_repository
from takings.adapters.aws.resources.network import find_network
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.spark import deployed_jobs, package_steps, require_application
from takings.adapters.aws.resources.step import SetupStep
from takings.adapters.aws.resources.tags import Tags
from takings.adapters.aws.resources.tasks import SERVICES, TASKS, definition_steps
from takings.adapters.aws.resources.versions import find_live, live_steps
from takings.adapters.aws.resources.workflow import moved_maintenance, state_machine_steps
from takings.errors import UnknownThing, UsageError


def code_deployment(services: Services, pipeline: Pipeline, archives: Mapping[str, Archive]) -> Iterator[SetupStep]:
    """Yield each function whose code differs, and the move to new versions; UsageError where its Python is another one."""
    found = {name: find_function(services, pipeline.name(name)) for name in archives}
    for name, archive in archives.items():
        function = found[name]
        if function is None:
            raise _missing(pipeline, f"function {pipeline.name(name)}")
        if function["Runtime"] != archive.runtime:
            raise UsageError(
                f"{pipeline.name(name)} runs on {function['Runtime']}, but its code was built for {archive.runtime}. Build it"
                f" for the former, or let `takings aws bootstrap s3://{pipeline.bucket}` change both."
            )
        if find_live(services, pipeline.name(name)) is None:
            raise _missing(pipeline, f"live version of function {pipeline.name(name)}")
    differs = False
    for name, archive in archives.items():
        for step in code_steps(services, found[name] or {}, archive):
            differs = True
            yield step
    yield from live_steps(services, pipeline, is_due=differs)


def task_deployment(services: Services, pipeline: Pipeline, tag: str | None, tags: Tags) -> Iterator[SetupStep]:
    """Yield each task definition whose image differs; UnknownThing where an image is not in its repository.

    Without a tag, yield those that differ otherwise from this version's. No task runs with a new one until the state machine
    names it.
    """
    for service in SERVICES:
        require_repository(services, pipeline, service)
        if newest_definition(services, pipeline.name(service)) is None:
            raise _missing(pipeline, f"task definition {pipeline.name(service)}")
        image = find_image(services, pipeline, service, tag)
        if not is_there(services, pipeline, service, image):
            raise UnknownThing(
                f"the image {image.name} is not in its repository. Push it: `takings aws deploy images s3://{pipeline.bucket}"
                f" --tag {tag or 'TAG'}`."
            )
    for task in TASKS:
        # A pipeline of an earlier version gets its maintenance by a bootstrap, with a role and a schedule.
        if newest_definition(services, pipeline.name(task)) is not None:
            yield from definition_steps(services, pipeline, task, tag, tags)


def workflow_deployment(
    services: Services, pipeline: Pipeline, subnets: tuple[str, ...], security_group: str | None
) -> Iterator[SetupStep]:
    """Yield the state machine, if it differs from this version's with the newest task definitions."""
    spark = deployed_jobs(services, pipeline, deployed_definition(services, pipeline))
    revisions = {service: _newest_revision(services, pipeline, service) for service in SERVICES}
    network = find_network(services, pipeline, subnets, security_group)
    if network.security_group is None:
        raise _missing(pipeline, f"security group {pipeline.name(names.SECURITY_GROUP)}")
    for step in state_machine_steps(services, pipeline, network, revisions, spark=spark):
        named = ", ".join(
            [*revisions.values(), *network.subnets, network.security_group, *([spark.package] if spark else [])]
        )
        yield SetupStep(what=f"state machine {pipeline.name(names.STATE_MACHINE)} with {named}", make=step.make)
    yield from moved_maintenance(services, pipeline, network)


def package_deployment(services: Services, pipeline: Pipeline, folder: Path) -> Iterator[SetupStep]:
    """Yield the package of jobs on EMR Serverless, if it is not the deployed one.

    No job runs with it until the state machine names it. UnknownThing where the pipeline has no application.
    """
    require_application(services, pipeline, deployed_definition(services, pipeline))
    yield from package_steps(services, pipeline, folder)


def deployed_definition(services: Services, pipeline: Pipeline) -> dict[str, Any]:
    """Return the definition of the state machine; UnknownThing where there is none."""
    try:
        found = services.stepfunctions.describe_state_machine(stateMachineArn=pipeline.state_machine)
    except services.stepfunctions.exceptions.StateMachineDoesNotExist as gone:
        raise _missing(pipeline, f"state machine {pipeline.name(names.STATE_MACHINE)}") from gone
    document: dict[str, Any] = json.loads(found["definition"])
    return document


def _newest_revision(services: Services, pipeline: Pipeline, service: str) -> str:
    family = pipeline.name(service)
    found = newest_definition(services, family)
    if found is None:
        raise _missing(pipeline, f"task definition {family}")
    return f"{family}:{found['revision']}"


def _missing(pipeline: Pipeline, what: str) -> UnknownThing:
    return UnknownThing(
        f"there is no {what} in {pipeline.region}. Set the pipeline up first: `takings aws bootstrap s3://{pipeline.bucket}`."
    )
