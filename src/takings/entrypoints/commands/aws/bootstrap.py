"""Set up a store and its pipeline on AWS: `takings aws bootstrap`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from takings.composition.aws_setup import missing_on_aws
from takings.entrypoints.commands.aws.options import (
    LAMBDAS,
    ImageTag,
    Lambdas,
    OnlyStore,
    SecurityGroup,
    Subnets,
    named_subnets,
    say,
)
from takings.entrypoints.options import Store

GitHub = Annotated[
    str | None,
    typer.Option(
        "--github",
        help="OWNER/REPOSITORY: its environment `production` may deploy with the role takings-deploy. GitHub's tokens name"
        " newer repositories OWNER@ID/REPOSITORY@ID.",
        show_default=False,
    ),
]
Spark = Annotated[
    Path | None,
    typer.Option(
        "--spark",
        help="Where `make spark` put the package of jobs on EMR Serverless, which then take batches that are too large for"
        " Fargate. Once made, the application stays.",
        show_default=False,
    ),
]
Notify = Annotated[
    str | None,
    typer.Option("--notify", help="An e-mail address for alarms; AWS asks it to confirm.", show_default=False),
]


def bootstrap(
    store: Store,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what is missing.")] = False,
    is_only_store: OnlyStore = False,
    lambdas: Lambdas = LAMBDAS,
    image_tag: ImageTag = None,
    subnets: Subnets = None,
    security_group: SecurityGroup = None,
    notify: Notify = None,
    github: GitHub = None,
    spark: Spark = None,
) -> None:
    """Create what a store on AWS lacks and correct what differs; may be repeated."""
    count = 0
    with missing_on_aws(
        store,
        is_only_store=is_only_store,
        lambdas=lambdas,
        image_tag=image_tag,
        subnets=named_subnets(subnets),
        security_group=security_group,
        notify=notify,
        github=github,
        spark=spark,
    ) as missing:
        for step in missing:
            count += 1
            say(f"{'missing' if is_dry_run else 'making'}: {step.what}")
            if not is_dry_run:
                step.make()
    if not count:
        say(f"{store}: nothing is missing")
