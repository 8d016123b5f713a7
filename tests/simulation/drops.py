"""Invent the drops: small files from a catalogue, so the same contents occur under other names and in other seeds."""

from __future__ import annotations

import csv
import io
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
from tests.simulation.parts import REPLACES, VERSIONED, Versions

FOLDERS: Final[dict[Dataset, str]] = {"products": "products", "orders": "orders", "order_items": "order-items"}
KEYS: Final[dict[Dataset, bytes]] = {"products": b"id", "orders": b"order_id", "order_items": b"id"}
#: contents of each dataset in the catalogue
CATALOGUE: Final = 40
#: when the shop changed a row, if its contract names that column
VERSIONED_BY: Final = "updated_at"
CHANGED: Final = ("2025-06-01T08:00:00Z", "2025-06-02T08:00:00Z", "2025-06-03T08:00:00Z")
#: the shop's days, long before anybody reads them
DAYS: Final = ("2025-03-30", "2025-03-31", "2025-04-01")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Content:
    """The bytes of a file."""

    dataset: Dataset
    data: bytes
    is_dirty: bool = False
    #: these are older bytes of a key, dropped again under another one
    is_superseded_copy: bool = False

    @property
    def is_unreadable(self) -> bool:
        """Return whether its records cannot be told apart, or its header lacks a column."""
        header, *lines = self.data.splitlines()
        return self.data.count(b'"') % 2 == 1 or KEYS[self.dataset] not in header.split(b",") or not lines

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of the bytes."""
        return sha256(self.data).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A file that will be dropped."""

    content: Content
    #: the part of the key after raw-data/<prefix>/
    name: str
    #: how old the bytes are when they are dropped; negative if the dropping machine's clock is ahead
    age: timedelta
    #: it is written in place, bit by bit, instead of being renamed into place
    is_slow: bool

    @property
    def file(self) -> str:
        """Return the place of the file in raw-data/."""
        return f"{FOLDERS[self.content.dataset]}/{self.name}"


@dataclass(eq=False, kw_only=True)
class Drop:
    """Bytes that were complete under a key."""

    plan: Plan
    key: str
    written_at: datetime
    etag: str
    #: a batch holds its own copy of the bytes
    is_fetched: bool = False
    #: other bytes came under the key after these
    is_overwritten: bool = False


@cache
def content(dataset: Dataset, number: int, versions: Versions, *, is_dirty: bool = False) -> Content:
    """Return a content of the catalogue, or the same with a fault that gets it rejected."""
    chance = Random(f"{dataset} {number}")
    rows = _rows(chance, dataset)
    if dataset in VERSIONED[versions]:
        rows = _dated(rows, Random(f"instants of {dataset} {number}"), by_order=versions in REPLACES)
    data = csv_of(*rows)
    if is_dirty:
        header, first, *_ = data.splitlines(keepends=True)
        data = chance.choice(
            (data + first.rstrip() + b",1\n", data + b'"' + first, header.replace(b"id", b"no") + first)
        )
    return Content(dataset=dataset, data=data, is_dirty=is_dirty)


def _dated(rows: Sequence[Fields], chance: Random, *, by_order: bool) -> Sequence[Fields]:
    """Add when the shop changed each row, or each order's lines: often at the same instants."""
    instants = {row["order_id"] if by_order else place: chance.choice(CHANGED) for place, row in enumerate(rows)}
    return [
        dict(row) | {VERSIONED_BY: instants[row["order_id"] if by_order else place]} for place, row in enumerate(rows)
    ]


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


def plan_drops(chance: Random, versions: Versions) -> list[Plan]:
    """Draw what is dropped: often the same keys, sometimes the same bytes, occasionally a bad file."""
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
                content=content(dataset, chance.choice(numbers[dataset]), versions, is_dirty=is_dirty),
                name=f"{chance.choice('aaabc')}.csv",
                age=_age(chance),
                is_slow=chance.random() < 0.2,
            )
        )
    if chance.random() < 0.3:
        # There and back again: the older bytes of a key correct the newer ones.
        first = chance.choice(plans)
        other = content(first.content.dataset, chance.randrange(CATALOGUE), versions)
        plans += [replace(first, content=other, age=_age(chance)), replace(first, age=_age(chance))]
    return plans


def enrich(
    plans: Sequence[Plan], chance: Random, *, is_rich: bool, copies: int, versions: Versions = "arrivals"
) -> list[Plan]:
    """Give some files bad rows, repeated rows or another column, and drop copies of superseded bytes under other keys."""
    enriched = [
        replace(plan, content=_varied(plan.content, chance, versions)) if is_rich and chance.random() < 0.5 else plan
        for plan in plans
    ]
    for _ in range(copies):
        first = chance.choice(enriched)
        if first.content.is_dirty:
            continue
        place = enriched.index(first)
        correction = content(first.content.dataset, chance.randrange(CATALOGUE), versions)
        copy = replace(first.content, is_superseded_copy=True)
        # The correction comes at once, or long after the original was taken; the copy comes last.
        behind = chance.choice((place + 1, chance.randint(place + 1, len(enriched))))
        enriched.insert(behind, replace(first, content=correction, age=_age(chance)))
        name = f"{chance.choice('xyz')}/{first.name}"
        enriched.insert(
            chance.randint(behind + 1, len(enriched)), replace(first, content=copy, name=name, age=_age(chance))
        )
    return enriched


def _varied(content: Content, chance: Random, versions: Versions) -> Content:
    """Return a content with a bad row at its end, with its first row twice, or with another column."""
    if content.is_dirty:
        return content
    header, *rows = content.data.splitlines(keepends=True)
    is_versioned = content.dataset in VERSIONED[versions]

    def bad(row: Fields) -> bytes:
        dated = dict(row) | ({VERSIONED_BY: CHANGED[0]} if is_versioned else {})
        return csv_of(dated).splitlines(keepends=True)[1]

    match content.dataset, chance.choice(("bad", "twice", "colour")):
        case "products", "colour":
            colours = [b",red", b",blue", b","]
            coloured = [row.rstrip() + colours[number % 3] + b"\n" for number, row in enumerate(rows)]
            return replace(content, data=header.rstrip() + b",colour\n" + b"".join(coloured))
        case "products", "bad":
            return replace(content, data=content.data + bad(product(7, cost="0")))
        case "orders", "bad":
            return replace(content, data=content.data + bad(order(7, num_of_item=0)))
        case "order_items", "bad":
            return replace(content, data=content.data + bad(item(7, 1, 1, "-1.00")))
        case _, "twice" if versions == "instants":
            # The same row at another instant, which no other row has.
            before, _, _ = rows[0].rpartition(b",")
            return replace(content, data=content.data + before + b",2025-06-09T08:00:00Z\n")
        case (("products" | "orders"), _):
            return replace(content, data=content.data + rows[0])
    return content


def mended(quarantined: bytes, dataset: Dataset, number: int) -> Plan:
    """Return the drop of rows that come back from quarantine, corrected."""
    good = {"cost": "1.00", "num_of_item": "1", "sale_price": "7.00"}
    rows = list(csv.DictReader(io.StringIO(quarantined.decode(), newline="")))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({column: good.get(column, value) for column, value in row.items()} for row in rows)
    return Plan(
        content=Content(dataset=dataset, data=text.getvalue().encode()),
        name=f"mended/{number}.csv",
        age=timedelta(0),
        is_slow=False,
    )


def _again(chance: Random, plans: Sequence[Plan]) -> Plan:
    """Drop the same bytes again: under their name, usually after others stood there, or as a copy."""
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
    """Rename a file into place, with its time."""
    target = root / "raw-data" / plan.file
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}")
    draft.write_bytes(plan.content.data)
    set_time(draft, written_at)
    return draft.rename(target).lstat()


def begin_to_write(root: Path, plan: Plan, written_at: datetime) -> IO[bytes]:
    """Write the first half of a file in place, over whatever was there, and keep it open."""
    target = root / "raw-data" / plan.file
    target.parent.mkdir(parents=True, exist_ok=True)
    file = target.open("wb")
    file.write(plan.content.data[: len(plan.content.data) // 2])
    file.flush()
    set_time(file.fileno(), written_at)
    return file


def end_to_write(file: IO[bytes], plan: Plan, written_at: datetime) -> os.stat_result:
    """Write the rest and close the file, wherever it is now."""
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
    """Return when a file was written, according to `set_time`."""
    return _EPOCH + timedelta(microseconds=path.stat().st_mtime_ns // 1000)
