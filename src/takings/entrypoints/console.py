"""Show people progress and results: a moving line on a terminal, summaries and tables."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from takings.archive.outcome import BatchOutcome
from takings.contracts.datasets import DropKind
from takings.contracts.model import Contracts
from takings.entrypoints.legible import cut, legible, marked
from takings.intake.batching import Decision, Hold, NothingPending, WaitUntil
from takings.lake import RowChanges
from takings.queries.incomplete import Incomplete
from takings.runs.pipeline import RunOutcome
from takings.validation.findings import FileReport, RecordCounts, Verdict, Violation
from takings.validation.remedies import remedy_in

_log = logging.getLogger("takings")
_STEPS: Final = {
    "batch.dispatched": "batch {batch_id}: {files} files",
    "batch.resumed": "batch {batch_id}: resumed, attempt {attempt}",
    "file.validating": "validating {key} ({place} of {of} done)",
    "lake.merging": "merging {dataset} into the lake",
    "lake.committed": "commit {commit}",
    "kpis.computing": "computing KPIs of {days} days",
    "file.archived": "archived {archived_at}",
    "export.waiting": "DynamoDB is exporting {tables}; this takes some minutes",
}
#: events after which an instance does nothing more for now
_ENDS: Final = {"batch.superseded", "batch.given_up", "batch.elsewhere"}
#: events that a person has to see whatever else is shown
_WARNINGS: Final = {
    "watch.without_events": "the system does not report changes under {folder} ({reason}), so only the sweep finds files;"
    " see the setting `sweep`",
    "batch.retrying": "batch {batch_id} failed ({fault}); its next attempt begins in {in_seconds:g} s",
    "batch.given_up": "batch {batch_id} was given up, and its files are pending again: {cause}",
    "file.stuck": "{key}: {reason}",
    "file.suspected": "a process died while it read {key} ({deaths} so far), so it is tried alone",
}
_SHOWN_REJECTIONS: Final = 20
_SHOWN_DAYS: Final = 10
#: used for a pipe, which has no width; wide enough for every table
_PIPE_WIDTH: Final = 160

#: the most columns of a name in a table, and the most as a share of a narrow terminal
_LONGEST_NAME: Final = 40
_PART_OF_A_NAME: Final = 3


class _LegibleConsole(Console):
    """Print texts without control characters that a terminal would obey; line feeds come from the caller alone."""

    def render_str(self, text: str, **options: Any) -> Text:  # noqa: ANN401 - Rich's own
        """Read a text with markup."""
        return super().render_str(legible(text, keep="\n"), **options)


out = _LegibleConsole(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
err = _LegibleConsole(stderr=True)


def most_of_a_name() -> int:
    """Return how many columns of a terminal a name may take in a table."""
    return min(_LONGEST_NAME, max(12, out.width // _PART_OF_A_NAME))


class Teller:
    """Log events as they happen: as log lines, and as one moving line on a terminal."""

    def __init__(self) -> None:
        self._status: Status | None = None

    def __call__(self, fact: str, known: Mapping[str, object]) -> None:
        """Log one event."""
        known = {key: value if isinstance(value, int | float) else legible(str(value)) for key, value in known.items()}
        _log.info("%s %s", fact, " ".join(f"{key}={value}" for key, value in known.items()))
        if fact in _WARNINGS:
            err.print(f"[yellow]{marked(_WARNINGS[fact].format(**known))}[/]", highlight=False, soft_wrap=True)
        if fact in _ENDS:
            self.be_quiet()
        if err.is_terminal and fact in _STEPS:
            text = marked(_STEPS[fact].format(**known))
            if self._status is None:
                self._status = err.status(text)
                self._status.start()
            self._status.update(text)

    def be_quiet(self) -> None:
        """End the moving line."""
        if self._status is not None:
            self._status.stop()
            self._status = None


def show_run(outcome: RunOutcome, incomplete: Incomplete, now: datetime) -> None:
    """Print what a run did, what the numbers lack if it did anything, and what waits."""
    for batch in outcome.batches:
        show_batch(batch)
    show_rest(outcome, incomplete, now, did_work=bool(outcome.batches))


def show_rest(outcome: RunOutcome, incomplete: Incomplete, now: datetime, *, did_work: bool) -> None:
    """Print what waits after a run, what the numbers lack if it did anything, and what it left alone."""
    if did_work:
        show_incomplete(incomplete)
    show_decision(outcome.decision, len(outcome.sighting.drops), now, did_work=did_work)
    for key, ignored in outcome.sighting.ignored:
        out.print(f"[yellow]left alone[/] {marked(key)}: {marked(ignored.reason)}", highlight=False, soft_wrap=True)


def show_batch(batch: BatchOutcome) -> None:
    """Print how a batch ended, in a few lines."""
    verdicts = Counter(report.verdict for report in batch.reports)
    files = ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in Verdict if verdicts[verdict])
    seconds = (batch.finished_at - batch.started_at).total_seconds()
    out.print(f"[bold]batch {batch.batch_id}[/]: {files or 'no file'} in {seconds:.1f} s", highlight=False)
    for line in _accounting(batch.reports, {} if batch.changes is None else batch.changes.files):
        out.print(line, highlight=False)
    if batch.commit is not None:
        days, keys = batch.published.get("OrderKPIs", 0), batch.published.get("CategoryKPIs", 0)
        out.print(
            f"  commit {batch.commit}: {count(days, 'day')} and {count(keys, 'category day')} published",
            highlight=False,
        )
    if batch.orphans:
        out.print(
            f"  {count(batch.orphans, 'item')} in the lake wait for an order or a product (orphans)", highlight=False
        )
    for warning in () if batch.changes is None else batch.changes.warnings:
        out.print(f"  [yellow]warning[/] {marked(warning.sentence)}", highlight=False, soft_wrap=True)
    rejected = [report for report in batch.reports if report.verdict is Verdict.REJECTED]
    for report in rejected[:_SHOWN_REJECTIONS]:
        out.print(
            f"  [red]rejected[/] {marked(report.key)}: {marked(report.reason or '')}", highlight=False, soft_wrap=True
        )
    if len(rejected) > _SHOWN_REJECTIONS:
        out.print(f"  [red]rejected[/] … and {len(rejected) - _SHOWN_REJECTIONS} more files")
    for key in batch.returned:
        reason = batch.unread.get(key, "it was overwritten before it was read")
        out.print(f"  [yellow]back to pending[/] {marked(key)}: {marked(reason)}", highlight=False, soft_wrap=True)


def _accounting(reports: Sequence[FileReport], changes: Mapping[str, RowChanges]) -> Iterable[str]:
    for kind in sorted({report.dataset for report in reports}):
        of_kind = [report for report in reports if report.dataset == kind]
        counted = [changes[report.key] for report in of_kind if report.key in changes]
        yield _account(kind, [report.records for report in of_kind], counted, "record")
        made = [(dataset, rows.records) for report in of_kind for dataset, rows in report.made.items()]
        for dataset in sorted({dataset for dataset, _ in made}):
            counts = [rows for each, rows in made if each is dataset]
            yield "  " + _account(dataset, counts, (), "row").replace(" read,", " made,")


def _account(kind: str, counts: Sequence[RecordCounts], counted: Iterable[RowChanges], what: str) -> str:
    """Return the row accounting of files of one kind, or of the rows of one dataset that were made of them."""
    read = sum(each.read for each in counts)
    to_lake = sum(counted, RowChanges()).described
    accepted = f"{sum(each.accepted for each in counts):,} accepted"
    parts = [f"{count(read, what)} read", f"{accepted} ({to_lake})" if to_lake else accepted]
    if rejected := sum(each.rejected for each in counts):
        parts.append(f"{rejected:,} rejected")
    if copies := sum(each.identical_duplicates for each in counts):
        parts.append(f"{copies:,} identical duplicates")
    return f"  {kind:<12} {', '.join(parts)}"


def show_decision(decision: Decision, pending: int, now: datetime, *, did_work: bool, to: Console = out) -> None:
    """Print what the policy says about what is pending."""
    match decision:
        case NothingPending():
            to.print("nothing more is pending" if did_work else "nothing to do: no file is pending")
        case WaitUntil(deadline=deadline):
            minutes = max(0.0, (deadline - now).total_seconds() / 60)
            to.print(
                f"waiting: {count(pending, 'file')} pending, dispatched at {deadline:%Y-%m-%d %H:%M:%S} UTC"
                f" (in {minutes:.0f} min) or when more come; `takings run --now` does not wait",
                highlight=False,
                soft_wrap=True,
            )
        case Hold(missing=missing):
            to.print(
                f"holding: {count(pending, 'file')} pending, but no file of {', '.join(missing)} has ever come;"
                " `takings run --now` does not wait",
                highlight=False,
                soft_wrap=True,
            )


def show_incomplete(incomplete: Incomplete, *, to: Console = out, label: str = "incomplete") -> None:
    """Print which days are incomplete, and what is missing, if anything."""
    days = sorted(incomplete.days.items())
    shown = [f"{day}: {each.sentence}" for day, each in days[:_SHOWN_DAYS]]
    if len(days) > len(shown):
        shown.append(f"… and {count(len(days) - len(shown), 'day')} more; `takings status --json` lists them")
    for line in (*shown, *incomplete.notes):
        to.print(f"[yellow]{label}[/] {marked(line)}", highlight=False, soft_wrap=True)


def show_violations(violations: Sequence[Violation], contracts: Contracts, kind: DropKind) -> None:
    """Print violations as a table: where, which rule, what the value looks like, what to do."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("line", justify="right", no_wrap=True)
    for column in ("column", "rule", "looks like", "what to do"):
        table.add_column(column, overflow="fold")
    for found in violations:
        table.add_row(
            "–" if found.line is None else f"{found.line:,}",
            marked(cut(found.column or "–", _LONGEST_NAME)),
            found.rule.partition("|")[2],
            marked(cut(found.shape or "–", _LONGEST_NAME)),
            marked(_advice(found, contracts, kind)),
        )
    out.print(table)


def _advice(found: Violation, contracts: Contracts, kind: DropKind) -> str:
    """Say what to do, and what is wrong where the column does not tell."""
    what_to_do = remedy_in(contracts, kind, found.rule)
    says_it_itself = found.record is None and ". " in found.reason
    if says_it_itself:
        return found.reason
    return what_to_do if found.column is not None else f"{found.reason.rstrip('.')}: {what_to_do}"


def count(number: int, thing: str) -> str:
    """Return a number with its noun."""
    if number == 1:
        return f"1 {thing}"
    if thing.endswith("y") and thing[-2] not in "aeiou":
        return f"{number:,} {thing[:-1]}ies"
    return f"{number:,} {thing}{'es' if thing.endswith('ch') else 's'}"
