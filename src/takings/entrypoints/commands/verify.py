"""Recompute published numbers and compare them: `takings verify`."""

from __future__ import annotations

from typing import Final

import typer

from takings.api import Shop
from takings.entrypoints.app import EXIT_REJECTED, print_json
from takings.entrypoints.console import Teller, out
from takings.entrypoints.legible import marked
from takings.entrypoints.options import Engine, Json, Store
from takings.queries.verification import Verification

_SHOWN: Final = 50


def verify(store: Store, as_json: Json = False, engine: Engine = None) -> None:
    """Recompute every KPI from the lake and compare it with the published one; changes nothing."""
    verification = Shop(store, tell=Teller(), engine=engine).verify()
    if as_json:
        print_json(verification.to_json())
    else:
        _show_verification(verification)
    if verification.differences:
        raise typer.Exit(EXIT_REJECTED)


def _show_verification(verification: Verification) -> None:
    if verification.commit is None:
        out.print("nothing is published yet")
        return
    redefined = [found for found in verification.differences if found.column == "definition"]
    for found in [found for found in verification.differences if found.column != "definition"][:_SHOWN]:
        key = ", ".join(str(part) for part in found.key)
        told = found.to_json()
        out.print(
            f"{found.table} {marked(key)}: {found.column} is {marked(told['published'])},"
            f" the lake says {marked(told['recomputed'])}",
            highlight=False,
            soft_wrap=True,
        )
    if redefined:
        out.print(
            f"{len(redefined):,} rows were published under another definition ({redefined[0].published}; SQL, policy and time"
            f" zone now make it {redefined[0].recomputed})",
            highlight=False,
            soft_wrap=True,
        )
    if verification.differences:
        out.print(
            f"{len(verification.differences):,} differences in {verification.rows:,} rows."
            " `takings restate STORE` publishes them again.",
            highlight=False,
        )
    else:
        out.print(
            f"no difference: {verification.rows:,} published rows as of commit {verification.commit}", highlight=False
        )
