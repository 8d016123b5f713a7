"""Show the state of a store: `takings status`."""

from __future__ import annotations

from typing import Any

from takings.composition.stores import open_store_to_look
from takings.entrypoints import console
from takings.entrypoints.app import print_json
from takings.entrypoints.console import Teller, out
from takings.entrypoints.legible import marked
from takings.entrypoints.options import Json, Store
from takings.queries.incomplete import find_incomplete
from takings.queries.status import status_document

_SHOWN_FAILURES = 10

_SHOWN_LABELS = (
    *("decision", "deadline", "missing", "batch_id", "attempt", "owner", "lease_expires_at", "reading", "reason"),
    *("commit", "orphans", "oldest_orphan_at"),
)


def status(store: Store, as_json: Json = False) -> None:
    """Show pending files, what they wait for and until when, the batch in flight and waiting orphans."""
    with open_store_to_look(store, Teller()) as shop:
        incomplete = find_incomplete(shop.ports)
        document = status_document(shop.ports, incomplete)
        if as_json:
            print_json(document)
            return
        out.print(f"[bold]{marked(store)}[/]: {document['state']}", highlight=False)
        for dataset, count in document["pending"].items():
            out.print(f"  pending {dataset:<12} {count:,}", highlight=False)
        _show_status(document)
        console.show_incomplete(incomplete, label="  incomplete")
        console.show_stale(document.get("stale", {}))
        console.show_warnings(document.get("kpi_warnings", {}))


def _show_status(document: dict[str, Any]) -> None:
    for label in _SHOWN_LABELS:
        if document[label]:
            shown = ", ".join(document[label]) if isinstance(document[label], list) else document[label]
            out.print(f"  {label.replace('_', ' '):<20} {marked(shown)}", highlight=False, soft_wrap=True)
    for suspect in document["suspects"]:
        out.print(
            f"  [yellow]suspected[/] {marked(suspect['key'])}: a process died {suspect['deaths']} times while it read the file,"
            " so it is tried alone",
            soft_wrap=True,
        )
    for each in document["unreadable"][:_SHOWN_FAILURES]:
        out.print(
            f"  [yellow]left alone[/] {marked(each['key'])}: {marked(each['reason'])}", highlight=False, soft_wrap=True
        )
    if (more := len(document["unreadable"]) - _SHOWN_FAILURES) > 0:
        out.print(f"  [yellow]left alone[/] … and {more:,} more; --json has all", highlight=False)
    for letter in document["dead_letters"][-_SHOWN_FAILURES:]:
        out.print(f"  [red]failed[/] {marked(letter['key'])}: {marked(letter['reason'] or '')}", soft_wrap=True)
    if document["dead_letters"]:
        out.print(
            f"  {console.count(len(document['dead_letters']), 'file')} in failed/ without a newer one: fix and drop again, or"
            " `takings replay STORE --failed`",
            soft_wrap=True,
        )
