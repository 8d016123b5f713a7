"""Open lake and engines at once, or when they are first used: to load their libraries takes longer than a look at a store.

So does reading the shipped contracts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar, cast

from takings.adapters.platform import OpenFiles
from takings.contracts.model import Contract, Contracts, Dataset
from takings.contracts.sources import NO_SOURCES
from takings.contracts.worth import USUAL_WORTH
from takings.ports import Executors, KpiEngine, LakeEngine, LakeTables, ObjectStore, SourceEngine, ValidationEngine

Opened = TypeVar("Opened")


@dataclass(frozen=True, kw_only=True)
class Engines:
    """The lake, and what reads files, merges batches and computes numbers."""

    tables: LakeTables
    validation: ValidationEngine
    sources: SourceEngine
    engine: LakeEngine
    kpi_engine: KpiEngine
    #: None where this process validates every file itself, or none at all
    executors: Executors | None = None


@dataclass(frozen=True, kw_only=True)
class Files:
    """A store's files, for engines that work in other processes."""

    here: ObjectStore
    #: opens them in another process
    elsewhere: OpenFiles


OpenLake = Callable[[], LakeTables]
OpenEngines = Callable[[LakeTables], AbstractContextManager[Engines]]


def engines_at_once(open_lake: OpenLake, open_engines: OpenEngines) -> AbstractContextManager[Engines]:
    """Open all for a command that works: what is wrong with an engine shows before anything is begun."""
    return open_engines(open_lake())


@contextmanager
def engines_on_demand(open_lake: OpenLake, open_engines: OpenEngines) -> Iterator[Engines]:
    """Open nothing for a command that only looks, until it uses the lake or an engine."""
    with ExitStack() as stack:
        lake = _once(open_lake)
        tables = cast("LakeTables", _Later(lake))
        engines = _once(lambda: stack.enter_context(open_engines(tables)))
        yield Engines(
            tables=tables,
            validation=cast("ValidationEngine", _Later(lambda: engines().validation)),
            sources=cast("SourceEngine", _Later(lambda: engines().sources)),
            engine=cast("LakeEngine", _Later(lambda: engines().engine)),
            kpi_engine=cast("KpiEngine", _Later(lambda: engines().kpi_engine)),
        )


def shipped_contracts_on_demand(load: Callable[[], Contracts]) -> Contracts:
    """Return the shipped contracts; they are read when more is asked than that they have no source and no role."""
    return cast("Contracts", _ShippedContracts(_once(load)))


class _Later:
    """Stand for a port until it is used."""

    def __init__(self, port: Callable[[], Any]) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the port has
        return getattr(self._port(), name)


class _ShippedContracts(_Later):
    """Stand for the shipped contracts until they are used."""

    sources = NO_SOURCES
    worth = USUAL_WORTH

    def __getitem__(self, dataset: Dataset) -> Contract:
        contract: Contract = self._port()[dataset]
        return contract


def _once(open_it: Callable[[], Opened]) -> Callable[[], Opened]:
    """Return what opens something at the first call, also if several threads make it, and returns the same ever after."""
    opened: list[Opened] = []
    opening = Lock()

    def ask() -> Opened:
        with opening:
            if not opened:
                opened.append(open_it())
            return opened[0]

    return ask
