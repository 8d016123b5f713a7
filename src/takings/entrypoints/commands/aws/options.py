"""Define the options that several commands for AWS share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from takings.entrypoints.console import out
from takings.entrypoints.legible import marked

Lambdas = Annotated[Path, typer.Option("--lambdas", help="Where `make lambdas` put the functions.")]
ImageTag = Annotated[
    str | None,
    typer.Option(
        "--image-tag",
        help="The tag of both images. Default: the deployed one, at first `latest`.",
        show_default=False,
    ),
]
Subnets = Annotated[
    list[str] | None,
    typer.Option(
        "--subnet",
        help="A subnet for tasks; may be repeated. Default: SUBNET_1 and SUBNET_2, else the deployed ones, at first those of"
        " the default VPC.",
        show_default=False,
    ),
]
SecurityGroup = Annotated[
    str | None,
    typer.Option("--security-group", help="For tasks. Default: one without inbound access.", envvar="SECURITY_GROUP"),
]
OnlyStore = Annotated[
    bool, typer.Option("--only-store", help="Create only bucket and tables; `takings run` starts batches.")
]
LAMBDAS = Path("build/lambdas")


def named_subnets(named: Sequence[str] | None) -> tuple[str, ...]:
    """Return the named subnets, or those of the environment."""
    return tuple(named or filter(None, (os.environ.get("SUBNET_1"), os.environ.get("SUBNET_2"))))


def say(sentence: str) -> None:
    """Print a sentence as it is."""
    out.print(marked(sentence), highlight=False, soft_wrap=True)
