"""Hold the options that several commands for AWS share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from takings.entrypoints.console import out
from takings.entrypoints.legible import marked

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
OnlyStore = Annotated[
    bool, typer.Option("--only-store", help="Only bucket and tables: batches begin when somebody runs `takings run`.")
]
LAMBDAS = Path("build/lambdas")


def named_subnets(named: Sequence[str] | None) -> tuple[str, ...]:
    """Return the subnets that are named, or those of the environment."""
    return tuple(named or filter(None, (os.environ.get("SUBNET_1"), os.environ.get("SUBNET_2"))))


def say(sentence: str) -> None:
    """Print a sentence as it is."""
    out.print(marked(sentence), highlight=False, soft_wrap=True)
