"""Run archived originals again as a new batch: `takings replay`."""

from __future__ import annotations

from typing import Annotated

import typer

from takings.batch.store_format import check_lake, check_order_of_versions
from takings.composition.stores import open_store
from takings.entrypoints import run_output
from takings.entrypoints.app import EXIT_REJECTED
from takings.entrypoints.console import Teller, out
from takings.entrypoints.options import Contracts, Store
from takings.errors import UsageError
from takings.layout import BatchId
from takings.runs.replay import replay_batch, replay_failed, replay_file


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
    with open_store(store, tell, {"contracts": None if contracts is None else str(contracts)}) as shop:
        check_order_of_versions(shop.ports.store, shop.ports.contracts)
        check_lake(shop.ports)
        try:
            if batch is not None:
                outcomes = replay_batch(shop.ports, BatchId(batch))
            elif file is not None:
                outcomes = replay_file(shop.ports, file)
            else:
                outcomes = replay_failed(shop.ports)
        finally:
            tell.be_quiet()
    for outcome in outcomes:
        run_output.show_batch(outcome)
    if not outcomes:
        out.print("nothing to do: failed/ has no file to replay")
    if any(outcome.has_rejections for outcome in outcomes):
        raise typer.Exit(EXIT_REJECTED)
