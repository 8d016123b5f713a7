"""Set up a pipeline on AWS, check it, redrive its dead letters, export its tables, and remove it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from takings import layout
from takings.adapters.clock import SystemClock
from takings.adapters.settings_sources import merged_settings
from takings.composition.buckets import S3, on_aws
from takings.contracts import Dataset, load_contracts
from takings.errors import UnknownThing
from takings.kpis import KpiTable, load_kpi_tables, load_own_tables
from takings.settings import StepsOn

if TYPE_CHECKING:
    from takings.adapters.aws.athena import Statement
    from takings.adapters.aws.clients import Clients
    from takings.adapters.aws.dead_letters import Letter, PutBack
    from takings.adapters.aws.exports import Export as Export  # entrypoints show it
    from takings.adapters.aws.resources import SetupStep
    from takings.contracts.worth import Worth
    from takings.ports import Tell
    from takings.settings import Settings


@contextmanager
def missing_on_aws(
    store: str,
    *,
    is_only_store: bool,
    lambdas: Path,
    image_tag: str | None,
    subnets: tuple[str, ...] = (),
    security_group: str | None = None,
    notify: str | None = None,
    github: str | None = None,
    spark: Path | None = None,
) -> Iterator[Iterator[SetupStep]]:
    """Yield, as steps that can be carried out, what a store in a bucket or its pipeline lacks."""
    with on_aws(store) as (clients, bucket):
        from takings.adapters.aws.resources import (
            Watching,
            Wishes,
            limits,
            pipeline_of,
            pipeline_steps,
            services,
            storage_steps,
            store_tag_steps,
        )

        settings = _settings(clients, bucket)
        if not is_only_store:
            pipeline_of(clients, bucket, settings.table_prefix).check_names()

        def steps() -> Iterator[SetupStep]:
            yield from storage_steps(clients, bucket, settings.table_prefix, protecting=settings.deletion_protection)
            pipeline = pipeline_of(clients, bucket, settings.table_prefix)
            with services(clients) as connected:
                yield from store_tag_steps(connected, clients, pipeline, settings.tags)
                if not is_only_store:
                    yield from pipeline_steps(connected, pipeline, wishes())

        def wishes() -> Wishes:
            return Wishes(
                lambdas=lambdas,
                image_tag=image_tag,
                subnets=subnets,
                security_group=security_group,
                sweep=settings.sweep,
                event_window=settings.event_window,
                watching=Watching(level=settings.execution_logs.value.upper(), is_traced=settings.tracing),
                tags=settings.tags,
                limits=limits(batch_wait=settings.batch_policy.batch_wait, sweep=settings.sweep),
                notify=notify,
                github=github,
                spark=spark,
            )

        yield steps()


@contextmanager
def complaints_on_aws(store: str, *, image_tag: str | None) -> Iterator[Iterator[str]]:
    """Yield what keeps a pipeline from working apart from missing resources: images, network, gate, dead letters."""
    with on_aws(store) as (clients, bucket):
        from takings.adapters.aws.resources import pipeline_of, services
        from takings.adapters.aws.resources.health import complaints
        from takings.adapters.aws.resources.spark import unmet_wish

        settings = _settings(clients, bucket)
        with services(clients) as connected:
            pipeline = pipeline_of(clients, bucket, settings.table_prefix)
            wants_jobs = settings.steps_on is StepsOn.EMR_SERVERLESS
            yield chain(
                complaints(connected, clients, pipeline, image_tag),
                unmet_wish(connected, pipeline) if wants_jobs else (),
            )


def remarks_on_aws(store: str, *, processors: Callable[[int], int]) -> list[str]:
    """Return what may make batches wait, although nothing is wrong; `processors` says how many so many bytes of CSV use."""
    with on_aws(store) as (clients, bucket):
        from takings.adapters.aws.resources import services
        from takings.adapters.aws.resources.quotas import processors_at_a_time

        settings = _settings(clients, bucket)
        with services(clients) as connected:
            # The maintenance uses one.
            return list(processors_at_a_time(connected, processors(settings.batch_max_bytes) + 1))


@contextmanager
def pipeline_on_aws(store: str, *, with_data: bool) -> Iterator[Iterator[SetupStep]]:
    """Yield the steps that remove what exists of a pipeline and, with `with_data`, of the store's data."""
    with on_aws(store) as (clients, bucket):
        from takings.adapters.aws.resources import pipeline_of, services
        from takings.adapters.aws.resources.removal import removal_steps

        settings = _settings(clients, bucket)
        with services(clients) as connected:
            pipeline = pipeline_of(clients, bucket, settings.table_prefix)
            yield removal_steps(connected, clients, pipeline, with_data=with_data)


@contextmanager
def redriven_on_aws(store: str) -> Iterator[Iterator[tuple[Letter, PutBack]]]:
    """Put every dead letter back; if an event was among them, look at the store once more."""
    with on_aws(store) as (clients, bucket):
        from takings.adapters.aws.bucket import Bucket
        from takings.adapters.aws.clients import CONFIG
        from takings.adapters.aws.dead_letters import DeadLetters, PutBack, redrive
        from takings.adapters.aws.names import DETECTOR, LIVE
        from takings.adapters.aws.resources import pipeline_of, services
        from takings.adapters.aws.resources.queue import queue_url

        settings = _settings(clients, bucket)
        with services(clients) as connected, closing(clients.session.client("sqs", config=CONFIG)) as sqs:
            pipeline = pipeline_of(clients, bucket, settings.table_prefix)
            url = queue_url(connected, pipeline)
            if url is None:
                raise UnknownThing(
                    f"{store} has no dead-letter queue. Set its pipeline up: `takings aws bootstrap {store}`."
                )

            def put_back() -> Iterator[tuple[Letter, PutBack]]:
                has_event = False
                for letter, done in redrive(DeadLetters(sqs, url), Bucket(clients.s3, bucket)):
                    has_event = has_event or done is PutBack.EVENT
                    yield letter, done
                if has_event:
                    connected.lambdas.invoke(
                        FunctionName=pipeline.name(DETECTOR),
                        Qualifier=LIVE,
                        InvocationType="Event",
                        Payload=b'{"source": "takings.redrive"}',
                    )

            yield put_back()


def export_on_aws(
    store: str, tables: Sequence[str], *, to: str | None, is_again: bool, is_waiting: bool, tell: Tell
) -> list[Export]:
    """Let DynamoDB export tables of a store, all at once; return each as it ended, or as it began if not waiting.

    Without names, export every table with KPIs: the shipped ones, and that of the shop's own where its contracts have any.
    """
    with on_aws(store) as (clients, bucket):
        from takings.adapters.aws.exports import begin_export, follow_exports, parse_folder
        from takings.adapters.aws.resources import exists
        from takings.adapters.aws.tables import OWN_KPIS

        if not exists(clients.s3, bucket):
            raise UnknownThing(f"there is no bucket {bucket}. Check its name, the region and the account.")
        settings = _settings(clients, bucket)
        folder = parse_folder(to or f"{S3}{bucket}/{layout.EXPORTS}")
        if not tables:
            _, own = _contracts_of(clients, bucket, settings)
            tables = [*(table.name for table in load_kpi_tables()), *([OWN_KPIS.name] if own else [])]
        now = SystemClock().now()
        begun = [
            begin_export(clients.dynamodb, settings.table_prefix + table, folder, now, is_again=is_again)
            for table in tables
        ]
        if not is_waiting:
            return begun
        tell("export.waiting", {"tables": ", ".join(export.table for export in begun)})
        ended = {export.table: export for export in follow_exports(clients.dynamodb, begun)}
        return [ended[export.table] for export in begun]


def statements_for_athena(store: str, *, database: str, exports: str | None, is_only_lake: bool) -> list[Statement]:
    """Return the statements that let Athena read a store's lake and the newest exports of its KPIs."""
    with on_aws(store) as (clients, bucket):
        from takings.adapters.aws.athena import athena_statements
        from takings.adapters.aws.exports import newest_export, parse_folder
        from takings.adapters.aws.tables import OWN_KPIS

        folder = parse_folder(exports or f"{S3}{bucket}/{layout.EXPORTS}")
        settings = _settings(clients, bucket)
        prefix = settings.table_prefix
        found = [
            (table, newest_export(clients.s3, prefix + table.name, folder))
            for table in load_kpi_tables()
            if not is_only_lake
        ]
        worth, own = _contracts_of(clients, bucket, settings)
        if own and not is_only_lake:
            export = newest_export(clients.s3, prefix + OWN_KPIS.name, folder)
            found += [(table, export) for table in own]
        return list(athena_statements(database, bucket, found, worth))


def _contracts_of(clients: Clients, bucket: str, settings: Settings) -> tuple[Worth, tuple[KpiTable, ...]]:
    """Return what the KPIs read of an item, and the shop's own tables, by the contracts that a store's settings name."""
    from takings.adapters.aws.platform import AwsPlatform

    with TemporaryDirectory(prefix="takings-") as work:
        named = AwsPlatform(clients, bucket, Path(work)).contracts(settings)
        contracts = load_contracts(named)
        return contracts[Dataset.ORDER_ITEMS].worth, load_own_tables(named, contracts)


def _settings(clients: Clients, bucket: str) -> Settings:
    from takings.adapters.aws.platform import AwsPlatform
    from takings.adapters.aws.resources import exists

    return merged_settings(AwsPlatform(clients, bucket, Path.cwd()) if exists(clients.s3, bucket) else None, {})
