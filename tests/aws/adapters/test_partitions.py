"""Nothing of a pipeline names another partition of AWS than its own: China and GovCloud have their own names."""

from __future__ import annotations

import json
import re

import pytest

from takings.adapters.aws.alarms import alarms, key_policy, limits
from takings.adapters.aws.dashboard import dashboard
from takings.adapters.aws.deploy_role import deploy_role
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.policies import roles
from takings.adapters.aws.resources.bucket import bucket_policy
from takings.adapters.aws.resources.images import Image
from takings.adapters.aws.resources.queue import events_policy
from takings.adapters.aws.resources.tasks import SERVICES, task_definition
from takings.adapters.aws.state_machine import definition
from takings.settings import Settings

PARTITIONS = {"aws": "eu-west-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
DOMAINS = {"aws": "amazonaws.com", "aws-cn": "amazonaws.com.cn", "aws-us-gov": "amazonaws.com"}


def everything(pipeline: Pipeline) -> str:
    """Return whatever names a part of AWS, as one text."""
    usual = Settings()
    deploying = deploy_role(pipeline, "owner/shop")
    return json.dumps(
        [
            *([role.trust(pipeline.account), role.policy()] for role in roles(pipeline)),
            [deploying.trust(pipeline.account), deploying.policy()],
            definition(pipeline, subnets=["subnet-1"], security_groups=["sg-1"], has_public_ip=True),
            *(task_definition(pipeline, name, Image(name=pipeline.image(name, "v1"), tag="v1")) for name in SERVICES),
            bucket_policy(pipeline.partition, pipeline.bucket),
            events_policy(pipeline),
            key_policy(pipeline),
            *(
                each.definition(pipeline)
                for each in alarms(pipeline, limits(batch_wait=usual.batch_policy.batch_wait, sweep=usual.sweep))
            ),
            dashboard(pipeline),
        ]
    )


@pytest.mark.parametrize("partition", PARTITIONS)
def test_every_part_is_named_in_its_own_partition(partition: str) -> None:
    """ARNs, the registry of images, and for whom a workflow's tokens are made out."""
    pipeline = Pipeline(
        bucket="shop", table_prefix="", account="123456789012", region=PARTITIONS[partition], partition=partition
    )
    text = everything(pipeline)
    assert set(re.findall(r"arn:([^:]*):", text)) == {partition}
    assert set(re.findall(r"arn:[^:]*:(?!s3|iam)[a-z]+:([^:]+):", text)) == {pipeline.region}
    assert set(re.findall(r"dkr\.ecr\.[a-z0-9-]+\.([a-z.]+)/", text)) == {DOMAINS[partition]}
    assert set(re.findall(r'"sts\.([a-z.]+)"', text)) == {DOMAINS[partition]}
