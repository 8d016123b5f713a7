"""Create what a store in a bucket needs on AWS, and correct what differs; leave alone what is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from takings.adapters.aws import names
from takings.adapters.aws.alarms import AlarmLimits, limits
from takings.adapters.aws.clients import Clients
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.resources import spark
from takings.adapters.aws.resources.access import role_steps
from takings.adapters.aws.resources.alarms import alarm_steps
from takings.adapters.aws.resources.events import mapping_steps, notification_steps, permission_steps
from takings.adapters.aws.resources.functions import function_steps, log_group_steps, read_archives
from takings.adapters.aws.resources.github import github_steps
from takings.adapters.aws.resources.network import find_network, group_steps
from takings.adapters.aws.resources.queue import queue_steps, queue_url
from takings.adapters.aws.resources.services import Services, account_of, services
from takings.adapters.aws.resources.step import SetupStep
from takings.adapters.aws.resources.storage import exists, storage_steps
from takings.adapters.aws.resources.tags import pipeline_parts, store_parts, tag_steps, tags_of
from takings.adapters.aws.resources.tasks import SERVICES, revision, task_steps
from takings.adapters.aws.resources.topic import topic_steps
from takings.adapters.aws.resources.workflow import Watching, schedule_steps, state_machine_steps


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """The choices for setting up a pipeline."""

    #: the folder with `<function>.zip` and lambdas.json, as `make lambdas` writes them
    lambdas: Path
    #: the tag of the images in their repositories; none: the deployed ones, `latest` where there is none yet
    image_tag: str | None
    #: none: those where tasks already run, at first those of the default VPC
    subnets: tuple[str, ...]
    #: none: the pipeline's own
    security_group: str | None
    #: how often to look at the store without an event
    sweep: timedelta
    #: how long events are gathered before one look
    event_window: timedelta
    #: what is logged of executions, and whether they are traced
    watching: Watching
    #: the user's own tags
    tags: Mapping[str, str]
    #: the limits of the alarms
    limits: AlarmLimits
    #: an e-mail address for alarms; none: no change
    notify: str | None
    #: the repository whose workflow may deploy, as `OWNER/REPOSITORY`; none: no change, at first nobody
    github: str | None = None
    #: the folder with the package of jobs on EMR Serverless, as `make spark` makes it; none: no change, at first no jobs
    spark: Path | None = None


def pipeline_of(clients: Clients, bucket: str, table_prefix: str) -> Pipeline:
    """Return the names of a store's pipeline in the account of these credentials."""
    account, partition = account_of(clients)
    return Pipeline(
        bucket=bucket, table_prefix=table_prefix, account=account, region=clients.region, partition=partition
    )


def store_tag_steps(
    services: Services, clients: Clients, pipeline: Pipeline, tags: Mapping[str, str]
) -> Iterator[SetupStep]:
    """Yield the tags that bucket and tables lack."""
    yield from tag_steps(store_parts(services, clients.dynamodb, pipeline), tags_of(pipeline, tags))


def pipeline_steps(services: Services, pipeline: Pipeline, wishes: Wishes) -> Iterator[SetupStep]:
    """Yield what the pipeline around a store lacks, in the order to create it."""
    archives = read_archives(wishes.lambdas)
    if wishes.spark is not None:
        spark.find_built(wishes.spark)
    yield from queue_steps(services, pipeline, wishes.event_window)
    tags = tags_of(pipeline, wishes.tags)
    has_spark = spark.is_wanted(services, pipeline, wishes.spark)
    if has_spark:
        yield from spark.application_steps(services, pipeline, tags)
    application = spark.find_application(services, pipeline) or spark.NOT_MADE_YET if has_spark else None
    yield from role_steps(services, pipeline, application)
    url = queue_url(services, pipeline) or "not made yet"
    yield from function_steps(services, pipeline, archives, url, is_traced=wishes.watching.is_traced)
    yield from mapping_steps(services, pipeline, wishes.event_window)
    yield from task_steps(services, pipeline, wishes.image_tag, tags)
    yield from group_steps(services, pipeline, find_network(services, pipeline, wishes.subnets, wishes.security_group))
    network = find_network(services, pipeline, wishes.subnets, wishes.security_group)
    revisions = {service: revision(services, pipeline, service, wishes.image_tag) for service in SERVICES}
    yield from log_group_steps(services, pipeline, names.STATE_MACHINE)
    if wishes.spark is not None:
        yield from spark.package_steps(services, pipeline, wishes.spark)
    jobs = spark.jobs_to_be(services, pipeline) if has_spark else None
    yield from state_machine_steps(services, pipeline, network, revisions, wishes.watching, jobs)
    yield from schedule_steps(services, pipeline, wishes.sweep, network)
    yield from topic_steps(services, pipeline, wishes.notify)
    yield from alarm_steps(services, pipeline, wishes.limits)
    yield from tag_steps(pipeline_parts(services, pipeline, application), tags)
    if exists(services.s3, pipeline.bucket):
        yield from notification_steps(services, pipeline)
    else:
        yield SetupStep(what=f"notification of new files under s3://{pipeline.bucket}/raw-data/", make=lambda: None)
    # The bucket calls the detector until its events go to the queue.
    yield from permission_steps(services, pipeline)
    yield from github_steps(services, pipeline, wishes.github)


__all__ = [
    "Pipeline",
    "SetupStep",
    "Watching",
    "Wishes",
    "exists",
    "limits",
    "pipeline_of",
    "pipeline_steps",
    "services",
    "storage_steps",
    "store_tag_steps",
]
