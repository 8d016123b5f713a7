"""Publish the KPI tables of a shop's own as of a commit, each for itself: one that fails never holds up another.

A table that fails keeps its published rows. The gate notes why and which days wait; the next publication includes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from takings.batch.publish import definition_of
from takings.errors import ContractError, OwnKpiFailure, Superseded, TakingsError
from takings.intake.gate import Gate, OwnTableState
from takings.kpis import KpiTable, Publication, prepare_publication
from takings.kpis.declared_checks import DeclaredCheck, breaches
from takings.kpis.definitions import KpiColumn, Measures
from takings.lake import Affected, Commit, everything
from takings.ports import Ports

#: more days that wait are no longer noted one by one: the gate stays small
_MOST_DAYS = 1000
#: days whose warnings the gate keeps, the newest
_MOST_WARNED = 100


@dataclass(frozen=True, kw_only=True)
class OwnPublished:
    """What a publication of the shop's own tables did."""

    #: how far each table is published now
    states: Mapping[str, OwnTableState]
    #: keys per table, without tables that failed
    keys: Mapping[str, int] = field(default_factory=dict)
    #: keys that already had a newer commit's numbers
    overtaken: int = 0
    #: table -> which check that only warns does not hold for what was published
    warnings: Mapping[str, str] = field(default_factory=dict)


def own_tables(ports: Ports) -> tuple[KpiTable, ...]:
    """Return the KPI tables of the shop's own."""
    return tuple(table for table in ports.kpi_tables if table.own is not None)


def due_tables(ports: Ports, states: Mapping[str, OwnTableState], *, retries: bool = False) -> Sequence[str]:
    """Return the tables that are not published under their present definition, or, with `retries`, that failed before."""
    due: list[str] = []
    for table in own_tables(ports):
        state = states.get(table.name)
        if state is None or state.tried != definition_of(ports, table) or (retries and state.stale is not None):
            due.append(table.name)
    return due


def publish_due(
    ports: Ports,
    commit: Commit,
    states: Mapping[str, OwnTableState],
    due: Sequence[str],
    check: Callable[[], object] = lambda: None,
) -> OwnPublished:
    """Publish every day of these tables as of a commit."""
    return publish_own(ports, commit, Affected(own_days=dict.fromkeys(due, frozenset())), states, check, only=due)


def given_up(ports: Ports, gate: Gate, cause: str) -> Gate:
    """Return the gate after a batch without files was given up: the tables that it was to publish are stale.

    Only another definition, a batch with files or a run tries them again, so that nothing fails for ever.
    """
    due = due_tables(ports, gate.own_tables)
    stale = {
        table.name: _failed(table, definition_of(ports, table), gate.own_tables.get(table.name), None, cause)
        for table in own_tables(ports)
        if table.name in due
    }
    return replace(gate.released(last_commit=gate.last_commit), own_tables={**gate.own_tables, **stale})


def check_grains(ports: Ports) -> None:
    """Raise ContractError where the grain of a table has changed since it was published."""
    tables = own_tables(ports)
    states = ports.ledger.gate().own_tables if tables else {}
    for table in tables:
        state = states.get(table.name)
        if state is not None and state.key != table.key:
            assert table.own is not None
            raise ContractError(
                f"{table.own.yaml_file}:{table.own.lines['key']}: {table.name} was published by"
                f" {', '.join(state.key)}, and is now by {', '.join(table.key)}. Give it a new name, or its former grain."
            )


def publish_own(
    ports: Ports,
    commit: Commit,
    affected: Affected,
    states: Mapping[str, OwnTableState],
    check: Callable[[], object],
    *,
    formed_under: Mapping[str, str] | None = None,
    only: Sequence[str] | None = None,
) -> OwnPublished:
    """Publish what a commit changes in the shop's own tables, and the days that wait from earlier.

    `formed_under` are the definitions of the batch's manifest: a table with another one is published entirely. `only` names
    the tables to publish (None: all). `check` is called before each write.
    """
    done: dict[str, OwnTableState] = {}
    keys: dict[str, int] = {}
    overtaken = 0
    warnings: dict[str, str] = {}
    for table in own_tables(ports):
        state = states.get(table.name)
        if only is not None and table.name not in only:
            if state is not None:
                done[table.name] = state
            continue
        definition = definition_of(ports, table)
        is_same = formed_under is None or formed_under.get(table.name) == definition
        days = _days(table, definition, state if is_same else None, affected)
        if days is not None and not days:
            done[table.name] = _published(table, definition, state, days, {})
            continue
        try:
            with ports.faults():
                written, refused, warned = _publish(ports, table, commit, days, check)
        except Superseded:
            raise
        except TakingsError as failure:
            done[table.name] = _failed(table, definition, state, days, str(failure))
            ports.tell("kpis.stale", {"table": table.name, "fault": str(failure)})
            continue
        keys[table.name] = written
        overtaken += refused
        done[table.name] = _published(table, definition, state, days, warned)
        if (warning := _published(table, definition, None, None, warned).warning) is not None:
            warnings[table.name] = warning
    return OwnPublished(states=done, keys=keys, overtaken=overtaken, warnings=warnings)


def _days(table: KpiTable, definition: str, state: OwnTableState | None, affected: Affected) -> frozenset[date] | None:
    """Return the days to publish; None: every day."""
    is_new = state is None or state.definition != definition
    if is_new or affected.is_everything or table.name not in affected.own_days:
        return None
    assert state is not None
    return affected.days | affected.whole_days | affected.own_days[table.name] | state.days


def _published(
    table: KpiTable,
    definition: str,
    state: OwnTableState | None,
    days: frozenset[date] | None,
    warned: Mapping[date, str],
) -> OwnTableState:
    """Return the state of a table after days of it (None: all) were published; other days keep their warnings."""
    before = {} if state is None or days is None else {day: why for day, why in state.warned.items() if day not in days}
    newest = sorted({**before, **warned}.items())[-_MOST_WARNED:]
    return OwnTableState(key=table.key, definition=definition, tried=definition, warned=dict(newest))


def _failed(
    table: KpiTable, definition: str, state: OwnTableState | None, days: frozenset[date] | None, reason: str
) -> OwnTableState:
    """Return the state of a table whose numbers stay as they were published."""
    known = state or OwnTableState(key=table.key, definition=None, tried=definition)
    if days is None or len(days) > _MOST_DAYS:
        return replace(known, definition=None, tried=definition, stale=reason, days=frozenset())
    return replace(known, tried=definition, stale=reason, days=days)


def _publish(
    ports: Ports, table: KpiTable, commit: Commit, days: frozenset[date] | None, check: Callable[[], object]
) -> tuple[int, int, Mapping[date, str]]:
    """Measure, check and write one table.

    Return how many keys were written, how many a newer commit kept, and on which days a check that only warns does not hold.
    """
    affected = everything() if days is None else Affected(whole_days=days)
    ports.tell("kpis.computing", {"table": table.name, "days": "all" if days is None else len(days)})
    measures = measured(ports, table, commit, days)
    warned = _check_declared(ports, table, commit, days, measures)
    publication = Publication(
        commit=commit.number,
        batch_id=commit.batch_id,
        computed_at=ports.clock.now(),
        definition=definition_of(ports, table),
    )
    rows = prepare_publication(table, measures, affected, ports.kpis.keys(table, affected), publication)
    check()
    refused = ports.kpis.publish(table, rows)
    ports.tell("kpis.published", {"table": table.name, "keys": len(rows), "overtaken": len(refused)})
    return len(rows) - len(refused), len(refused), warned


def measured(ports: Ports, table: KpiTable, commit: Commit, days: frozenset[date] | None) -> Sequence[Measures]:
    """Return a table's measures; OwnKpiFailure where one is empty."""
    snapshot = ports.tables.snapshot(commit.versions)
    rows = ports.kpi_engine.measures([table], snapshot, days)[table.name]
    names = {measure for column in table.columns for measure in column.measures}
    for row in rows:
        empty = next((name for name in sorted(names) if row[name] is None), None)
        if empty is not None:
            raise OwnKpiFailure(f"'{empty}' is empty on {row['order_date']}. Write coalesce({empty}, 0).")
    return rows


def _check_declared(
    ports: Ports, table: KpiTable, commit: Commit, days: frozenset[date] | None, measures: Sequence[Measures]
) -> Mapping[date, str]:
    """Raise OwnKpiFailure for the first declared check that does not hold; return those that only warn, by day."""
    assert table.own is not None
    warned: dict[date, str] = {}
    for check in table.own.checks:
        found = breaches(check, table.columns, table.key, measures, _by_day(ports, check, commit, days))
        if found and check.only_warns:
            ports.tell("kpis.doubtful", {"table": table.name, "check": check.text, "breaches": len(found)})
            for breach in found:
                warned.setdefault(breach.day, breach.phrase)
        elif found:
            more = f" ({len(found)} such)" if len(found) > 1 else ""
            raise OwnKpiFailure(
                f"{found[0].phrase}{more}; {table.own.kept(table.own.yaml_file)}:{check.line} demands it."
            )
    return warned


def _by_day(
    ports: Ports, check: DeclaredCheck, commit: Commit, days: frozenset[date] | None
) -> tuple[Sequence[KpiColumn], Sequence[Measures]] | None:
    """Return the columns and measures of the table that a check compares with."""
    other = next((table for table in ports.kpi_tables if table.name == check.table), None)
    if other is None:
        return None
    return other.columns, ports.kpi_engine.measures([other], ports.tables.snapshot(commit.versions), days)[other.name]


__all__ = [
    "OwnPublished",
    "check_grains",
    "due_tables",
    "given_up",
    "measured",
    "own_tables",
    "publish_due",
    "publish_own",
]
