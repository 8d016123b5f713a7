"""Tell people what happened to a store, or how a day was: `takings notify`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from takings.api import Shop
from takings.entrypoints.app import EXIT_UNFINISHED, print_text
from takings.entrypoints.console import Teller, count, err, out
from takings.entrypoints.legible import marked
from takings.entrypoints.options import Store
from takings.errors import UsageError
from takings.queries import digest_text

if TYPE_CHECKING:
    from takings.runs.notify import Notified


def notify(
    store: Store,
    digest: Annotated[bool, typer.Option("--digest", help="Send the digest of a day instead.")] = False,
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="With --digest: which day. Default: yesterday.")
    ] = None,
    only_print: Annotated[bool, typer.Option("--print", help="With --digest: print it, and send nothing.")] = False,
    is_test: Annotated[bool, typer.Option("--test", help="Send a test to each address instead.")] = False,
) -> None:
    """Send what there is to tell to the addresses of the setting `notify`, or the digest of a day."""
    if (day is not None or only_print) and not digest:
        raise UsageError("--day and --print go with --digest.")
    if digest and is_test:
        raise UsageError("--digest and --test both say what to send. Keep one of them.")
    tell = Teller()
    shop = Shop(store, tell=tell)
    chosen = None if day is None else day.date()
    try:
        if only_print:
            print_text(digest_text.as_text(shop.digest(chosen)))
            return
        done = shop.send_test() if is_test else shop.send_digest(chosen) if digest else shop.notify()
    finally:
        tell.be_quiet()
    _show(done)


def _show(done: Notified) -> None:
    """Print what was sent; what was not, the teller has said."""
    for title in done.sent:
        out.print(f"sent: {marked(title)}", highlight=False, soft_wrap=True)
    if not done.sent and not done.failed:
        out.print("nothing to tell")
    if done.failed:
        err.print(f"{count(len(done.failed), 'address')} could not be reached; run it again to try again")
        raise typer.Exit(EXIT_UNFINISHED)
