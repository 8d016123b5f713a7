"""Publish KPIs as of a commit: measure, check the invariants, derive the ratios, write what the guard allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from takings.kpis import KpiTable, Publication, check_invariants, definition_hash, prepare_publication
from takings.kpis.publication import days_of
from takings.lake import Affected, Commit
from takings.ports import Ports


@dataclass(frozen=True, kw_only=True)
class Published:
    """What a publication wrote."""

    #: keys per KPI table
    keys: Mapping[str, int]
    #: keys that already had a newer commit's numbers
    overtaken: int
    #: table of the shop's own -> which check that only warns does not hold for them
    warnings: Mapping[str, str] = field(default_factory=dict)


def publish(ports: Ports, commit: Commit, affected: Affected, check: Callable[[], object]) -> Published:
    """Publish the affected keys of the shipped tables as of the commit; the guard keeps a newer commit's numbers.

    `check` is called before each write. InvariantBreach where the measures contradict each other; then nothing is written.
    """
    days = None if affected.is_everything else days_of(affected)
    ports.tell("kpis.computing", {"days": "all" if days is None else len(days)})
    shipped = shipped_tables(ports)
    measures = ports.kpi_engine.measures(shipped, ports.tables.snapshot(commit.versions), days)
    check_invariants(measures["OrderKPIs"], measures["CategoryKPIs"])
    publication = Publication(
        commit=commit.number,
        batch_id=commit.batch_id,
        computed_at=ports.clock.now(),
        definition=current_definition(ports),
    )
    published: dict[str, int] = {}
    overtaken = 0
    for table in shipped:
        rows = prepare_publication(table, measures[table.name], affected, ports.kpis.keys(table, affected), publication)
        check()
        refused = ports.kpis.publish(table, rows)
        published[table.name] = len(rows) - len(refused)
        overtaken += len(refused)
        ports.tell("kpis.published", {"table": table.name, "keys": len(rows), "overtaken": len(refused)})
    return Published(keys=published, overtaken=overtaken)


def shipped_tables(ports: Ports) -> tuple[KpiTable, ...]:
    """Return the KPI tables that every store has."""
    return tuple(table for table in ports.kpi_tables if table.own is None)


def current_definition(ports: Ports) -> str:
    """Return the hash of what a number of a shipped table means: the present SQL, policy and time zone."""
    return _hash(ports, shipped_tables(ports))


def definition_of(ports: Ports, table: KpiTable) -> str:
    """Return the hash of what a table's numbers mean; each of the shop's own has one for itself."""
    return current_definition(ports) if table.own is None else _hash(ports, (table,))


def definitions(ports: Ports) -> dict[str, str]:
    """Return the present definition of every KPI table, as a manifest keeps them."""
    return {table.name: definition_of(ports, table) for table in ports.kpi_tables}


def _hash(ports: Ports, tables: tuple[KpiTable, ...]) -> str:
    return definition_hash(tables, policy=ports.outcome_settings["policy"], time_zone=ports.time_zone)
