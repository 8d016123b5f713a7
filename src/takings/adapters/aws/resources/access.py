"""Create the roles that `policies.py` defines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any, Final, cast

from takings.adapters.aws import names
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.policies import Role, roles
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.step import SetupStep

#: the name of each role's only policy
POLICY: Final = "takings"


def role_steps(services: Services, pipeline: Pipeline, application: str | None = None) -> Iterator[SetupStep]:
    """Yield each role that is missing, or whose permissions or trust differ; with an application, its jobs' as well."""
    for role in roles(pipeline, application):
        yield from one_role_steps(services, pipeline, role)


def one_role_steps(services: Services, pipeline: Pipeline, role: Role) -> Iterator[SetupStep]:
    """Yield a role if it is missing, or its permissions or trust differ."""
    state = _difference(services, pipeline, role)
    if state is not None:
        yield SetupStep(what=f"role {role.name} ({state})", make=partial(_make, services, pipeline, role))


def trust_of(services: Services, name: str) -> dict[str, Any] | None:
    """Return whom a role trusts; None where there is no such role."""
    try:
        found = services.iam.get_role(RoleName=name)["Role"]
    except services.iam.exceptions.NoSuchEntityException:
        return None
    return cast("dict[str, Any]", _document(found["AssumeRolePolicyDocument"]))


def _difference(services: Services, pipeline: Pipeline, role: Role) -> str | None:
    trust = trust_of(services, role.name)
    if trust is None:
        return "is missing"
    if trust != role.trust(pipeline.account):
        return "trusts somebody else"
    try:
        allowed = services.iam.get_role_policy(RoleName=role.name, PolicyName=POLICY)["PolicyDocument"]
    except services.iam.exceptions.NoSuchEntityException:
        return "allows nothing"
    return None if _document(allowed) == role.policy() else "allows something else"


def _make(services: Services, pipeline: Pipeline, role: Role) -> None:
    trust = json.dumps(role.trust(pipeline.account))
    try:
        services.iam.create_role(
            RoleName=role.name,
            AssumeRolePolicyDocument=trust,
            Description=f"Takings: the store s3://{pipeline.bucket}",
        )
    except services.iam.exceptions.EntityAlreadyExistsException:
        services.iam.update_assume_role_policy(RoleName=role.name, PolicyDocument=trust)
    services.iam.put_role_policy(RoleName=role.name, PolicyName=POLICY, PolicyDocument=json.dumps(role.policy()))


def remove_roles(services: Services, pipeline: Pipeline) -> Iterator[SetupStep]:
    """Yield the removal of each existing role; GitHub's identity provider stays, because others may use it."""
    for name in (*(role.name for role in roles(pipeline, "any")), pipeline.name(names.DEPLOY_ROLE)):
        if trust_of(services, name) is not None:
            yield SetupStep(what=f"role {name}", make=partial(_remove, services, name))


def _remove(services: Services, name: str) -> None:
    pages = services.iam.get_paginator("list_role_policies").paginate(RoleName=name)
    for policy in [policy for page in pages for policy in page["PolicyNames"]]:
        services.iam.delete_role_policy(RoleName=name, PolicyName=policy)
    attached = services.iam.get_paginator("list_attached_role_policies").paginate(RoleName=name)
    for arn in [each["PolicyArn"] for page in attached for each in page["AttachedPolicies"]]:
        # Somebody's own, such as for a key: it stays, without the role.
        services.iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    services.iam.delete_role(RoleName=name)


def _document(found: object) -> object:
    """Return a policy as an object, whether the service answers it as text or parsed."""
    return json.loads(found) if isinstance(found, str) else found
