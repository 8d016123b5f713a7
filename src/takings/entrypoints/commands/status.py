"""Show the state of a store: `takings status`."""

from __future__ import annotations

from takings.api import Shop
from takings.entrypoints import console
from takings.entrypoints.app import print_json
from takings.entrypoints.console import Teller, out
from takings.entrypoints.legible import marked
from takings.entrypoints.options import Json, Store
from takings.queries.status import Status

_SHOWN_FAILURES = 10

_SHOWN_LABELS = (
    *("decision", "deadline", "missing", "batch_id", "attempt", "owner", "lease_expires_at", "reading", "reason"),
    *("commit", "orphans", "oldest_orphan_at"),
)


def status(store: Store, as_json: Json = False) -> None:
    """Show pending files, what they wait for and until when, the batch in flight and waiting orphans."""
    found = Shop(store, tell=Teller()).status()
    if as_json:
        print_json(found.to_json())
        return
    out.print(f"[bold]{marked(store)}[/]: {found.state}", highlight=False)
    for dataset, number in found.pending.items():
        out.print(f"  pending {dataset:<12} {number:,}", highlight=False)
    _show_status(found)
    console.show_incomplete(found.incomplete, label="  incomplete")
    console.show_stale(found.stale)
    console.show_warnings(found.kpi_warnings)


def _show_status(found: Status) -> None:
    document = found.to_json()
    for label in _SHOWN_LABELS:
        if document[label]:
            shown = ", ".join(document[label]) if isinstance(document[label], list) else document[label]
            out.print(f"  {label.replace('_', ' '):<20} {marked(shown)}", highlight=False, soft_wrap=True)
    for suspect in found.suspects:
        out.print(
            f"  [yellow]suspected[/] {marked(suspect.key)}: a process died {suspect.deaths} times while it read the file,"
            " so it is tried alone",
            soft_wrap=True,
        )
    for key, reason in found.unreadable[:_SHOWN_FAILURES]:
        out.print(f"  [yellow]left alone[/] {marked(key)}: {marked(reason)}", highlight=False, soft_wrap=True)
    if (more := len(found.unreadable) - _SHOWN_FAILURES) > 0:
        out.print(f"  [yellow]left alone[/] … and {more:,} more; --json has all", highlight=False)
    for letter in found.dead_letters[-_SHOWN_FAILURES:]:
        out.print(f"  [red]failed[/] {marked(letter.file_key)}: {marked(letter.reason or '')}", soft_wrap=True)
    if found.dead_letters:
        out.print(
            f"  {console.count(len(found.dead_letters), 'file')} in failed/ without a newer one: fix and drop again, or"
            " `takings replay STORE --failed`",
            soft_wrap=True,
        )
