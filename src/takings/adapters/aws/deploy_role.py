"""Say who may deploy from GitHub, and what: exactly what the deploy commands call, on exactly the pipeline's own parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from takings.adapters.aws import names
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.policies import Role
from takings.adapters.aws.statements import allow, passing

#: who vouches for a workflow, and to whom
PROVIDER: Final = "token.actions.githubusercontent.com"
AUDIENCE: Final = "sts.amazonaws.com"
#: of GitHub, which may have rules about who approves; deploy.yml names it
ENVIRONMENT: Final = "production"
_SERVICES: Final = (names.VALIDATION, names.TRANSFORMATION)


@dataclass(frozen=True, kw_only=True)
class DeployRole(Role):
    """The role that a workflow takes, without any key."""

    #: as GitHub's tokens name it: OWNER/REPOSITORY, of newer ones OWNER@ID/REPOSITORY@ID
    repository: str
    partition: str

    def trust(self, account: str) -> dict[str, Any]:
        """Return who may take the role: jobs of one environment of one repository."""
        claims = {
            f"{PROVIDER}:aud": AUDIENCE,
            f"{PROVIDER}:sub": f"repo:{self.repository}:environment:{ENVIRONMENT}",
        }
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": provider_arn(self.partition, account)},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": claims},
        }
        return {"Version": "2012-10-17", "Statement": [statement]}


def provider_arn(partition: str, account: str) -> str:
    """Return the ARN of GitHub's identity provider, of which an account has one."""
    return f"arn:{partition}:iam::{account}:oidc-provider/{PROVIDER}"


def deploy_role(pipeline: Pipeline, repository: str) -> DeployRole:
    """Return the role by which a repository's workflow brings a new version into a pipeline."""
    return DeployRole(
        name=pipeline.name(names.DEPLOY_ROLE),
        service=PROVIDER,
        source=None,
        repository=repository,
        partition=pipeline.partition,
        statements=(
            # The settings in the bucket name the tables, and with them all other parts.
            allow(["s3:ListBucket"], [pipeline.bucket_arn]),
            allow(["s3:GetObject"], pipeline.objects("takings.toml")),
            # These know no resources: a token for the registry, networks, and task definitions of which there is none yet.
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
            allow(
                [
                    "ecr:DescribeRepositories",
                    "ecr:DescribeImages",
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
                ["lambda:GetFunctionConfiguration", "lambda:UpdateFunctionCode", "lambda:GetFunction"],
                [pipeline.function(name) for name in (names.DETECTOR, names.ARCHIVER)],
            ),
            allow(["states:DescribeStateMachine", "states:UpdateStateMachine"], [pipeline.state_machine]),
            passing(
                [
                    pipeline.role(role)
                    for role in (names.VALIDATION_ROLE, names.TRANSFORMATION_ROLE, names.EXECUTION_ROLE)
                ],
                "ecs-tasks.amazonaws.com",
            ),
            passing([pipeline.role(names.STATE_MACHINE_ROLE)], "states.amazonaws.com"),
        ),
    )
