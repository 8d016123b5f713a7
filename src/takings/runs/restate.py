"""Publish KPIs again after a changed definition or contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from takings.batch.commits import newest_commit
from takings.batch.own_kpis import publish_own
from takings.batch.publish import publish
from takings.errors import UnknownThing
from takings.kpis import KpiTable
from takings.lake import Affected, Commit, everything
from takings.ports import Ports
from takings.runs.own_kpis import keep_states


@dataclass(frozen=True, kw_only=True)
class Restatement:
    """What was published again."""

    commit: int
    #: keys per KPI table
    published: Mapping[str, int]
    #: table of the shop's own -> why it was not
    stale: Mapping[str, str]
    #: table of the shop's own -> which check that only warns does not hold
    warnings: Mapping[str, str]


def restate(ports: Ports, first: date | None = None, last: date | None = None) -> Restatement:
    """Publish every key of a range of days (or all days) again from the newest commit, under the present definition.

    A batch that commits meanwhile is newer and wins; then repeat the restatement as of its commit.
    """
    while True:
        commit = newest_commit(ports.store)
        if commit is None:
            raise UnknownThing("nothing is in the lake yet. Drop files and run `takings run STORE --now`.")
        affected = _affected(ports, commit, first, last)
        published = publish(ports, commit, affected, lambda: None)
        own = publish_own(ports, commit, affected, ports.ledger.gate().own_tables, lambda: None)
        if newest_commit(ports.store, commit.number) == commit:
            if own.states:
                keep_states(ports, own.states, commit)
            stale = {name: state.stale for name, state in own.states.items() if state.stale is not None}
            return Restatement(
                commit=commit.number,
                published={**published.keys, **own.keys},
                stale=stale,
                warnings=own.warnings,
            )


def _affected(ports: Ports, commit: Commit, first: date | None, last: date | None) -> Affected:
    """Return every key within the range that has rows or was published before."""
    if first is None and last is None:
        return everything()
    in_lake = {
        file.order_date
        for table in ports.tables.snapshot(commit.versions).tables.values()
        for file in table.files
        if file.order_date is not None
    }
    keys = {table.name: ports.kpis.keys(table, everything()) for table in ports.kpi_tables}
    days = in_lake | {_day(table, key) for table in ports.kpi_tables for key in keys[table.name]}
    inside = frozenset(day for day in days if (first is None or day >= first) and (last is None or day <= last))
    return Affected(whole_days=inside, own_days=dict.fromkeys(keys, frozenset()))


def _day(table: KpiTable, key: tuple[object, ...]) -> date:
    day = key[table.key.index("order_date")]
    assert isinstance(day, date)  # every KPI table has the column
    return day
