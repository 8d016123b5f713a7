"""Invent what a shop writes: the same number makes the same writes, in the same order, with the same interruptions.

A history is the life of one lane: 3 products, 4 orders and 6 items, in categories of its own, on
days that it shares only with its three neighbours. The lanes of a store share its files and batches, which makes a history
cheap, and gives each a large lake around it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Final, Literal

from tests.oracle.kpis import FIRST, Dataset, Row, instant, read_rows
from tests.shop import Fields, csv_of, item, order, product
from tests.worths import ROLES

Record = dict[str, object]
Damage = Literal["none", "copy", "late copy", "dirty"]

FOLDERS: Final[dict[Dataset, str]] = {"products": "products", "orders": "orders", "order_items": "order-items"}
KEYS: Final[dict[Dataset, str]] = {"products": "id", "orders": "order_id", "order_items": "id"}
#: rows of a lane; items also name an order and a product beyond these, which never come
SIZES: Final[dict[Dataset, int]] = {"products": 3, "orders": 4, "order_items": 6}
#: keys between two lanes
STRIDE: Final = 10
#: both of Berlin's clock changes are days of some lane
FIRST_DAYS: Final = (date(2025, 3, 29), date(2025, 10, 25), date(2025, 12, 30))
#: lanes that share their days, but no category
NEIGHBOURS: Final = 4
#: days between two neighbourhoods: two of its own, and one that a time zone may add on either side
DAYS_APART: Final = 4
ZONES: Final = ("UTC", "UTC", "Europe/Berlin", "America/New_York")
TIMES: Final = ("00:00:00", "00:30:00+02:00", "02:30:00", "10:00:00Z", "22:30:00Z", "23:59:59.999999", "23:30:00 UTC")
STATUSES: Final = ("Processing", "shipped", "DELIVERED", "complete", "Completed", "returned", "Returned", "canceled")
PRICES: Final = (
    "0.005",
    "0.0049999999999999",
    "10.00",
    "4.25",
    "1.115",
    "19.3333333333333333",
    "7",
    "0.0000000000000001",
)
CATEGORIES: Final = ("Books", "Toys", "Games, old & new")
#: the column that says when the shop changed a row, and its values: many instants are the same
VERSIONED_BY: Final = "updated_at"
CHANGED: Final = (
    "2025-06-01T08:00:00Z",
    "2025-06-01 10:30:00+02:00",
    "2025-06-02T08:00:00.000001Z",
    "2025-06-02 08:00:00.000001 UTC",
    "2025-06-03T08:00:00Z",
)
#: before every write
EPOCH: Final = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Write:
    """One file, as it is dropped."""

    dataset: Dataset
    #: the part of the key after raw-data/
    file: str
    version: datetime
    records: Sequence[Fields]
    content: bytes
    damage: Damage = "none"
    #: the column that says when the shop changed a row, if the contract names one
    versioned_by: str | None = None

    @property
    def key(self) -> str:
        """Return the file's key in the store."""
        return f"raw-data/{self.file}"

    def rows(self, time_zone: str) -> list[Row]:
        """Return what the oracle reads."""
        if self.damage == "dirty":
            return []
        return read_rows(
            self.dataset,
            self.content,
            self.version,
            self.key,
            time_zone,
            roles=ROLES,
            versioned_by=self.versioned_by,
        )


@dataclass(frozen=True, kw_only=True)
class History:
    """What happens in one store."""

    seed: int
    time_zone: str
    #: files that are dropped together, each group followed by a run
    drops: Sequence[Sequence[Write]]
    #: a batch has at most this many files
    batch_max_files: int
    #: draws what is random while the history runs
    chance: Random
    #: items have quantities, discounts and refunds, and some take their order's status
    is_of_worth: bool = False
    #: datasets in which the shop's own instants decide
    versioned: frozenset[Dataset] = frozenset()
    #: the lines of an order are replaced together
    replaces: bool = False

    @property
    def writes(self) -> Iterator[Write]:
        """Return every write, in the order of the drops."""
        return (write for drop in self.drops for write in drop)


def arrivals_in_any_order(seed: int, lanes: int, chance: Random | None = None) -> History:
    """Write each row with one content, in any of several files, some rows and files more than once."""
    chance = chance or Random(f"arrivals {seed}")
    first_day = chance.choice(FIRST_DAYS)
    writes: list[Write] = []
    for dataset in FOLDERS:
        records = [_record(chance, dataset, lane, place, first_day) for lane, place in _places(dataset, lanes)]
        split: list[list[Record]] = [[] for _ in range(chance.randint(1, 3))]
        for record in records:
            for part in chance.sample(split, 2 if len(split) > 1 and chance.random() < 0.2 else 1):
                part.extend([record] * (2 if chance.random() < 0.1 else 1))
        for number, part in enumerate(filter(None, split)):
            write = _write(chance, dataset, f"part {number}.csv", part, _moment(chance))
            writes.append(write)
            if chance.random() < 0.3:
                writes.append(_copy(write, f"{chance.choice('az')}/copy {number}.csv", _moment(chance)))
    return _history(chance, seed, writes, lanes)


def worth_in_any_order(seed: int, lanes: int, chance: Random | None = None) -> History:
    """Correct rows of a shop whose items have quantities, discounts and refunds, and a status only if it differs."""
    history = corrections_in_any_order(seed, lanes, chance or Random(f"worth {seed}"), is_of_worth=True)
    return replace(history, is_of_worth=True)


def corrections_in_any_order(
    seed: int, lanes: int, chance: Random | None = None, *, is_of_worth: bool = False
) -> History:
    """Write rows again and again, under the same key and others: each write keeps its version."""
    chance = chance or Random(f"corrections {seed}")
    first_day = chance.choice(FIRST_DAYS)
    writes: list[Write] = []
    for dataset in FOLDERS:
        for number in range(chance.randint(1, 3)):
            moments = sorted({_moment(chance) for _ in range(chance.randint(1, 3))})
            share = chance.choice((0.3, 0.6, 1))
            for moment in moments:
                places = [place for place in _places(dataset, lanes) if chance.random() < share]
                records = [_record(chance, dataset, lane, place, first_day) for lane, place in places]
                if is_of_worth and dataset == "order_items":
                    records = [record | _worth(chance, record) for record in records]
                if records:
                    # No two writes have the same bytes: a copy would be a duplicate, which does not count.
                    mark = {"products": "name", "orders": "num_of_item", "order_items": "user_id"}[dataset]
                    records = [record | {mark: len(writes) + 1} for record in records]
                    writes.append(_write(chance, dataset, f"{number}.csv", records, moment))
    return _history(chance, seed, writes, lanes)


def superseded_copies_in_any_order(seed: int, lanes: int, chance: Random | None = None) -> History:
    """Write rows again and again, and drop copies of what was corrected, before, after or together with it, under other keys.

    Only here does the order of processing matter: the first accepted one of several equal contents fixes the version, and
    a later one never counts.
    """
    chance = chance or Random(f"superseded {seed}")
    first_day = chance.choice(FIRST_DAYS)
    writes: list[Write] = []
    for dataset in FOLDERS:
        for number in range(chance.randint(1, 2)):
            for moment in sorted({_moment(chance) for _ in range(chance.randint(2, 3))}):
                places = [place for place in _places(dataset, lanes) if chance.random() < 0.6] or [(0, 1)]
                records = [_record(chance, dataset, lane, place, first_day) for lane, place in places]
                mark = {"products": "name", "orders": "num_of_item", "order_items": "user_id"}[dataset]
                records = [record | {mark: len(writes) + 1} for record in records]
                writes.append(_write(chance, dataset, f"{number}.csv", records, moment))
    for write in chance.sample(writes, min(len(writes), 4)):
        for number in range(chance.choice((1, 1, 2))):
            late = _copy(write, f"{chance.choice('az')}/late {number} {writes.index(write)}.csv", _moment(chance))
            writes.append(replace(late, damage="late copy"))
    return _history(chance, seed, writes, lanes)


def instants_in_any_order(seed: int, lanes: int, chance: Random | None = None) -> History:
    """Write rows again and again with the shop's instants, sometimes twice in one file; also copies of files.

    This includes copies of superseded bytes: because of the instants, they revert nothing.
    """
    chance = chance or Random(f"instants {seed}")
    first_day = chance.choice(FIRST_DAYS)
    versioned: frozenset[Dataset] = frozenset(
        chance.choice((tuple(FOLDERS), ("orders", "order_items"), ("order_items",)))
    )
    writes: list[Write] = []
    for dataset in FOLDERS:
        for number in range(chance.randint(1, 2)):
            for moment in sorted({_moment(chance) for _ in range(chance.randint(1, 3))}):
                places = [place for place in _places(dataset, lanes) if chance.random() < 0.6] or [(0, 1)]
                records = []
                for lane, place in places:
                    # A row may be in a file twice, but not with the same instant.
                    twice = [chance.choice(CHANGED[:4]), CHANGED[4]]
                    times = twice if chance.random() < 0.3 else [chance.choice(CHANGED)]
                    for time in times if dataset in versioned else [""]:
                        records.append(_dated(_record(chance, dataset, lane, place, first_day), time))
                records = _marked(dataset, records, len(writes))
                writes.append(_write(chance, dataset, f"{number}.csv", records, moment, versioned))
    writes += _copies(chance, [write for write in writes if write.dataset in versioned])
    return replace(_history(chance, seed, writes, lanes), versioned=versioned)


def deliveries_in_any_order(seed: int, lanes: int, chance: Random | None = None) -> History:
    """Write the lines of orders again and again, each order's in one file; lines come, go, move and wait."""
    chance = chance or Random(f"deliveries {seed}")
    first_day = chance.choice(FIRST_DAYS)
    versioned: frozenset[Dataset] = frozenset(chance.choice(((), ("order_items",))))
    writes: list[Write] = []
    for dataset in FOLDERS:
        for number in range(chance.randint(1, 2)):
            for moment in sorted({_moment(chance) for _ in range(chance.randint(1, 3))}):
                if dataset == "order_items":
                    records = _deliveries(chance, lanes, first_day, has_instants=dataset in versioned)
                else:
                    places = [place for place in _places(dataset, lanes) if chance.random() < 0.6] or [(0, 1)]
                    records = [_record(chance, dataset, lane, place, first_day) for lane, place in places]
                records = _marked(dataset, records, len(writes))
                writes.append(_write(chance, dataset, f"{number}.csv", records, moment, versioned))
    writes += _copies(chance, [write for write in writes if write.dataset in versioned])
    return replace(_history(chance, seed, writes, lanes), versioned=versioned, replaces=True)


def _deliveries(chance: Random, lanes: int, first_day: date, *, has_instants: bool) -> list[Record]:
    """Draw the lines of some orders; an order's lines share an instant, and an id may be used in several orders."""
    records: list[Record] = []
    for lane in range(lanes):
        orders = [order for order in (1, 2, 3, 4, 9) if chance.random() < 0.5] or [1]
        for order_ in orders:
            time = chance.choice(CHANGED) if has_instants else ""
            for place in chance.sample(range(1, SIZES["order_items"] + 1), chance.choice((1, 1, 2, 3))):
                record = _record(chance, "order_items", lane, place, first_day)
                records.append(_dated(record | {"order_id": lane * STRIDE + order_}, time))
    return records


def _dated(record: Record, time: str) -> Record:
    return record | {VERSIONED_BY: time} if time else record


def _marked(dataset: Dataset, records: list[Record], number: int) -> list[Record]:
    """Give each write its own bytes."""
    mark = {"products": "name", "orders": "num_of_item", "order_items": "user_id"}[dataset]
    return [record | {mark: number + 1} for record in records]


def _copies(chance: Random, writes: Sequence[Write]) -> list[Write]:
    """Copy some files under other keys, earlier or later."""
    return [
        replace(
            write,
            file=f"{FOLDERS[write.dataset]}/{chance.choice('az')}/copy {number}.csv",
            version=_moment(chance),
            damage="copy",
        )
        for number, write in enumerate(chance.sample(writes, min(len(writes), 3)))
    ]


def _places(dataset: Dataset, lanes: int) -> list[tuple[int, int]]:
    return [(lane, place) for lane in range(lanes) for place in range(1, SIZES[dataset] + 1)]


def _record(chance: Random, dataset: Dataset, lane: int, place: int, first_day: date) -> Record:
    """Draw a row's content."""
    start = lane * STRIDE
    match dataset:
        case "products":
            category = f"{chance.choice(CATEGORIES)} {lane % NEIGHBOURS}"
            return dict(product(start + place, f'"{category}"' if "," in category else category))
        case "orders":
            day = first_day + timedelta(days=lane // NEIGHBOURS * DAYS_APART + chance.randrange(2))
            created_at = f"{day}{chance.choice('T ')}{chance.choice(TIMES)}"
            return dict(
                order(
                    start + place,
                    created_at,
                    user_id=chance.randint(1, 3),
                    status=chance.choice(STATUSES),
                    returned_at=chance.choice(("", "", "2026-01-03T08:00:00")),
                )
            )
        case "order_items":
            return dict(
                item(
                    start + place,
                    start + chance.choice((1, 2, 3, 4, 1, 2, 3, 4, 9)),
                    start + chance.choice((1, 2, 3, 1, 2, 3, 9)),
                    chance.choice(PRICES),
                    status=chance.choice(STATUSES),
                    returned_at=chance.choice(("", "", "", "2026-01-02 08:00:00")),
                )
            )


def _worth(chance: Random, record: Record) -> Record:
    """Draw what an item says about its worth; most take their order's status."""
    return {
        "qty": chance.choice(("", "", "0", "1", "3", "007")),
        "taken_off": chance.choice(("", "0", "0.0050", "2.5", "0.0000000000000001")),
        "paid_back": chance.choice(("", "", "", "0", "1.115", "30")),
        "status": chance.choice(("", " ", record["status"])),
    }


def _write(
    chance: Random,
    dataset: Dataset,
    name: str,
    records: Iterable[Fields],
    version: datetime,
    versioned: Collection[Dataset] = (),
) -> Write:
    """Write records in any order, their columns in any order."""
    shuffled = list(records)
    chance.shuffle(shuffled)
    columns = list(shuffled[0])
    chance.shuffle(columns)
    arranged = [{column: record[column] for column in columns} for record in shuffled]
    content = csv_of(*arranged)
    if chance.random() < 0.2:
        content = b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n")
    return Write(
        dataset=dataset,
        file=f"{FOLDERS[dataset]}/{name}",
        version=version,
        records=arranged,
        content=content,
        versioned_by=VERSIONED_BY if dataset in versioned else None,
    )


def _copy(write: Write, name: str, version: datetime) -> Write:
    return Write(
        dataset=write.dataset,
        file=f"{FOLDERS[write.dataset]}/{name}",
        version=version,
        records=write.records,
        content=write.content,
        damage="copy",
    )


def _moment(chance: Random) -> datetime:
    """Draw an instant; several files should share a second."""
    return EPOCH + timedelta(seconds=chance.randrange(6))


# Files that are rejected


def _spoilt(chance: Random, write: Write, first_version: datetime) -> Write:
    """Return a file that is refused as a whole, under its own key."""
    lines = write.content.splitlines(keepends=True)
    number = chance.randrange(10**9)
    match chance.randrange(6):
        case 0:
            content = write.content + lines[-1].rstrip() + b",1\n"
        case 1:
            content = write.content + b'"' + lines[-1]
        case 2:
            content = write.content.decode().encode("utf-16")
        case 3:
            header = lines[0].replace(b"status", b"state").replace(b"cost", b"price").replace(b"sale_price", b"paid")
            content = header + b"".join(lines[1:])
        case 4:
            content = write.content + b",".join([b"-1"] * (lines[0].count(b",") + 1)) + b"\n"
        case _:
            content = b""
    return Write(
        dataset=write.dataset,
        file=f"{FOLDERS[write.dataset]}/bad/{number}.csv",
        version=first_version,
        records=(),
        content=content,
        damage="dirty",
    )


# The order of events


def _history(chance: Random, seed: int, writes: list[Write], lanes: int) -> History:
    """Put writes in any order that keeps the versions of each key in order, and cut it into drops."""
    if chance.random() < 0.7:
        writes = writes + [
            _spoilt(chance, write, _moment(chance)) for write in chance.sample(writes, chance.randint(1, 2))
        ]
    waiting: dict[str, list[Write]] = {}
    for write in sorted(writes, key=lambda write: write.version):
        waiting.setdefault(write.file, []).append(write)
    files = [write.file for write in writes]
    chance.shuffle(files)
    drops: list[list[Write]] = [[]]
    together = chance.choice((0.6, 0.75, 0.9))
    for file in files:
        if drops[-1] and (chance.random() > together or any(write.file == file for write in drops[-1])):
            drops.append([])
        drops[-1].append(waiting[file].pop(0))
    return History(
        seed=seed,
        time_zone=chance.choice(ZONES),
        drops=drops,
        batch_max_files=chance.choice((4, 1000, 1000)),
        chance=chance,
    )


def newest(writes: Iterable[Write], *, replaces: bool = False) -> dict[Dataset, list[Fields]]:
    """Return the final content of each primary key: its newest version, or of equal ones the later key.

    If the lines of an order are replaced together, these are the lines of each order's newest delivery.
    """
    kept: dict[Dataset, dict[object, tuple[tuple[datetime, datetime, str], list[Fields]]]]
    kept = {dataset: {} for dataset in FOLDERS}
    for write in writes:
        is_delivery = replaces and write.dataset == "order_items"
        key = "order_id" if is_delivery else KEYS[write.dataset]
        for record in write.records:
            changed = instant(str(record[VERSIONED_BY]), "UTC") if write.versioned_by else FIRST
            place = (changed, write.version, write.key)
            known, lines = kept[write.dataset].get(record[key], (None, []))
            if known is None or known < place:
                kept[write.dataset][record[key]] = (place, [record])
            elif known == place and is_delivery:
                lines.append(record)
    return {
        dataset: [dict(sorted(record.items())) for _, lines in units.values() for record in lines]
        for dataset, units in kept.items()
    }
