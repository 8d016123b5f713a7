"""Tag everything that costs money with its store, so that an account's bill can be split by shop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from takings.adapters.aws import names
from takings.adapters.aws.alarms import alarm_names
from takings.adapters.aws.faults import code_of
from takings.adapters.aws.names import STORE_TAG, Pipeline
from takings.adapters.aws.resources.images import newest_definition
from takings.adapters.aws.resources.queue import queue_url
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.step import SetupStep
from takings.adapters.aws.tables import TABLES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Tags = Mapping[str, str]

#: what services say of something that is not there yet, or has no tags; DynamoDB does not tell which
_ABSENT: Final = ("NotFound", "NoSuch", "InvalidParameterException")
_ABSENT_TABLE: Final = "AccessDeniedException"


@dataclass(frozen=True, kw_only=True)
class Part:
    """Something that can be tagged."""

    read: Callable[[], Mapping[str, str]]
    #: adds tags, and leaves others alone
    write: Callable[[Tags], object]


def tags_of(pipeline: Pipeline, own: Tags) -> Tags:
    """Return the tags of a store's parts: the user's own, and the store."""
    return {**own, STORE_TAG: pipeline.bucket}


def tag_steps(parts: Iterator[Part], tags: Tags) -> Iterator[SetupStep]:
    """Yield one step for all parts that lack a tag, or are not there yet; tags of somebody else's stay."""
    lacking = [part for part in parts if not tags.items() <= _found(part).items()]
    if lacking:
        written = ", ".join(f"{name}={value}" for name, value in tags.items())
        yield SetupStep(what=f"tags {written}", make=lambda: [part.write(tags) for part in lacking])


def store_parts(services: Services, dynamodb: DynamoDBClient, pipeline: Pipeline) -> Iterator[Part]:
    """Yield bucket and tables."""
    s3, bucket = services.s3, pipeline.bucket
    # A bucket's tags are written all at once.
    yield Part(
        read=partial(_of_bucket, services, bucket),
        write=lambda tags: s3.put_bucket_tagging(
            Bucket=bucket, Tagging={"TagSet": _title_case({**_of_bucket(services, bucket), **tags})}
        ),
    )
    for table in TABLES:
        yield _part(dynamodb.list_tags_of_resource, dynamodb.tag_resource, "ResourceArn", pipeline.table(table.name))


def pipeline_parts(services: Services, pipeline: Pipeline, application: str | None = None) -> Iterator[Part]:
    """Yield everything else that costs money, with the application on EMR Serverless by its id."""
    yield from _functions_and_logs(services, pipeline)
    if application is not None:
        emr, arn = services.emr_serverless, pipeline.spark_application(application)
        yield _part(emr.list_tags_for_resource, emr.tag_resource, "resourceArn", arn, dict)
        yield _log_group(services, pipeline, names.SPARK)
    states, sns, ecr = services.stepfunctions, services.sns, services.ecr
    scheduler, alarms = services.scheduler, services.cloudwatch
    yield _part(states.list_tags_for_resource, states.tag_resource, "resourceArn", pipeline.state_machine, lower_case)
    yield _part(sns.list_tags_for_resource, sns.tag_resource, "ResourceArn", pipeline.alarms)
    yield _part(scheduler.list_tags_for_resource, scheduler.tag_resource, "ResourceArn", pipeline.schedule_group)
    for service in (names.VALIDATION, names.TRANSFORMATION):
        yield _part(ecr.list_tags_for_resource, ecr.tag_resource, "resourceArn", pipeline.repository(service))
    for name in alarm_names(pipeline):
        yield _part(
            alarms.list_tags_for_resource,
            alarms.tag_resource,
            "ResourceARN",
            pipeline.arn("cloudwatch", f"alarm:{name}"),
        )
    yield from _tasks(services, pipeline)
    yield from _queues_and_key(services, pipeline)


def _functions_and_logs(services: Services, pipeline: Pipeline) -> Iterator[Part]:
    lambdas = services.lambdas
    functions = (names.DETECTOR, names.ARCHIVER)
    for part in functions:
        yield _part(lambdas.list_tags, lambdas.tag_resource, "Resource", pipeline.function(part), dict)
    tasks = (names.VALIDATION, names.TRANSFORMATION, names.MAINTENANCE)
    for part in (*functions, *tasks, names.STATE_MACHINE):
        yield _log_group(services, pipeline, part)


def _log_group(services: Services, pipeline: Pipeline, part: str) -> Part:
    logs, group = services.logs, pipeline.arn("logs", f"log-group:{pipeline.log_group(part)}")
    return _part(logs.list_tags_for_resource, logs.tag_resource, "resourceArn", group, dict)


def _tasks(services: Services, pipeline: Pipeline) -> Iterator[Part]:
    """Yield the cluster and the newest task definitions, whose tags their tasks get."""
    ecs = services.ecs
    tasks = (names.VALIDATION, names.TRANSFORMATION, names.MAINTENANCE)
    definitions = [newest_definition(services, pipeline.name(task)) for task in tasks]
    for arn in (pipeline.cluster, *(each["taskDefinitionArn"] for each in definitions if each is not None)):
        yield _part(ecs.list_tags_for_resource, ecs.tag_resource, "resourceArn", arn, lower_case)


def _queues_and_key(services: Services, pipeline: Pipeline) -> Iterator[Part]:
    sqs, kms = services.sqs, services.kms
    for of in (names.EVENTS, names.DEAD_LETTERS):
        url = queue_url(services, pipeline, of)
        if url is not None:
            yield _part(sqs.list_queue_tags, sqs.tag_queue, "QueueUrl", url, dict)
    try:
        key = kms.describe_key(KeyId=pipeline.alarms_key)["KeyMetadata"]["KeyId"]
    except kms.exceptions.NotFoundException:
        return
    yield _part(
        kms.list_resource_tags,
        kms.tag_resource,
        "KeyId",
        key,
        lambda tags: [{"TagKey": name, "TagValue": value} for name, value in tags.items()],
    )


def lower_case(tags: Tags) -> list[Any]:
    """Return tags as Step Functions and ECS write them."""
    return [{"key": name, "value": value} for name, value in tags.items()]


def _title_case(tags: Tags) -> list[Any]:
    return [{"Key": name, "Value": value} for name, value in tags.items()]


def _part(
    listing: Callable[..., Any],
    tagging: Callable[..., Any],
    parameter: str,
    name: str,
    spelling: Callable[[Tags], object] = _title_case,
) -> Part:
    """Return what a service knows by this name, with its way to spell tags."""
    of = {parameter: name}
    written = "tags" if parameter == "resourceArn" else "Tags"
    return Part(read=lambda: _read(listing(**of)), write=lambda tags: tagging(**of, **{written: spelling(tags)}))


def _read(answer: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of an answer; each service has its own spelling."""
    found = answer.get("Tags", answer.get("tags", ()))
    if isinstance(found, Mapping):
        return dict(found)
    plain = [{name.lower().removeprefix("tag"): value for name, value in each.items()} for each in found]
    return {each["key"]: each["value"] for each in plain}


def _of_bucket(services: Services, bucket: str) -> dict[str, str]:
    try:
        return _read({"Tags": services.s3.get_bucket_tagging(Bucket=bucket)["TagSet"]})
    except ClientError as refused:
        if code_of(refused) == "NoSuchTagSet":
            return {}
        raise


def _found(part: Part) -> Mapping[str, str]:
    try:
        return part.read()
    except ClientError as refused:
        if code_of(refused) == _ABSENT_TABLE or any(each in code_of(refused) for each in _ABSENT):
            return {}
        raise
