"""A user's options for a pipeline, given to terraform and to the bootstrap, each in its own form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from takings.composition.aws_setup import missing_on_aws
from tests.aws.harness.deployed import STORE
from tests.aws.harness.pipeline import Aws

if TYPE_CHECKING:
    from takings.adapters.aws.resources import SetupStep

#: of the user's own security group
_OWN_GROUP: Final = "somebody"
_IS_OWN: Final = {"Name": "group-name", "Values": [_OWN_GROUP]}


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """Options, the same for both."""

    name: str
    #: arguments of the module
    variables: Mapping[str, object] = field(default_factory=dict)
    #: the bootstrap's, as TAKINGS_* variables
    settings: Mapping[str, str] = field(default_factory=dict)
    image_tag: str = "latest"
    notify: str | None = None
    github: str | None = None
    has_network: bool = False
    has_jobs: bool = False

    def made(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
        """Set the options, create the user's network, and return how terraform names it."""
        for name, value in self.settings.items():
            monkeypatch.setenv(name, value)
        if not self.has_network:
            return {}
        vpc = aws.client("ec2").describe_subnets(SubnetIds=_subnets(aws))["Subnets"][0]["VpcId"]
        aws.client("ec2").create_security_group(GroupName=_OWN_GROUP, Description="not of Takings", VpcId=vpc)
        return {"subnets": _subnets(aws), "security_group": _group(aws)}

    def missing(self, aws: Aws, functions: Path, package: Path) -> AbstractContextManager[Iterator[SetupStep]]:
        """Find what the bootstrap would create, with a package of jobs on EMR Serverless if wished."""
        return missing_on_aws(
            STORE,
            is_only_store=False,
            lambdas=functions,
            image_tag=self.image_tag,
            notify=self.notify,
            github=self.github,
            subnets=tuple(_subnets(aws)) if self.has_network else (),
            security_group=_group(aws) if self.has_network else None,
            spark=package if self.has_jobs else None,
        )


def _subnets(aws: Aws) -> list[str]:
    """Return two of the existing subnets."""
    return sorted(each["SubnetId"] for each in aws.client("ec2").describe_subnets()["Subnets"])[:2]


def _group(aws: Aws) -> str:
    (group,) = aws.client("ec2").describe_security_groups(Filters=[_IS_OWN])["SecurityGroups"]
    return str(group["GroupId"])


USUAL: Final = Wishes(name="as it comes")
EVERYTHING_NAMED: Final = Wishes(
    name="everything named",
    variables={
        "table_prefix": "north.",
        "image_tag": "v2",
        "sweep_minutes": 30,
        "event_window_seconds": 60,
        "batch_wait_minutes": 45,
        "notify": "night@example.com",
        "github": "owner/shop",
    },
    settings={
        "TAKINGS_TABLE_PREFIX": "north.",
        "TAKINGS_SWEEP": "30m",
        "TAKINGS_EVENT_WINDOW": "60s",
        "TAKINGS_BATCH_WAIT": "45m",
    },
    image_tag="v2",
    notify="night@example.com",
    github="owner/shop",
    has_network=True,
    has_jobs=True,
)
