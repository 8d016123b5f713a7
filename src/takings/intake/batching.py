"""Decide when a batch starts and what is in it: pure functions of the pending files, the policy and the time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from takings.contracts.datasets import Dataset, DropKind
from takings.contracts.sources import NO_SOURCES, Sources
from takings.intake.arrivals import ObjectInfo, csv_bytes
from takings.layout import Drop

Pending = tuple[ObjectInfo, Drop]


@dataclass(frozen=True, kw_only=True)
class BatchPolicy:
    """When a batch starts, and how large it may be."""

    #: with this many pending files, a batch starts at once
    batch_files: int
    #: fewer files wait this long after every dataset is present
    batch_wait: timedelta
    #: count a dataset as present only if a file of it is pending (the brief's literal rule)
    require_every_dataset: bool
    #: a batch takes at most this many files …
    batch_max_files: int
    #: … and at most this many bytes of CSV in all, decompressed; a single larger file goes alone
    batch_max_bytes: int


@dataclass(frozen=True, kw_only=True)
class Dispatch:
    """A batch of these files starts now."""

    drops: tuple[Pending, ...]


@dataclass(frozen=True, kw_only=True)
class WaitUntil:
    """More files may come until the deadline."""

    deadline: datetime


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Datasets are missing, so there is no deadline yet."""

    missing: tuple[Dataset, ...]


@dataclass(frozen=True, kw_only=True)
class NothingPending:
    """There is nothing to do."""


Decision = Dispatch | WaitUntil | Hold | NothingPending


def decide(
    pending: Sequence[Pending],
    landed: Collection[Dataset],
    policy: BatchPolicy,
    *,
    deadline: datetime | None,
    now: datetime,
    at_once: bool = False,
    sources: Sources = NO_SOURCES,
) -> Decision:
    """Decide whether a batch starts.

    `landed` are the datasets that have ever reached the lake. `deadline` is the one set earlier, if any; it is never
    pushed back. With `at_once`, whatever is pending goes. A file of a source counts as one of each dataset that it yields.
    """
    if not pending:
        return NothingPending()
    if at_once:
        return Dispatch(drops=choose(pending, policy))
    present = sources.yielded(drop.dataset for _, drop in pending)
    present |= set() if policy.require_every_dataset else set(landed)
    missing = tuple(dataset for dataset in Dataset if dataset not in present)
    if missing:
        return Hold(missing=missing)
    if len(pending) >= policy.batch_files or (deadline is not None and deadline <= now):
        return Dispatch(drops=choose(pending, policy))
    return WaitUntil(deadline=deadline if deadline is not None else now + policy.batch_wait)


def choose(pending: Sequence[Pending], policy: BatchPolicy) -> tuple[Pending, ...]:
    """Return the oldest files up to the policy's limits, with each pending dataset represented.

    Two keys that would be archived under one name (`order-items/a.csv` and `order_items/a.csv`) never share a batch.
    """
    oldest_first = sorted(pending, key=_age)
    firsts: dict[DropKind, Pending] = {}
    for candidate in oldest_first:
        firsts.setdefault(candidate[1].dataset, candidate)
    taken: list[Pending] = []
    names: set[Drop] = set()
    size = 0
    for candidate in sorted(firsts.values(), key=_age) + oldest_first:
        if len(taken) >= max(policy.batch_max_files, 1):
            break
        info, drop = candidate
        own = csv_bytes(info.key, info.size, drop.dataset)
        if drop not in names and (not taken or size + own <= policy.batch_max_bytes):
            taken.append(candidate)
            names.add(drop)
            size += own
    return tuple(sorted(taken, key=_age))


def _age(pending: Pending) -> tuple[datetime, str]:
    return pending[0].written_at, pending[0].key
