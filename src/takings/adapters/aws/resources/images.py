"""Find the image that a service's tasks run: named by its digest, so that no later push changes what was deployed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from takings.adapters.aws.names import TRANSFORMATION, VALIDATION, Pipeline
from takings.adapters.aws.resources.services import Services
from takings.errors import UnknownThing

#: what has an image of its own
IMAGES: Final = (VALIDATION, TRANSFORMATION)
#: where a task definition says which tag its image had when it was deployed
TAG_LABEL: Final = "takings.image-tag"
#: the tag to run where nobody has named one yet
_FIRST_TAG: Final = "latest"


@dataclass(frozen=True, kw_only=True)
class Image:
    """What a service's tasks run."""

    #: its address: by digest once it is in its repository, until then by tag
    name: str
    #: the requested tag; None where it was not recorded
    tag: str | None


def find_image(services: Services, pipeline: Pipeline, service: str, tag: str | None) -> Image:
    """Return the image of a tag; without one, the image that is deployed."""
    if tag is None:
        deployed = newest_definition(services, pipeline.name(service))
        if deployed is not None:
            return _image_in(deployed)
        tag = _FIRST_TAG
    digest = find_digest(services, pipeline, service, f"tag:{tag}")
    name = pipeline.image(service, tag)
    return Image(name=f"{name.removesuffix(f':{tag}')}@{digest}" if digest else name, tag=tag)


def find_digest(services: Services, pipeline: Pipeline, service: str, reference: str) -> str | None:
    """Return the digest of an image in a service's repository, by `tag:…` or `digest:…`; None where there is none."""
    kind, _, value = reference.partition(":")
    wanted: Any = {"imageTag": value} if kind == "tag" else {"imageDigest": value}
    refused = services.ecr.exceptions
    try:
        found = services.ecr.describe_images(repositoryName=pipeline.name(service), imageIds=[wanted])["imageDetails"]
    except (refused.ImageNotFoundException, refused.RepositoryNotFoundException):
        return None
    return found[0]["imageDigest"] if found else None


def pushed_images(services: Services, pipeline: Pipeline, tag: str) -> dict[str, Image]:
    """Return the images of a tag by service; UnknownThing where a repository lacks one."""
    found = {service: find_image(services, pipeline, service, tag) for service in IMAGES}
    for service, image in found.items():
        if "@" not in image.name:
            raise UnknownThing(f"the repository {pipeline.name(service)} has no image {tag}.")
    return found


def is_there(services: Services, pipeline: Pipeline, service: str, image: Image) -> bool:
    """Return whether an image is in the service's repository, or elsewhere, where only a task can look."""
    repository = f"{pipeline.registry}/{pipeline.name(service)}"
    if not image.name.startswith((f"{repository}:", f"{repository}@")):
        return True
    rest = image.name.removeprefix(repository)
    reference = f"digest:{rest[1:]}" if rest.startswith("@") else f"tag:{rest[1:]}"
    return find_digest(services, pipeline, service, reference) is not None


def require_repository(services: Services, pipeline: Pipeline, service: str) -> None:
    """Raise UnknownThing where there is no repository for a service's images."""
    name = pipeline.name(service)
    try:
        services.ecr.describe_repositories(repositoryNames=[name])
    except services.ecr.exceptions.RepositoryNotFoundException as missing:
        raise UnknownThing(
            f"there is no repository {name} in {pipeline.region}. Set the pipeline up first: `takings aws bootstrap"
            f" s3://{pipeline.bucket}`."
        ) from missing


def newest_definition(services: Services, family: str) -> dict[str, Any] | None:
    """Return the newest task definition of a family; None where there is none."""
    try:
        found = services.ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
    except services.ecs.exceptions.ClientException:
        return None
    return dict(found)


def _image_in(definition: dict[str, Any]) -> Image:
    container = definition["containerDefinitions"][0]
    return Image(name=container["image"], tag=container.get("dockerLabels", {}).get(TAG_LABEL))
