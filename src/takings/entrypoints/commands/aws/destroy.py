"""Remove a pipeline on AWS: `takings aws destroy`."""

from __future__ import annotations

from typing import Annotated

import typer

from takings.composition.aws_setup import pipeline_on_aws
from takings.entrypoints.commands.aws.options import say
from takings.entrypoints.options import Store
from takings.errors import UsageError


def destroy(
    store: Store,
    with_data: Annotated[
        bool, typer.Option("--with-data", help="Also remove the tables and the bucket, with every file.")
    ] = False,
    yes: Annotated[
        str | None, typer.Option("--yes", help="The bucket's name, to skip the question.", show_default=False)
    ] = None,
) -> None:
    """Remove the pipeline, after asking; bucket and tables stay without --with-data."""
    name = store.removeprefix("s3://").removesuffix("/")
    with pipeline_on_aws(store, with_data=with_data) as parts:
        what = "the pipeline, the tables and the bucket with every file" if with_data else "the pipeline, not its data,"
        answer = yes or typer.prompt(f"This removes {what} of {store}. Type the bucket's name to continue")
        if answer != name:
            raise UsageError(f"'{answer}' is not the bucket's name; nothing was removed.")
        count = 0
        for step in parts:
            count += 1
            say(f"removing: {step.what}")
            step.make()
    if not count:
        say(f"{store}: there is nothing to remove")
