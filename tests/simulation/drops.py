"""Make up what is dropped: small files from a catalogue, so that contents meet again under other names and in other seeds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import IO, Final

from tests.oracle.kpis import Dataset
from tests.shop import Fields, csv_of, item, order, product

FOLDERS: Final[dict[Dataset, str]] = {"products": "products", "orders": "orders", "order_items": "order-items"}
#: contents of each dataset in the catalogue
CATALOGUE: Final = 40
#: the shop's days, long before anybody looks
DAYS: Final = ("2025-03-30", "2025-03-31", "2025-04-01")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Content:
    """The bytes of a file."""

    dataset: Dataset
    data: bytes
    is_dirty: bool

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of the bytes."""
        return sha256(self.data).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A file that somebody is going to drop."""

    content: Content
    #: behind raw-data/<prefix>/
    name: str
    #: how old the bytes are when they are dropped; below zero where the dropping machine's clock is ahead
    age: timedelta
    #: it is written where it lies, bit by bit, instead of being renamed into its place
    is_slow: bool

    @property
    def file(self) -> str:
        """Return the place of the file in raw-data/."""
        return f"{FOLDERS[self.content.dataset]}/{self.name}"


@dataclass(eq=False, kw_only=True)
class Drop:
    """Bytes that lay complete under a key."""

    plan: Plan
    key: str
    written_at: datetime
    etag: str
    #: a batch holds its own copy of the bytes
    is_fetched: bool = False
    #: other bytes came under the key after these
    is_overwritten: bool = False


@cache
def content(dataset: Dataset, number: int, *, is_dirty: bool = False) -> Content:
    """Return a content of the catalogue, or the same with a fault for which it is rejected."""
    chance = Random(f"{dataset} {number}")
    rows = _rows(chance, dataset)
    data = csv_of(*rows)
    if is_dirty:
        header, first, *_ = data.splitlines(keepends=True)
        data = chance.choice(
            (data + first.rstrip() + b",1\n", data + b'"' + first, header.replace(b"id", b"no") + first)
        )
    return Content(dataset=dataset, data=data, is_dirty=is_dirty)


def _rows(chance: Random, dataset: Dataset) -> Sequence[Fields]:
    """Draw one to three rows; an item may name an order or a product that never comes."""
    match dataset:
        case "products":
            ids = chance.sample(range(1, 4), chance.choice((1, 2, 3)))
            return [product(id_, chance.choice(("Books", "Toys"))) for id_ in ids]
        case "orders":
            ids = chance.sample(range(1, 5), chance.choice((1, 2, 3)))
            return [
                order(
                    id_,
                    f"{chance.choice(DAYS)}T10:00:00",
                    user_id=chance.randint(1, 2),
                    status=chance.choice(("shipped", "returned")),
                )
                for id_ in ids
            ]
        case "order_items":
            ids = chance.sample(range(1, 5), chance.choice((1, 2, 3)))
            return [
                item(
                    id_,
                    chance.choice((1, 1, 2, 2, 3, 4, 9)),
                    chance.choice((1, 1, 2, 3, 9)),
                    chance.choice(("10.00", "4.25", "0.005")),
                    status=chance.choice(("shipped", "returned", "cancelled")),
                )
                for id_ in ids
            ]


def plan_drops(chance: Random) -> list[Plan]:
    """Draw what is dropped: often the same keys, sometimes the same bytes, now and then a bad file."""
    plans: list[Plan] = []
    datasets: list[Dataset] = ["products", "orders", "order_items"]
    chance.shuffle(datasets)
    datasets += chance.choices(("products", "orders", "order_items"), (1, 3, 3), k=chance.randint(1, 6))
    numbers = {dataset: chance.sample(range(CATALOGUE), 4) for dataset in FOLDERS}
    for dataset in datasets:
        if plans and chance.random() < 0.25:
            plans.append(_again(chance, plans))
            continue
        is_dirty = chance.random() < 0.12
        plans.append(
            Plan(
                content=content(dataset, chance.choice(numbers[dataset]), is_dirty=is_dirty),
                name=f"{chance.choice('aaabc')}.csv",
                age=_age(chance),
                is_slow=chance.random() < 0.2,
            )
        )
    if chance.random() < 0.3:
        # There and back again: the older bytes of a key are a correction of the newer ones.
        first = chance.choice(plans)
        other = content(first.content.dataset, chance.randrange(CATALOGUE))
        plans += [replace(first, content=other, age=_age(chance)), replace(first, age=_age(chance))]
    return plans


def _again(chance: Random, plans: Sequence[Plan]) -> Plan:
    """Drop the same bytes again: under their name, most often where others stood meanwhile, or as a copy."""
    newest = {plan.file: plan.content for plan in plans}
    superseded = [plan for plan in plans if newest[plan.file] != plan.content]
    again = chance.choice(superseded or plans)
    name = again.name if chance.random() < 0.7 else f"{chance.choice('abc')}.csv"
    return replace(again, name=name, age=_age(chance))


def _age(chance: Random) -> timedelta:
    """Draw how old a file is: mostly new, sometimes an old one moved here, sometimes from the future."""
    seconds = chance.choice((0.0, 0.0, 0.0, 0.0, chance.uniform(1, 20), chance.uniform(60, 3600), -2.0))
    return timedelta(seconds=seconds, microseconds=chance.randrange(1000))


def place(root: Path, plan: Plan, written_at: datetime) -> os.stat_result:
    """Rename a file into its place, with its time."""
    target = root / "raw-data" / plan.file
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}")
    draft.write_bytes(plan.content.data)
    set_time(draft, written_at)
    return draft.rename(target).lstat()


def begin_to_write(root: Path, plan: Plan, written_at: datetime) -> IO[bytes]:
    """Write the first half of a file where it lies, over whatever lay there, and keep it open."""
    target = root / "raw-data" / plan.file
    target.parent.mkdir(parents=True, exist_ok=True)
    file = target.open("wb")
    file.write(plan.content.data[: len(plan.content.data) // 2])
    file.flush()
    set_time(file.fileno(), written_at)
    return file


def end_to_write(file: IO[bytes], plan: Plan, written_at: datetime) -> os.stat_result:
    """Write the rest and close the file, wherever it is by now."""
    file.write(plan.content.data[len(plan.content.data) // 2 :])
    file.flush()
    set_time(file.fileno(), written_at)
    status = os.fstat(file.fileno())
    file.close()
    return status


def set_time(path: Path | int, moment: datetime) -> None:
    """Set when a file was written."""
    nanoseconds = (moment - _EPOCH) // timedelta(microseconds=1) * 1000
    os.utime(path, ns=(nanoseconds, nanoseconds))


def written_at(path: Path) -> datetime:
    """Return when a file was written, as `set_time` says."""
    return _EPOCH + timedelta(microseconds=path.stat().st_mtime_ns // 1000)
