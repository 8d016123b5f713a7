"""Make what every contender reads: the same generated files for each size, kept between runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

#: items by name; an order has three on average
SIZES: Final = {"S": 100_000, "M": 1_000_000, "L": 10_000_000, "XL": 40_000_000}
DAYS: Final = 90
_PARTS: Final = 10


@dataclass(frozen=True, kw_only=True)
class Drops:
    """A folder of files as a shop drops them, with a folder for each dataset."""

    folder: Path
    files: int
    items: int
    bytes: int

    def of(self, prefix: str) -> list[Path]:
        """Return the files of a dataset by its prefix."""
        return sorted((self.folder / prefix).glob("*.csv"))


def drops(folder: Path, items: int, *, days: int = DAYS, parts: int = _PARTS, seed: int = 1) -> Drops:
    """Return generated drops with some `items`; make them unless they are there."""
    home = folder / f"drops-{items}-{days}-{parts}-{seed}"
    counted = home / "counted.json"
    if not counted.exists():
        shutil.rmtree(home, ignore_errors=True)
        options = ("--orders", str(-(-items // 3)), "--days", str(days), "--parts", str(parts), "--seed", str(seed))
        subprocess.run(
            [sys.executable, "-m", "takings", "generate", str(home / "raw"), *options],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        counted.write_text(json.dumps(_count(home / "raw")))
    return Drops(folder=home / "raw", **json.loads(counted.read_text()))


def _count(raw: Path) -> dict[str, int]:
    files = list(raw.rglob("*.csv"))
    counted = f"select count(*) from read_csv('{raw}/order-items/*.csv', all_varchar = true)"
    (items,) = duckdb.execute(counted).fetchall()[0]
    return {"files": len(files), "items": int(items), "bytes": sum(file.stat().st_size for file in files)}


def new_store(root: Path, found: Drops) -> Path:
    """Make an empty store at `root`, with a copy of the drops pending."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    shutil.copytree(found.folder, root / "raw-data")
    return root


def twin(store: Path, root: Path) -> Path:
    """Make a store at `root` that shares its files with another one, which stays as it is.

    Files of a store are created once and never changed in place, but for the local database, which is copied.
    """
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(store, root, copy_function=os.link, ignore=lambda _, names: [n for n in names if n == ".takings"])
    shutil.copytree(store / ".takings", root / ".takings")
    return root


def write_new_items(found: Drops, raw: Path) -> None:
    """Drop new orders and their items under ids that no history has: on its last two days and the day after."""
    order_id = "cast(order_id as bigint) + 5000000000 as order_id"
    item_id = "cast(id as bigint) + 20000000000 as id"
    times = ", ".join(
        f"strftime({name}::timestamp + to_days({DAYS - 2}), '%Y-%m-%dT%H:%M:%S') as {name}"
        for name in ("created_at", "shipped_at", "delivered_at", "returned_at")
    )
    _copy(found.of("orders"), f"select * replace ({order_id}, {times}) from rows", raw / "orders" / "new.csv")
    items = f"select * replace ({order_id}, {item_id}, {times}) from rows"
    _copy(found.of("order-items"), items, raw / "order-items" / "new.csv")


def write_changes(found: Drops, raw: Path, *, changes: int, days: int) -> None:
    """Drop a file with `changes` items of the history of `found`, returned now, spread evenly over `days` days."""
    orders, items = (_rows(found.of(prefix)) for prefix in ("orders", "order-items"))
    first = (DAYS - days) // 2
    chosen = f"""
        with dated as (select order_id, created_at::date - min(created_at::date) over () as day from {orders}),
        wanted as (select order_id from dated where day between {first} and {first + days - 1}),
        spread as (
            select items.*, row_number() over (order by id::bigint) as place, count(*) over () as there
            from {items} as items semi join wanted using (order_id) where status <> 'returned'
        )
        select * exclude (place, there) replace ('returned' as status, '2025-06-30T12:00:00' as returned_at)
        from spread where place * {changes} // there <> (place - 1) * {changes} // there
    """
    _copy([], chosen, raw / "order-items" / "changed.csv")


def write_one_row_files(raw: Path, files: int) -> None:
    """Drop files of one row each: half of them new orders, half their items."""
    orders, items = raw / "orders", raw / "order-items"
    for folder in (orders, items):
        folder.mkdir(parents=True, exist_ok=True)
    for place in range(files // 2):
        order = 6_000_000_000 + place
        (orders / f"one-{place}.csv").write_text(
            f"order_id,user_id,status,created_at,num_of_item\n{order},{place},shipped,2025-03-31T12:00:00,1\n"
        )
        (items / f"one-{place}.csv").write_text(
            "id,order_id,product_id,user_id,status,sale_price\n"
            f"{30_000_000_000 + place},{order},{1 + place % 50},{place},shipped,9.90\n"
        )


def _rows(files: list[Path]) -> str:
    paths = ", ".join(f"'{file}'" for file in files)
    return f"read_csv([{paths}], header = true, all_varchar = true)"


def _copy(files: list[Path], select: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    rows = f"with rows as (from {_rows(files)}) " if files else ""
    with duckdb.connect() as connection:
        connection.execute(f"copy ({rows}{select}) to '{target}' (header, delimiter ',')")
