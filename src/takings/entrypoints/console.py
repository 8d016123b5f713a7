"""Show people progress: a moving line on a terminal, warnings, and what the numbers lack."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.status import Status
from rich.text import Text

from takings.entrypoints.legible import cut, legible, marked
from takings.entrypoints.wrapping import wrapped

if TYPE_CHECKING:
    from takings.queries.incomplete import Incomplete

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
    "notice.not_sent": "a message was not sent, and is tried again by the next check: {reason}",
    "notice.failed": "there was no look at what to tell: {reason}",
    "lineage.not_sent": "an OpenLineage event of batch {batch_id} was not sent: {reason}",
    "spark.reads_copies": "Spark reads copies of {lake}, which this process downloads, as no file system for {scheme}:// is on"
    " its class path. For a large lake, name S3's connector in spark.jars.packages; see docs/spark.md",
    "file.stuck": "{key}: {reason}",
    "file.suspected": "a process died while it read {key} ({deaths} so far), so it is tried alone",
}
_SHOWN_DAYS: Final = 10
#: used for a pipe, which has no width unless COLUMNS says one; wide enough for every table
_PIPE_WIDTH: Final = 160

#: the most columns of a name in a table, and the most as a share of a narrow terminal
LONGEST_NAME: Final = 40
_PART_OF_A_NAME: Final = 3


class _LegibleConsole(Console):
    """Print texts without control characters that a terminal would obey; line feeds come from the caller alone."""

    def render_str(self, text: str, **options: Any) -> Text:  # noqa: ANN401 - Rich's own
        """Read a text with markup."""
        return super().render_str(legible(text, keep="\n"), **options)

    def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401 - Rich's own
        """Print; a sentence that may be longer than a line is wrapped between words on a terminal, and nowhere else."""
        if options.get("soft_wrap") and not options.get("no_wrap") and self.is_terminal:
            objects = tuple(
                wrapped(self.render_str(each, highlight=options.get("highlight")), self.width)
                if isinstance(each, str)
                else each
                for each in objects
            )
        super().print(*objects, **options)


out = _LegibleConsole(width=None if sys.stdout.isatty() or os.environ.get("COLUMNS") else _PIPE_WIDTH)
err = _LegibleConsole(stderr=True)


def most_of_a_name() -> int:
    """Return how many columns of a terminal a name may take in a table."""
    return min(LONGEST_NAME, max(12, out.width // _PART_OF_A_NAME))


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
            # A line that wraps would move the terminal's text.
            text = marked(cut(_STEPS[fact].format(**known), max(err.width - 3, 12)))
            if self._status is None:
                self._status = err.status(text)
                self._status.start()
            self._status.update(text)

    def be_quiet(self) -> None:
        """End the moving line."""
        if self._status is not None:
            self._status.stop()
            self._status = None


def show_stale(stale: Mapping[str, str], *, to: Console = out) -> None:
    """Print which tables of the shop's own could not be published, and why."""
    for name, reason in stale.items():
        to.print(
            f"[yellow]stale[/] {marked(name)}: {marked(reason)} `takings run STORE` tries again.",
            highlight=False,
            soft_wrap=True,
        )


def show_warnings(warnings: Mapping[str, str], *, to: Console = out) -> None:
    """Print which checks that only warn do not hold for tables of the shop's own."""
    for name, sentence in warnings.items():
        to.print(f"[yellow]warning[/] {marked(name)}: {marked(sentence)}", highlight=False, soft_wrap=True)


def show_incomplete(incomplete: Incomplete, *, to: Console = out, label: str = "incomplete") -> None:
    """Print which days are incomplete, and what is missing, if anything."""
    days = sorted(incomplete.days.items())
    shown = [f"{day}: {each.sentence}" for day, each in days[:_SHOWN_DAYS]]
    if len(days) > len(shown):
        shown.append(f"… and {count(len(days) - len(shown), 'day')} more; `takings status --json` lists them")
    for line in (*shown, *incomplete.notes):
        to.print(f"[yellow]{label}[/] {marked(line)}", highlight=False, soft_wrap=True)


def spoken(moment: datetime) -> str:
    """Return an instant for people, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def listed(names: Sequence[str], word: str = "and") -> str:
    """Return names as a sentence has them: a, b and c."""
    return f" {word} ".join([", ".join(names[:-1])] * bool(names[:-1]) + list(names[-1:]))


def count(number: int, thing: str) -> str:
    """Return a number with its noun."""
    if number == 1:
        return f"1 {thing}"
    if thing.endswith("y") and thing[-2] not in "aeiou":
        return f"{number:,} {thing[:-1]}ies"
    return f"{number:,} {thing}{'es' if thing.endswith(('ch', 'ss')) else 's'}"
