"""Build the images of the container services, and push them to their repositories."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.resources.images import find_digest, require_repository
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.step import SetupStep
from takings.adapters.aws.resources.tasks import SERVICES
from takings.adapters.container_engine import find_engine
from takings.errors import StoreError


def image_steps(
    services: Services,
    pipeline: Pipeline,
    *,
    tag: str,
    engine: str | None,
    sources: Path | None,
    saved: Path | None,
) -> Iterator[SetupStep]:
    """Yield each image that its repository lacks; build from `sources`, load what was `saved`, or take the earlier build."""
    for service in SERVICES:
        require_repository(services, pipeline, service)
    for service in SERVICES:
        if find_digest(services, pipeline, service, f"tag:{tag}") is None:
            yield SetupStep(
                what=f"image {pipeline.image(service, tag)}",
                make=partial(_push, services, pipeline, service, tag, engine, sources, saved),
            )


def _push(
    services: Services,
    pipeline: Pipeline,
    service: str,
    tag: str,
    named: str | None,
    sources: Path | None,
    saved: Path | None,
) -> None:
    engine = find_engine(named)
    built, target = f"{service}:{tag}", pipeline.image(service, tag)
    if saved is not None:
        engine.load(saved / f"{service}.tar")
    elif sources is not None:
        engine.build(sources, service, built)
    with engine.logged_in(pipeline.registry, *_credentials(services)):
        engine.push(built, target)
    if find_digest(services, pipeline, service, f"tag:{tag}") is None:
        raise StoreError(f"{target} was pushed, but its repository does not have it. Look there, and run again.")


def _credentials(services: Services) -> tuple[str, str]:
    """Return user and password for the registry, valid for 12 hours."""
    (given,) = services.ecr.get_authorization_token()["authorizationData"]
    user, _, password = b64decode(given["authorizationToken"]).decode().partition(":")
    return user, password
