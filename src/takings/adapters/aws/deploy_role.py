"""Say who may deploy from GitHub, and what: exactly what the deploy commands call, on exactly the pipeline's own parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from takings.adapters.aws import names
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.policies import Role

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
    bucket = f"arn:{pipeline.partition}:s3:::{pipeline.bucket}"
    return DeployRole(
        name=pipeline.name(names.DEPLOY_ROLE),
        service=PROVIDER,
        source=None,
        repository=repository,
        partition=pipeline.partition,
        statements=(
            # The settings in the bucket name the tables, and with them all other parts.
            _allow(["s3:ListBucket"], [bucket]),
            _allow(["s3:GetObject"], [f"{bucket}/takings.toml"]),
            # These know no resources: a token for the registry, networks, and task definitions of which there is none yet.
            _allow(
                [
                    "ecr:GetAuthorizationToken",
                    "ecs:DescribeTaskDefinition",
                    "ecs:RegisterTaskDefinition",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeSecurityGroups",
                ],
                ["*"],
            ),
            _allow(
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
            _allow(
                ["lambda:GetFunctionConfiguration", "lambda:UpdateFunctionCode", "lambda:GetFunction"],
                [pipeline.function(name) for name in (names.DETECTOR, names.ARCHIVER)],
            ),
            _allow(["states:DescribeStateMachine", "states:UpdateStateMachine"], [pipeline.state_machine]),
            _pass(pipeline, names.VALIDATION_ROLE, "ecs-tasks.amazonaws.com"),
            _pass(pipeline, names.TRANSFORMATION_ROLE, "ecs-tasks.amazonaws.com"),
            _pass(pipeline, names.EXECUTION_ROLE, "ecs-tasks.amazonaws.com"),
            _pass(pipeline, names.STATE_MACHINE_ROLE, "states.amazonaws.com"),
        ),
    )


def _allow(actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def _pass(pipeline: Pipeline, role: str, service: str) -> dict[str, Any]:
    return _allow(["iam:PassRole"], [pipeline.role(role)]) | {
        "Condition": {"StringEquals": {"iam:PassedToService": service}}
    }
