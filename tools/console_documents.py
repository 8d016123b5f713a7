"""Write everything that a person pastes into AWS's console to set a pipeline up by hand, with all names filled in.

`python -m tools.console_documents s3://my-shop DIR --account 123456789012 --region eu-west-1 --subnet … --subnet …
--security-group …`; nothing is asked of AWS. docs/aws.md, "In the console alone", says where each file goes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from takings.adapters.aws import names
from takings.adapters.aws.alarms import alarms, key_policy, limits
from takings.adapters.aws.dashboard import dashboard
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.policies import roles
from takings.adapters.aws.resources.bucket import bucket_policy
from takings.adapters.aws.resources.functions import Archive, configuration
from takings.adapters.aws.resources.images import Image
from takings.adapters.aws.resources.queue import events_policy
from takings.adapters.aws.resources.tasks import LIFE_CYCLE, SERVICES, TASKS, image_of, task_definition
from takings.adapters.aws.state_machine import definition
from takings.settings import Settings

FUNCTIONS: Final = (names.DETECTOR, names.ARCHIVER)


def main() -> None:
    """Write the documents of a pipeline."""
    parser = argparse.ArgumentParser(description="Write what is pasted into AWS's console to set up a pipeline.")
    parser.add_argument("store", help="s3://bucket")
    parser.add_argument("folder", type=Path, help="where to put the documents")
    parser.add_argument("--account", required=True, help="the account's twelve digits")
    parser.add_argument("--region", required=True)
    parser.add_argument("--subnet", action="append", required=True, help="where tasks run; may be repeated")
    parser.add_argument("--security-group", required=True, help="of tasks")
    parser.add_argument("--private", action="store_true", help="the subnets give no public addresses")
    parser.add_argument("--tag", required=True, help="of both images")
    parser.add_argument("--table-prefix", default="", help="as table_prefix in takings.toml (none)")
    parser.add_argument("--partition", default="aws", help="aws, aws-cn or aws-us-gov (aws)")
    options = parser.parse_args()
    pipeline = Pipeline(
        bucket=options.store.removeprefix("s3://"),
        table_prefix=options.table_prefix,
        account=options.account,
        region=options.region,
        partition=options.partition,
    )
    pipeline.check_names()
    found = documents(
        pipeline,
        tag=options.tag,
        subnets=options.subnet,
        security_group=options.security_group,
        has_public_ip=not options.private,
    )
    for name, text in found.items():
        file = options.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{options.folder}: {len(found)} documents\n")


def documents(
    pipeline: Pipeline, *, tag: str, subnets: Sequence[str], security_group: str, has_public_ip: bool
) -> dict[str, str]:
    """Return every document by its path: JSON, and one variable a line for the functions."""
    usual = Settings()
    found: dict[str, Any] = {
        "bucket-policy.json": bucket_policy(pipeline.partition, pipeline.bucket),
        "queue-takings-events.json": events_policy(pipeline),
        "repositories.json": LIFE_CYCLE,
        "ecommerce-pipeline.asl.json": definition(
            pipeline,
            subnets=list(subnets),
            security_groups=[security_group],
            has_public_ip=has_public_ip,
            # A new family's first.
            task_definitions={service: f"{pipeline.name(service)}:1" for service in SERVICES},
        ),
        "key-takings-alarms.json": key_policy(pipeline),
        "dashboard.json": dashboard(pipeline),
    }
    for role in roles(pipeline):
        found[f"roles/{role.name}/trust.json"] = role.trust(pipeline.account)
        found[f"roles/{role.name}/permissions.json"] = role.policy()
    for task in TASKS:
        image = Image(name=pipeline.image(image_of(task), tag), tag=tag)
        found[f"tasks/{pipeline.name(task)}.json"] = task_definition(pipeline, task, image)
    limit = limits(batch_wait=usual.batch_policy.batch_wait, sweep=usual.sweep)
    for alarm in alarms(pipeline, limit):
        described = alarm.definition(pipeline)
        found[f"alarms/{described['AlarmName']}.json"] = described
    texts = {name: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for name, document in found.items()}
    return dict(sorted((texts | _environments(pipeline)).items()))


def _environments(pipeline: Pipeline) -> dict[str, str]:
    """Return the variables of both functions."""
    url = f"https://sqs.{pipeline.region}.{pipeline.dns_suffix}/{pipeline.account}/{pipeline.name(names.DEAD_LETTERS)}"
    code = Archive(content=b"", runtime="", architecture="")
    return {
        f"functions/{pipeline.name(name)}.txt": "".join(
            f"{key}={value}\n"
            for key, value in configuration(pipeline, name, code, url)["Environment"]["Variables"].items()
        )
        for name in FUNCTIONS
    }


if __name__ == "__main__":
    main()
