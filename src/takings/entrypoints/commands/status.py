"""Show the state of a store: `takings status`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Final

from takings.api import Shop
from takings.entrypoints import console
from takings.entrypoints.app import print_json
from takings.entrypoints.console import Teller, count, listed, out, spoken
from takings.entrypoints.legible import marked
from takings.entrypoints.options import Json, Store
from takings.entrypoints.run_output import minutes_until
from takings.intake.batching import Dispatch, Hold, NothingPending, WaitUntil
from takings.intake.gate import GateState
from takings.queries.status import Status

_SHOWN_FAILURES: Final = 10


def status(store: Store, as_json: Json = False) -> None:
    """Show pending files, what they wait for and until when, the batch in flight and waiting orphans."""
    found = Shop(store, tell=Teller()).status()
    if as_json:
        print_json(found.to_json())
        return
    out.print(f"[bold]{marked(store)}[/]: {marked(_sentence(found, store))}", highlight=False, soft_wrap=True)
    width = max(map(len, found.pending))
    for dataset, number in found.pending.items():
        out.print(f"  pending {dataset:<{width}} {number:,}", highlight=False)
    _show_status(found, store)
    console.show_incomplete(found.incomplete, label="  incomplete")
    console.show_stale(found.stale)
    console.show_warnings(found.kpi_warnings)


def _sentence(found: Status, store: str) -> str:
    """Say what the store is doing, and what ends that."""
    run = f"takings run {shlex.quote(store)}"
    if found.state == GateState.BLOCKED:
        return f"batch {found.batch_id} is blocked until you run `takings unblock {shlex.quote(store)}`"
    if found.batch_id is not None and found.is_abandoned:
        return f"batch {found.batch_id} was interrupted; the next `{run}` resumes it"
    if found.batch_id is not None:
        return f"batch {found.batch_id} is running"
    match found.decision:
        case NothingPending():
            return "no file is pending"
        case Dispatch():
            return f"a batch starts with the next `{run}`"
        case Hold(missing=missing):
            return f"waiting for the first file of {listed(missing)}; `{run} --now` does not wait"
        case WaitUntil(deadline=deadline) if found.state == GateState.WAITING:
            return (
                f"waiting for more files until {spoken(deadline)} (in {minutes_until(deadline, found.at)});"
                f" `{run} --now` does not wait"
            )
        case WaitUntil(deadline=deadline):
            # No run has looked yet, so nothing has set the deadline.
            minutes = minutes_until(deadline, found.at)
            watch = f"takings watch {shlex.quote(store)}"
            return f"files are pending; `{run} --now` takes them at once, `{watch}` after {minutes} or when more come"


def _details(found: Status) -> Iterator[tuple[str, str]]:
    """Yield a label and what it says, for what there is to say."""
    if found.reason:
        yield "reason", found.reason
    if found.attempt > 1:
        yield "attempt", str(found.attempt)
    if found.owner:
        yield "process", found.owner
    if found.lease_expires_at is not None and not found.is_abandoned:
        yield "sign of life", f"due by {spoken(found.lease_expires_at)}; without it, the next run resumes the batch"
    if found.reading:
        yield "reading", found.reading
    if found.commit is not None:
        yield "commit", str(found.commit)
    if found.orphans:
        since = f", the oldest since {spoken(found.oldest_orphan_at)}" if found.oldest_orphan_at else ""
        yield "orphans", f"{count(found.orphans, 'item')} without their order or product{since}"


def _show_status(found: Status, store: str) -> None:
    for label, said in _details(found):
        out.print(f"  {label:<20} {marked(said)}", highlight=False, soft_wrap=True)
    for suspect in found.suspects:
        out.print(
            f"  [yellow]suspected[/] {marked(suspect.key)}: {count(suspect.deaths, 'process')} died while reading the file,"
            " so it is tried alone",
            highlight=False,
            soft_wrap=True,
        )
    for key, reason in found.unreadable[:_SHOWN_FAILURES]:
        out.print(f"  [yellow]left alone[/] {marked(key)}: {marked(reason)}", highlight=False, soft_wrap=True)
    if (more := len(found.unreadable) - _SHOWN_FAILURES) > 0:
        out.print(f"  [yellow]left alone[/] … and {more:,} more; --json has all", highlight=False)
    for letter in found.dead_letters[-_SHOWN_FAILURES:]:
        out.print(
            f"  [red]failed[/] {marked(letter.file_key)}: {marked(letter.reason or '')}",
            highlight=False,
            soft_wrap=True,
        )
    if found.dead_letters:
        out.print(
            f"  {count(len(found.dead_letters), 'file')} in failed/ without a newer one: fix and drop again, or"
            f" `takings replay {marked(shlex.quote(store))} --failed`",
            highlight=False,
            soft_wrap=True,
        )
