"""Compare what is in a store with what was dropped into it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from takings.archive.lineage import RETURNED_TO_PENDING
from takings.composition.stores import Shop
from takings.entrypoints.kpi_output import as_csv
from takings.intake.gate import GateState
from takings.kpis.publication import visible
from takings.layout import Drop, read_raw_key
from takings.queries import verification
from tests.oracle.comparison import differences
from tests.oracle.kpis import category_kpis, kpis_csv, order_kpis
from tests.oracle.store import read_store

#: a dropped file: its key, the SHA-256 of its bytes, and whether it is refused
Dropped = tuple[str, str, bool]
Kpis = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What is wrong with a store."""

    #: missing originals, histories and rows
    lost: tuple[str, ...]
    #: duplicate ones
    double: tuple[str, ...]
    #: whatever else is wrong, above all numbers
    different: tuple[str, ...]

    def to_json(self) -> dict[str, list[str]]:
        """Return it as JSON."""
        return {"lost": list(self.lost), "double": list(self.double), "different": list(self.different)}


def judge(shop: Shop, dropped: Iterable[Dropped], right: Kpis | None = None) -> Judgement:
    """Judge a store when everybody is done; `right` are the KPIs that it should publish, in addition to the oracle's.

    Every original is in processed/ or in failed/, once, with its bytes. Every file has one finished record; being given back to
    pending does not finish it. Nothing is in raw-data/, staging/ or among the fetched bytes, and the gate is free.
    """
    drops = list(dropped)
    lost, double = _compare(_wanted_places(drops), _found_places(shop.root))
    untold, told_twice = _compare(_wanted_stories(drops), _found_stories(shop))
    return Judgement(
        lost=(*lost, *untold),
        double=(*double, *told_twice),
        different=(*_different_numbers(shop, right), *_left_over(shop)),
    )


def fingerprint(content: bytes) -> str:
    """Return the SHA-256 of the bytes, in hex."""
    return sha256(content).hexdigest()


def _compare(wanted: Counter[str], found: Counter[str]) -> tuple[list[str], list[str]]:
    return sorted((wanted - found).elements()), sorted((found - wanted).elements())


def _wanted_places(drops: Iterable[Dropped]) -> Counter[str]:
    places: Counter[str] = Counter()
    for key, content, is_refused in drops:
        drop = read_raw_key(key)
        assert isinstance(drop, Drop), key
        places[f"{'failed' if is_refused else 'processed'}/…/{drop.dataset}/{drop.file} {content}"] += 1
    return places


def _found_places(root: Path) -> Counter[str]:
    places: Counter[str] = Counter()
    for path in _files(root, "processed", "failed"):
        archive, _, _, _, _, *rest = path.relative_to(root).parts
        if archive == "processed" or not path.name.endswith(".reason.json"):
            places[f"{archive}/…/{'/'.join(rest)} {fingerprint(path.read_bytes())}"] += 1
    return places


def _wanted_stories(drops: Iterable[Dropped]) -> Counter[str]:
    return Counter(f"{key} {'FAILED' if is_refused else 'SUCCESS'} {content}" for key, content, is_refused in drops)


def _found_stories(shop: Shop) -> Counter[str]:
    ends = [record for record in shop.ports.ledger.lineage() if record.reason != RETURNED_TO_PENDING]
    return Counter(f"{record.file_key} {record.status.value} {record.fingerprint}" for record in ends)


def _different_numbers(shop: Shop, right: Kpis | None) -> Iterator[str]:
    lake = read_store(shop.root)
    oracle = kpis_csv(order_kpis(lake), "day"), kpis_csv(category_kpis(lake), "category")
    by_day, by_category = published(shop)
    yield from differences("by day", oracle[0], by_day)
    yield from differences("by category", oracle[1], by_category)
    if right is not None and right != (by_day, by_category):
        yield "the KPIs are not those of a run that nobody disturbed"
    rows = {dataset.value: table.rows for dataset, table in shop.ports.tables.snapshot().tables.items()}
    if rows != {"products": len(lake.products), "orders": len(lake.orders), "order_items": len(lake.items)}:
        yield f"the lake's tables hold {rows}"
    yield from (f"verify: {difference}" for difference in verification.verify(shop.ports).differences)


def published(shop: Shop) -> Kpis:
    """Return the published KPIs as `takings kpis` prints them: by day and by category."""
    by_day, by_category = (as_csv(table, visible(shop.ports.kpis.rows(table))) for table in shop.ports.kpi_tables)
    return by_day, by_category


def _left_over(shop: Shop) -> Iterator[str]:
    for path in _files(shop.root, "raw-data", "staging", ".takings/fetched"):
        yield f"left over: {path.relative_to(shop.root)}"
    gate = shop.ports.ledger.gate()
    if gate.state is not GateState.IDLE or gate.suspects:
        yield f"the gate is not free: {gate}"


def _files(root: Path, *folders: str) -> Iterator[Path]:
    return (path for folder in folders for path in sorted((root / folder).rglob("*")) if path.is_file())
