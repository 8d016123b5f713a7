"""Find what people want to be told of a store: refused files, a blocked batch, silence, old orphans, unusual days."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from takings import layout
from takings.documents import OUTCOME, read_document
from takings.intake.gate import GateState
from takings.intake.next_action import blocked_message
from takings.kpis.publication import visible
from takings.layout import BatchId
from takings.ports import Ports
from takings.queries.batches import batch_ids
from takings.queries.incomplete import Incomplete
from takings.queries.published_kpis import By, kpi_table
from takings.queries.status import Status, find_status
from takings.queries.unusual_days import WEEKS, UnusualDay, unusual_days
from takings.settings import NewsKind, Settings
from takings.time_zones import business_time

#: what could not be told for so long is not news any more
LOOK_BACK: Final = timedelta(days=3)
#: a day is judged so long after its end, when the drops of its last hours have come
_SETTLES: Final = timedelta(hours=6)
#: how many days back are judged: an old day that is corrected today is no news
_JUDGED_DAYS: Final = 3
#: how many files a message names
_MOST_NAMED: Final = 10


@dataclass(frozen=True, kw_only=True)
class News:
    """One thing to tell, once."""

    kind: NewsKind
    #: with the kind, the name of the thing; another occurrence has another one
    id: str
    title: str
    text: str


@dataclass(frozen=True, kw_only=True)
class NewsRules:
    """What is told, and from which limits on."""

    kinds: frozenset[NewsKind]
    #: how long nothing may be taken
    quiet: timedelta
    #: how long an item may wait for its order or product
    orphans: timedelta

    @staticmethod
    def of(settings: Settings) -> NewsRules:
        """Return what the settings say."""
        return NewsRules(
            kinds=frozenset(settings.notify_of), quiet=settings.notify_quiet, orphans=settings.notify_orphans
        )


def find_news(ports: Ports, rules: NewsRules, since: datetime) -> Iterator[News]:
    """Yield what there is to tell now that happened after `since`, whether or not it was told before."""
    status = find_status(ports, Incomplete())
    finders: Mapping[NewsKind, Callable[[], Iterator[News]]] = {
        NewsKind.BLOCKED: lambda: _blocked(status),
        NewsKind.REJECTED: lambda: _rejected(ports, since),
        NewsKind.QUIET: lambda: _quiet(ports, status, since, rules.quiet),
        NewsKind.ORPHANS: lambda: _orphans(ports, status, rules.orphans),
        NewsKind.UNUSUAL: lambda: _unusual(ports, since),
    }
    for kind, find in finders.items():
        if kind in rules.kinds:
            yield from find()


def _blocked(status: Status) -> Iterator[News]:
    if status.state == GateState.BLOCKED:
        yield News(
            kind=NewsKind.BLOCKED,
            id=f"{status.batch_id}-{status.attempt}",
            title=f"Batch {status.batch_id} is blocked",
            text=blocked_message(status.batch_id, status.reason),
        )


def _rejected(ports: Ports, since: datetime) -> Iterator[News]:
    oldest = max(since, ports.clock.now() - LOOK_BACK)
    for batch_id, formed_at in _formed(ports):
        if formed_at < oldest:
            continue
        outcome = read_document(ports.store, layout.outcome(batch_id), OUTCOME)
        refused = [file for file in (outcome or {}).get("files", ()) if _is_refused(file)]
        if refused:
            yield _of_refused(batch_id, refused)


def _formed(ports: Ports) -> Iterator[tuple[BatchId, datetime]]:
    """Yield each batch with the instant at which it was formed; what else lies in batches/ is none."""
    for batch_id in batch_ids(ports):
        with suppress(ValueError):
            yield batch_id, layout.batch_instant(batch_id)


def _is_refused(file: Mapping[str, Any]) -> bool:
    return file["verdict"] == "rejected" or bool(file["records"]["rejected"])


def _of_refused(batch_id: BatchId, files: list[Mapping[str, Any]]) -> News:
    lines = [
        f"{file['key']}: {file['records']['rejected']:,} of {file['records']['read']:,} records refused. {file['reason'] or ''}"
        for file in files[:_MOST_NAMED]
    ]
    if len(files) > _MOST_NAMED:
        lines.append(f"… and {len(files) - _MOST_NAMED:,} more")
    lines.append(f"`takings batches STORE {batch_id}` shows each line. Fix the file and drop it again.")
    return News(
        kind=NewsKind.REJECTED,
        id=batch_id,
        title="A file was refused" if len(files) == 1 else f"{len(files):,} files were refused",
        text="\n".join(lines),
    )


def _quiet(ports: Ports, status: Status, since: datetime, limit: timedelta) -> Iterator[News]:
    """Yield that no batch was formed for too long, whether nothing comes or what comes waits."""
    newest = max([since, *(formed_at for _, formed_at in _formed(ports))])
    if status.batch_id is not None or ports.clock.now() - newest < limit:
        return
    pending = sum(status.pending.values())
    waiting = f" {pending:,} file{' is' if pending == 1 else 's are'} pending" if pending else " No file is pending"
    missing = f", but no file of {', '.join(status.missing)} has ever come" if status.missing else ""
    yield News(
        kind=NewsKind.QUIET,
        id=layout.compact_instant(newest),
        title=f"Nothing was taken since {newest:%Y-%m-%d %H:%M} UTC",
        text=f"No batch was formed for {_described(limit)}.{waiting}{missing}. `takings status STORE` says what it waits for.",
    )


def _orphans(ports: Ports, status: Status, limit: timedelta) -> Iterator[News]:
    oldest = status.oldest_orphan_at
    if oldest is not None and ports.clock.now() - oldest >= limit:
        waiting = "1 item is" if status.orphans == 1 else f"{status.orphans:,} items are"
        yield News(
            kind=NewsKind.ORPHANS,
            id=layout.compact_instant(oldest),
            title=f"Items wait for their order or product since {oldest:%Y-%m-%d %H:%M} UTC",
            text=f"{waiting} in no figure until order and product come. Drop the files that hold them.",
        )


def _unusual(ports: Ports, since: datetime) -> Iterator[News]:
    zone = business_time(ports.time_zone)
    last = zone.day_of(ports.clock.now() - _SETTLES) - timedelta(days=1)
    first = max(last - timedelta(days=_JUDGED_DAYS - 1), zone.day_of(since))
    revenue = revenue_by_day(ports, first - timedelta(weeks=WEEKS), last)
    for found in unusual_days(revenue, first, last):
        yield News(kind=NewsKind.UNUSUAL, id=found.day.isoformat(), title=_title(found), text=_text(found))


def revenue_by_day(ports: Ports, first: date, last: date) -> dict[date, Decimal]:
    """Return the published revenue of each day that has numbers."""
    rows = visible(ports.kpis.rows(kpi_table(ports.kpi_tables, By.DAY), first=first, last=last))
    return {row.key[0]: Decimal(row.values["total_revenue"] or 0) for row in rows}


def _title(found: UnusualDay) -> str:
    side = "less" if found.revenue < found.usual.low else "more"
    return f"{found.day:%A, %Y-%m-%d}: {found.revenue:,.2f} of revenue, much {side} than usual"


def _text(found: UnusualDay) -> str:
    usual = found.usual
    return (
        f"The last {usual.days} {found.day:%A}s had a median of {usual.median:,.2f}, and usually lie between"
        f" {usual.low:,.2f} and {usual.high:,.2f}. `takings explain STORE {found.day}` shows the rows behind the day."
    )


def _described(limit: timedelta) -> str:
    hours = limit.total_seconds() / 3600
    return f"{hours / 24:g} days" if hours >= 48 else f"{hours:g} hours"
