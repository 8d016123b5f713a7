"""Compact the lake and remove what nothing needs: `takings maintain`."""

from __future__ import annotations

from typing import Annotated

import typer

from takings.api import Shop
from takings.entrypoints.console import Teller, out
from takings.entrypoints.options import Store


def maintain(
    store: Store,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")] = False,
) -> None:
    """Compact small files, clean the tables' logs and remove what nothing needs; safe beside a running batch."""
    done = Shop(store, tell=Teller()).maintain(dry_run=is_dry_run)
    would = "would be " if is_dry_run else ""
    for table, (before, after) in done.compacted.items():
        out.print(f"{table}: {before:,} files {would}compacted into {after:,}", highlight=False)
    if done.commit is not None:
        out.print(f"commit {done.commit} shows the compacted tables", highlight=False)
    out.print(f"{done.vacuumed:,} lake files and {done.expired:,} old documents {would}removed", highlight=False)
