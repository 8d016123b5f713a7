"""Keep a store right, quick and small: unblock, restate, maintain and rebuild it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from takings.api.kpis import Day, as_days
from takings.batch.store_format import check_lake
from takings.composition.empty_stores import open_empty_store
from takings.composition.stores import Shop as OpenedStore
from takings.errors import UnknownThing
from takings.intake.gate import GateState
from takings.layout import BatchId
from takings.ports import Tell

if TYPE_CHECKING:
    from takings.runs.maintenance import Maintenance
    from takings.runs.rebuild import Rebuilt
    from takings.runs.restate import Restatement


def unblock(name: str, opened: AbstractContextManager[OpenedStore]) -> BatchId:
    """Let the next run resume a blocked batch."""
    with opened as store:
        gate = store.ports.ledger.gate()
        if gate.state is not GateState.BLOCKED or gate.batch_id is None:
            raise UnknownThing(f"{name}: no batch is blocked.")
        store.ports.ledger.change_gate(gate.unblocked(store.ports.clock.now()))
        return gate.batch_id


def restate(opened: AbstractContextManager[OpenedStore], first: Day | None, last: Day | None) -> Restatement:
    """Publish KPIs of a range of days again."""
    from takings.runs.restate import restate as publish_again

    begin, end = as_days(first, last)
    with opened as store:
        check_lake(store.ports)
        return publish_again(store.ports, begin, end)


def maintain(opened: AbstractContextManager[OpenedStore], *, dry_run: bool) -> Maintenance:
    """Compact the lake and remove what nothing needs."""
    from takings.runs import maintenance

    with opened as store:
        check_lake(store.ports)
        return maintenance.maintain(store.ports, keep_reports=store.settings.keep_reports, is_dry_run=dry_run)


def rebuild(source: str, target: str | Path, tell: Tell, settings: Mapping[str, Any]) -> Rebuilt:
    """Run every archived batch of a store again in a new one."""
    from takings.runs.rebuild import read_archive
    from takings.runs.rebuild import rebuild as run_again

    with open_empty_store(target, source, tell, settings) as (store, archive):
        return run_again(archive, read_archive(archive), store.ports)
