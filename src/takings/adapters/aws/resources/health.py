"""Find what keeps a pipeline from working although nothing is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from takings.adapters.aws import names
from takings.adapters.aws.clients import Clients
from takings.adapters.aws.database import Database
from takings.adapters.aws.ledger import DynamoLedger
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.resources.bucket import has_default_retention
from takings.adapters.aws.resources.images import find_image, is_there
from takings.adapters.aws.resources.keys import key_complaints
from takings.adapters.aws.resources.queue import queue_url
from takings.adapters.aws.resources.quotas import calls_at_a_time
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.tasks import SERVICES
from takings.adapters.aws.resources.topic import addresses
from takings.intake.gate import GateState
from takings.intake.next_action import blocked_message

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import RouteTypeDef

#: the services that a task calls; it reaches them through gateway endpoints (S3, DynamoDB) and interfaces, or the internet
_CALLED = ("ecr.api", "ecr.dkr", "logs", "s3", "dynamodb")


def complaints(services: Services, clients: Clients, pipeline: Pipeline, image_tag: str | None) -> Iterator[str]:
    """Yield one sentence for each thing that is wrong, with what to do; change nothing."""
    for service in SERVICES:
        yield from _image(services, pipeline, service, image_tag)
    yield from _network(services, pipeline)
    yield from _gate(clients, pipeline)
    yield from _dead_letters(services, pipeline)
    yield from _executions(services, pipeline)
    yield from _unconfirmed(services, pipeline)
    yield from key_complaints(services, pipeline)
    yield from calls_at_a_time(services)
    if has_default_retention(services.s3, pipeline.bucket):
        yield (
            f"s3://{pipeline.bucket} has a default retention: S3 refuses the lake's writes, which have no checksum. Remove it,"
            " and lock the objects under processed/ only, or replicate them to a bucket that has one."
        )


def _image(services: Services, pipeline: Pipeline, service: str, image_tag: str | None) -> Iterator[str]:
    image = find_image(services, pipeline, service, image_tag)
    if not is_there(services, pipeline, service, image):
        yield (
            f"the image {image.name} is missing: build {service}/ and push it there, as `takings aws deploy images"
            f" s3://{pipeline.bucket} --tag TAG` does."
        )


def _network(services: Services, pipeline: Pipeline) -> Iterator[str]:
    """Yield the subnets from which a task does not reach every service that it calls, by internet or endpoints."""
    try:
        machine = services.stepfunctions.describe_state_machine(stateMachineArn=pipeline.state_machine)["definition"]
    except services.stepfunctions.exceptions.StateMachineDoesNotExist:
        return
    has_address = re.search(r'"AssignPublicIp":\s*"ENABLED"', machine) is not None
    pages = services.ec2.get_paginator("describe_subnets").paginate()
    found = (each for page in pages for each in page["Subnets"])
    for subnet in (each for each in found if f'"{each["SubnetId"]}"' in machine):
        why = _no_way_out(services, subnet["VpcId"], subnet["SubnetId"], has_address=has_address)
        missing = _without_endpoint(services, pipeline, subnet["VpcId"]) if why else ()
        if missing:
            yield (
                f"{subnet['SubnetId']} {why}, and its VPC has no endpoint for {', '.join(missing)}: tasks cannot start."
                " Add a NAT gateway, or these endpoints."
            )


def _no_way_out(services: Services, vpc: str, subnet: str, *, has_address: bool) -> str | None:
    """Return why tasks in a subnet do not reach the internet; None if they do."""
    tables = services.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]

    def routed(what: str, value: object) -> list[RouteTypeDef]:
        of = [table for table in tables if any(each.get(what) == value for each in table.get("Associations", ()))]
        return [route for table in of for route in table.get("Routes", ())]

    # A subnet without its own route table uses the main one.
    ways = [
        route
        for route in routed("SubnetId", subnet) or routed("Main", True)
        if route.get("DestinationCidrBlock") == "0.0.0.0/0" and route.get("State") != "blackhole"
    ]
    if not ways:
        return "has no way out"
    # An internet gateway needs tasks with public addresses.
    if has_address or any(not route.get("GatewayId", "").startswith("igw-") for route in ways):
        return None
    return "leads to an internet gateway, but not every subnet gives public addresses"


def _without_endpoint(services: Services, pipeline: Pipeline, vpc: str) -> Sequence[str]:
    endpoints = services.ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["VpcEndpoints"]
    # In China some names begin with the country.
    present = {endpoint["ServiceName"].removeprefix("cn.") for endpoint in endpoints}
    return [name for name in _CALLED if f"com.amazonaws.{pipeline.region}.{name}" not in present]


def _gate(clients: Clients, pipeline: Pipeline) -> Iterator[str]:
    gate = DynamoLedger(Database(clients.dynamodb, pipeline.table_prefix), pipeline.bucket).gate()
    if gate.state is GateState.BLOCKED:
        yield blocked_message(gate.batch_id, gate.reason, f"s3://{pipeline.bucket}")


def _dead_letters(services: Services, pipeline: Pipeline) -> Iterator[str]:
    url = queue_url(services, pipeline)
    if url is None:
        return
    waiting = services.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    count = int(waiting["Attributes"]["ApproximateNumberOfMessages"])
    if count:
        yield (
            f"{count} dead letters wait in {pipeline.name(names.DEAD_LETTERS)}: see `takings batches`, fix the cause, then"
            f" `takings aws redrive s3://{pipeline.bucket}`."
        )


def _executions(services: Services, pipeline: Pipeline) -> Iterator[str]:
    try:
        last = services.stepfunctions.list_executions(stateMachineArn=pipeline.state_machine, maxResults=1)[
            "executions"
        ]
    except services.stepfunctions.exceptions.StateMachineDoesNotExist:
        return
    if last and last[0]["status"] in {"FAILED", "TIMED_OUT", "ABORTED"}:
        yield f"the last execution, {last[0]['name']}, is {last[0]['status']}: `aws stepfunctions describe-execution` says why."


def _unconfirmed(services: Services, pipeline: Pipeline) -> Iterator[str]:
    for address, is_confirmed in addresses(services, pipeline).items():
        if not is_confirmed:
            yield f"{address} gets no alarms yet: open the link that AWS has sent there."
