"""Build a shop from literals: rows of products, orders and items, their drops, runs, and the results.

drop(root, "orders/a.csv", orders(order(1), order(2, created_at="2025-03-31T09:00:00", status="returned")))
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import duckdb

from takings.adapters.duckdb.session import open_duckdb
from takings.archive.lineage import LineageRecord
from takings.composition import engines
from takings.composition.stores import Shop, open_store
from takings.entrypoints.kpi_output import as_csv
from takings.intake.arrivals import ObjectInfo
from takings.kpis import KpiRow
from takings.kpis.publication import visible
from takings.layout import Drop, read_raw_key
from takings.runs import pipeline
from takings.runs.pipeline import Ports, RunOutcome
from tests.oracle.kpis import NO_ROLES, category_kpis, kpis_csv, order_kpis
from tests.oracle.store import read_store

#: an instant for tests of pure decisions
NOON: Final = datetime(2025, 3, 30, 12, tzinfo=UTC)

Fields = Mapping[str, object]


def product(id_: int, category: str = "Books", **other: object) -> Fields:
    """Return a valid product."""
    return {
        "id": id_,
        "sku": f"S-{id_}",
        "cost": "1.00",
        "category": category,
        "name": "Atlas",
        "brand": "Acme",
        "retail_price": "20.00",
        "department": "Home",
    } | other


def order(id_: int, created_at: str = "2025-03-30T10:00:00", **other: object) -> Fields:
    """Return a valid order."""
    return {"order_id": id_, "user_id": 7, "status": "shipped", "created_at": created_at, "num_of_item": 1} | other


def item(id_: int, order_id: int, product_id: int = 1, sale_price: str = "10.00", **other: object) -> Fields:
    """Return a valid order item."""
    return {
        "id": id_,
        "order_id": order_id,
        "product_id": product_id,
        "user_id": 7,
        "status": "shipped",
        "sale_price": sale_price,
    } | other


def csv_of(*rows: Fields) -> bytes:
    """Write rows with the same columns as they are; the caller quotes."""
    lines = [",".join(rows[0]), *(",".join(str(field) for field in row.values()) for row in rows)]
    return "".join(line + "\n" for line in lines).encode()


#: three rows of each dataset on two days, in two categories; 34.50 in all
PRODUCTS: Final = csv_of(product(1, "Books"), product(2, "Toys"), product(3, "Toys"))
ORDERS: Final = csv_of(order(1), order(2, user_id=8, status="returned"), order(3, "2025-03-31T09:00:00"))
ITEMS: Final = csv_of(
    item(1, 1, 1, "10.00"), item(2, 2, 2, "20.25", status="returned"), item(3, 3, 3, "4.25", status="cancelled")
)


def new_store(root: Path) -> Path:
    """Make an empty store."""
    (root / "raw-data").mkdir(parents=True)
    return root


def drop(root: Path, file: str, content: bytes, *, written_at: datetime | None = None) -> Path:
    """Drop a file under raw-data/ the safe way: write it elsewhere, then rename it into place."""
    target = root / "raw-data" / file
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}")
    draft.write_bytes(content)
    if written_at is not None:
        os.utime(draft, (written_at.timestamp(), written_at.timestamp()))
    return draft.rename(target)


def drop_all(root: Path, name: str = "a.csv") -> Path:
    """Drop the three standard files."""
    for folder, content in (("products", PRODUCTS), ("orders", ORDERS), ("order-items", ITEMS)):
        drop(root, f"{folder}/{name}", content)
    return root


def listed(key: str, *, at: datetime = NOON, size: int = 100, is_settled: bool = True) -> ObjectInfo:
    """Return what a listing shows of a file."""
    return ObjectInfo(key=key, size=size, written_at=at, etag=f"etag of {key}", is_settled=is_settled)


def pending(file: str, *, at: datetime = NOON, size: int = 100) -> tuple[ObjectInfo, Drop]:
    """Return a pending file of raw-data/."""
    key = f"raw-data/{file}"
    dropped = read_raw_key(key)
    assert isinstance(dropped, Drop), dropped
    return listed(key, at=at, size=size), dropped


# Runs


@dataclass
class ShiftedClock:
    """The machine's clock, moved ahead."""

    ahead: timedelta = timedelta(0)

    def now(self) -> datetime:
        """Return the instant, in UTC."""
        return datetime.now(UTC) + self.ahead

    def sleep(self, seconds: float) -> None:
        """Jump ahead instead of sleeping."""
        self.ahead += timedelta(seconds=seconds)


def silent(_: str, __: Mapping[str, object]) -> None:
    """Log nothing."""


@contextmanager
def opened(root: Path | str, *, later: timedelta = timedelta(0), **options: Any) -> Iterator[Shop]:
    """Open a store, `later` by its clock, on this process's one DuckDB, unless the options need another."""
    is_its_own = bool({"memory", "threads"} & options.keys())
    with ExitStack() as stack:
        with patch.object(engines, "open_duckdb", open_duckdb if is_its_own else _session):
            shop = stack.enter_context(open_store(root, silent, {"threads": 1} | options))
        yield replace(shop, ports=replace(shop.ports, clock=ShiftedClock(later)))


def _session(_: str, __: int, spill: Path) -> duckdb.DuckDBPyConnection:
    """Begin a session instead of a DuckDB, and leave the same traces in the store."""
    spill.mkdir(parents=True, exist_ok=True)
    return _duckdb().cursor()


@cache
def _duckdb() -> duckdb.DuckDBPyConnection:
    """Start one DuckDB for this process: each takes 20 ms, as long as many a test."""
    return open_duckdb("400MB", 1, Path(tempfile.gettempdir()) / "takings tests" / str(os.getpid()))


def run(root: Path | str, *, at_once: bool = True, later: timedelta = timedelta(0), **options: Any) -> RunOutcome:
    """Process what is pending."""
    with opened(root, later=later, **options) as shop:
        return pipeline.run(shop.ports, at_once=at_once)


# Results


def kpi_rows(ports: Ports) -> dict[str, list[KpiRow]]:
    """Return the published rows of each KPI table, without hidden ones."""
    return {table.name: list(visible(ports.kpis.rows(table))) for table in ports.kpi_tables}


def published(root: Path | str, **options: Any) -> tuple[str, str]:
    """Return the published KPIs as `takings kpis` prints them: by day and by category."""
    with opened(root, **options) as shop:
        by_day, by_category = (as_csv(table, visible(shop.ports.kpis.rows(table))) for table in shop.ports.kpi_tables)
    return by_day, by_category


def expected(root: Path, roles: Mapping[str, str] = NO_ROLES) -> tuple[str, str]:
    """Return what the oracle computes from the store's originals, given the item columns with roles."""
    lake = read_store(root, roles)
    return kpis_csv(order_kpis(lake), "day"), kpis_csv(category_kpis(lake), "category")


def lineage(root: Path | str, **options: Any) -> list[LineageRecord]:
    """Return every lineage record, oldest first."""
    with opened(root, **options) as shop:
        return list(shop.ports.ledger.lineage())


def files(root: Path, *folders: str) -> list[str]:
    """Return the files under some folders of the store, with days and batches removed from their names."""
    found = [path for folder in folders for path in sorted((root / folder).rglob("*")) if path.is_file()]
    kept = [path.relative_to(root).parts for path in found]
    return ["/".join(parts[:1] + parts[5:] if parts[0] in {"processed", "failed"} else parts) for parts in kept]
