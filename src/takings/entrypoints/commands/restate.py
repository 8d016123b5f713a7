"""Publish KPIs again from the lake: `takings restate`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from takings.api import Shop
from takings.entrypoints.console import Teller, count, out, show_stale, show_warnings
from takings.entrypoints.options import Engine, Store
from takings.errors import UsageError

First = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")]
Last = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, inclusive.")]


def restate(store: Store, first: First = None, last: Last = None, engine: Engine = None) -> None:
    """Publish KPIs again from the lake, after a change of a definition or contract."""
    if first is not None and last is not None and last < first:
        raise UsageError(f"--from {first.date()} is after --to {last.date()}.")
    tell = Teller()
    try:
        done = Shop(store, tell=tell, engine=engine).restate(first and first.date(), last and last.date())
    finally:
        tell.be_quiet()
    shown = ", ".join(f"{count(keys, 'key')} of {table}" for table, keys in done.published.items())
    out.print(f"published again as of commit {done.commit}: {shown}", highlight=False)
    show_stale(done.stale)
    show_warnings(done.warnings)
