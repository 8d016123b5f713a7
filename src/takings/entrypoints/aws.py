"""Set a store and its pipeline up on AWS, and look after them: aws bootstrap, doctor, redrive, destroy.

`exporting.py` has the commands that hand the KPIs on.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from takings.composition.aws_setup import complaints_on_aws, missing_on_aws, pipeline_on_aws, redriven_on_aws
from takings.entrypoints.app import EXIT_REJECTED, Store, app
from takings.entrypoints.console import out
from takings.entrypoints.legible import marked
from takings.errors import UsageError

aws = typer.Typer(help="Set a store and its pipeline up on AWS, and look after them.", no_args_is_help=True)
app.add_typer(aws, name="aws")

Lambdas = Annotated[Path, typer.Option("--lambdas", help="Where `make lambdas` has put the functions.")]
ImageTag = Annotated[
    str | None,
    typer.Option(
        "--image-tag",
        help="The tag of both images. Default: what is deployed stays, at first `latest`.",
        show_default=False,
    ),
]
Subnets = Annotated[
    list[str] | None,
    typer.Option(
        "--subnet",
        help="A subnet for tasks; may be repeated. Default: SUBNET_1 and SUBNET_2, else what is deployed stays, at first those"
        " of the default VPC.",
        show_default=False,
    ),
]
SecurityGroup = Annotated[
    str | None,
    typer.Option("--security-group", help="For tasks. Default: one that nobody reaches.", envvar="SECURITY_GROUP"),
]
GitHub = Annotated[
    str | None,
    typer.Option(
        "--github",
        help="OWNER/REPOSITORY, whose environment `production` may deploy by the role takings-deploy. Newer repositories are"
        " OWNER@ID/REPOSITORY@ID in GitHub's tokens.",
        show_default=False,
    ),
]
OnlyStore = Annotated[
    bool, typer.Option("--only-store", help="Only bucket and tables: batches begin when somebody runs `takings run`.")
]
Notify = Annotated[
    str | None,
    typer.Option(
        "--notify", help="An e-mail address that hears of alarms; AWS asks it to confirm.", show_default=False
    ),
]
LAMBDAS = Path("build/lambdas")


@aws.command()
def bootstrap(
    store: Store,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is missing.")] = False,
    is_only_store: OnlyStore = False,
    lambdas: Lambdas = LAMBDAS,
    image_tag: ImageTag = None,
    subnets: Subnets = None,
    security_group: SecurityGroup = None,
    notify: Notify = None,
    github: GitHub = None,
) -> None:
    """Make what is missing of a store on AWS and mend what differs; may be repeated."""
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
    ) as missing:
        for step in missing:
            count += 1
            say(f"{'missing' if is_dry_run else 'making'}: {step.what}")
            if not is_dry_run:
                step.make()
    if not count:
        say(f"{store}: nothing is missing")


@aws.command()
def doctor(
    store: Store,
    is_only_store: OnlyStore = False,
    lambdas: Lambdas = LAMBDAS,
    image_tag: ImageTag = None,
    subnets: Subnets = None,
    security_group: SecurityGroup = None,
) -> None:
    """Say what is missing, differs or keeps the pipeline from working; exit with 1 if anything does."""
    with missing_on_aws(
        store,
        is_only_store=is_only_store,
        lambdas=lambdas,
        image_tag=image_tag,
        subnets=named_subnets(subnets),
        security_group=security_group,
    ) as missing:
        wrong = [f"missing: {step.what}. `takings aws bootstrap` makes it." for step in missing]
    if not wrong and not is_only_store:
        with complaints_on_aws(store, image_tag=image_tag) as complaints:
            wrong = list(complaints)
    for sentence in wrong:
        say(sentence)
    if wrong:
        raise typer.Exit(EXIT_REJECTED)
    say(f"{store}: all is well")


@aws.command()
def redrive(store: Store) -> None:
    """Put the files of the dead-letter queue back under raw-data/, as new arrivals, once what was wrong is mended."""
    count = 0
    with redriven_on_aws(store) as letters:
        for letter, done in letters:
            count += 1
            say(f"{letter.key or 'an event'}: {done.value}")
    if not count:
        say(f"{store}: no dead letter waits")


@aws.command()
def destroy(
    store: Store,
    with_data: Annotated[
        bool, typer.Option("--with-data", help="Also the tables and the bucket, with every file.")
    ] = False,
    yes: Annotated[
        str | None, typer.Option("--yes", help="The bucket's name, instead of being asked.", show_default=False)
    ] = None,
) -> None:
    """Take the pipeline down, after asking; bucket and tables stay unless you say otherwise."""
    name = store.removeprefix("s3://").removesuffix("/")
    with pipeline_on_aws(store, with_data=with_data) as parts:
        what = "the pipeline, the tables and the bucket with every file" if with_data else "the pipeline, not its data,"
        answer = yes or typer.prompt(f"This removes {what} of {store}. Type the bucket's name to go on")
        if answer != name:
            raise UsageError(f"'{answer}' is not the bucket's name; nothing was removed.")
        count = 0
        for step in parts:
            count += 1
            say(f"removing: {step.what}")
            step.make()
    if not count:
        say(f"{store}: nothing is there to be removed")


def named_subnets(named: Sequence[str] | None) -> tuple[str, ...]:
    """Return the subnets that are named, or those of the environment."""
    return tuple(named or filter(None, (os.environ.get("SUBNET_1"), os.environ.get("SUBNET_2"))))


def say(sentence: str) -> None:
    """Print a sentence as it is."""
    out.print(marked(sentence), highlight=False, soft_wrap=True)
