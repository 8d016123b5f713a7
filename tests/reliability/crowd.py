"""Let many processes work on one store while files are dropped into it.

`python -m tests.reliability.crowd --processes 50 --files 1000 --seed 1`

Each process repeats `takings run STORE --now` until everything is dropped and nothing is pending. Exit codes: 0 all went well,
1 it did not, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

from takings.composition.stores import open_store
from tests.oracle.kpis import Dataset, Row, category_kpis, kpis_csv, lake_of, order_kpis, read_rows
from tests.reliability.children import command, forget_settings, remember_what_is_read, start
from tests.reliability.judge import Dropped, fingerprint, judge
from tests.shop import Fields, csv_of, drop, item, new_store, order, product, silent

_SETTINGS: Final = {"threads": 1, "memory": "100MB"}
#: small, so that the processes meet in many batches
_MOST_BATCH_FILES: Final = 25
_FEWEST_BATCHES: Final = 4
#: before every dropped file
_EPOCH: Final = datetime(2026, 1, 5, tzinfo=UTC)
#: all processes have to be done by then
_PATIENCE_SECONDS: Final = 2400.0
#: how long a process that finds nothing leaves the store alone
_IDLE_SECONDS: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class File:
    """A file of the shop, before it is dropped."""

    dataset: Dataset
    #: the part of the key after raw-data/
    name: str
    content: bytes
    written_at: datetime
    is_bad: bool
    is_copy: bool

    @property
    def key(self) -> str:
        """Return its key in the store."""
        return f"raw-data/{self.name}"


def make_files(count: int, seed: int) -> list[File]:
    """Make files of all datasets: corrections, orphans, and in every twenty files a bad one and a copy."""
    chance = Random(f"crowd {seed}")
    files: list[File] = []
    for number in range(count):
        originals = [file for file in files if not (file.is_bad or file.is_copy)]
        if originals and chance.random() < 0.05:
            # It counts as its original, whichever is taken first; so nothing is written between them.
            original = chance.choice(originals)
            files.append(replace(original, name=_name(original.dataset, number, chance), is_copy=True))
            continue
        is_bad = chance.random() < 0.05
        dataset: Dataset = chance.choice(("products", "orders", "orders", "order_items", "order_items"))
        files.append(
            File(
                dataset=dataset,
                name=_name(dataset, number, chance),
                content=csv_of(*_rows(dataset, chance, count, is_bad=is_bad)),
                written_at=_EPOCH + timedelta(seconds=number),
                is_bad=is_bad,
                is_copy=False,
            )
        )
    chance.shuffle(files)
    return files


def _name(dataset: Dataset, number: int, chance: Random) -> str:
    folder = chance.choice(("order-items", "order_items")) if dataset == "order_items" else dataset
    return f"{folder}/{chance.choice(('', 'north/', 'south/2026/'))}{number:05d}.csv"


def _rows(dataset: Dataset, chance: Random, count: int, *, is_bad: bool) -> Iterator[Fields]:
    wrong = {"products": {"cost": "0"}, "orders": {"num_of_item": "0"}, "order_items": {"sale_price": "0"}}[dataset]
    ids = chance.sample(range(1, 3 * count + 5), 5)
    for place, id_ in enumerate(ids):
        other: dict[str, Any] = wrong if is_bad and place == len(ids) - 1 else {}
        if dataset == "products":
            yield product(id_, chance.choice(("Books", "Toys", "Maps")), **other)
        elif dataset == "orders":
            yield order(id_, f"2025-03-{chance.randint(1, 28):02d}T10:00:00", user_id=chance.randint(1, 99), **other)
        else:
            parents = (chance.randint(1, 3 * count), chance.randint(1, 3 * count))
            price = {"sale_price": f"{chance.randint(1, 9999) / 100:.2f}"}
            yield item(id_, *parents, **(price | other))


def take_part(root: Path, closed: Path) -> dict[str, int]:
    """Run `takings run --now` until a run that began after the last drop leaves nothing; return the exit codes."""
    random.seed()
    codes: Counter[str] = Counter()
    while True:
        is_last = closed.exists()
        code = command("run", root, "--now")
        codes[str(code)] += 1
        if is_last or code not in {0, 1}:
            return dict(codes)
        time.sleep(random.uniform(0, 2 * _IDLE_SECONDS))


def drop_in_bursts(root: Path, files: list[File], most: int, chance: Random) -> None:
    """Drop the files in groups: each is written under another name and renamed into place."""
    rest = list(files)
    while rest:
        burst = chance.randint(1, 2 * most)
        for file in rest[:burst]:
            drop(root, file.name, file.content, written_at=file.written_at)
        rest = rest[burst:]
        time.sleep(chance.uniform(0, 2))


def expected(files: list[File]) -> tuple[str, str]:
    """Return what the oracle computes from the dropped files, wherever they are now."""
    good = [file for file in files if not file.is_bad]
    rows: list[Row] = [
        row for file in good for row in read_rows(file.dataset, file.content, file.written_at, file.key, "UTC")
    ]
    lake = lake_of(rows, "UTC")
    return kpis_csv(order_kpis(lake), "day"), kpis_csv(category_kpis(lake), "category")


def look(root: Path, files: list[File]) -> dict[str, Any]:
    """Judge the store; also return the number of batches, and of manifests whose batch never began."""
    dropped: list[Dropped] = [(file.key, fingerprint(file.content), file.is_bad) for file in files]
    with open_store(root, silent) as shop:
        found = judge(shop, dropped, expected(files))
        batch_of: dict[str, set[str]] = {}
        for record in shop.ports.ledger.lineage():
            batch_of.setdefault(record.file_key, set()).add(record.batch_id)
        verdicts = Counter(str(record.verdict) for record in shop.ports.ledger.lineage())
    batches = {path.name for path in (root / "batches").iterdir()}
    ended = {path.parent.name for path in (root / "batches").glob("*/outcome.json")}
    several = [f"{key} was in {len(of)} batches" for key, of in batch_of.items() if len(of) != 1]
    return found.to_json() | {
        "several": several,
        "batches": len(ended),
        "unused": len(batches - ended),
        "verdicts": verdicts,
    }


def main(arguments: list[str]) -> int:
    """Start the processes, drop the files, and print how it went."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.reliability.crowd", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--processes", type=int, default=50)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    base = Path(tempfile.mkdtemp(prefix="takings-crowd-"))
    most = max(1, min(_MOST_BATCH_FILES, asked.files // _FEWEST_BATCHES))
    forget_settings(**_SETTINGS, batch_max_files=most)
    remember_what_is_read()
    root, closed, begun = new_store(base / "shop"), base / "closed", time.monotonic()

    files = make_files(asked.files, asked.seed)
    crowd = [start(partial(take_part, root, closed), base / f"process{number}") for number in range(asked.processes)]
    drop_in_bursts(root, files, most, Random(asked.seed))
    closed.touch()
    end = begun + _PATIENCE_SECONDS
    ends = [child.ended(max(0.0, end - time.monotonic())) for child in crowd]
    codes = sum((Counter(ended.result or {}) for ended in ends), Counter())

    judge_ = start(partial(look, root, files), base / "judge")
    found = judge_.ended().result
    if found is None:
        found = {"lost": [], "double": [], "different": [judge_.last_words()], "several": [], "batches": 0, "unused": 0}
    hung = sum(ended.has_hung for ended in ends)
    wrong = [
        child for child, ended in zip(crowd, ends, strict=True) if not set(ended.result or {"70": 1}) <= {"0", "1"}
    ]
    print(
        f"{asked.processes} processes, {asked.files} files from seed {asked.seed}: {found['batches']} batches,"
        f" {sum(codes.values())} runs, {found['unused']} manifests of batches that never began;"
        f" {len(found['lost'])} lost, {len(found['double'])} double, {len(found['several'])} in several batches,"
        f" {len(found['different'])} different, {hung} hung, {len(wrong)} failed, {time.monotonic() - begun:.0f} s"
    )
    is_well = not (hung or wrong or any(found[name] for name in ("lost", "double", "several", "different")))
    if is_well:
        shutil.rmtree(base)
        return 0
    print(json.dumps(found, indent=1))
    for child in wrong[:3]:
        print(f"{child.printed.name}: {child.last_words()}")
    print(f"its store: {root}")
    print(
        "again, though never quite the same: python -m tests.reliability.crowd"
        f" --processes {asked.processes} --files {asked.files} --seed {asked.seed}"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
