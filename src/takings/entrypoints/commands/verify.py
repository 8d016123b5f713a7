"""Recompute published numbers and compare them: `takings verify`."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

import typer

from takings.batch.store_format import check_lake
from takings.composition.stores import open_store_to_look
from takings.entrypoints.app import EXIT_REJECTED, print_json
from takings.entrypoints.console import Teller, out
from takings.entrypoints.explain_output import exact
from takings.entrypoints.legible import marked
from takings.entrypoints.options import Engine, Json, Store
from takings.queries.verification import Difference, Verification
from takings.queries.verification import verify as compare

_SHOWN: Final = 50


def verify(store: Store, as_json: Json = False, engine: Engine = None) -> None:
    """Recompute every KPI from the lake and compare it with the published one; changes nothing."""
    with open_store_to_look(store, Teller(), {"engine": engine}) as shop:
        check_lake(shop.ports)
        verification = compare(shop.ports)
    if as_json:
        print_json(_verification_document(verification))
    else:
        _show_verification(verification)
    if verification.differences:
        raise typer.Exit(EXIT_REJECTED)


def _verification_document(verification: Verification) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "commit": verification.commit,
        "rows": verification.rows,
        "differences": [
            {field.name: _plain(getattr(found, field.name)) for field in fields(Difference)}
            for found in verification.differences
        ],
    }


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [exact(part) for part in value]
    return None if value is None else exact(value)


def _show_verification(verification: Verification) -> None:
    if verification.commit is None:
        out.print("nothing is published yet")
        return
    redefined = [found for found in verification.differences if found.column == "definition"]
    for found in [found for found in verification.differences if found.column != "definition"][:_SHOWN]:
        key = ", ".join(str(part) for part in found.key)
        out.print(
            f"{found.table} {marked(key)}: {found.column} is {marked(_plain(found.published))},"
            f" the lake says {marked(_plain(found.recomputed))}",
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
