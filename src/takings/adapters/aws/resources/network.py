"""Find the network of the tasks: the named subnets and security group, or those of the default VPC."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from takings.adapters.aws import names
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.step import SetupStep
from takings.adapters.aws.state_machine import named_network
from takings.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Network:
    """Where tasks run."""

    subnets: tuple[str, ...]
    security_group: str | None
    #: tasks in a public subnet need a public address to reach AWS
    has_public_ip: bool


def find_network(
    services: Services, pipeline: Pipeline, subnets: tuple[str, ...], security_group: str | None
) -> Network:
    """Return the network; UsageError where subnets or a default VPC do not exist.

    Without subnets, it is the network of the present tasks, so that leaving out an option does not move them.
    """
    present = None if subnets else _present(services, pipeline)
    if present is not None:
        subnets, group = present
        security_group = security_group or group
    found = services.ec2.describe_subnets(
        **({"SubnetIds": list(subnets)} if subnets else {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]})
    )["Subnets"]
    if not found:
        raise UsageError(
            "this region has no default VPC. Name subnets of another: --subnet subnet-… (twice), or SUBNET_1 and SUBNET_2."
        )
    if security_group is None:
        security_group = _own_group(services, pipeline, found[0]["VpcId"])
    return Network(
        subnets=tuple(sorted(each["SubnetId"] for each in found)),
        security_group=security_group,
        has_public_ip=all(each["MapPublicIpOnLaunch"] for each in found),
    )


def group_steps(services: Services, pipeline: Pipeline, network: Network) -> Iterator[SetupStep]:
    """Yield the security group if it is missing: it blocks all inbound and allows all outbound connections."""
    if network.security_group is None:
        vpc = services.ec2.describe_subnets(SubnetIds=[network.subnets[0]])["Subnets"][0]["VpcId"]
        yield SetupStep(
            what=f"security group {pipeline.name(names.SECURITY_GROUP)} in {vpc}",
            make=lambda: services.ec2.create_security_group(
                GroupName=pipeline.name(names.SECURITY_GROUP),
                Description="Takings: tasks, which nobody calls",
                VpcId=vpc,
            ),
        )


def _present(services: Services, pipeline: Pipeline) -> tuple[tuple[str, ...], str | None] | None:
    """Return the subnets and the group that the state machine names; None where it or one of them does not exist."""
    try:
        machine = services.stepfunctions.describe_state_machine(stateMachineArn=pipeline.state_machine)
    except services.stepfunctions.exceptions.StateMachineDoesNotExist:
        return None
    subnets, groups = named_network(json.loads(machine["definition"]))
    found = services.ec2.describe_subnets(Filters=[{"Name": "subnet-id", "Values": subnets}])["Subnets"]
    if not subnets or not {each["SubnetId"] for each in found}.issuperset(subnets):
        return None
    there = services.ec2.describe_security_groups(Filters=[{"Name": "group-id", "Values": groups}])["SecurityGroups"]
    return tuple(subnets), next((each["GroupId"] for each in there if each["GroupId"] in groups), None)


def _own_group(services: Services, pipeline: Pipeline, vpc: str) -> str | None:
    groups = services.ec2.describe_security_groups(
        Filters=[
            {"Name": "group-name", "Values": [pipeline.name(names.SECURITY_GROUP)]},
            {"Name": "vpc-id", "Values": [vpc]},
        ]
    )["SecurityGroups"]
    return groups[0]["GroupId"] if groups else None
