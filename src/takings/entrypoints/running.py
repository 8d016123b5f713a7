"""Run the pipeline, and say where it stands: run, status, batches, unblock."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape

from takings import gate, layout, maintenance, pipeline
from takings.arrivals import sight
from takings.bootstrap import Shop, open_store
from takings.contracts.model import Dataset
from takings.entrypoints import console
from takings.entrypoints.app import EXIT_REJECTED, Contracts, Json, Store, app, print_json
from takings.entrypoints.console import Teller, out
from takings.errors import UnknownThing


@app.command()
def run(
    store: Store,
    now: Annotated[bool, typer.Option("--now", help="Do not wait for more files or a missing dataset.")] = False,
    as_json: Json = False,
    contracts: Contracts = None,
) -> None:
    """Process what is pending, show progress, print the outcome, end."""
    tell = Teller()
    options = {"contracts": None if contracts is None else str(contracts)}
    with open_store(store, tell, options) as shop:
        try:
            outcome = pipeline.run(shop.ports, at_once=now)
        finally:
            tell.be_quiet()
        if as_json:
            print_json(_run_document(outcome))
        else:
            console.show_run(outcome, shop.ports.clock.now())
    if any(batch.has_rejections for batch in outcome.batches):
        raise typer.Exit(EXIT_REJECTED)


def _run_document(outcome: pipeline.RunOutcome) -> dict[str, Any]:
    decision = outcome.decision
    waits = {
        "decision": type(decision).__name__,
        "deadline": layout.format_instant(decision.deadline) if isinstance(decision, pipeline.WaitUntil) else None,
        "missing": list(decision.missing) if isinstance(decision, pipeline.Hold) else [],
    }
    return {
        "schema_version": 1,
        "batches": [pipeline.outcome_document(batch) for batch in outcome.batches],
        "pending": len(outcome.sighting.drops),
        **waits,
        "ignored": [{"key": key, "reason": ignored.reason} for key, ignored in outcome.sighting.ignored],
    }


@app.command()
def status(store: Store, as_json: Json = False) -> None:
    """Show what is pending, what is missing or until when it waits, the batch in flight and waiting orphans."""
    with open_store(store, Teller()) as shop:
        document = _status_document(shop)
        if as_json:
            print_json(document)
            return
        out.print(f"[bold]{escape(str(store))}[/]: {document['state']}", highlight=False)
        for dataset, count in document["pending"].items():
            out.print(f"  pending {dataset:<12} {count:,}", highlight=False)
        for label in ("decision", "deadline", "missing", "batch_id", "attempt", "owner", "reason", "commit", "orphans"):
            if document[label]:
                shown = ", ".join(document[label]) if isinstance(document[label], list) else document[label]
                out.print(f"  {label.replace('_', ' '):<20} {escape(str(shown))}", highlight=False, soft_wrap=True)
        for failure in document["failures"]:
            out.print(f"  [red]failed[/] {escape(failure['key'])}: {escape(failure['reason'] or '')}", soft_wrap=True)


def _status_document(shop: Shop) -> dict[str, Any]:
    ports = shop.ports
    state = ports.ledger.gate()
    sighting = sight(ports.store.list(layout.RAW))
    now = ports.clock.now()
    decision = pipeline.decide(sighting.drops, state.landed, ports.batch_policy, deadline=state.deadline, now=now)
    commit = pipeline.newest_commit(ports.store, state.last_commit)
    failures = [record for record in ports.ledger.lineage() if record.verdict == "rejected"]
    return {
        "schema_version": 1,
        "state": state.state.value,
        "pending": {dataset.value: sum(drop.dataset is dataset for _, drop in sighting.drops) for dataset in Dataset},
        "decision": type(decision).__name__,
        "deadline": layout.format_instant(decision.deadline) if isinstance(decision, pipeline.WaitUntil) else None,
        "missing": list(decision.missing) if isinstance(decision, pipeline.Hold) else [],
        "batch_id": state.batch_id,
        "attempt": state.attempt,
        "owner": state.owner,
        "is_abandoned": gate.is_abandoned(state, now),
        "reason": state.reason,
        "commit": commit.number if commit else None,
        "orphans": ports.tables.snapshot(commit.versions).orphans if commit else 0,
        "failures": [
            {"key": record.file_key, "reason": record.reason, "archived_at": record.archived_at}
            for record in failures[-10:]
        ],
    }


@app.command()
def maintain(
    store: Store,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Compact small files, clean the tables' logs and let go of what nothing needs; safe beside a running batch."""
    with open_store(store, Teller()) as shop:
        done = maintenance.maintain(shop.ports, keep_reports=shop.settings.keep_reports, is_dry_run=is_dry_run)
    would = "would be " if is_dry_run else ""
    for table, (before, after) in done.compacted.items():
        out.print(f"{table}: {before:,} files {would}made {after:,}", highlight=False)
    if done.commit is not None:
        out.print(f"commit {done.commit} shows the compacted tables", highlight=False)
    out.print(f"{done.vacuumed:,} lake files and {done.expired:,} old documents {would}removed", highlight=False)


@app.command()
def unblock(store: Store) -> None:
    """Let a blocked batch be taken up again by the next run."""
    with open_store(store, Teller()) as shop:
        state = shop.ports.ledger.gate()
        if state.state is not gate.GateState.BLOCKED:
            raise UnknownThing(f"{store}: no batch is blocked.")
        shop.ports.ledger.change_gate(gate.unblocked(state, shop.ports.clock.now()))
    out.print(f"batch {state.batch_id} goes on with the next `takings run`", highlight=False)
