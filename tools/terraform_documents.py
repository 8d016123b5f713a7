"""Write the documents that infra/terraform shares with `takings aws bootstrap`: `python -m tools.terraform_documents`.

Roles, state machine, alarms and the like have one source, the package. This module renders them with open names, as `${…}` of
Terraform's templatefile(). A test compares the files with the result.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, Final, cast

from takings.adapters.aws.alarms import AlarmLimits, alarms, key_policy
from takings.adapters.aws.dashboard import dashboard
from takings.adapters.aws.deploy_role import deploy_role
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.policies import roles
from takings.adapters.aws.resources.bucket import bucket_policy
from takings.adapters.aws.resources.images import Image
from takings.adapters.aws.resources.queue import events_policy
from takings.adapters.aws.resources.tasks import LIFE_CYCLE, SERVICES, TASKS, image_of, task_definition
from takings.adapters.aws.spark_jobs import SparkJobs, application
from takings.adapters.aws.state_machine import definition

FOLDER: Final = Path(__file__).resolve().parent.parent / "infra" / "terraform" / "documents"
#: what Terraform fills in; `values` in names.tf has most, values of other resources are where they are used
OPEN: Final = (
    *("account", "bucket", "dns_suffix", "image_tag", "look_seconds", "oldest_pending_seconds", "partition", "prefix"),
    *("public_ip", "region", "security_groups", "subnets", "table_prefix"),
    *("github", "transformation_service", "validation_service", "spark_application", "spark_package"),
)
#: what Terraform fills in as a list
_LISTS: Final = ("subnets", "security_groups")


class OpenPipeline(Pipeline):
    """A pipeline whose names Terraform fills in."""

    def name(self, of: str) -> str:
        """Return a name after the prefix; Terraform derives the prefix from the tables'."""
        return f"${{prefix}}{of}"

    @property
    def dns_suffix(self) -> str:
        """Return the domain of the partition's services, which Terraform knows."""
        return "${dns_suffix}"


PIPELINE: Final = OpenPipeline(
    bucket="${bucket}",
    table_prefix="${table_prefix}",
    account="${account}",
    region="${region}",
    partition="${partition}",
)
#: with jobs on EMR Serverless, where `spark` is set
_JOBS: Final = SparkJobs(application="${spark_application}", package="${spark_package}")
#: Terraform turns them into numbers
_LIMITS: Final = AlarmLimits(
    oldest_pending_seconds=cast(int, "${oldest_pending_seconds}"), look_seconds=cast(int, "${look_seconds}")
)


def main() -> None:
    """Write every document, and remove outdated ones."""
    wanted = documents()
    for file in [file for file in FOLDER.rglob("*.json") if file.relative_to(FOLDER).as_posix() not in wanted]:
        file.unlink()
    for name, text in wanted.items():
        file = FOLDER / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    sys.stdout.write(f"{FOLDER}: {len(wanted)} documents\n")


def documents() -> dict[str, str]:
    """Return every document by its path."""
    deploying = deploy_role(PIPELINE, "${github}")
    found: dict[str, Any] = {
        "alarms.json": [alarm.definition(PIPELINE) for alarm in alarms(PIPELINE, _LIMITS)],
        "alarms-key.json": key_policy(PIPELINE),
        "deploy-role.json": {"trust": deploying.trust(PIPELINE.account), "policy": deploying.policy()},
        "bucket-policy.json": bucket_policy(PIPELINE.partition, PIPELINE.bucket),
        "dashboard.json": dashboard(PIPELINE),
        "ecommerce-pipeline.asl.json": _state_machine(None),
        "spark/application.json": application(PIPELINE),
        "spark/ecommerce-pipeline.asl.json": _state_machine(_JOBS),
        "events-policy.json": events_policy(PIPELINE),
        "images.json": LIFE_CYCLE,
    }
    for role in roles(PIPELINE):
        name = role.name.removeprefix(PIPELINE.name(""))
        found[f"roles/{name}.json"] = {"trust": role.trust(PIPELINE.account), "policy": role.policy()}
    usual = roles(PIPELINE)
    for role in roles(PIPELINE, _JOBS.application):
        if role not in usual:
            name = role.name.removeprefix(PIPELINE.name(""))
            found[f"spark/roles/{name}.json"] = {"trust": role.trust(PIPELINE.account), "policy": role.policy()}
    for service in TASKS:
        image = Image(name=PIPELINE.image(image_of(service), "${image_tag}"), tag="${image_tag}")
        found[f"tasks/{service}.json"] = task_definition(PIPELINE, service, image)
    return {name: template(document) for name, document in sorted(found.items())}


def template(document: object) -> str:
    """Return a document for Terraform's templatefile(); escape what only looks like a template."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    text = re.sub(rf'\[\s*"(\$\{{(?:{"|".join(_LISTS)})\}})"\s*\]', r"\1", text)
    return re.sub(rf"([$%])(?=\{{(?!(?:{'|'.join(OPEN)})\}}))", r"\1\1", text) + "\n"


def _state_machine(spark: SparkJobs | None) -> dict[str, Any]:
    found = definition(
        PIPELINE,
        subnets=["${subnets}"],
        security_groups=["${security_groups}"],
        has_public_ip=True,
        task_definitions={service: f"${{{service.replace('-', '_')}}}" for service in SERVICES},
        spark=spark,
    )
    document: dict[str, Any] = json.loads(
        json.dumps(found).replace('"AssignPublicIp": "ENABLED"', '"AssignPublicIp": "${public_ip}"')
    )
    return document


if __name__ == "__main__":
    main()
