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
from takings.adapters.aws.resources.functions import NOTIFICATION
from takings.adapters.aws.resources.queue import queue_url
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.step import SetupStep
from takings.adapters.aws.resources.storage import exists
from takings.adapters.aws.resources.tasks import SERVICES
from takings.adapters.aws.resources.topic import remove_topic
from takings.adapters.aws.tables import TABLES, missing_tables


def removal_steps(services: Services, clients: Clients, pipeline: Pipeline, *, with_data: bool) -> Iterator[SetupStep]:
    """Yield what exists, in the order to remove it: first what starts batches."""
    yield from _notification(services, pipeline)
    yield from _schedules(services, pipeline)
    yield from _workflow(services, pipeline)
    yield from _tasks(services, pipeline)
    yield from _functions(services, pipeline)
    url = queue_url(services, pipeline)
    if url is not None:
        yield SetupStep(
            what=f"queue {pipeline.name(names.DEAD_LETTERS)}", make=lambda: services.sqs.delete_queue(QueueUrl=url)
        )
    yield from remove_alarms(services, pipeline)
    yield from remove_topic(services, pipeline)
    yield from remove_roles(services, pipeline)
    if with_data:
        yield from _data(services, clients, pipeline)


def _notification(services: Services, pipeline: Pipeline) -> Iterator[SetupStep]:
    if not exists(services.s3, pipeline.bucket):
        return
    found: dict[str, Any] = dict(services.s3.get_bucket_notification_configuration(Bucket=pipeline.bucket))
    found.pop("ResponseMetadata", None)
    own = found.get("LambdaFunctionConfigurations", [])
    others = [each for each in own if each.get("Id") != NOTIFICATION]
    if len(others) < len(own):
        left: Any = found | {"LambdaFunctionConfigurations": others}
        yield SetupStep(
            what=f"notification of s3://{pipeline.bucket}",
            make=lambda: services.s3.put_bucket_notification_configuration(
                Bucket=pipeline.bucket, NotificationConfiguration=left
            ),
        )


def _schedules(services: Services, pipeline: Pipeline) -> Iterator[SetupStep]:
    group = pipeline.name(names.SCHEDULES)
    gone = services.scheduler.exceptions.ResourceNotFoundException
    for name in (names.SWEEP, names.DEADLINE):
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
    for service in SERVICES:
        family = pipeline.name(service)
        registered = services.ecs.list_task_definitions(familyPrefix=family, status="ACTIVE")["taskDefinitionArns"]
        for arn in registered:
            if arn.rpartition(":")[0].endswith(f"/{family}"):
                yield SetupStep(
                    what=f"task definition {arn.rpartition('/')[2]}",
                    make=partial(services.ecs.deregister_task_definition, taskDefinition=arn),
                )
        gone = services.ecr.exceptions.RepositoryNotFoundException
        if _is_there(partial(services.ecr.describe_repositories, repositoryNames=[family]), gone):
            yield SetupStep(
                what=f"repository {family} with its images",
                make=partial(services.ecr.delete_repository, repositoryName=family, force=True),
            )
    if any(each["status"] == "ACTIVE" for each in services.ecs.describe_clusters(clusters=[cluster])["clusters"]):
        yield SetupStep(what=f"cluster {cluster}", make=lambda: services.ecs.delete_cluster(cluster=cluster))
    groups = services.ec2.describe_security_groups(
        Filters=[{"Name": "group-name", "Values": [pipeline.name(names.SECURITY_GROUP)]}]
    )["SecurityGroups"]
    for group in groups:
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
    for part in (names.DETECTOR, names.ARCHIVER, *SERVICES):
        group = pipeline.log_group(part)
        found = services.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        if any(each["logGroupName"] == group for each in found):
            yield SetupStep(what=f"log group {group}", make=partial(services.logs.delete_log_group, logGroupName=group))


def _data(services: Services, clients: Clients, pipeline: Pipeline) -> Iterator[SetupStep]:
    missing = {table.name for table in missing_tables(clients.dynamodb, pipeline.table_prefix)}
    for table in TABLES:
        if table.name not in missing:
            name = pipeline.table_prefix + table.name
            yield SetupStep(what=f"table {name}", make=partial(clients.dynamodb.delete_table, TableName=name))
    if exists(services.s3, pipeline.bucket):
        yield SetupStep(
            what=f"bucket {pipeline.bucket} with every version of every file",
            make=partial(_empty_and_delete, services, pipeline.bucket),
        )


def _empty_and_delete(services: Services, bucket: str) -> None:
    for page in services.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        versions: list[Any] = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        doomed: Any = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in versions]
        if doomed:
            services.s3.delete_objects(Bucket=bucket, Delete={"Objects": doomed, "Quiet": True})
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
