"""Run archived originals again as a new batch: `takings replay`."""

from __future__ import annotations

from typing import Annotated

import typer

from takings.api import Shop
from takings.entrypoints import run_output
from takings.entrypoints.app import EXIT_REJECTED
from takings.entrypoints.console import Teller, out
from takings.entrypoints.options import Contracts, Store
from takings.errors import UsageError


def replay(
    store: Store,
    batch: Annotated[str | None, typer.Option("--batch", metavar="ID", help="Every original of this batch.")] = None,
    file: Annotated[str | None, typer.Option("--file", metavar="KEY", help="The newest original of raw-data/…")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Every file whose newest original was refused.")] = False,
    contracts: Contracts = None,
) -> None:
    """Take archived originals again, as a new batch with their first versions; nothing is counted twice."""
    if sum((batch is not None, file is not None, failed)) != 1:
        raise UsageError("say what to replay: one of --batch ID, --file KEY and --failed.")
    tell = Teller()
    shop = Shop(store, tell=tell, contracts=None if contracts is None else str(contracts))
    try:
        outcomes = shop.replay(batch=batch, file=file, failed=failed)
    finally:
        tell.be_quiet()
    for outcome in outcomes:
        run_output.show_batch(outcome, store)
    if not outcomes:
        out.print("nothing to do: failed/ has no file to replay")
    if any(outcome.has_rejections for outcome in outcomes):
        raise typer.Exit(EXIT_REJECTED)
