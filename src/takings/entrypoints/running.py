"""Run the pipeline, and say where it stands: run, status, batches, unblock."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from takings import layout
from takings.archive.outcome import BatchOutcome
from takings.batch.gaps import Incomplete, find_incomplete
from takings.batch.store_format import check_lake
from takings.composition.stores import open_store, open_store_to_look
from takings.entrypoints import console, legible
from takings.entrypoints.app import EXIT_REJECTED, Contracts, Engine, Json, Store, app, print_json
from takings.entrypoints.console import Teller, out
from takings.entrypoints.legible import marked
from takings.entrypoints.status_document import status_document
from takings.errors import UnknownThing
from takings.intake.gate import GateState
from takings.layout import BatchId
from takings.runs import maintenance, pipeline

_SHOWN_FAILURES = 10


@app.command()
def run(
    store: Store,
    now: Annotated[bool, typer.Option("--now", help="Do not wait for more files or a missing dataset.")] = False,
    as_json: Json = False,
    contracts: Contracts = None,
    engine: Engine = None,
) -> None:
    """Process what is pending, show progress, print the outcome, end."""
    tell = Teller()
    options = {"contracts": None if contracts is None else str(contracts), "engine": engine}
    with open_store(store, tell, options) as shop:
        check_lake(shop.ports)
        done = _Done(tell=tell, is_shown=not as_json)
        try:
            outcome = pipeline.run(shop.ports, at_once=now, ended=done.add)
        finally:
            tell.be_quiet()
        incomplete = find_incomplete(shop.ports)
        if as_json:
            _print_run(
                outcome,
                incomplete,
                (shop.ports.store.read(layout.outcome(batch_id)) or b"" for batch_id in done.batches),
            )
        else:
            console.show_rest(outcome, incomplete, shop.ports.clock.now(), did_work=bool(done.batches))
    if done.has_rejections:
        raise typer.Exit(EXIT_REJECTED)


@dataclass(kw_only=True)
class _Done:
    """What is kept of batches that have ended."""

    tell: Teller
    is_shown: bool
    batches: list[BatchId] = field(default_factory=list)
    has_rejections: bool = False

    def add(self, batch: BatchOutcome) -> None:
        """Show a batch, and keep no more than its name."""
        self.batches.append(batch.batch_id)
        self.has_rejections |= batch.has_rejections
        if self.is_shown:
            self.tell.be_quiet()
            console.show_batch(batch)


def _print_run(outcome: pipeline.RunOutcome, incomplete: Incomplete, batches: Iterator[bytes]) -> None:
    """Print a run as one JSON document, without all of its batches in memory: they stand in the store as JSON."""
    head, _, rest = legible.as_json(_run_document(outcome, incomplete), indent=1).partition('"batches": []')
    sys.stdout.write(f'{head}"batches": [')
    separator = "\n"
    for batch in batches:
        lines = legible.as_json(json.loads(batch), indent=1).split("\n")
        sys.stdout.write(separator + "\n".join(f"  {line}" for line in lines))
        separator = ",\n"
    sys.stdout.write(("]" if separator == "\n" else "\n ]") + rest + "\n")


def _run_document(outcome: pipeline.RunOutcome, incomplete: Incomplete) -> dict[str, Any]:
    """Return what a run did, but for its batches, and what waits."""
    decision = outcome.decision
    waits = {
        "decision": type(decision).__name__,
        "deadline": layout.format_instant(decision.deadline) if isinstance(decision, pipeline.WaitUntil) else None,
        "missing": list(decision.missing) if isinstance(decision, pipeline.Hold) else [],
    }
    return {
        "schema_version": 1,
        "batches": [],
        "pending": len(outcome.sighting.drops),
        **waits,
        "incomplete": incomplete.to_json(),
        "ignored": [{"key": key, "reason": ignored.reason} for key, ignored in outcome.sighting.ignored],
    }


@app.command()
def status(store: Store, as_json: Json = False) -> None:
    """Show what is pending, what is missing or until when it waits, the batch in flight and waiting orphans."""
    with open_store_to_look(store, Teller()) as shop:
        incomplete = find_incomplete(shop.ports)
        document = status_document(shop, incomplete)
        if as_json:
            print_json(document)
            return
        out.print(f"[bold]{marked(store)}[/]: {document['state']}", highlight=False)
        for dataset, count in document["pending"].items():
            out.print(f"  pending {dataset:<12} {count:,}", highlight=False)
        _show_status(document)
        console.show_incomplete(incomplete, label="  incomplete")


_SHOWN_LABELS = (
    *("decision", "deadline", "missing", "batch_id", "attempt", "owner", "lease_expires_at", "reading", "reason"),
    *("commit", "orphans", "oldest_orphan_at"),
)


def _show_status(document: dict[str, Any]) -> None:
    for label in _SHOWN_LABELS:
        if document[label]:
            shown = ", ".join(document[label]) if isinstance(document[label], list) else document[label]
            out.print(f"  {label.replace('_', ' '):<20} {marked(shown)}", highlight=False, soft_wrap=True)
    for suspect in document["suspects"]:
        out.print(
            f"  [yellow]suspected[/] {marked(suspect['key'])}: a process died {suspect['deaths']} times while it read the file,"
            " which is tried alone",
            soft_wrap=True,
        )
    for each in document["unreadable"][:_SHOWN_FAILURES]:
        out.print(
            f"  [yellow]left alone[/] {marked(each['key'])}: {marked(each['reason'])}", highlight=False, soft_wrap=True
        )
    if (more := len(document["unreadable"]) - _SHOWN_FAILURES) > 0:
        out.print(f"  [yellow]left alone[/] … and {more:,} more; --json has all", highlight=False)
    for letter in document["dead_letters"][-_SHOWN_FAILURES:]:
        out.print(f"  [red]failed[/] {marked(letter['key'])}: {marked(letter['reason'] or '')}", soft_wrap=True)
    if document["dead_letters"]:
        out.print(
            f"  {console.count(len(document['dead_letters']), 'file')} in failed/ without a newer one: mend and drop again, or"
            " `takings replay STORE --failed`",
            soft_wrap=True,
        )


@app.command()
def maintain(
    store: Store,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Compact small files, clean the tables' logs and let go of what nothing needs; safe beside a running batch."""
    with open_store(store, Teller()) as shop:
        check_lake(shop.ports)
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
        gate = shop.ports.ledger.gate()
        if gate.state is not GateState.BLOCKED:
            raise UnknownThing(f"{store}: no batch is blocked.")
        shop.ports.ledger.change_gate(gate.unblocked(shop.ports.clock.now()))
    out.print(f"batch {gate.batch_id} goes on with the next `takings run`", highlight=False)
