"""Show people what a run did and what waits."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from rich.console import Console

from takings.api import Run
from takings.archive.outcome import BatchOutcome
from takings.entrypoints.console import count, listed, out, show_incomplete, show_warnings, spoken
from takings.entrypoints.legible import marked
from takings.intake.batching import Decision, Hold, NothingPending, WaitUntil
from takings.lake import RowChanges
from takings.validation.findings import FileReport, RecordCounts, Verdict

_SHOWN_REJECTIONS: Final = 20
#: room for the name of a dataset
_NAME: Final = 12


def show_run(done: Run, store: object) -> None:
    """Print what a run did, what the numbers lack if it did anything, and what waits."""
    for batch in done.batches:
        show_batch(batch, store)
    show_rest(done)


def show_rest(done: Run) -> None:
    """Print what waits after a run, what the numbers lack if it did anything, and what it left alone."""
    if done.ended:
        show_incomplete(done.incomplete)
    if done.caught_up:
        out.print(f"published without a batch: {_keys(done.caught_up)}", highlight=False)
    show_decision(done.decision, done.pending, done.finished_at, did_work=bool(done.ended))
    for key, reason in done.ignored:
        out.print(f"[yellow]left alone[/] {marked(key)}: {marked(reason)}", highlight=False, soft_wrap=True)


def _keys(published: Mapping[str, int]) -> str:
    return ", ".join(f"{count(keys, 'key')} of {table}" for table, keys in published.items())


def show_batch(batch: BatchOutcome, store: object = None) -> None:
    """Print how a batch ended, in a few lines; with its store, also what to do about refused files."""
    verdicts = Counter(report.verdict for report in batch.reports)
    files = ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in Verdict if verdicts[verdict])
    seconds = (batch.finished_at - batch.started_at).total_seconds()
    out.print(f"[bold]batch {batch.batch_id}[/]: {files or 'no file'} in {seconds:.1f} s", highlight=False)
    for line in _accounting(batch.reports, {} if batch.changes is None else batch.changes.files):
        out.print(line, highlight=False)
    if batch.commit is not None:
        days, keys = batch.published.get("OrderKPIs", 0), batch.published.get("CategoryKPIs", 0)
        own = {name: each for name, each in batch.published.items() if name not in {"OrderKPIs", "CategoryKPIs"}}
        others = "".join(f", {count(each, 'key')} of {name}" for name, each in own.items() if each)
        out.print(
            f"  commit {batch.commit}: {count(days, 'day')} and {count(keys, 'category day')}{others} published",
            highlight=False,
        )
    elif batch.published:
        out.print(f"  {_keys(batch.published)} published", highlight=False)
    if batch.orphans:
        out.print(
            f"  {count(batch.orphans, 'item')} in the lake wait for an order or a product (orphans)", highlight=False
        )
    for warning in () if batch.changes is None else batch.changes.warnings:
        out.print(f"  [yellow]warning[/] {marked(warning.sentence)}", highlight=False, soft_wrap=True)
    show_warnings(batch.kpi_warnings)
    _show_rejected(batch, store)
    for key in batch.returned:
        reason = batch.unread.get(key, "it was overwritten before it was read")
        out.print(f"  [yellow]back to pending[/] {marked(key)}: {marked(reason)}", highlight=False, soft_wrap=True)


def _show_rejected(batch: BatchOutcome, store: object) -> None:
    """Print which files were refused and why, and the next step."""
    rejected = [report for report in batch.reports if report.verdict is Verdict.REJECTED]
    for report in rejected[:_SHOWN_REJECTIONS]:
        out.print(
            f"  [red]rejected[/] {marked(report.key)}: {marked(report.reason or '')}", highlight=False, soft_wrap=True
        )
    if len(rejected) > _SHOWN_REJECTIONS:
        out.print(f"  [red]rejected[/] … and {len(rejected) - _SHOWN_REJECTIONS} more files")
    if rejected and store is not None:
        command = f"takings batches {shlex.quote(str(store))} {batch.batch_id}"
        for line in (
            f"every bad line: `{command}`",
            "then mend the file, and drop it again (docs/how-to/mend-rejects.md)",
        ):
            out.print(f"  {marked(line)}", highlight=False, soft_wrap=True)


def _accounting(reports: Sequence[FileReport], changes: Mapping[str, RowChanges]) -> Iterable[str]:
    kinds = sorted({report.dataset for report in reports})
    width = max([_NAME, *map(len, kinds)])
    for kind in kinds:
        of_kind = [report for report in reports if report.dataset == kind]
        counted = [changes[report.key] for report in of_kind if report.key in changes]
        yield _account(kind.ljust(width), [report.records for report in of_kind], counted, "record")
        made = [(dataset, rows.records) for report in of_kind for dataset, rows in report.made.items()]
        for dataset in sorted({dataset for dataset, _ in made}):
            counts = [rows for each, rows in made if each is dataset]
            yield "  " + _account(dataset.ljust(max(width - 2, _NAME)), counts, (), "row").replace(" read,", " made,")


def _account(kind: str, counts: Sequence[RecordCounts], counted: Iterable[RowChanges], what: str) -> str:
    """Return the row accounting of files of one kind, or of the rows of one dataset that were made of them."""
    read = sum(each.read for each in counts)
    to_lake = sum(counted, RowChanges()).described
    accepted = f"{sum(each.accepted for each in counts):,} accepted"
    parts = [f"{count(read, what)} read", f"{accepted} ({to_lake})" if to_lake else accepted]
    if rejected := sum(each.rejected for each in counts):
        parts.append(f"{rejected:,} rejected")
    if copies := sum(each.identical_duplicates for each in counts):
        parts.append(count(copies, "identical duplicate"))
    return f"  {kind} {', '.join(parts)}"


def show_decision(decision: Decision, pending: int, now: datetime, *, did_work: bool, to: Console = out) -> None:
    """Print what the policy says about what is pending."""
    match decision:
        case NothingPending():
            to.print("nothing more is pending" if did_work else "nothing to do: no file is pending")
        case WaitUntil(deadline=deadline):
            to.print(
                f"waiting: {count(pending, 'file')} pending; a batch starts at {spoken(deadline)}"
                f" (in {minutes_until(deadline, now)}) or when more come; `takings run --now` does not wait",
                highlight=False,
                soft_wrap=True,
            )
        case Hold(missing=missing):
            to.print(
                f"waiting: {count(pending, 'file')} pending, but no file of {listed(missing, 'or')} has ever come;"
                " `takings run --now` does not wait",
                highlight=False,
                soft_wrap=True,
            )


def minutes_until(deadline: datetime, now: datetime) -> str:
    """Return how long it is until then, for people."""
    return f"{max(0.0, (deadline - now).total_seconds() / 60):.0f} min"
