"""Deploy a new version to AWS: `takings aws deploy` images, scan, tasks, functions, state-machine, check, in this order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from takings.composition.aws_deploy import Deployment, deployment
from takings.entrypoints.app import EXIT_REJECTED
from takings.entrypoints.commands.aws.options import LAMBDAS, Lambdas, SecurityGroup, Subnets, named_subnets, say
from takings.entrypoints.options import Store

if TYPE_CHECKING:
    from takings.composition.aws_deploy import SetupStep

deploy = typer.Typer(
    help="Deploy a new version to a pipeline that `takings aws bootstrap` created: images, scan, tasks,"
    " functions, state-machine, in this order.",
    no_args_is_help=True,
    add_completion=False,
)

Tag = Annotated[str, typer.Option("--tag", help="The tag of both images: a commit, for example.", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print what would be deployed.")]
Account = Annotated[
    str | None,
    typer.Option("--account", help="The expected account.", envvar="AWS_ACCOUNT_ID", show_default=False),
]
Arn = Annotated[
    str | None,
    typer.Option("--arn", help="The expected state machine.", envvar="STEP_FUNCTIONS_ARN", show_default=False),
]


@deploy.command()
def images(
    store: Store,
    tag: Tag,
    is_built: Annotated[
        bool, typer.Option("--build/--no-build", help="Build them, or push what `make images TAG=…` built.")
    ] = True,
    engine: Annotated[
        str | None,
        typer.Option("--engine", help="What builds the images. Default: docker, else podman.", show_default=False),
    ] = None,
    sources: Annotated[Path, typer.Option("--sources", help="Where the services' folders are.")] = Path(),
    saved: Annotated[
        Path | None,
        typer.Option("--saved", help="A folder with images that `make images SAVE=…` saved; nothing is built."),
    ] = None,
    digests: Annotated[
        Path | None,
        typer.Option("--digests", help="A folder for the digests: one file per image, as sha256sum writes it."),
    ] = None,
    is_dry_run: DryRun = False,
    account: Account = None,
) -> None:
    """Build both images and push them to their repositories; nothing runs with them yet."""
    with deployment(store, account=account) as here:
        steps = here.images(tag=tag, engine=engine, sources=sources if is_built else None, saved=saved)
        if not _carry_out(steps, is_dry_run):
            say(f"{store}: both repositories already have an image {tag}; other bytes need another tag")
        if digests is not None and not is_dry_run:
            _write_digests(here, tag, digests)


@deploy.command()
def scan(
    store: Store,
    tag: Tag,
    wait: Annotated[int, typer.Option("--wait", help="How many seconds to wait for the scans.", min=0)] = 600,
    account: Account = None,
) -> None:
    """Read what ECR's scan found in both images; exit with 1 at `scan_fails_on` or worse, unless `scan_accepts` names it."""
    with deployment(store, account=account) as here:
        stopping, others = here.findings(tag, wait)
        limit = here.settings.scan_fails_on.value
    for finding in stopping:
        say(str(finding))
    if stopping:
        say(
            f"{store}: the images {tag} are not to be deployed. Build them on a base without these findings, or accept one by"
            " its name (the setting scan_accepts)."
        )
        raise typer.Exit(EXIT_REJECTED)
    say(f"{store}: nothing in the images {tag} stops a deployment (scan_fails_on = {limit}; other findings: {others})")


@deploy.command()
def tasks(store: Store, tag: Tag, is_dry_run: DryRun = False, account: Account = None) -> None:
    """Register both task definitions with the images of a tag; nothing runs with them until the state machine names them."""
    with deployment(store, account=account) as here:
        if not _carry_out(here.tasks(tag), is_dry_run):
            say(f"{store}: both task definitions already have the image {tag}")


@deploy.command()
def functions(store: Store, lambdas: Lambdas = LAMBDAS, is_dry_run: DryRun = False, account: Account = None) -> None:
    """Update the code of both functions, and wait until they answer with it."""
    with deployment(store, account=account) as here:
        if not _carry_out(here.functions(lambdas), is_dry_run):
            say(f"{store}: both functions already have this code")


@deploy.command()
def spark(
    store: Store,
    package: Annotated[Path, typer.Option("--package", help="Where `make spark` put it.")] = Path("build/spark"),
    is_dry_run: DryRun = False,
    account: Account = None,
) -> None:
    """Upload the package of jobs on EMR Serverless; nothing runs with it until the state machine names it."""
    with deployment(store, account=account) as here:
        if not _carry_out(here.package(package), is_dry_run):
            say(f"{store}: jobs on EMR Serverless already have this package")


@deploy.command()
def rollback(store: Store, is_dry_run: DryRun = False, account: Account = None) -> None:
    """Take back the last deployment of the functions, at once; a second time, nothing is left to take back."""
    with deployment(store, account=account) as here:
        if not _carry_out(here.rollback(), is_dry_run, "rolling back", "would roll back"):
            say(f"{store}: the functions are as they were before their last deployment")


@deploy.command()
def state_machine(
    store: Store,
    arn: Arn = None,
    subnets: Subnets = None,
    security_group: SecurityGroup = None,
    is_dry_run: DryRun = False,
    account: Account = None,
) -> None:
    """Let the next batches run with the newest task definitions; a running execution keeps those that it began with."""
    with deployment(store, account=account) as here:
        if not _carry_out(here.state_machine(arn, named_subnets(subnets), security_group), is_dry_run):
            say(f"{store}: the state machine is already up to date")
        elif not is_dry_run:
            say("running executions continue with the definition and the images that they began with")


@deploy.command()
def check(
    store: Store,
    tag: Annotated[
        str | None, typer.Option("--tag", help="The tag of both images. Default: the deployed one.", show_default=False)
    ] = None,
    lambdas: Lambdas = LAMBDAS,
    arn: Arn = None,
    subnets: Subnets = None,
    security_group: SecurityGroup = None,
    account: Account = None,
) -> None:
    """List what differs from a deployment of this version; exit with 1 if anything does."""
    with deployment(store, account=account) as here:
        differing = list(_everything(here, tag, lambdas, arn, named_subnets(subnets), security_group))
    for what in differing:
        say(f"not deployed: {what}")
    if differing:
        raise typer.Exit(EXIT_REJECTED)
    say(f"{store}: everything is deployed")


def _everything(
    here: Deployment,
    tag: str | None,
    lambdas: Path,
    arn: str | None,
    subnets: tuple[str, ...],
    security_group: str | None,
) -> Iterator[str]:
    steps = chain(here.tasks(tag), here.functions(lambdas), here.state_machine(arn, subnets, security_group))
    return (step.what for step in steps)


def _write_digests(here: Deployment, tag: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for service, image in here.digests(tag).items():
        name, _, digest = image.name.partition("@sha256:")
        (folder / f"{service}.sha256").write_text(f"{digest}  {name}\n", encoding="utf-8")


def _carry_out(
    steps: Iterator[SetupStep], is_dry_run: bool, doing: str = "deploying", would: str = "would deploy"
) -> int:
    """Carry out each step, or only name it; return how many there were."""
    count = 0
    for step in steps:
        count += 1
        say(f"{would if is_dry_run else doing}: {step.what}")
        if not is_dry_run:
            step.make()
    return count
