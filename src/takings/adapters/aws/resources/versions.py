"""Lead everything to one version of each function, the live one: a deployment moves it ahead, a rollback back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any, Final

from takings.adapters.aws import names
from takings.adapters.aws.names import LIVE, Pipeline
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.step import SetupStep
from takings.errors import UnknownThing

FUNCTIONS: Final = (names.DETECTOR, names.ARCHIVER)
#: what a version keeps of its function
_KEPT: Final = (
    *("CodeSha256", "Role", "Runtime", "Handler", "Timeout", "MemorySize"),
    *("Environment", "DeadLetterConfig", "TracingConfig"),
)
#: an alias's description: the deployment that moved it, and the version that was live before
_TOLD: Final = re.compile(r"([^,]+)(?:, before: ([0-9]+))?")
_BACK: Final = "rolled back"


@dataclass(frozen=True, kw_only=True)
class Live:
    """The version of a function that is called."""

    version: str
    #: the deployment that made it so; None where Takings did not
    deployment: str | None
    #: the version that was live before that deployment, the same one if only the other function differed
    before: str | None


def live_steps(services: Services, pipeline: Pipeline, *, is_due: bool) -> Iterator[SetupStep]:
    """Yield the move of both functions to their newest code, if it is due or either is behind.

    They move together, and remember the same deployment, so that a rollback takes back all of it and nothing else.
    """
    if is_due or any(_is_behind(services, pipeline, part) for part in FUNCTIONS):
        for part in FUNCTIONS:
            yield SetupStep(
                what=f"function {pipeline.name(part)} (its newest version becomes the live one)",
                make=partial(_move_ahead, services, pipeline, part),
            )


def rollback_steps(services: Services, pipeline: Pipeline) -> Iterator[SetupStep]:
    """Yield the way back to the versions before the last deployment; nothing where it was taken back already.

    UnknownThing, before anything moves, where a function has no earlier version.
    """
    found = {part: _require_earlier(services, pipeline, part) for part in FUNCTIONS}
    for part, live in found.items():
        if live.deployment != _BACK and live.before != live.version:
            yield SetupStep(
                what=f"function {pipeline.name(part)} from version {live.version} to version {live.before}",
                make=partial(_move_back, services, pipeline.name(part), live),
            )


def find_live(services: Services, function: str) -> Live | None:
    """Return the live version of a function; None where there is none, or no such function."""
    try:
        alias = services.lambdas.get_alias(FunctionName=function, Name=LIVE)
    except services.lambdas.exceptions.ResourceNotFoundException:
        return None
    told = _TOLD.fullmatch(alias.get("Description", ""))
    return Live(version=alias["FunctionVersion"], deployment=told and told[1], before=told and told[2])


def _is_behind(services: Services, pipeline: Pipeline, part: str) -> bool:
    live = find_live(services, pipeline.name(part))
    if live is None:
        return True
    if live.deployment is not None:
        return live.deployment != _deployment(services, pipeline)
    # Somebody else's alias, such as Terraform's.
    versions = _versions(services, pipeline.name(part))
    return _kept(versions["$LATEST"]) != _kept(versions[live.version])


def _require_earlier(services: Services, pipeline: Pipeline, part: str) -> Live:
    name = pipeline.name(part)
    live = find_live(services, name)
    if live is None or live.before is None:
        raise UnknownThing(
            f"no earlier version of {name} is known in {pipeline.region}. Check out the version to go back to, and run"
            f" `make lambdas` and `takings aws deploy functions s3://{pipeline.bucket}`."
        )
    return live


def _move_ahead(services: Services, pipeline: Pipeline, part: str) -> None:
    """Publish what a function has now, and make it live; repeated, it changes nothing."""
    name = pipeline.name(part)
    live, deployment = find_live(services, name), _deployment(services, pipeline)
    # Lambda publishes nothing new if nothing differs from the last version.
    version = services.lambdas.publish_version(FunctionName=name)["Version"]
    if live is None:
        services.lambdas.create_alias(FunctionName=name, Name=LIVE, FunctionVersion=version, Description=deployment)
    elif live.deployment != deployment:
        services.lambdas.update_alias(
            FunctionName=name,
            Name=LIVE,
            FunctionVersion=version,
            Description=f"{deployment}, before: {live.version}",
        )


def _move_back(services: Services, name: str, live: Live) -> None:
    services.lambdas.update_alias(
        FunctionName=name,
        Name=LIVE,
        FunctionVersion=live.before or live.version,
        Description=f"{_BACK}, before: {live.version}",
    )


def _deployment(services: Services, pipeline: Pipeline) -> str:
    """Return a name for what both functions have now: code and configuration."""
    found = [services.lambdas.get_function_configuration(FunctionName=pipeline.name(part)) for part in FUNCTIONS]
    return sha256(json.dumps([_kept(dict(each)) for each in found], sort_keys=True).encode()).hexdigest()[:12]


def _versions(services: Services, function: str) -> dict[str, dict[str, Any]]:
    pages = services.lambdas.get_paginator("list_versions_by_function").paginate(FunctionName=function)
    return {each["Version"]: dict(each) for page in pages for each in page["Versions"]}


def _kept(configuration: dict[str, Any]) -> dict[str, Any]:
    return {key: configuration.get(key) for key in _KEPT}
