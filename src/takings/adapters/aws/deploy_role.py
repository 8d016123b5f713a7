"""Define who may deploy from GitHub, and what: only the calls of the deploy commands, only on the pipeline's own parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from takings.adapters.aws import names
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.policies import Role
from takings.adapters.aws.statements import Statement, allow, passing

#: the identity provider of a workflow
PROVIDER: Final = "token.actions.githubusercontent.com"
#: the environment on GitHub, where rules about approval may apply; deploy.yml names it
ENVIRONMENT: Final = "production"
_SERVICES: Final = (names.VALIDATION, names.TRANSFORMATION)
_TASKS: Final = (*_SERVICES, names.MAINTENANCE)


@dataclass(frozen=True, kw_only=True)
class DeployRole(Role):
    """The role that a workflow takes, without any key."""

    #: as GitHub's tokens name it: OWNER/REPOSITORY, or OWNER@ID/REPOSITORY@ID for newer ones
    repository: str
    partition: str
    #: for whom the tokens are made out
    audience: str

    def trust(self, account: str) -> dict[str, Any]:
        """Return who may take the role: jobs of one environment of one repository."""
        claims = {
            f"{PROVIDER}:aud": self.audience,
            f"{PROVIDER}:sub": f"repo:{self.repository}:environment:{ENVIRONMENT}",
        }
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": provider_arn(self.partition, account)},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": claims},
        }
        return {"Version": "2012-10-17", "Statement": [statement]}


def audience(pipeline: Pipeline) -> str:
    """Return for whom a workflow's tokens are made out: each partition has a token service of its own."""
    return f"sts.{pipeline.dns_suffix}"


def provider_arn(partition: str, account: str) -> str:
    """Return the ARN of GitHub's identity provider; an account has only one."""
    return f"arn:{partition}:iam::{account}:oidc-provider/{PROVIDER}"


def deploy_role(pipeline: Pipeline, repository: str) -> DeployRole:
    """Return the role that a repository's workflow deploys a new version with."""
    return DeployRole(
        name=pipeline.name(names.DEPLOY_ROLE),
        service=PROVIDER,
        source=None,
        repository=repository,
        partition=pipeline.partition,
        audience=audience(pipeline),
        statements=(*_reads(pipeline), *_deploys(pipeline), *_passes_roles(pipeline)),
    )


def _reads(pipeline: Pipeline) -> tuple[Statement, ...]:
    """Return the permissions to find the pipeline's parts, and to register task definitions."""
    return (
        # The settings in the bucket name the tables and so all other parts.
        allow(["s3:ListBucket"], [pipeline.bucket_arn]),
        allow(["s3:GetObject"], pipeline.objects("takings.toml")),
        # These calls have no resource: a token for the registry, networks, and task definitions that do not exist yet.
        allow(
            [
                "ecr:GetAuthorizationToken",
                "ecs:DescribeTaskDefinition",
                "ecs:RegisterTaskDefinition",
                "ec2:DescribeSubnets",
                "ec2:DescribeSecurityGroups",
            ],
            ["*"],
        ),
    )


def _deploys(pipeline: Pipeline) -> tuple[Statement, ...]:
    """Return the permissions to push images, and to update functions and state machine."""
    return (
        allow(
            [
                "ecr:DescribeRepositories",
                "ecr:DescribeImages",
                "ecr:DescribeImageScanFindings",
                # what docker and podman call while they push
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:InitiateLayerUpload",
                "ecr:UploadLayerPart",
                "ecr:CompleteLayerUpload",
                "ecr:PutImage",
            ],
            [pipeline.repository(service) for service in _SERVICES],
        ),
        allow(
            [
                "lambda:GetFunctionConfiguration",
                "lambda:UpdateFunctionCode",
                "lambda:GetFunction",
                "lambda:PublishVersion",
                "lambda:ListVersionsByFunction",
                "lambda:GetAlias",
                "lambda:UpdateAlias",
            ],
            [pipeline.function(name) for name in (names.DETECTOR, names.ARCHIVER)],
        ),
        allow(["states:DescribeStateMachine", "states:UpdateStateMachine"], [pipeline.state_machine]),
        # A new revision has the tags of its predecessors.
        allow(
            ["ecs:TagResource"],
            [f"{pipeline.arn('ecs', 'task-definition/' + pipeline.name(each))}:*" for each in _TASKS],
        )
        | {"Condition": {"StringEquals": {"ecs:CreateAction": "RegisterTaskDefinition"}}},
        # The maintenance runs where the other tasks run.
        allow(["scheduler:GetSchedule", "scheduler:UpdateSchedule"], [pipeline.schedule(names.MAINTAIN)]),
    )


def _passes_roles(pipeline: Pipeline) -> tuple[Statement, ...]:
    """Return the permissions to pass the pipeline's roles to its tasks and state machine."""
    tasks = (names.VALIDATION_ROLE, names.TRANSFORMATION_ROLE, names.MAINTENANCE_ROLE, names.EXECUTION_ROLE)
    return (
        passing([pipeline.role(role) for role in tasks], "ecs-tasks.amazonaws.com"),
        passing([pipeline.role(names.STATE_MACHINE_ROLE)], "states.amazonaws.com"),
        passing([pipeline.role(names.SCHEDULER_ROLE)], "scheduler.amazonaws.com"),
    )
