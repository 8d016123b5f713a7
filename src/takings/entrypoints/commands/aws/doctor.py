"""Find what is wrong with a pipeline on AWS: `takings aws doctor`."""

from __future__ import annotations

import typer

from takings.composition.aws_setup import complaints_on_aws, missing_on_aws, remarks_on_aws
from takings.entrypoints.app import EXIT_REJECTED
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
from takings.entrypoints.task_size import task_size


def doctor(
    store: Store,
    is_only_store: OnlyStore = False,
    lambdas: Lambdas = LAMBDAS,
    image_tag: ImageTag = None,
    subnets: Subnets = None,
    security_group: SecurityGroup = None,
) -> None:
    """List what is missing, differs or keeps the pipeline from working; exit with 1 if there is anything."""
    with missing_on_aws(
        store,
        is_only_store=is_only_store,
        lambdas=lambdas,
        image_tag=image_tag,
        subnets=named_subnets(subnets),
        security_group=security_group,
    ) as missing:
        wrong = [f"missing: {step.what}. `takings aws bootstrap` creates it." for step in missing]
    if not wrong and not is_only_store:
        with complaints_on_aws(store, image_tag=image_tag) as complaints:
            wrong = list(complaints)
    for sentence in wrong:
        say(sentence)
    if not is_only_store:
        for sentence in remarks_on_aws(store, processors=lambda csv_bytes: task_size(csv_bytes).cpu // 1024):
            say(f"by the way: {sentence}")
    if wrong:
        raise typer.Exit(EXIT_REJECTED)
    say(f"{store}: all is well")
