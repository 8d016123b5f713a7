"""Process what is pending, or archived originals again, and say what was done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from takings import layout
from takings.archive.outcome import BatchOutcome, outcome_document
from takings.batch.store_format import check_lake, check_order_of_versions
from takings.composition.messengers import open_messenger, tell_news
from takings.composition.stores import Shop as OpenedStore
from takings.errors import MachineryError, UsageError
from takings.intake.batching import Decision, Hold, WaitUntil
from takings.layout import BatchId
from takings.queries.incomplete import Incomplete, find_incomplete
from takings.queries.published_kpis import kpi_warnings, stale_tables


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run did, and what it left waiting.

    >>> import takings
    >>> done = takings.open("shop").run(now=True)
    >>> [batch.commit for batch in done.batches], done.pending, done.has_rejections
    ([2], 0, False)
    """

    #: the batches that ended, in order; empty where they were handed to `on_batch`
    batches: tuple[BatchOutcome, ...]
    #: what the policy says about what is pending: NothingPending, WaitUntil or Hold
    decision: Decision
    #: files that are still pending
    pending: int
    #: key and reason of what lies under raw-data/ but is not a drop
    ignored: tuple[tuple[str, str], ...]
    #: what is known to be missing from the published numbers
    incomplete: Incomplete
    #: KPI table of the shop's own -> why its newest numbers are not published
    stale: Mapping[str, str]
    #: KPI table of the shop's own -> which check that only warns does not hold
    warnings: Mapping[str, str]
    #: new or changed KPI table -> how many of its keys were published without a batch
    caught_up: Mapping[str, int]
    #: how many batches ended
    ended: int
    #: a file or a row was refused
    has_rejections: bool
    finished_at: datetime

    def to_json(self) -> dict[str, Any]:
        """Return it as `takings run --json` prints it (run.schema.json).

        >>> import takings
        >>> takings.open("shop").run().to_json()["decision"]
        'WaitUntil'
        """
        return {
            "schema_version": 1,
            "batches": [outcome_document(batch) for batch in self.batches],
            "pending": self.pending,
            "decision": type(self.decision).__name__,
            "deadline": layout.format_instant(self.decision.deadline) if isinstance(self.decision, WaitUntil) else None,
            "missing": list(self.decision.missing) if isinstance(self.decision, Hold) else [],
            **({"caught_up": dict(self.caught_up)} if self.caught_up else {}),
            "incomplete": self.incomplete.to_json(),
            "ignored": [{"key": key, "reason": reason} for key, reason in self.ignored],
        }


def run(
    name: str,
    opened: AbstractContextManager[OpenedStore],
    *,
    now: bool,
    on_batch: Callable[[BatchOutcome], None] | None,
) -> Run:
    """Process what is pending in a store, then send what there is to tell of it."""
    # They take long to load, and a look at a store needs none of them.
    from takings.runs import pipeline

    batches: list[BatchOutcome] = []
    seen = _Seen()

    def ended(batch: BatchOutcome) -> None:
        seen.add(batch)
        if on_batch is None:
            batches.append(batch)
        else:
            on_batch(batch)

    with opened as store:
        ports = store.ports
        check_order_of_versions(ports.store, ports.contracts)
        check_lake(ports)
        messenger = open_messenger(store.settings)
        try:
            outcome = pipeline.run(ports, at_once=now, ended=ended)
        except MachineryError:
            tell_news(store, messenger, name)
            raise
        tell_news(store, messenger, name)
        return Run(
            batches=tuple(batches),
            decision=outcome.decision,
            pending=len(outcome.sighting.drops),
            ignored=tuple((key, ignored.reason) for key, ignored in outcome.sighting.ignored),
            incomplete=find_incomplete(ports),
            stale=stale_tables(ports),
            warnings=kpi_warnings(ports),
            caught_up=outcome.caught_up,
            ended=seen.number,
            has_rejections=seen.has_rejections,
            finished_at=ports.clock.now(),
        )


@dataclass
class _Seen:
    """The little that is kept of batches that have ended: there may be hundreds, of a thousand files each."""

    number: int = 0
    has_rejections: bool = False

    def add(self, batch: BatchOutcome) -> None:
        self.number += 1
        self.has_rejections |= batch.has_rejections


def replay(
    opened: AbstractContextManager[OpenedStore], *, batch: str | None, file: str | None, failed: bool
) -> tuple[BatchOutcome, ...]:
    """Take archived originals of a store again."""
    if sum((batch is not None, file is not None, failed)) != 1:
        raise UsageError("say what to replay: one of batch, file and failed.")
    from takings.runs.replay import replay_batch, replay_failed, replay_file

    with opened as store:
        ports = store.ports
        check_order_of_versions(ports.store, ports.contracts)
        check_lake(ports)
        if batch is not None:
            return replay_batch(ports, BatchId(batch))
        return replay_failed(ports) if file is None else replay_file(ports, file)
