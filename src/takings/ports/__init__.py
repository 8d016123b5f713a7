"""Define what the pipeline needs from the world: the protocols that adapters implement.

Every method says whether it may be repeated and what it raises. Each port that touches the platform has a local adapter
and one for AWS. `stores` keep, `engines` compute, `executors` validate elsewhere, `surroundings` are the
time and other processes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from takings.contracts.model import Contracts
from takings.intake.batching import BatchPolicy
from takings.kpis.definitions import KpiTable
from takings.ports.engines import (
    KpiEngine,
    LakeEngine,
    MadeFile,
    MergeSession,
    ScannedFile,
    SourceEngine,
    ValidationEngine,
)
from takings.ports.executors import Executors, FileToValidate
from takings.ports.stores import KpiStore, LakeTables, Ledger, ObjectStore
from takings.ports.surroundings import (
    Changes,
    Clock,
    Executions,
    Heartbeat,
    Message,
    Messenger,
    Owners,
    Tell,
    Wake,
)
from takings.time_zones import BusinessTime


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Everything that the pipeline needs from the world: stores, engines, surroundings, contracts and settings."""

    store: ObjectStore
    ledger: Ledger
    kpis: KpiStore
    tables: LakeTables

    validation: ValidationEngine
    sources: SourceEngine
    engine: LakeEngine
    kpi_engine: KpiEngine

    clock: Clock
    heartbeat: Heartbeat
    owners: Owners
    tell: Tell
    #: a block in which errors of the adapters' libraries, and interruptions, become Takings errors
    faults: Callable[[], AbstractContextManager[None]]

    contracts: Contracts
    kpi_tables: tuple[KpiTable, ...]
    batch_policy: BatchPolicy
    time_zone: str
    #: the settings that can change a batch's outcome; its manifest keeps them
    outcome_settings: Mapping[str, str]
    package_version: str

    #: None: this process validates every file itself
    executors: Executors | None = None


__all__ = [
    "BusinessTime",
    "Changes",
    "Clock",
    "Executions",
    "Executors",
    "FileToValidate",
    "Heartbeat",
    "KpiEngine",
    "KpiStore",
    "LakeEngine",
    "LakeTables",
    "Ledger",
    "MadeFile",
    "MergeSession",
    "Message",
    "Messenger",
    "ObjectStore",
    "Owners",
    "Ports",
    "ScannedFile",
    "SourceEngine",
    "Tell",
    "ValidationEngine",
    "Wake",
]
