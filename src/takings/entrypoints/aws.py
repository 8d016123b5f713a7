"""Set a store up on AWS: aws bootstrap."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from takings.bootstrap import missing_on_aws
from takings.entrypoints.app import Store, app
from takings.entrypoints.console import out

aws = typer.Typer(help="Set a store up on AWS.", no_args_is_help=True)
app.add_typer(aws, name="aws")


@aws.callback()
def _group() -> None:
    """Keep `bootstrap` a command of its own while it is the only one."""


@aws.command()
def bootstrap(
    store: Store,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is missing.")] = False,
) -> None:
    """Make what is missing of a store on AWS: the bucket, its versioning and life cycle, the tables."""
    count = 0
    with missing_on_aws(store) as missing:
        for step in missing:
            count += 1
            out.print(f"{'missing' if is_dry_run else 'making'}: {escape(step.what)}", highlight=False, soft_wrap=True)
            if not is_dry_run:
                step.make()
    if not count:
        out.print(f"{escape(store)}: nothing is missing", highlight=False, soft_wrap=True)
