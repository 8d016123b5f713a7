"""Recompute published numbers and compare them: `takings verify`."""

from __future__ import annotations

import shlex
from typing import Final

import typer

from takings.api import Shop
from takings.entrypoints.app import EXIT_REJECTED, print_json
from takings.entrypoints.console import Teller, count, out
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
        _show_verification(verification, store)
    if verification.differences:
        raise typer.Exit(EXIT_REJECTED)


def _show_verification(verification: Verification, store: str) -> None:
    if verification.commit is None:
        out.print("nothing is published yet")
        return
    redefined = [found for found in verification.differences if found.column == "definition"]
    for found in [found for found in verification.differences if found.column != "definition"][:_SHOWN]:
        key = ", ".join(str(part) for part in found.key)
        told = found.to_json()
        out.print(
            f"{found.table} {marked(key)}: {found.column} is {_told(told['published'])},"
            f" the lake says {_told(told['recomputed'])}",
            highlight=False,
            soft_wrap=True,
        )
    if redefined:
        out.print(
            f"{count(len(redefined), 'row')} published under another definition: SQL, policy or time zone have changed since",
            highlight=False,
            soft_wrap=True,
        )
    if verification.differences:
        out.print(
            f"{count(len(verification.differences), 'difference')} in {count(verification.rows, 'row')}."
            f" `takings restate {marked(shlex.quote(store))}` publishes what the lake says.",
            highlight=False,
            soft_wrap=True,
        )
    else:
        out.print(
            f"no difference: {verification.rows:,} published rows as of commit {verification.commit}", highlight=False
        )


def _told(value: str | None) -> str:
    return "empty" if value is None else marked(value)
