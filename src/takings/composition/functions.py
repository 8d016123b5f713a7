"""Assemble what a function needs: a store behind its gate, without engines.

A function loads neither DuckDB nor delta-rs nor Spark: it looks at the store, starts batches and archives them.
`composition/stores.py` assembles whole stores.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, NoReturn

import takings
from takings.adapters.aws.names import METRICS
from takings.adapters.aws.spark_jobs import ENTRY_POINT, ENVIRONMENT
from takings.adapters.clock import SystemClock
from takings.adapters.heartbeat import ThreadHeartbeat
from takings.adapters.settings_sources import merged_settings
from takings.batch.store_format import check_format, check_ledger
from takings.composition.buckets import on_aws
from takings.contracts import load_contracts
from takings.contracts.model import Dataset
from takings.errors import MachineryError, UsageError
from takings.kpis import load_kpi_tables, load_own_tables
from takings.ports import Executions, Ports, Tell
from takings.settings import Settings, StepsOn
from takings.time_zones import read_zone

if TYPE_CHECKING:
    from takings.adapters.aws.clients import Clients
    from takings.adapters.aws.dead_letters import DeadLetters
    from takings.adapters.aws.executions import Handover

__all__ = ["ENTRY_POINT", "ENVIRONMENT", "METRICS", "FunctionStore", "open_function_store"]

#: the variables that name a function's surroundings; `takings aws bootstrap` sets them
_STATE_MACHINE: Final = "PIPELINE_STATE_MACHINE_ARN"
_SCHEDULE_GROUP: Final = "PIPELINE_SCHEDULE_GROUP"
_SCHEDULE_ROLE: Final = "PIPELINE_SCHEDULE_ROLE_ARN"
_DETECTOR: Final = "PIPELINE_DETECTOR_ARN"
_DEAD_LETTERS: Final = "PIPELINE_DEAD_LETTERS_URL"


@dataclass(frozen=True, kw_only=True)
class FunctionStore:
    """A store as a function uses it."""

    #: the bucket
    name: str
    ports: Ports
    executions: Executions
    dead_letters: DeadLetters
    region: str
    #: the settings of that name
    steps_on: StepsOn
    table_prefix: str


class _Absent:
    """Stand for an engine that a function does not have."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __getattr__(self, name: str) -> NoReturn:
        raise MachineryError(f"a function has no {self._what}; only a task can call {name}.")


@contextmanager
def open_function_store(tell: Tell) -> Iterator[FunctionStore]:
    """Open the store that TAKINGS_STORE names; UsageError where the function is not set up."""
    environment = dict(os.environ)
    store = environment.pop("TAKINGS_STORE", "")
    with on_aws(store) as (clients, bucket), TemporaryDirectory(prefix="takings-") as work:
        from takings.adapters.aws.clients import CONFIG
        from takings.adapters.aws.dead_letters import DeadLetters
        from takings.adapters.aws.executions import StateMachine

        with (
            closing(clients.session.client("stepfunctions", config=CONFIG)) as stepfunctions,
            closing(clients.session.client("scheduler", config=CONFIG)) as scheduler,
            closing(clients.session.client("sqs", config=CONFIG)) as sqs,
            _ports(clients, bucket, Path(work), tell, environment) as (ports, settings),
        ):
            yield FunctionStore(
                name=bucket,
                ports=ports,
                executions=StateMachine(stepfunctions, scheduler, _handover(environment), bucket),
                dead_letters=DeadLetters(sqs, _named(environment, _DEAD_LETTERS)),
                region=clients.region,
                steps_on=settings.steps_on,
                table_prefix=settings.table_prefix,
            )


@contextmanager
def _ports(
    clients: Clients, bucket: str, work: Path, tell: Tell, environment: Mapping[str, str]
) -> Iterator[tuple[Ports, Settings]]:
    from takings.adapters.aws.platform import AwsPlatform

    platform = AwsPlatform(clients, bucket, work)
    settings = merged_settings(platform, {}, environment)
    folder = platform.contracts(settings)
    contracts = load_contracts(folder)
    # Refuse an unknown time zone before a batch names it.
    read_zone(settings.time_zone)
    files = platform.files()
    check_format(files, settings.time_zone)
    kpi_tables = (*load_kpi_tables(contracts[Dataset.ORDER_ITEMS].worth), *load_own_tables(folder, contracts))
    absent: dict[str, Any] = {
        "tables": _Absent("lake"),
        "validation": _Absent("validation engine"),
        "sources": _Absent("engine for sources"),
        "engine": _Absent("engine"),
        "kpi_engine": _Absent("KPI engine"),
    }
    with platform.open(settings, kpi_tables) as opened:
        ports = Ports(
            **absent,
            store=files,
            ledger=opened.ledger,
            kpis=opened.kpis,
            clock=SystemClock(),
            heartbeat=ThreadHeartbeat(platform.faults),
            owners=opened.owners,
            contracts=contracts,
            kpi_tables=kpi_tables,
            batch_policy=settings.batch_policy,
            time_zone=settings.time_zone,
            outcome_settings=settings.outcome_settings,
            package_version=takings.__version__,
            tell=tell,
            faults=platform.faults,
        )
        check_ledger(ports.store, ports.ledger)
        yield ports, settings


def _handover(environment: Mapping[str, str]) -> Handover:
    from takings.adapters.aws.executions import Handover

    return Handover(
        state_machine=_named(environment, _STATE_MACHINE),
        schedule_group=_named(environment, _SCHEDULE_GROUP),
        schedule_role=_named(environment, _SCHEDULE_ROLE),
        detector=_named(environment, _DETECTOR),
    )


def _named(environment: Mapping[str, str], variable: str) -> str:
    value = environment.get(variable)
    if not value:
        raise UsageError(f"the environment lacks {variable}. `takings aws bootstrap` sets it for the functions.")
    return value
