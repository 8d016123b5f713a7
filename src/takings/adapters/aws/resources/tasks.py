"""Create what tasks need: repositories for the images, a cluster, and the task definitions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from takings.adapters.aws import names
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.resources.functions import log_group_steps
from takings.adapters.aws.resources.images import IMAGES, TAG_LABEL, Image, find_image, newest_definition
from takings.adapters.aws.resources.services import Services
from takings.adapters.aws.resources.step import SetupStep
from takings.adapters.aws.resources.tags import Tags, lower_case

#: what has an image of its own …
SERVICES: Final = IMAGES
#: … and what runs as a task
TASKS: Final = (*SERVICES, names.MAINTENANCE)
_ROLES: Final = {
    names.VALIDATION: names.VALIDATION_ROLE,
    names.TRANSFORMATION: names.TRANSFORMATION_ROLE,
    names.MAINTENANCE: names.MAINTENANCE_ROLE,
}
#: the service in whose image another one runs
_IMAGE_OF: Final = {names.MAINTENANCE: names.VALIDATION}
#: what it runs there; the images of the others say it
_ENTRY_POINTS: Final = {names.MAINTENANCE: ["python", "-m", "takings.entrypoints.tasks", "maintain"]}
#: maintenance compacts a day's small files at a time, of every day that has many
_MAINTENANCE_DISK_GIB: Final = 100
#: the largest value: a task that gets SIGTERM hands its batch back within 100 s
_STOP_SECONDS: Final = 120
#: the one folder of a container that is not read-only
_WRITABLE: Final = "/tmp"  # noqa: S108  # nosec B108
#: a tag names the same bytes for good
_TAGS: Final = "IMMUTABLE"
#: how many images a repository keeps, and so how many pushes can be undone
_IMAGES: Final = 50
_UNTAGGED_DAYS: Final = 14
#: the images of a repository to remove
LIFE_CYCLE: Final = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "images whose tag another one has taken",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": _UNTAGGED_DAYS,
            },
            "action": {"type": "expire"},
        },
        {
            "rulePriority": 2,
            "description": "all but the newest",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": _IMAGES},
            "action": {"type": "expire"},
        },
    ]
}


def task_steps(services: Services, pipeline: Pipeline, image_tag: str | None, tags: Tags) -> Iterator[SetupStep]:
    """Yield what is missing or differs; without a tag, keep the deployed image."""
    cluster = pipeline.name(names.CLUSTER)
    clusters = services.ecs.describe_clusters(clusters=[cluster])["clusters"]
    if not any(each["status"] == "ACTIVE" for each in clusters):
        yield SetupStep(what=f"cluster {cluster}", make=lambda: services.ecs.create_cluster(clusterName=cluster))
    for service in SERVICES:
        name = pipeline.name(service)
        yield from _repository_steps(services, name)
    for task in TASKS:
        yield from log_group_steps(services, pipeline, task)
        yield from definition_steps(services, pipeline, task, image_tag, tags)


def definition_steps(
    services: Services, pipeline: Pipeline, service: str, image_tag: str | None, tags: Tags
) -> Iterator[SetupStep]:
    """Yield a service's task definition, if the newest of its family differs; each task gets its tags."""
    image = find_image(services, pipeline, image_of(service), image_tag)
    wanted = task_definition(pipeline, service, image)
    if not _covers(newest_definition(services, wanted["family"]), wanted):
        yield SetupStep(
            what=f"task definition {wanted['family']} with the image {image.tag or image.name}",
            make=partial(services.ecs.register_task_definition, **wanted, tags=lower_case(tags)),
        )


def revision(services: Services, pipeline: Pipeline, service: str, image_tag: str | None) -> str:
    """Return the `family:revision` with this image; only the family where it is not registered yet."""
    wanted = task_definition(pipeline, service, find_image(services, pipeline, service, image_tag))
    found = newest_definition(services, wanted["family"])
    family: str = wanted["family"]
    return f"{family}:{found['revision']}" if found is not None and _covers(found, wanted) else family


def image_of(service: str) -> str:
    """Return the service in whose image a task runs."""
    return _IMAGE_OF.get(service, service)


def task_definition(pipeline: Pipeline, service: str, image: Image) -> dict[str, Any]:
    """Return a service's task definition; the state machine sets the size of each task."""
    return {
        "family": pipeline.name(service),
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "1024",
        "memory": "4096",
        "executionRoleArn": pipeline.role(names.EXECUTION_ROLE),
        "taskRoleArn": pipeline.role(_ROLES[service]),
        "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
        **({"ephemeralStorage": {"sizeInGiB": _MAINTENANCE_DISK_GIB}} if service == names.MAINTENANCE else {}),
        # Tasks write only to /tmp, on their own disk; the root file system is read-only.
        "volumes": [{"name": "tmp"}],
        "containerDefinitions": [_container(pipeline, service, image)],
    }


def _container(pipeline: Pipeline, service: str, image: Image) -> dict[str, Any]:
    environment = {
        "TAKINGS_STORE": f"s3://{pipeline.bucket}",
        # ECS may drop a variable without a value.
        **({"TAKINGS_TABLE_PREFIX": pipeline.table_prefix} if pipeline.table_prefix else {}),
        "AWS_DEFAULT_REGION": pipeline.region,
    }
    return {
        "name": service,
        "image": image.name,
        # The digest names the image; the tag is for people.
        **({"dockerLabels": {TAG_LABEL: image.tag}} if image.tag else {}),
        "essential": True,
        **({"entryPoint": _ENTRY_POINTS[service]} if service in _ENTRY_POINTS else {}),
        "readonlyRootFilesystem": True,
        "stopTimeout": _STOP_SECONDS,
        "mountPoints": [{"sourceVolume": "tmp", "containerPath": _WRITABLE, "readOnly": False}],
        "environment": [{"name": name, "value": value} for name, value in environment.items()],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": pipeline.log_group(service),
                "awslogs-region": pipeline.region,
                "awslogs-stream-prefix": "task",
            },
        },
    }


def _repository_steps(services: Services, name: str) -> Iterator[SetupStep]:
    """Yield a repository if it is missing or differs; nobody may give a tag to other bytes."""
    try:
        (found,) = services.ecr.describe_repositories(repositoryNames=[name])["repositories"]
    except services.ecr.exceptions.RepositoryNotFoundException:
        yield SetupStep(what=f"repository {name} for its image", make=lambda: _make_repository(services, name))
        return
    if not found.get("imageScanningConfiguration", {}).get("scanOnPush"):
        yield SetupStep(
            what=f"repository {name} (does not scan its images)",
            make=lambda: services.ecr.put_image_scanning_configuration(
                repositoryName=name, imageScanningConfiguration={"scanOnPush": True}
            ),
        )
    if found.get("imageTagMutability") != _TAGS:
        yield SetupStep(
            what=f"repository {name} (its tags can be moved)",
            make=lambda: services.ecr.put_image_tag_mutability(repositoryName=name, imageTagMutability=_TAGS),
        )
    if _life_cycle(services, name) != LIFE_CYCLE:
        yield SetupStep(what=f"repository {name} (keeps other images)", make=lambda: _keep_newest(services, name))


def _make_repository(services: Services, name: str) -> None:
    services.ecr.create_repository(
        repositoryName=name, imageScanningConfiguration={"scanOnPush": True}, imageTagMutability=_TAGS
    )
    _keep_newest(services, name)


def _keep_newest(services: Services, name: str) -> None:
    services.ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps(LIFE_CYCLE))


def _life_cycle(services: Services, name: str) -> object:
    try:
        return json.loads(services.ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"])
    except services.ecr.exceptions.LifecyclePolicyNotFoundException:
        return None


def _covers(found: object, wanted: object) -> bool:
    """Return whether `found` has everything in `wanted`; ignore what AWS adds."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_covers(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(map(_covers, _in_order(found), _in_order(wanted)))
        )
    return bool(found == wanted)


def _in_order(parts: list[Any]) -> list[Any]:
    """Return variables, containers and volumes sorted by name: ECS answers them in any order."""
    is_named = all(isinstance(part, dict) and "name" in part for part in parts)
    return sorted(parts, key=lambda part: str(part["name"])) if is_named else parts
