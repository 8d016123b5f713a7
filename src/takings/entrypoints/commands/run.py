"""Process what is pending: `takings run`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from tempfile import SpooledTemporaryFile
from typing import Annotated, Final

import typer

from takings.api import Run, Shop
from takings.archive.outcome import BatchOutcome, outcome_document
from takings.entrypoints import console, legible, run_output
from takings.entrypoints.app import EXIT_REJECTED
from takings.entrypoints.console import Teller
from takings.entrypoints.options import Contracts, Engine, Json, Store

#: bytes of a run's batches, until all of them can be printed: there may be hundreds, of a thousand files each
_KEPT_IN_MEMORY: Final = 1_000_000


def run(
    store: Store,
    now: Annotated[bool, typer.Option("--now", help="Do not wait for more files or a missing dataset.")] = False,
    as_json: Json = False,
    contracts: Contracts = None,
    engine: Engine = None,
) -> None:
    """Process what is pending, show progress, and print the outcome."""
    tell = Teller()
    shop = Shop(store, tell=tell, contracts=None if contracts is None else str(contracts), engine=engine)
    told: set[tuple[str, str]] = set()
    with SpooledTemporaryFile(_KEPT_IN_MEMORY, "w+", encoding="utf-8") as batches:

        def ended(batch: BatchOutcome) -> None:
            if as_json:
                batches.write(f"{legible.as_json(outcome_document(batch))}\n")
            else:
                tell.be_quiet()
                told.update(batch.kpi_warnings.items())
                run_output.show_batch(batch, store)

        try:
            done = shop.run(now=now, on_batch=ended)
        finally:
            tell.be_quiet()
        if as_json:
            batches.seek(0)
            _print_run(done, batches)
        else:
            run_output.show_rest(done)
    beside = console.err if as_json else console.out
    console.show_stale(done.stale, to=beside)
    console.show_warnings(dict({*done.warnings.items()} - told), to=beside)
    if done.has_rejections:
        raise typer.Exit(EXIT_REJECTED)


def _print_run(done: Run, batches: Iterable[str]) -> None:
    """Print a run as one JSON document; take its batches one by one, to save memory."""
    head, _, rest = legible.as_json(done.to_json(), indent=1).partition('"batches": []')
    sys.stdout.write(f'{head}"batches": [')
    separator = "\n"
    for batch in batches:
        lines = legible.as_json(json.loads(batch), indent=1).split("\n")
        sys.stdout.write(separator + "\n".join(f"  {line}" for line in lines))
        separator = ",\n"
    sys.stdout.write(("]" if separator == "\n" else "\n ]") + rest + "\n")
