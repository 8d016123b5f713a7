"""Read published KPIs as of one commit: no reader sees a half-published day, even while somebody publishes.

A batch publishes one table after the other and then frees the gate. So readers get what was published before until the batch
in flight has ended.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from typing import Final

from takings.batch.commits import read_commit
from takings.errors import MachineryError, UnknownThing
from takings.intake.gate import Gate, GateState
from takings.kpis import KpiRow, KpiTable
from takings.kpis.publication import visible
from takings.lake import Commit
from takings.ports import Ports
from takings.ports.engines import NO_CONDITION
from takings.queries.incomplete import Incomplete, find_incomplete
from takings.time_zones import business_time

#: a publication takes milliseconds; one that never ends is reported
_PAUSES: Final = (0.05, 0.1, 0.2, 0.4, 0.8)
_COMPLETE: Final = Incomplete()


class By(StrEnum):
    """Which KPI table."""

    DAY = "day"
    CATEGORY = "category"


class HalfPublishedError(MachineryError):
    """Only a part of a batch is published, and no process remembers the numbers before it."""


@dataclass(frozen=True)
class PublishedKpis:
    """The published KPIs as of one commit."""

    tables: tuple[KpiTable, ...]
    #: the visible rows, per table
    rows_of: Mapping[str, tuple[KpiRow, ...]]
    #: the lake that they were computed from; None for a new store
    commit: Commit | None
    time_zone: str
    #: the ledger's state when they were read
    last_commit: int
    #: what is known to be missing from the numbers
    incomplete: Incomplete = _COMPLETE
    #: table of the shop's own -> why its newest numbers are not published
    stale: Mapping[str, str] = field(default_factory=dict)
    #: table of the shop's own -> which check that only warns does not hold for its numbers
    warnings: Mapping[str, str] = field(default_factory=dict)

    def named(self, name: str) -> KpiTable:
        """Return the table of that name; UnknownThing where there is none."""
        return named_table(self.tables, name)

    def table(self, by: By) -> KpiTable:
        """Return the table of day or category KPIs."""
        return kpi_table(self.tables, by)

    def rows(
        self, by: By, *, first: date | None = None, last: date | None = None, category: str | None = None
    ) -> list[KpiRow]:
        """Return published rows as `KpiStore.rows` would, without hidden ones."""
        return self.rows_of_table(self.table(by), first=first, last=last, category=category)

    def rows_of_table(
        self,
        table: KpiTable,
        *,
        first: date | None = None,
        last: date | None = None,
        category: str | None = None,
        of: Mapping[str, str] = NO_CONDITION,
    ) -> list[KpiRow]:
        """Return published rows of any table as `KpiStore.rows` would, without hidden ones.

        `of` are parts of the key and the text of their values; "" is an empty one. UnknownThing where there is no such part.
        """
        strange = next((name for name in of if name not in table.key), None)
        if strange is not None:
            raise UnknownThing(f"{table.name} has no '{strange}' in its key. It is by {', '.join(table.key)}.")
        place = table.key.index("category") if category is not None else 0
        wanted = [(table.key.index(name), value) for name, value in of.items()]
        return [
            row
            for row in self.rows_of[table.name]
            if (first is None or row.key[-1] >= first)
            and (last is None or row.key[-1] <= last)
            and (category is None or row.key[place] == category)
            and all(("" if row.key[at] is None else str(row.key[at])) == value for at, value in wanted)
        ]

    @cached_property
    def as_of(self) -> datetime | None:
        """When the newest number was computed; None where there is none."""
        return max((row.computed_at for rows in self.rows_of.values() for row in rows), default=None)

    @cached_property
    def first_unfinished(self) -> date | None:
        """The business day in which the newest number was computed: this day and later ones are not over."""
        return None if self.as_of is None else business_time(self.time_zone).day_of(self.as_of)

    def is_unfinished(self, day: date) -> bool:
        """Return whether a day was not over when the newest number was computed."""
        return self.first_unfinished is not None and day >= self.first_unfinished

    @cached_property
    def days(self) -> tuple[date, ...]:
        """Every day with a number."""
        return tuple(row.key[0] for row in self.rows(By.DAY))

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """Every category with a number."""
        return tuple(sorted({row.key[0] for row in self.rows(By.CATEGORY)}))

    @property
    def version(self) -> str:
        """Return a name for this state of the numbers; another state has another name."""
        name = f"{self.commit.number if self.commit else 0}.{self.as_of.timestamp() if self.as_of else 0:.6f}"
        # A refused file leaves no commit.
        if not self.incomplete and not self.stale and not self.warnings:
            return name
        told = [self.incomplete.to_json(), *(dict(each) for each in (self.stale, self.warnings) if each)]
        return f"{name}.{sha256(json.dumps(told).encode()).hexdigest()[:8]}"


def read_published(ports: Ports, kept: PublishedKpis | None = None) -> PublishedKpis:
    """Return the published KPIs as of one commit; while a batch is being published, return `kept` from an earlier read.

    HalfPublishedError where a batch is half published and nothing was kept.
    """
    for pause in (*_PAUSES, None):
        before = ports.ledger.gate()
        rows = {table.name: tuple(ports.kpis.rows(table)) for table in ports.kpi_tables}
        after = ports.ledger.gate()
        is_whole = not _is_half_published(before, after, rows)
        shipped = [rows[table.name] for table in ports.kpi_tables if table.own is None]
        if is_whole and (pause is None or _has_one_definition(shipped)):
            commit = _settled_commit(ports, after)
            return PublishedKpis(
                tables=ports.kpi_tables,
                rows_of={name: tuple(visible(found)) for name, found in rows.items()},
                commit=commit,
                time_zone=ports.time_zone,
                last_commit=after.last_commit,
                incomplete=find_incomplete(ports, commit),
                stale=_stale(after),
                warnings=_warnings(after),
            )
        if kept is not None and not is_whole:
            return kept
        if pause is not None:
            ports.clock.sleep(pause)
    gate = ports.ledger.gate()
    if gate.state is GateState.BLOCKED:
        raise HalfPublishedError(
            f"batch {gate.batch_id} is blocked, half published, and the numbers before it are no longer known."
            " `takings status STORE` says why; `takings unblock STORE` and `takings run STORE` complete it."
        )
    raise HalfPublishedError(
        "a batch is being published, and the numbers before it are no longer known. Try again in a moment; if this"
        " persists, `takings run STORE` completes the batch."
    )


def _is_half_published(before: Gate, after: Gate, rows: Mapping[str, tuple[KpiRow, ...]]) -> bool:
    """Return whether a batch was publishing while rows were read."""
    if (before.batch_id, before.last_commit) != (after.batch_id, after.last_commit):
        return True
    return after.has_batch and any(row.batch_id == after.batch_id for found in rows.values() for row in found)


def _has_one_definition(rows: Iterable[tuple[KpiRow, ...]]) -> bool:
    """Return whether all shipped tables have the same definition; a restatement replaces one table after the other."""
    return len({frozenset(row.definition for row in found) for found in rows}) <= 1


def _settled_commit(ports: Ports, gate: Gate) -> Commit | None:
    """Return the newest commit whose batch has ended; a compaction commits the same rows again."""
    found = None
    number = max(gate.last_commit, 1)
    while (commit := read_commit(ports.store, number)) is not None:
        if gate.has_batch and commit.batch_id == gate.batch_id:
            break
        found, number = commit, number + 1
    return found


def kpi_table(tables: tuple[KpiTable, ...], by: By) -> KpiTable:
    """Return the table of day or category KPIs."""
    name = {By.DAY: "OrderKPIs", By.CATEGORY: "CategoryKPIs"}[by]
    return next(table for table in tables if table.name == name)


def named_table(tables: tuple[KpiTable, ...], name: str) -> KpiTable:
    """Return the table of that name, whatever its case; UnknownThing, with the names there are, where there is none."""
    found = next((table for table in tables if table.name.lower() == name.lower()), None)
    if found is None:
        raise UnknownThing(f"there is no KPI table '{name}'. There are {', '.join(table.name for table in tables)}.")
    return found


def stale_tables(ports: Ports) -> Mapping[str, str]:
    """Return, by table of the shop's own, why its newest numbers are not published; nothing of those that are."""
    return _stale(ports.ledger.gate())


def kpi_warnings(ports: Ports) -> Mapping[str, str]:
    """Return, by table of the shop's own, which check that only warns does not hold for its numbers."""
    return _warnings(ports.ledger.gate())


def _stale(gate: Gate) -> Mapping[str, str]:
    return {name: state.stale for name, state in gate.own_tables.items() if state.stale is not None}


def _warnings(gate: Gate) -> Mapping[str, str]:
    return {name: state.warning for name, state in gate.own_tables.items() if state.warning is not None}
