"""Process what is pending: `takings run`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from takings import layout
from takings.archive.outcome import BatchOutcome
from takings.batch.store_format import check_lake, check_order_of_versions
from takings.composition.stores import open_store
from takings.entrypoints import console, legible, run_output
from takings.entrypoints.app import EXIT_REJECTED
from takings.entrypoints.console import Teller
from takings.entrypoints.options import Contracts, Engine, Json, Store
from takings.layout import BatchId
from takings.queries.incomplete import Incomplete, find_incomplete
from takings.queries.published_kpis import kpi_warnings, stale_tables
from takings.runs import pipeline


def run(
    store: Store,
    now: Annotated[bool, typer.Option("--now", help="Do not wait for more files or a missing dataset.")] = False,
    as_json: Json = False,
    contracts: Contracts = None,
    engine: Engine = None,
) -> None:
    """Process what is pending, show progress, and print the outcome."""
    tell = Teller()
    options = {"contracts": None if contracts is None else str(contracts), "engine": engine}
    with open_store(store, tell, options) as shop:
        check_order_of_versions(shop.ports.store, shop.ports.contracts)
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
            run_output.show_rest(outcome, incomplete, shop.ports.clock.now(), did_work=bool(done.batches))
        beside = console.err if as_json else console.out
        console.show_stale(stale_tables(shop.ports), to=beside)
        known = kpi_warnings(shop.ports).items()
        console.show_warnings({table: each for table, each in known if (table, each) not in done.warnings}, to=beside)
    if done.has_rejections:
        raise typer.Exit(EXIT_REJECTED)


@dataclass(kw_only=True)
class _Done:
    """The little that is kept of batches that have ended."""

    tell: Teller
    is_shown: bool
    batches: list[BatchId] = field(default_factory=list)
    has_rejections: bool = False
    #: what was shown of checks that only warn
    warnings: set[tuple[str, str]] = field(default_factory=set)

    def add(self, batch: BatchOutcome) -> None:
        """Show a batch, and keep only its name."""
        self.batches.append(batch.batch_id)
        self.has_rejections |= batch.has_rejections
        if self.is_shown:
            self.tell.be_quiet()
            self.warnings |= {*batch.kpi_warnings.items()}
            run_output.show_batch(batch)


def _print_run(outcome: pipeline.RunOutcome, incomplete: Incomplete, batches: Iterator[bytes]) -> None:
    """Print a run as one JSON document; read its batches from the store one by one, to save memory."""
    head, _, rest = legible.as_json(_run_document(outcome, incomplete), indent=1).partition('"batches": []')
    sys.stdout.write(f'{head}"batches": [')
    separator = "\n"
    for batch in batches:
        lines = legible.as_json(json.loads(batch), indent=1).split("\n")
        sys.stdout.write(separator + "\n".join(f"  {line}" for line in lines))
        separator = ",\n"
    sys.stdout.write(("]" if separator == "\n" else "\n ]") + rest + "\n")


def _run_document(outcome: pipeline.RunOutcome, incomplete: Incomplete) -> dict[str, Any]:
    """Return what a run did, without its batches, and what waits."""
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
        **({"caught_up": dict(outcome.caught_up)} if outcome.caught_up else {}),
        "incomplete": incomplete.to_json(),
        "ignored": [{"key": key, "reason": ignored.reason} for key, ignored in outcome.sighting.ignored],
    }
