"""Compact the lake and remove what nothing needs: `takings maintain`."""

from __future__ import annotations

from typing import Annotated

import typer

from takings.batch.store_format import check_lake
from takings.composition.stores import open_store
from takings.entrypoints.console import Teller, out
from takings.entrypoints.options import Store
from takings.runs import maintenance


def maintain(
    store: Store,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")] = False,
) -> None:
    """Compact small files, clean the tables' logs and remove what nothing needs; safe beside a running batch."""
    with open_store(store, Teller()) as shop:
        check_lake(shop.ports)
        done = maintenance.maintain(shop.ports, keep_reports=shop.settings.keep_reports, is_dry_run=is_dry_run)
    would = "would be " if is_dry_run else ""
    for table, (before, after) in done.compacted.items():
        out.print(f"{table}: {before:,} files {would}compacted into {after:,}", highlight=False)
    if done.commit is not None:
        out.print(f"commit {done.commit} shows the compacted tables", highlight=False)
    out.print(f"{done.vacuumed:,} lake files and {done.expired:,} old documents {would}removed", highlight=False)
