"""Rebuild a new store from another store's archive: `takings rebuild`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from takings.api import Shop
from takings.entrypoints.app import EXIT_REJECTED
from takings.entrypoints.console import Teller, count, err, out
from takings.entrypoints.legible import marked
from takings.entrypoints.options import Contracts, Store

if TYPE_CHECKING:
    from takings.runs.rebuild import Rebuilt

_SHOWN = 50


def rebuild(
    store: Store,
    target: Annotated[
        str,
        typer.Argument(
            metavar="NEW",
            help="The new store: an empty folder, or s3://bucket, made by `takings aws bootstrap`.",
            show_default=False,
        ),
    ],
    contracts: Contracts = None,
    time_zone: Annotated[str | None, typer.Option("--time-zone", help="The time zone of the new store's days.")] = None,
) -> None:
    """Rebuild lake, KPIs and ledger from a store's archive alone (processed/, failed/, batches/), in a new one."""
    tell = Teller()
    try:
        rebuilt = Shop(store, tell=tell).rebuild(
            target, contracts=None if contracts is None else str(contracts), time_zone=time_zone
        )
    finally:
        tell.be_quiet()
    _show_rebuilt(rebuilt, store, target)
    if time_zone is not None:
        err.print(f"Set time_zone = '{time_zone}' in {marked(target)}/takings.toml, too.", highlight=False)
    if rebuilt.changes:
        raise typer.Exit(EXIT_REJECTED)


def _show_rebuilt(rebuilt: Rebuilt, store: str, target: str) -> None:
    for change in rebuilt.changes[:_SHOWN]:
        before, after = change.before, change.after
        now = "not validated" if after is None else f"{after.verdict}, {after.records.accepted:,} records"
        out.print(
            f"{marked(before.key)} of batch {change.batch_id} was {before.verdict}, {before.records.accepted:,} records;"
            f" under the present contracts and settings it is {now}",
            highlight=False,
            soft_wrap=True,
        )
    out.print(
        f"rebuilt {count(rebuilt.batches, 'batch')} with {count(rebuilt.files, 'file')} in {marked(target)};"
        f" {count(len(rebuilt.changes), 'file')} with another verdict than at the time",
        highlight=False,
        soft_wrap=True,
    )
    if rebuilt.unarchived or rebuilt.pending:
        out.print(
            f"{count(rebuilt.pending, 'file')} under {marked(store)}/raw-data and {len(rebuilt.unarchived):,} of batches in"
            " flight are in no archive; drop them into the new store",
            highlight=False,
            soft_wrap=True,
        )
