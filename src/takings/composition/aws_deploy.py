"""Deploy a new version of code, images and workflow to an existing pipeline on AWS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from takings.adapters.settings_sources import merged_settings
from takings.composition.buckets import on_aws
from takings.errors import UnknownThing, UsageError

if TYPE_CHECKING:
    from takings.adapters.aws.names import Pipeline
    from takings.adapters.aws.resources import SetupStep
    from takings.adapters.aws.resources.findings import Finding
    from takings.adapters.aws.resources.images import Image
    from takings.adapters.aws.resources.services import Services
    from takings.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A pipeline, and the parts that can be updated. Each method yields the remaining steps; none when it is up to date.

    This order is safe while a batch is in flight. First images and task definitions: nothing runs with them yet. Then
    functions: they also answer an older state machine. Last the state machine: running executions keep their definition.
    """

    services: Services
    pipeline: Pipeline
    settings: Settings

    def images(self, *, tag: str, engine: str | None, sources: Path | None, saved: Path | None) -> Iterator[SetupStep]:
        """Yield the images that their repositories lack; with `sources`, build them first; with `saved`, load them."""
        from takings.adapters.aws.resources.pushing import image_steps

        return image_steps(self.services, self.pipeline, tag=tag, engine=engine, sources=sources, saved=saved)

    def digests(self, tag: str) -> Mapping[str, Image]:
        """Return the images of a tag in their repositories, by service, each named by its digest."""
        from takings.adapters.aws.resources.images import pushed_images

        return pushed_images(self.services, self.pipeline, tag)

    def findings(self, tag: str, wait_seconds: int) -> tuple[list[Finding], int]:
        """Return what ECR's scan found that stops a deployment, and the number of other findings."""
        from takings.adapters.aws.resources.findings import read_findings, too_bad

        found = list(read_findings(self.services, self.pipeline, tag, wait_seconds))
        stopping = too_bad(found, self.settings.scan_fails_on, self.settings.scan_accepts)
        return stopping, len(found) - len(stopping)

    def tasks(self, tag: str | None) -> Iterator[SetupStep]:
        """Yield the task definitions that differ from this version's, with the images of a tag."""
        from takings.adapters.aws.resources.deployment import task_deployment
        from takings.adapters.aws.resources.tags import tags_of

        return task_deployment(self.services, self.pipeline, tag, tags_of(self.pipeline, self.settings.tags))

    def functions(self, lambdas: Path) -> Iterator[SetupStep]:
        """Yield the functions whose code differs from what `make lambdas` built, and what makes it live."""
        from takings.adapters.aws.resources.deployment import code_deployment
        from takings.adapters.aws.resources.functions import read_archives

        return code_deployment(self.services, self.pipeline, read_archives(lambdas))

    def package(self, folder: Path) -> Iterator[SetupStep]:
        """Yield the package of jobs on EMR Serverless that `make spark` built, if it is not the deployed one."""
        from takings.adapters.aws.resources.deployment import package_deployment

        return package_deployment(self.services, self.pipeline, folder)

    def rollback(self) -> Iterator[SetupStep]:
        """Yield the functions' way back to before their last deployment; UnknownThing where that is not known."""
        from takings.adapters.aws.resources.versions import rollback_steps

        return rollback_steps(self.services, self.pipeline)

    def state_machine(
        self, arn: str | None, subnets: tuple[str, ...], security_group: str | None
    ) -> Iterator[SetupStep]:
        """Yield the state machine, if it does not name the newest task definitions; UsageError if its ARN is not `arn`."""
        from takings.adapters.aws.resources.deployment import workflow_deployment

        if arn is not None and arn != self.pipeline.state_machine:
            raise UsageError(
                f"the pipeline of s3://{self.pipeline.bucket} has the state machine {self.pipeline.state_machine}, not {arn}."
                " Name that one (STEP_FUNCTIONS_ARN), or the store of the other pipeline."
            )
        return workflow_deployment(self.services, self.pipeline, subnets, security_group)


@contextmanager
def deployment(store: str, *, account: str | None) -> Iterator[Deployment]:
    """Connect to a store's pipeline; UsageError where it is in another account, UnknownThing where there is no such bucket."""
    with on_aws(store) as (clients, bucket):
        from takings.adapters.aws.platform import AwsPlatform
        from takings.adapters.aws.resources import exists, pipeline_of, services

        if not exists(clients.s3, bucket):
            raise UnknownThing(
                f"there is no bucket {bucket}. Set the pipeline up first: `takings aws bootstrap {store}`."
            )
        settings = merged_settings(AwsPlatform(clients, bucket, Path.cwd()), {})
        pipeline = pipeline_of(clients, bucket, settings.table_prefix)
        if account is not None and account != pipeline.account:
            raise UsageError(
                f"these credentials belong to account {pipeline.account}, not {account}. Use those of that account, or correct"
                " AWS_ACCOUNT_ID."
            )
        with services(clients) as connected:
            yield Deployment(services=connected, pipeline=pipeline, settings=settings)


__all__ = ["Deployment", "SetupStep", "deployment"]
