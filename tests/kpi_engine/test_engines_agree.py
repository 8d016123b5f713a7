"""Spark publishes the same as DuckDB, byte for byte: every golden case, generated histories, ten thousand items, odd lakes."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any, Final

import pytest
from pyspark.sql import SparkSession

import takings.contracts
from takings.composition.sample_shops import ShopPlan, generate_shop
from takings.errors import MachineryError
from takings.queries.verification import verify
from takings.runs import pipeline
from takings.runs.restate import restate
from tests.depth import examples, some
from tests.golden.kpis.test_kpis import CASES, drop_and_run, read_case
from tests.histories.living import Life
from tests.histories.shops import History, arrivals_in_any_order, corrections_in_any_order, worth_in_any_order
from tests.shop import (
    ShiftedClock,
    csv_of,
    drop,
    drop_all,
    expected,
    item,
    kpi_rows,
    new_store,
    opened,
    order,
    product,
    published,
    run,
)
from tests.worths import ROLES, contracts_of_worth

pytestmark = [
    pytest.mark.xdist_group("spark"),
    # PySpark drops the socket of each result without closing it.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.usefixtures("spark"),
]

#: histories in one store
LANES: Final = 20


def published_by_spark(root: Path, **options: Any) -> tuple[str, str]:
    """Remove every published number, and let Spark publish all of them again."""
    forget_numbers(root)
    with opened(root, engine="spark", **options) as shop:
        restate(shop.ports)
    return published(root, **options)


def forget_numbers(root: Path) -> None:
    """Empty the KPI tables."""
    with closing(sqlite3.connect(root / ".takings" / "takings.db")) as database, database:
        for table in ("OrderKPIs", "CategoryKPIs"):
            database.execute(f"delete from {table}")


@pytest.mark.parametrize("path", some(CASES, 3), ids=lambda path: path.stem)
def test_golden_kpis(path: Path, tmp_path: Path) -> None:
    """Each case gives its literal result again."""
    case, options = read_case(path, tmp_path)
    root = new_store(tmp_path / "shop")
    with opened(root, **options) as shop:
        drop_and_run(case, shop)
    assert published_by_spark(root, **options) == (case["day"], case["category"])


@pytest.mark.parametrize("seed", range(examples(1, 2)))
@pytest.mark.parametrize("make", [arrivals_in_any_order, corrections_in_any_order, worth_in_any_order])
def test_histories(make: Callable[[int, int], History], seed: int, tmp_path: Path) -> None:
    """Whatever order files came in, however they were split and corrected."""
    history = make(seed, LANES)
    options: dict[str, Any] = {"time_zone": history.time_zone, "batch_max_files": history.batch_max_files}
    if history.is_of_worth:
        options["contracts"] = contracts_of_worth(tmp_path / "contracts", optional=("status",))
    root = new_store(tmp_path / "shop")
    with opened(root, **options) as shop:
        life = Life(shop=shop, history=history, clock=ShiftedClock())
        for writes in history.drops:
            life.drop(writes)
            life.run()
    by_duckdb = published(root, **options)
    assert published_by_spark(root, **options) == by_duckdb == expected(root, ROLES)


def test_a_shop_of_ten_thousand_items(tmp_path: Path) -> None:
    """Spark computes each of its two batches; each engine verifies what the other one published."""
    both = []
    for engine in ("duckdb", "spark"):
        root = new_store(tmp_path / engine)
        generate_shop(root / "raw-data", ShopPlan(orders=3400, seed=1, days=30, parts=2))
        with opened(root, engine=engine, batch_max_files=4) as shop:
            assert len(pipeline.run(shop.ports, at_once=True).batches) == 2
        both.append(published(root))
    assert both[0] == both[1]
    for verified, other in (("spark", "duckdb"), ("duckdb", "spark")):
        with opened(tmp_path / verified, engine=other) as shop:
            verification = verify(shop.ports)
            assert verification.differences == ()
            assert verification.rows > 600


def test_numbers_have_the_same_definition(done: Path) -> None:
    """A store may change its engine without publishing any day again."""
    with opened(done) as shop:
        before = kpi_rows(shop.ports)
    with opened(done, engine="spark") as shop:
        restate(shop.ports, date(2025, 3, 30), date(2025, 3, 30))
        after = kpi_rows(shop.ports)
    assert {row.definition for rows in after.values() for row in rows} == {before["OrderKPIs"][0].definition}
    assert {name: [(row.key, row.values) for row in rows] for name, rows in after.items()} == {
        name: [(row.key, row.values) for row in rows] for name, rows in before.items()
    }


def test_a_store_with_a_strange_name(tmp_path: Path) -> None:
    """Hadoop reads some characters as a pattern, and a percent sign as the start of a code."""
    root = drop_all(new_store(tmp_path / "a 5% [b] {c,d} *?#=é"))
    run(root)
    assert published_by_spark(root) == expected(root)


def test_days_of_other_calendars(root: Path) -> None:
    """Before 1582, Spark's calendar could be another one; and no day is too early."""
    days = ("0001-01-01", "1500-02-28", "1582-10-10", "1899-12-31", "2024-02-29")
    drop(root, "products/a.csv", csv_of(product(1)))
    drop(root, "orders/a.csv", csv_of(*(order(at, f"{day}T00:00:00") for at, day in enumerate(days))))
    drop(
        root, "order-items/a.csv", csv_of(*(item(at, at, returned_at=f"{day}T00:00:00") for at, day in enumerate(days)))
    )
    run(root)
    by_duckdb = published(root)
    assert [line[:10] for line in by_duckdb[0].splitlines()[1:]] == list(days)
    assert published_by_spark(root) == by_duckdb


def test_a_widened_lake(root: Path, tmp_path: Path) -> None:
    """Older files lack the column that the contract gained, newer ones have it."""
    folder = tmp_path / "contracts"
    folder.mkdir()
    for file in Path(takings.contracts.__file__).parent.glob("*.odcs.yaml"):
        shutil.copy(file, folder)
    drop_all(root)
    run(root)
    items = folder / "order_items.odcs.yaml"
    column = "      - name: colour\n        description: As the shop window shows it.\n        logicalType: string\n"
    items.write_text(items.read_text().replace("    properties:\n", f"    properties:\n{column}", 1))
    drop(root, "order-items/b.csv", csv_of(item(9, 3, 3, "0.75", colour="red")))
    run(root, contracts=str(folder))
    assert published_by_spark(root, contracts=str(folder)) == expected(root)


def test_only_the_days_that_are_asked_for(done: Path) -> None:
    """Measures of a day are read only from its files."""
    for days in ({date(2025, 3, 31)}, {date(2025, 3, 30), date(2025, 4, 1)}, {date(2025, 4, 1)}, set[date]()):
        by_engine = []
        for engine in ("duckdb", "spark"):
            with opened(done, engine=engine) as shop:
                ports = shop.ports
                measures = ports.kpi_engine.measures(ports.kpi_tables, ports.tables.snapshot(), days)
            by_engine.append({name: sorted(rows, key=str) for name, rows in measures.items()})
        assert by_engine[0] == by_engine[1]
        assert {row["order_date"] for row in by_engine[1]["OrderKPIs"]} <= days


def test_a_lost_file_is_no_day_without_sales(done: Path) -> None:
    """The error names it."""
    lost = next(path for path in (done / "lake" / "order_items").rglob("*.parquet") if "2025-03-31" in str(path))
    lost.unlink()
    with opened(done, engine="spark") as shop, pytest.raises(MachineryError, match=r"Spark could not.*2025-03-31"):
        verify(shop.ports)


def test_a_session_that_was_there_before_goes_on(done: Path, spark: SparkSession) -> None:
    """Its settings are unchanged, too."""
    spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    try:
        with opened(done, engine="spark") as shop:
            assert verify(shop.ports).differences == ()
        assert spark.conf.get("spark.sql.session.timeZone") == "Asia/Tokyo"
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
    assert spark.range(3).count() == 3
