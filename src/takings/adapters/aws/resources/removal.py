"""Remove a pipeline, and its data only on request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from takings.adapters.aws import names
from takings.adapters.aws.clients import Clients
from takings.adapters.aws.faults import code_of
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.resources.access import remove_roles
from takings.adapters.aws.resources.alarms import remove_alarms
from takings.adapters.aws.resources.bucket import allow_deletion, is_kept
from takings.adapters.aws.resources.events import remove_mapping, remove_notification
from takings.adapters.aws.resources.functions import log_groups
from takings.adapters.aws.resources.queue import queue_url
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.spark import remove_application
from takings.adapters.aws.resources.step import SetupStep
from takings.adapters.aws.resources.storage import exists, is_protected, protect_table
from takings.adapters.aws.resources.tasks import SERVICES, TASKS
from takings.adapters.aws.resources.topic import remove_topic
from takings.adapters.aws.tables import TABLES, missing_tables
from takings.errors import StoreError


def removal_steps(services: Services, clients: Clients, pipeline: Pipeline, *, with_data: bool) -> Iterator[SetupStep]:
    """Yield what exists, in the order to remove it: first what starts batches."""
    if exists(services.s3, pipeline.bucket):
        yield from remove_notification(services, pipeline)
    yield from remove_mapping(services, pipeline)
    yield from _schedules(services, pipeline)
    yield from _workflow(services, pipeline)
    yield from remove_application(services, pipeline)
    yield from _tasks(services, pipeline)
    yield from _functions(services, pipeline)
    yield from _queues(services, pipeline)
    yield from remove_alarms(services, pipeline)
    yield from remove_topic(services, pipeline)
    yield from remove_roles(services, pipeline)
    if with_data:
        yield from _data(services, clients, pipeline)


def _schedules(services: Services, pipeline: Pipeline) -> Iterator[SetupStep]:
    group = pipeline.name(names.SCHEDULES)
    gone = services.scheduler.exceptions.ResourceNotFoundException
    for name in (names.SWEEP, names.MAINTAIN, names.DEADLINE):
        if _is_there(partial(services.scheduler.get_schedule, Name=name, GroupName=group), gone):
            yield SetupStep(
                what=f"schedule {name}", make=partial(services.scheduler.delete_schedule, Name=name, GroupName=group)
            )
    if _is_there(partial(services.scheduler.get_schedule_group, Name=group), gone):
        yield SetupStep(
            what=f"schedule group {group}", make=partial(services.scheduler.delete_schedule_group, Name=group)
        )


def _workflow(services: Services, pipeline: Pipeline) -> Iterator[SetupStep]:
    gone = services.stepfunctions.exceptions.StateMachineDoesNotExist
    arn = pipeline.state_machine
    if _is_there(partial(services.stepfunctions.describe_state_machine, stateMachineArn=arn), gone):
        yield SetupStep(
            what=f"state machine {pipeline.name(names.STATE_MACHINE)}",
            make=partial(services.stepfunctions.delete_state_machine, stateMachineArn=arn),
        )


def _tasks(services: Services, pipeline: Pipeline) -> Iterator[SetupStep]:
    cluster = pipeline.name(names.CLUSTER)
    for service in TASKS:
        family = pipeline.name(service)
        pages = services.ecs.get_paginator("list_task_definitions").paginate(familyPrefix=family, status="ACTIVE")
        # All pages before the first step: a removed one would shift the next page.
        for arn in [arn for page in pages for arn in page["taskDefinitionArns"]]:
            if arn.rpartition(":")[0].endswith(f"/{family}"):
                yield SetupStep(
                    what=f"task definition {arn.rpartition('/')[2]}",
                    make=partial(services.ecs.deregister_task_definition, taskDefinition=arn),
                )
    gone = services.ecr.exceptions.RepositoryNotFoundException
    for family in map(pipeline.name, SERVICES):
        if _is_there(partial(services.ecr.describe_repositories, repositoryNames=[family]), gone):
            yield SetupStep(
                what=f"repository {family} with its images",
                make=partial(services.ecr.delete_repository, repositoryName=family, force=True),
            )
    if any(each["status"] == "ACTIVE" for each in services.ecs.describe_clusters(clusters=[cluster])["clusters"]):
        yield SetupStep(what=f"cluster {cluster}", make=lambda: services.ecs.delete_cluster(cluster=cluster))
    found = services.ec2.get_paginator("describe_security_groups").paginate(
        Filters=[{"Name": "group-name", "Values": [pipeline.name(names.SECURITY_GROUP)]}]
    )
    for group in [group for page in found for group in page["SecurityGroups"]]:
        yield SetupStep(
            what=f"security group {group['GroupId']}",
            make=partial(services.ec2.delete_security_group, GroupId=group["GroupId"]),
        )


def _functions(services: Services, pipeline: Pipeline) -> Iterator[SetupStep]:
    gone = services.lambdas.exceptions.ResourceNotFoundException
    for part in (names.DETECTOR, names.ARCHIVER):
        name = pipeline.name(part)
        if _is_there(partial(services.lambdas.get_function_configuration, FunctionName=name), gone):
            yield SetupStep(what=f"function {name}", make=partial(services.lambdas.delete_function, FunctionName=name))
    for part in (names.DETECTOR, names.ARCHIVER, names.STATE_MACHINE, names.SPARK, *TASKS):
        group = pipeline.log_group(part)
        if group in log_groups(services, group):
            yield SetupStep(what=f"log group {group}", make=partial(services.logs.delete_log_group, logGroupName=group))


def _queues(services: Services, pipeline: Pipeline) -> Iterator[SetupStep]:
    for part in (names.EVENTS, names.DEAD_LETTERS):
        url = queue_url(services, pipeline, part)
        if url is not None:
            yield SetupStep(what=f"queue {pipeline.name(part)}", make=partial(services.sqs.delete_queue, QueueUrl=url))


def _data(services: Services, clients: Clients, pipeline: Pipeline) -> Iterator[SetupStep]:
    missing = {table.name for table in missing_tables(clients.dynamodb, pipeline.table_prefix)}
    for table in TABLES:
        if table.name not in missing:
            name = pipeline.table_prefix + table.name
            if is_protected(clients.dynamodb, name):
                yield SetupStep(
                    what=f"deletion protection of {name}",
                    make=partial(protect_table, clients.dynamodb, name, is_protected=False),
                )
            yield SetupStep(what=f"table {name}", make=partial(clients.dynamodb.delete_table, TableName=name))
    if exists(services.s3, pipeline.bucket):
        if is_kept(services.s3, pipeline.bucket):
            yield SetupStep(
                what=f"deletion protection of {pipeline.bucket}",
                make=partial(allow_deletion, services.s3, pipeline.bucket),
            )
        yield SetupStep(
            what=f"bucket {pipeline.bucket} with every version of every file",
            make=partial(_empty_and_delete, services, pipeline.bucket),
        )


def _empty_and_delete(services: Services, bucket: str) -> None:
    for page in services.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        versions: list[Any] = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        doomed: Any = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in versions]
        if doomed:
            done = services.s3.delete_objects(Bucket=bucket, Delete={"Objects": doomed, "Quiet": True})
            for error in done.get("Errors", ()):
                raise StoreError(
                    f"s3://{bucket}/{error.get('Key')}: version {error.get('VersionId')} could not be removed:"
                    f" {error.get('Code')}: {error.get('Message')}. The bucket stays; run again."
                )
    with suppress(services.s3.exceptions.NoSuchBucket):
        services.s3.delete_bucket(Bucket=bucket)


def _is_there(look: Callable[[], object], gone: type[ClientError]) -> bool:
    """Return whether something exists; with a group that is gone, its parts are gone, too."""
    try:
        look()
    except gone:
        return False
    except ClientError as refused:
        if "NotFound" in code_of(refused):
            return False
        raise
    return True
