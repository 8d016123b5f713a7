"""Run again what the archive holds: replay, rebuild."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from takings.batch.store_format import check_lake
from takings.composition.stores import open_empty_store, open_store
from takings.entrypoints import console
from takings.entrypoints.app import EXIT_REJECTED, Contracts, Store, app
from takings.entrypoints.console import Teller, count, err, out
from takings.entrypoints.legible import marked
from takings.errors import UsageError
from takings.layout import RAW, BatchId
from takings.runs.rebuild import Rebuilt, read_archive
from takings.runs.rebuild import rebuild as run_again
from takings.runs.replay import replay_batch, replay_failed, replay_file

_SHOWN = 50


@app.command()
def replay(
    store: Store,
    batch: Annotated[str | None, typer.Option("--batch", metavar="ID", help="Every original of this batch.")] = None,
    file: Annotated[str | None, typer.Option("--file", metavar="KEY", help="The newest original of raw-data/…")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Every file that was refused at last.")] = False,
    contracts: Contracts = None,
) -> None:
    """Take archived originals again, as a new batch with their first versions; what was counted is not counted twice."""
    if sum((batch is not None, file is not None, failed)) != 1:
        raise UsageError("say what to replay: one of --batch ID, --file KEY and --failed.")
    tell = Teller()
    with open_store(store, tell, {"contracts": None if contracts is None else str(contracts)}) as shop:
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
        console.show_batch(outcome)
    if not outcomes:
        out.print("nothing to do: no file was refused at last")
    if any(outcome.has_rejections for outcome in outcomes):
        raise typer.Exit(EXIT_REJECTED)


@app.command()
def rebuild(
    store: Store,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The new store: an empty folder.", show_default=False)],
    contracts: Contracts = None,
    time_zone: Annotated[
        str | None, typer.Option("--time-zone", help="Cut the days of the new store in another time zone.")
    ] = None,
) -> None:
    """Make lake, KPIs and ledger again from a store's archive alone (processed/, failed/, batches/), in a new folder."""
    tell = Teller()
    options = {"contracts": None if contracts is None else str(contracts), "time_zone": time_zone}
    with open_empty_store(folder, store, tell, options) as (shop, source):
        batches = read_archive(source)
        try:
            rebuilt = run_again(source, batches, shop.ports)
        finally:
            tell.be_quiet()
        pending = sum(1 for _ in source.list(RAW))
    _show_rebuilt(rebuilt, store, folder, pending)
    if time_zone is not None:
        err.print(f"Set time_zone = '{time_zone}' in {marked(folder)}/takings.toml, too.", highlight=False)
    if rebuilt.changes:
        raise typer.Exit(EXIT_REJECTED)


def _show_rebuilt(rebuilt: Rebuilt, store: str, folder: Path, pending: int) -> None:
    for change in rebuilt.changes[:_SHOWN]:
        before, after = change.before, change.after
        now = "was not judged" if after is None else f"{after.verdict}, {after.records.accepted:,} records"
        out.print(
            f"{marked(before.key)} of batch {change.batch_id} was {before.verdict}, {before.records.accepted:,} records;"
            f" by the present contracts and settings it is {now}",
            highlight=False,
            soft_wrap=True,
        )
    out.print(
        f"rebuilt {count(rebuilt.batches, 'batch')} with {count(rebuilt.files, 'file')} in {marked(folder)};"
        f" {count(len(rebuilt.changes), 'file')} judged otherwise than at the time",
        highlight=False,
        soft_wrap=True,
    )
    if rebuilt.unarchived or pending:
        out.print(
            f"{count(pending, 'file')} under {marked(store)}/raw-data and {len(rebuilt.unarchived):,} of batches in flight"
            " are in no archive; drop them into the new store",
            highlight=False,
            soft_wrap=True,
        )
