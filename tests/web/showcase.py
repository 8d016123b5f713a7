"""Make a shop worth looking at: weeks of batches until now, with refused files, corrections, orphans and an unfinished day."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from takings.composition.sample_shops import ShopPlan, generate_shop
from tests.shop import csv_of, drop, item, new_store, product, run

_DAYS: Final = 70
_PARTS: Final = 14
_POLICY: Final[dict[str, Any]] = {"policy": "row", "max_rejected": "5%"}


def build(root: Path, *, orders: int = 9000, days: int = _DAYS, parts: int = _PARTS) -> Path:
    """Make the shop: one batch for each part of the days, at the end of these days by its clock."""
    now = datetime.now(UTC)
    first_day = now.date() - timedelta(days=days - 1)
    drafts = root.parent / f"{root.name}-drafts"
    plan = ShopPlan(
        orders=orders, seed=11, days=days, parts=parts, first_day=first_day - timedelta(days=1), dirty=Decimal("0.4")
    )
    generate_shop(drafts, plan)
    _move_by_a_day(drafts)
    _cut_at(drafts, now)
    new_store(root)
    for part in range(parts):
        at = now if part == parts - 1 else _end(drafts, part)
        for file in sorted(drafts.rglob("*.csv")):
            if _part_of(file) == part:
                drop(root, str(file.relative_to(drafts)), file.read_bytes(), written_at=at - timedelta(seconds=40))
        for name, content in _mishaps(part).items():
            drop(root, name, content, written_at=at - timedelta(seconds=30))
        later = at - datetime.now(UTC)
        begun = time.time()
        run(root, later=later, **_POLICY)
        _backdate(root, begun, later)
    shutil.rmtree(drafts)
    return root


def _backdate(root: Path, begun: float, later: timedelta) -> None:
    """Make what a batch wrote as old as its clock says."""
    for folder in (root / "batches", root / "lake" / "commits"):
        for file in folder.rglob("*.json"):
            written = file.stat().st_mtime
            if written >= begun:
                os.utime(file, (written + later.total_seconds(),) * 2)


def _end(drafts: Path, part: int) -> datetime:
    """Return the moment by which all but a few damaged orders of a part were placed."""
    (file,) = (file for file in (drafts / "orders").glob("*.csv") if _part_of(file) == part)
    found = sorted(moment for row in _rows(file) if (moment := _created(row)) is not None)
    return found[len(found) * 98 // 100] + timedelta(hours=12)


def _part_of(file: Path) -> int:
    """Return the part of a generated file, from 0; products come with the first."""
    number = file.stem.rpartition("part")[2]
    return int(number) - 1 if number.isdigit() else 0


def _move_by_a_day(drafts: Path) -> None:
    """Move the last day to today: the generator makes no order on an unfinished day."""
    for file in drafts.rglob("*.csv"):
        text = file.read_text(encoding="utf-8", errors="replace")
        file.write_text(re.sub(r"20\d\d-\d\d-\d\d", _next_day, text), encoding="utf-8")


def _next_day(found: re.Match[str]) -> str:
    try:
        return str(date.fromisoformat(found[0]) + timedelta(days=1))
    except ValueError:
        return found[0]


def _cut_at(drafts: Path, now: datetime) -> None:
    """Leave out orders from the future."""
    placed: set[str] = set()
    for file in sorted((drafts / "orders").glob("*.csv")):
        _keep(file, lambda row: not _is_to_come(row, now))
        placed |= {row["order_id"] for row in _rows(file)}
    for file in sorted((drafts / "order-items").glob("*.csv")):
        _keep(file, lambda row: row["order_id"] in placed or not row["order_id"].isdigit())


def _is_to_come(row: Mapping[str, str], now: datetime) -> bool:
    created = _created(row)
    return created is not None and created > now - timedelta(minutes=2)


def _created(row: Mapping[str, str]) -> datetime | None:
    try:
        created = datetime.fromisoformat(row["created_at"])
    except (ValueError, TypeError):
        return None
    return created.replace(tzinfo=created.tzinfo or UTC)


def _rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8", errors="replace"))))


def _keep(file: Path, is_kept: Callable[[Mapping[str, str]], bool]) -> None:
    """Leave rows out of a file with one line per row; damaged lines stay."""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    header = next(csv.reader(lines[:1]))
    kept = [lines[0]]
    for line in lines[1:]:
        fields = next(csv.reader([line]), [])
        if len(fields) != len(header) or is_kept(dict(zip(header, fields, strict=True))):
            kept.append(line)
    file.write_text("".join(kept), encoding="utf-8")


def _mishaps(part: int) -> dict[str, bytes]:
    """Return what else went wrong: refused files, a formula, a copy, items before their orders."""
    return {
        2: {"orders/marketplace-export.csv": b"order_id,status,created_at\n1,shipped,2025-01-01T10:00:00\n"},
        4: {"products/spring-catalogue.csv": csv_of(product(900001, "Jeans", cost="30.00"), product(900002, "Jeans"))},
        6: {"order-items/web-shop.csv": csv_of(*(item(9_000_000 + n, 8_000_000 + n, 1, "0") for n in range(40)))},
        8: {"products/spring-catalogue.csv": csv_of(product(900001, "Jeans", cost="9.00"), product(900002, "Jeans"))},
        9: {"orders/pos-terminal.csv": "order_id,user_id,status,created_at,num_of_item\n".encode("utf-16")},
        11: {"order-items/early.csv": csv_of(*(item(9_100_000 + n, 8_100_000 + n, 1, "24.50") for n in range(6)))},
    }.get(part, {})


if __name__ == "__main__":
    build(Path(sys.argv[1]))
