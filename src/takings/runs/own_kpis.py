"""Publish the shop's own KPI tables without a batch: new ones, changed ones, and those that failed before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from takings.batch.commits import newest_commit
from takings.batch.own_kpis import due_tables, own_tables, publish_due
from takings.errors import ConflictError
from takings.intake.gate import OwnTableState
from takings.lake import Commit
from takings.ports import Ports


def catch_up(ports: Ports, *, retries: bool = False) -> Mapping[str, int]:
    """Publish every day of the tables that are new or changed, as of the newest commit; return keys per table.

    With `retries`, also publish what waits since an earlier failure. A batch in flight does all of this itself.
    """
    if not own_tables(ports):
        return {}
    gate = ports.ledger.gate()
    due: Sequence[str] = [] if gate.has_batch else due_tables(ports, gate.own_tables, retries=retries)
    if not due:
        return {}
    published: Mapping[str, int] = {}
    while (commit := newest_commit(ports.store, gate.last_commit)) is not None:
        own = publish_due(ports, commit, gate.own_tables, due)
        published = own.keys
        if newest_commit(ports.store, commit.number) == commit:
            keep_states(ports, {name: own.states[name] for name in due}, commit)
            break
    return published


def keep_states(ports: Ports, states: Mapping[str, OwnTableState], commit: Commit) -> None:
    """Note in the gate how far tables are published as of a commit; a batch that came meanwhile has noted it itself."""
    names = {table.name for table in own_tables(ports)}
    while not (gate := ports.ledger.gate()).has_batch and gate.last_commit <= commit.number:
        kept = {name: state for name, state in gate.own_tables.items() if name in names}
        try:
            ports.ledger.change_gate(gate.with_own_tables({**kept, **states}))
        except ConflictError:
            continue
        return
