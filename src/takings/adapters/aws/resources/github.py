"""Let a workflow on GitHub deploy: create its identity provider, and the role that it takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from takings.adapters.aws import names
from takings.adapters.aws.deploy_role import PROVIDER, audience, deploy_role, provider_arn
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.resources.access import one_role_steps, trust_of
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.step import SetupStep
from takings.errors import UsageError

#: a `*` would trust strangers
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9-]+(@[0-9]+)?/[A-Za-z0-9._-]+(@[0-9]+)?")


def github_steps(services: Services, pipeline: Pipeline, repository: str | None) -> Iterator[SetupStep]:
    """Yield what a repository needs to deploy; without a repository, what the existing role lacks."""
    if repository is None:
        repository = _trusted(trust_of(services, pipeline.name(names.DEPLOY_ROLE)))
    elif not _REPOSITORY.fullmatch(repository):
        raise UsageError(
            f"'{repository}' is not a repository on GitHub. Write OWNER/REPOSITORY, or OWNER@ID/REPOSITORY@ID."
        )
    if repository is not None:
        yield from _provider_steps(services, pipeline)
        yield from one_role_steps(services, pipeline, deploy_role(pipeline, repository))


def _trusted(trust: dict[str, Any] | None) -> str | None:
    """Return the repository that the role trusts; None where there is no role, or it trusts something else."""
    for statement in (trust or {}).get("Statement", ()):
        subject = statement.get("Condition", {}).get("StringEquals", {}).get(f"{PROVIDER}:sub", "")
        found = re.fullmatch(r"repo:([^:]+):environment:.+", subject)
        if found:
            return found[1]
    return None


def _provider_steps(services: Services, pipeline: Pipeline) -> Iterator[SetupStep]:
    arn, wanted = provider_arn(pipeline.partition, pipeline.account), audience(pipeline)
    try:
        found = services.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    except services.iam.exceptions.NoSuchEntityException:
        yield SetupStep(
            what=f"identity provider {PROVIDER}",
            make=lambda: services.iam.create_open_id_connect_provider(Url=f"https://{PROVIDER}", ClientIDList=[wanted]),
        )
        return
    if wanted not in found["ClientIDList"]:
        yield SetupStep(
            what=f"identity provider {PROVIDER} vouches to {wanted}",
            make=lambda: services.iam.add_client_id_to_open_id_connect_provider(
                OpenIDConnectProviderArn=arn, ClientID=wanted
            ),
        )
