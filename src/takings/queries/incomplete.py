"""Report which days are incomplete: what is known to be missing from published numbers. The numbers stay as they are.

Every batch keeps what the lake lacked (`batch/gaps.py`). A refused file leaves no commit, so the archive and the ledger say
which files were refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from takings import layout
from takings.archive.lineage import LineageRecord, dead_letters
from takings.batch.commits import newest_commit
from takings.batch.gaps import gaps_before, read_gaps
from takings.documents import REFUSED_DAYS, read_document
from takings.errors import MachineryError
from takings.lake import NO_GAP, Commit, Gap, Gaps
from takings.layout import BatchId
from takings.ports import ObjectStore, Ports
from takings.validation.findings import Verdict

_CENT: Final = Decimal("0.01")

#: how many refused files a sentence names
_MOST_NAMED: Final = 3


@dataclass(frozen=True, kw_only=True)
class IncompleteDay:
    """What is missing from one day's numbers."""

    gap: Gap = NO_GAP
    #: keys of refused files with rows of the day
    refused: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Return it as a sentence for people."""
        parts = [_waiting(self.gap, "its product", "their product"), _bare(self.gap.orders_without_items)]
        if self.refused:
            parts.append(f"{_named(self.refused)} of this day {'was' if len(self.refused) == 1 else 'were'} refused")
        return "; ".join(part for part in parts if part)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON shows it."""
        return {
            "sentence": self.sentence,
            "waiting_items": self.gap.waiting_items,
            "waiting_worth": _money(self.gap.waiting_worth),
            "orders_without_items": self.gap.orders_without_items,
            "refused": list(self.refused),
        }


@dataclass(frozen=True, kw_only=True)
class Incomplete:
    """What is known to be missing from the published numbers."""

    days: Mapping[date, IncompleteDay] = field(default_factory=dict)
    #: items without an order; nobody knows their day
    undated: Gap = NO_GAP
    #: keys of refused files whose days are not known
    refused: tuple[str, ...] = ()
    #: why it is unknown what is missing
    fault: str | None = None

    def __bool__(self) -> bool:
        return bool(self.days or self.notes)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what is missing from unknown days."""
        notes = [_waiting(self.undated, "its order", "their order")]
        if self.refused:
            was = "was refused, and its" if len(self.refused) == 1 else "were refused, and their"
            notes.append(f"{_named(self.refused)} {was} days are not known")
        if self.fault is not None:
            notes.append(f"it is not known what is missing: {self.fault.rstrip('.')}")
        return tuple(note for note in notes if note)

    def between(self, first: date | None, last: date | None) -> Incomplete:
        """Return what is, or may be, missing from a range of days."""
        days = {
            day: each
            for day, each in self.days.items()
            if (first is None or day >= first) and (last is None or day <= last)
        }
        return replace(self, days=days)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON shows it."""
        return {
            "days": [{"day": day.isoformat(), **each.to_json()} for day, each in sorted(self.days.items())],
            "notes": list(self.notes),
        }


def find_incomplete(ports: Ports, as_of: Commit | None = None) -> Incomplete:
    """Return what is known to be missing from the numbers published now, or as of a commit.

    Published numbers are shown even if something is damaged, so a fault is part of the answer.
    """
    try:
        with ports.faults():
            return _find_incomplete(ports, as_of)
    except MachineryError as fault:
        return Incomplete(fault=str(fault))


def _find_incomplete(ports: Ports, as_of: Commit | None) -> Incomplete:
    commit = as_of or newest_commit(ports.store, ports.ledger.gate().last_commit)
    gaps = Gaps() if commit is None else _gaps_as_of(ports, commit)
    days = {day: IncompleteDay(gap=gap) for day, gap in gaps.days.items()}
    of_nobody_knows_when = []
    for key, about in _refused(ports):
        if not about:
            of_nobody_knows_when.append(key)
        for day in about:
            known = days.get(day, IncompleteDay())
            days[day] = IncompleteDay(gap=known.gap, refused=(*known.refused, key))
    return Incomplete(days=dict(sorted(days.items())), undated=gaps.undated, refused=tuple(of_nobody_knows_when))


def _gaps_as_of(ports: Ports, commit: Commit) -> Gaps:
    """Return what is lacking as of a commit, or of the previous one while its batch runs; for an older store, what waits."""
    kept = read_gaps(ports.store, commit.batch_id)
    if kept is None:
        kept = gaps_before(ports.store, commit)
    if kept is None:
        kept = ports.engine.gaps(ports.tables.snapshot(commit.versions), ())
    return kept


def _refused(ports: Ports) -> Iterable[tuple[str, tuple[date, ...]]]:
    """Yield the refused files without a newer accepted original, oldest first, with the days they are about."""
    found = (
        layout.read_failed_key(info.key, ports.contracts.sources.folders) for info in ports.store.list(layout.FAILED)
    )
    keys = {key for each in found if each is not None for key in each[1]}
    newest = ports.ledger.newest_versions(keys) if keys else {}
    candidates: list[LineageRecord] = []
    for key, record in newest.items():
        if record.verdict is Verdict.REJECTED:
            candidates.append(record)
        elif record.verdict is None:
            # A newer original is being processed, or was given back.
            candidates += dead_letters(ports.ledger.lineage(file_key=key))
    days: dict[BatchId, Mapping[str, tuple[date, ...]]] = {}
    for record in sorted(candidates, key=lambda each: (each.processing_date, each.file_key)):
        if record.batch_id not in days:
            days[record.batch_id] = _read_refused_days(ports.store, record.batch_id)
        yield record.file_key, days[record.batch_id].get(record.file_key, ())


def _read_refused_days(store: ObjectStore, batch_id: BatchId) -> Mapping[str, tuple[date, ...]]:
    document = read_document(store, layout.refused_days(batch_id), REFUSED_DAYS)
    files = () if document is None else document["files"]
    return {file["key"]: tuple(date.fromisoformat(day) for day in file["days"]) for file in files}


def _waiting(gap: Gap, one: str, several: str) -> str:
    if not gap.waiting_items:
        return ""
    if gap.waiting_items == 1:
        return f"1 item worth {_cents(gap.waiting_worth):,} waits for {one}"
    return f"{gap.waiting_items:,} items worth {_cents(gap.waiting_worth):,} wait for {several}"


def _bare(orders: int) -> str:
    if not orders:
        return ""
    return "1 order has no item" if orders == 1 else f"{orders:,} orders have no item"


def _cents(value: Decimal) -> Decimal:
    return value.quantize(_CENT, rounding=ROUND_HALF_UP)


def _money(value: Decimal) -> str:
    return f"{_cents(value):f}"


def _named(keys: Sequence[str]) -> str:
    names = [key.removeprefix(layout.RAW) for key in keys]
    if len(names) > _MOST_NAMED:
        return f"{', '.join(names[:_MOST_NAMED])} and {len(names) - _MOST_NAMED:,} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
